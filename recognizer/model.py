"""Frames -> log-probabilities of labels: a stem, deep bidirectional LSTMs and CTC, as a LightningModule.

B batch, T frames, F features, T' frames after the stem, A labels with the blank as label 0.
"""

from __future__ import annotations

import logging
import pickle
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from recognizer import frontends, reading
from recognizer.alphabet import BLANK, Alphabet
from recognizer.batch import pad
from recognizer.build import build
from recognizer.calibration import Calibration
from recognizer.decoders import Decoder
from recognizer.errors import CheckpointError, ConfigError, RecognizerError, nearest
from recognizer.layers import LAYERS, STEMS, Layer
from recognizer.learner import Learner
from recognizer.manifest import Utterance
from recognizer.schedule import SCHEDULES
from recognizer.transcript import Transcript

VERSION = 1
"""Of the checkpoint's layout: raised when an older program could no longer read a newer file."""

log = logging.getLogger(__name__)


class Recognizer(Learner):
    """Reads frames of one kind and writes texts in one alphabet (Graves et al. 2006; Graves et al. 2009).

    Every argument is a plain value, so that a checkpoint holds all that is needed to build the model again.

    Args:
        alphabet: characters, form and split, see `Alphabet.config`.
        frontend: name and settings of the front end whose frames it reads.
        stem: name and settings of the stem, which may shorten time.
        layer: name of the recurrent layers, which says what cells they have, see `recognizer.layers`; or name and
            settings, such as {"name": "lcblstm", "chunk": 8, "ahead": 8}.
        depth: how many of them.
        width: units of each direction.
        projection: features after each layer's linear map; 0 keeps 2 * width.
        norm: layer normalisation of each layer's input.
        dropout: share of each layer's outputs set to zero while training.
        lr: highest learning rate of AdamW (Loshchilov & Hutter 2019).
        weight_decay: its decay, of weight matrices only.
        warmup: share of all steps over which the rate rises.
        shown: texts shown after each validation.
        schedule: the course of the learning rate, one of `SCHEDULES`: "cosine", "onecycle", "plateau", "constant".
        average: share that the running average of the weights keeps at each step, such as 0.999; the average is what is
            validated and written as the model. 0: no average.

    Raises:
        ConfigError: an unknown name or a value out of range.
        AlphabetError: an alphabet that breaks its laws.
    """

    def __init__(
        self,
        alphabet: dict[str, Any],
        frontend: dict[str, Any],
        stem: dict[str, Any] | None = None,
        layer: str | dict[str, Any] = "blstm",
        depth: int = 3,
        width: int = 256,
        projection: int = 0,
        norm: bool = True,
        dropout: float = 0.2,
        lr: float = 2e-3,
        weight_decay: float = 1e-2,
        warmup: float = 0.1,
        shown: int = 3,
        schedule: str = "cosine",
        average: float = 0.0,
    ) -> None:
        super().__init__()
        stem = dict(stem or {"name": "conv2d"})
        self.frontend = frontends.build(frontend)
        frontend = self.frontend.config()  # all settings, so that a later release with other defaults reads the same
        self.save_hyperparameters()
        for name, value in (("depth", depth), ("width", width), ("lr", lr)):
            if value <= 0:
                raise ConfigError(f"model.{name}", f"is {value}", "use a number above 0")
        if not 0 <= average < 1:
            raise ConfigError("model.average", f"is {average}", "use a share below 1, such as 0.999, or 0 for none")
        if schedule not in SCHEDULES:
            raise ConfigError("model.schedule", f"unknown name {schedule!r}", nearest(schedule, SCHEDULES))
        self.alphabet = Alphabet.from_config(alphabet)
        self.stem: Layer = build(STEMS, "model.stem", stem, inputs=self.frontend.size)
        layer = {"name": layer} if isinstance(layer, str) else layer
        settings = {"width": width, "projection": projection, "norm": norm, "dropout": dropout}
        self.layers = nn.ModuleList()
        size = self.stem.size
        for _ in range(depth):
            made = build(LAYERS, "model.layer", layer, inputs=size, **settings)
            self.layers.append(made)
            size = made.size
        self.linear = nn.Linear(size, len(self.alphabet))
        self.calibration = Calibration()

    @property
    def reduction(self) -> int:
        """Frames that go into one step of the network's output."""
        return self.stem.reduction

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, F], [B] -> log-probabilities float32 [B, T', A], [B]."""
        frames, lengths = self.stem(frames, lengths)
        for layer in self.layers:
            frames, lengths = layer(frames, lengths)
        return self.linear(frames).float().log_softmax(-1), lengths

    # Saving and use

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write the layout's version beside the weights."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["recognizer_version"] = VERSION

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> Recognizer:
        """The model in a checkpoint, ready for use; opening the file runs no code of it.

        Raises:
            CheckpointError: missing, not a checkpoint, of another version, or of another shape than it says.
        """
        checkpoint = opened(path)
        try:
            model = cls(**{key: value for key, value in checkpoint["hyper_parameters"].items() if key[0] != "_"})
            model.load_state_dict(checkpoint["state_dict"])
        except (RecognizerError, TypeError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise CheckpointError(path, f"does not fit this program ({reason})", "train it again") from error
        return model.to(device).eval()

    def adopt(self, path: str | Path) -> None:
        """Begin with the weights of the checkpoint at `path`; output rows go by character, so alphabets may differ.

        Raises:
            CheckpointError: it cannot be opened, or its network is of another shape.
        """
        checkpoint = opened(path)
        given, mine = checkpoint["state_dict"], self.state_dict()
        old = Alphabet.from_config(checkpoint["hyper_parameters"]["alphabet"]).characters
        new = self.alphabet.characters
        rows = [(BLANK, BLANK), *((new.index(one) + 1, old.index(one) + 1) for one in new if one in old)]
        try:
            for name in ("linear.weight", "linear.bias"):
                merged = mine[name].clone()
                for to, origin in rows:
                    merged[to] = given[name][origin]
                given[name] = merged
            self.load_state_dict(given)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(path, f"is of another shape ({reason})", "use its model settings here") from error
        added, dropped = sorted(set(new) - set(old)), sorted(set(old) - set(new))
        log.info("begin with %s; characters added: %s; dropped: %s", path, added or "none", dropped or "none")

    @torch.inference_mode()
    def infer(self, rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Frames [T_b, F] of several files -> log-probabilities [B, T', A] and lengths [B], on the model's device."""
        frames = pad(list(rows)).to(self.device)
        return self(frames, torch.tensor([len(row) for row in rows], device=self.device))

    def transcribe(
        self, paths: str | Path | Sequence[str | Path], decoder: Decoder | None = None, batch_frames: int = 24_000
    ) -> list[Transcript]:
        """What stands in the files, in their order; a file of several items gives one transcript for each.

        Args:
            decoder: greedy, if none is given.
            batch_frames: frames that the network reads at once, padding counted in.

        Raises:
            InputError: a file cannot be read.
        """
        named = [paths] if isinstance(paths, str | Path) else paths
        utterances = [Utterance(item) for path in named for item in self.frontend.items(str(path))]
        answers = []
        for answer in reading.transcripts(self, utterances, decoder or self.greedy, batch_frames):
            if isinstance(answer, RecognizerError):
                raise answer
            answers.append(answer)
        return answers


def opened(path: str | Path) -> dict[str, Any]:
    """The content of a checkpoint of this program, checked to be one.

    Raises:
        CheckpointError: missing, not a checkpoint, or of another version.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on files that other programs wrote
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise CheckpointError(path, f"cannot be opened ({error.strerror})", "check the path") from error
    except (OSError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            path, "is no checkpoint that can be opened safely", "name a file train.py wrote"
        ) from error
    version = checkpoint.get("recognizer_version") if isinstance(checkpoint, dict) else None
    if version != VERSION:
        found = "is no checkpoint of recognizer" if version is None else f"has version {version}"
        raise CheckpointError(
            path, f"{found}, this program reads version {VERSION}", "use a model made by this release"
        )
    return checkpoint
