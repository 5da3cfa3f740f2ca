"""The name of a model in the package, or the path of any other -> the model, ready for use: `load("speech")`.

What lies in `weights/`: NAME.ckpt, a checkpoint in half precision or in eight bits; NAME.npz, a language model, where
one helps, and NAME.dict.gz, how its words are spoken; and NAME.md, the model card, which says what it was trained on,
how well it reads, and what it reads badly.
"""

from __future__ import annotations

import os.path
from pathlib import Path

import torch

from recognizer.errors import CheckpointError, nearest
from recognizer.network import Network

WEIGHTS = Path(__file__).parent / "weights"


def names() -> list[str]:
    """The models in the package, sorted; each bears the name of the front end whose files it reads."""
    return sorted(path.stem for path in WEIGHTS.glob("*.ckpt"))


def find(model: str | Path) -> Path:
    """The file of a model of the package, if that is its name, or else the path itself.

    Raises:
        CheckpointError: there is neither such a name nor such a file.
    """
    if str(model) in names():
        return WEIGHTS / f"{model}.ckpt"
    path = Path(model)
    if path.name == str(model) and not path.suffix and not os.path.exists(path):
        remedy = nearest(str(model), names()) if names() else "name a file train.py wrote"
        raise CheckpointError(model, "is neither a model of the package nor a file", remedy)
    return path


def load(model: str | Path, device: str | torch.device = "cpu") -> Network:
    """A model by its name ("speech", "pen", "line") or path, ready for use; opening its file runs no code of it.

        recognizer.load("speech").transcribe("recording.wav")[0].text

    It can transcribe, align and, if its layers can, stream; to train it further, see `Recognizer`.

    Raises:
        CheckpointError: there is no such model, or the file holds none.
    """
    return Network.load(find(model), device)
