"""Models small enough for tests, as checkpoint files: untrained, or such that they always say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import soundfile
import torch
from PIL import Image

from recognizer.alphabet import Alphabet
from recognizer.model import Recognizer
from recognizer.network import VERSION


def checkpoint(path: Path, says: str | None = None, letters: str = " abc", **frontend: Any) -> Path:
    """A checkpoint at `path`; `says` is the letter it gives every frame ("" is the blank), None leaves it to chance."""
    torch.manual_seed(1)
    model = Recognizer(
        alphabet=Alphabet(sorted(letters)).config(),
        frontend={"name": "speech", "bands": 20, **frontend} if frontend.get("name") in (None, "speech") else frontend,
        stem={"name": "stack", "reduction": 2},
        depth=1,
        width=8,
    )
    if says is not None:
        with torch.no_grad():
            model.linear.weight.zero_()
            model.linear.bias.zero_()
            model.linear.bias[model.alphabet.encode(says)[0] if says else 0] = 8.0
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {
        "recognizer_version": VERSION,
        "pytorch-lightning_version": "2.6.0",
        "hyper_parameters": dict(model.hparams),
        "state_dict": model.state_dict(),
    }
    torch.save(kept, path)
    return path


def sound(path: Path, seconds: float = 0.5, rate: int = 16_000, channels: int = 1, seed: int = 0, **given: Any) -> Path:
    """A file of noise."""
    noise = numpy.random.default_rng(seed).normal(0, 0.1, (round(seconds * rate), channels))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise, rate, **given)
    return path


def ink(path: Path, seed: int = 0) -> Path:
    """A file of pen strokes: some loops."""
    chance, turn = numpy.random.default_rng(seed), numpy.linspace(0, 20, 160)
    loops = numpy.stack([8 * turn + 9 * numpy.sin(turn), 10 * numpy.cos(turn)], 1) + chance.normal(0, 0.2, (160, 2))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"strokes": [loops[:90].tolist(), loops[90:].tolist()]}))
    return path


def line(path: Path, seed: int = 0) -> Path:
    """An image of upright bars, dark on light."""
    grey = numpy.full((40, 160), 240, numpy.uint8)
    for left in numpy.random.default_rng(seed).integers(5, 150, 12).tolist():
        grey[10:30, left : left + 3] = 20
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey).save(path)
    return path
