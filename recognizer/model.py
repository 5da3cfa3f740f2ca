"""Frames -> log-probabilities of labels: a stem, deep bidirectional LSTMs and CTC, as a LightningModule.

B batch, T frames, F features, T' frames after the stem, A labels with the blank as label 0.
"""

from __future__ import annotations

import itertools
import logging
import math
import pickle
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from recognizer import frontends, reading
from recognizer.alphabet import BLANK, Alphabet
from recognizer.batch import Batch, needed, pad
from recognizer.build import build
from recognizer.calibration import Calibration
from recognizer.decoders import Decoder, Greedy
from recognizer.errors import CheckpointError, ConfigError, RecognizerError, nearest
from recognizer.layers import LAYERS, STEMS, Layer
from recognizer.layers.base import inside
from recognizer.manifest import Utterance
from recognizer.metrics import ErrorRates, Verdicts
from recognizer.transcript import Transcript

VERSION = 1
"""Of the checkpoint's layout: raised when an older program could no longer read a newer file."""

log = logging.getLogger(__name__)


class Recognizer(lightning.LightningModule):
    """Reads frames of one kind and writes texts in one alphabet (Graves et al. 2006; Graves et al. 2009).

    Every argument is a plain value, so that a checkpoint holds all that is needed to build the model again.

    Args:
        alphabet: characters, form and split, see `Alphabet.config`.
        frontend: name and settings of the front end whose frames it reads.
        stem: name and settings of the stem, which may shorten time.
        layer: name of the recurrent layers, which says what cells they have, see `recognizer.layers`.
        depth: how many of them.
        width: units of each direction.
        projection: features after each layer's linear map; 0 keeps 2 * width.
        norm: layer normalisation of each layer's input.
        dropout: share of each layer's outputs set to zero while training.
        lr: highest learning rate of AdamW (Loshchilov & Hutter 2019).
        weight_decay: its decay, of weight matrices only.
        warmup: share of all steps over which the rate rises; then it falls to zero along a cosine.
        shown: texts shown after each validation.

    Raises:
        ConfigError: an unknown name or a value out of range.
        AlphabetError: an alphabet that breaks its laws.
    """

    def __init__(
        self,
        alphabet: dict[str, Any],
        frontend: dict[str, Any],
        stem: dict[str, Any] | None = None,
        layer: str = "blstm",
        depth: int = 3,
        width: int = 256,
        projection: int = 0,
        norm: bool = True,
        dropout: float = 0.2,
        lr: float = 2e-3,
        weight_decay: float = 1e-2,
        warmup: float = 0.1,
        shown: int = 3,
    ) -> None:
        super().__init__()
        stem = dict(stem or {"name": "conv2d"})
        self.frontend = frontends.build(frontend)
        frontend = self.frontend.config()  # all settings, so that a later release with other defaults reads the same
        self.save_hyperparameters()
        for name, value in (("depth", depth), ("width", width), ("lr", lr)):
            if value <= 0:
                raise ConfigError(f"model.{name}", f"is {value}", "use a number above 0")
        if layer not in LAYERS:
            raise ConfigError("model.layer", f"unknown name {layer!r}", nearest(layer, LAYERS))
        self.alphabet = Alphabet.from_config(alphabet)
        self.stem: Layer = build(STEMS, "model.stem", stem, inputs=self.frontend.size)
        settings = {"width": width, "projection": projection, "norm": norm, "dropout": dropout}
        self.layers = nn.ModuleList()
        size = self.stem.size
        for _ in range(depth):
            made = build(LAYERS, "model", {"name": layer, **settings}, inputs=size)
            self.layers.append(made)
            size = made.size
        self.linear = nn.Linear(size, len(self.alphabet))
        self.rates, self.verdicts = ErrorRates(), Verdicts()
        self.calibration = Calibration()
        self.greedy = Greedy()
        self._told: set[str] = set()
        self._shown: list[tuple[str, str]] = []

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

    # Training

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The loss of a batch, see `loss`."""
        log_probs, lengths = self(batch.frames, batch.lengths)
        loss = self.loss(log_probs, lengths, batch)
        self.log("train_loss", loss, batch_size=len(batch), prog_bar=True, on_step=True, on_epoch=True)
        return loss

    def loss(self, log_probs: Tensor, lengths: Tensor, batch: Batch) -> Tensor:
        """CTC loss (Graves et al. 2006, eq. 12) in nats a label, over the rows whose text fits into their frames.

        The others are named once in the log and take no part.
        """
        least = needed(batch.labels, batch.label_lengths)
        fits = least <= lengths
        if not bool(fits.all()):
            self._tell(batch, fits, lengths, least)
        losses = nn.functional.ctc_loss(
            log_probs.transpose(0, 1),
            batch.labels,
            lengths,
            batch.label_lengths,
            blank=BLANK,
            reduction="none",
            zero_infinity=True,
        )
        labels = (batch.label_lengths * fits).sum().clamp_min(1)
        return torch.where(fits, losses, 0.0).sum() / labels

    def _tell(self, batch: Batch, fits: Tensor, lengths: Tensor, least: Tensor) -> None:
        for row in (~fits).nonzero().flatten().tolist():
            path = batch.utterances[row].path
            if path not in self._told:
                self._told.add(path)
                log.warning(
                    "%s: left out: its text needs %d steps of the network and it has %d (%d frames / %d);"
                    " check the text, or shorten time less in the stem",
                    path, int(least[row]), int(lengths[row]), int(batch.lengths[row]), self.reduction,
                )  # fmt: skip

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """A step with gradients that are not finite is left out: no NaN reaches the weights."""
        gradients = [weight.grad for weight in self.parameters() if weight.grad is not None]
        if gradients and not bool(torch.nn.utils.get_total_norm(gradients).isfinite()):
            log.warning("step %d left out: its gradients are not finite", self.global_step)
            optimizer.zero_grad(set_to_none=True)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Loss, error rates of the greedy reading, and the share of frames that are blank."""
        self._score(batch, "val")

    def test_step(self, batch: Batch, _: int) -> None:
        """As validation."""
        self._score(batch, "test")

    def _score(self, batch: Batch, name: str) -> None:
        log_probs, lengths = self(batch.frames, batch.lengths)
        steps = list(itertools.pairwise(map(float, range(log_probs.shape[1] + 1))))
        answers = [reading.judged(self, row, steps) for row in self.greedy.decode(log_probs, lengths)]
        texts = [" ".join(word.text for word in words) for words, _ in answers]
        references = [self.alphabet.normalise(utterance.text or "") for utterance in batch.utterances]
        self.rates.update(references, texts)
        self.verdicts.update(references, answers)
        if len(self._shown) < self.hparams["shown"]:
            self._shown.append((references[0], texts[0]))
        real = inside(lengths, log_probs.shape[1])
        blank = (log_probs.argmax(-1) == BLANK)[real].float().mean()
        rows = len(batch)
        self.log(f"{name}_loss", self.loss(log_probs, lengths, batch), batch_size=rows, prog_bar=True, sync_dist=True)
        self.log(f"{name}_blank", blank, batch_size=rows, sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Log the epoch's error rates, show a few texts, and fit the calibration to what was right."""
        words, texts = self.verdicts.compute()
        if not self.trainer.sanity_checking:
            self.calibration.fit(words.cpu(), texts.cpu())
        self._report("val")

    def on_test_epoch_end(self) -> None:
        """As validation."""
        self._report("test")

    def _report(self, name: str) -> None:
        self.log_dict({f"{name}_{key}": rate for key, rate in self.rates.compute().items()}, prog_bar=True)
        self.rates.reset()
        self.verdicts.reset()
        lines = [f"    text {reference}\n    read {text}" for reference, text in self._shown]
        self._shown.clear()
        if lines and self.trainer.is_global_zero and not self.trainer.sanity_checking:
            log.info("after step %d:\n%s", self.global_step, "\n".join(lines))
            for logger in self.loggers:
                add = getattr(getattr(logger, "experiment", None), "add_text", None)
                if callable(add):
                    add(f"{name}_texts", "\n\n".join(lines), self.global_step)

    def configure_optimizers(self) -> Any:
        """AdamW; the rate rises for `warmup` of all steps and falls to zero along a cosine."""
        matrices = [weight for weight in self.parameters() if weight.dim() > 1]
        vectors = [weight for weight in self.parameters() if weight.dim() <= 1]
        groups = [
            {"params": matrices, "weight_decay": self.hparams["weight_decay"]},
            {"params": vectors, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.hparams["lr"], betas=(0.9, 0.98))
        total = self.trainer.estimated_stepping_batches
        rise = max(1.0, self.hparams["warmup"] * total) if math.isfinite(total) else 500.0

        def share(step: int) -> float:
            if step < rise:
                return (step + 1) / (rise + 1)
            if not math.isfinite(total):
                return 1.0
            return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1.0, total - rise))))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    # Saving and use

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write the layout's version beside the weights."""
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
