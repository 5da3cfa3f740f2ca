"""Manifests, a front end and an alphabet -> batches of frames and labels."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from torch.utils.data import DataLoader

from recognizer import frontends, manifest, variations
from recognizer.alphabet import Alphabet, Form, Split
from recognizer.augment import Augment
from recognizer.batch import Batch
from recognizer.build import build
from recognizer.errors import ConfigError, nearest
from recognizer.frontends import Frontend
from recognizer.part import Listed, Loader, Part
from recognizer.sampler import Bins
from recognizer.samples import SAMPLES

log = logging.getLogger(__name__)


class Corpus(lightning.LightningDataModule):
    """Training, validation and test sets of one kind of files.

    Args:
        train: one or more manifests to learn from.
        val: one or more manifests to validate on; none: some speakers of the training set are held out.
        test: one or more manifests for `trainer.test`.
        sample: in place of manifests, an embedded corpus ("digits", "ink", "lines") that is made on the spot.
        folder: where the embedded corpus is made.
        frontend: name and settings of the front end.
        val_fraction: share of the speakers held out when `val` is empty.
        form: Unicode normal form of the texts.
        split: what counts as one character: "character" (code point) or "grapheme".
        lower: bring the training texts to lower case.
        alphabet: the characters to write; empty: all that occur in the training texts.
        drop_unknown: leave characters outside the alphabet out, instead of refusing the text.
        batch_frames: frames of a batch, padding counted in.
        batch_most: utterances of a batch at most.
        vary: show the network variants of each signal; settings of the front end's `variations` (speed, slant, ...)
            that differ from the defaults, 0 turns one off; `false` all.
        augment: settings of `Augment`; `null` turns it off.
        nothing: empty signals (silence, noise, plain paper) shown in training, as a share of the utterances; without
            them a network that has never met silence finds words in it.
        workers: processes that read and frame; 0 does it in the training process.
        cache: MiB of signals kept in memory by each process, so that files are read once.
        seed: of shuffling and augmentation.
        weights: how often the utterances of each manifest of `train` come in an epoch, see `Bins`; none: each once.
    """

    def __init__(
        self,
        train: list[str] | str = "",
        val: list[str] | str = "",
        test: list[str] | str = "",
        sample: str | None = None,
        folder: str = "corpora",
        frontend: dict[str, Any] | None = None,
        val_fraction: float = 0.1,
        form: Form = "NFC",
        split: Split = "character",
        lower: bool = False,
        alphabet: str = "",
        drop_unknown: bool = False,
        batch_frames: int = 8000,
        batch_most: int = 64,
        vary: bool | dict[str, Any] = True,
        augment: dict[str, Any] | None = None,
        nothing: float = 0.03,
        workers: int = 0,
        cache: int = 2048,
        seed: int = 0,
        weights: list[float] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        if bool(sample) == bool(train):
            found = f"train {train!r} and sample {sample!r}"
            raise ConfigError("data", f"{found}: one of the two must be given", "set data.train to a manifest")
        if sample and sample not in SAMPLES:
            raise ConfigError("data.sample", f"unknown name {sample!r}", nearest(sample, SAMPLES))
        if batch_frames < 1 or batch_most < 1:
            raise ConfigError("data", f"batch_frames {batch_frames}, batch_most {batch_most}", "use at least 1")
        tables = 1 if sample or isinstance(train, str) else len(train)
        if weights is not None and not (len(weights) == tables and all(0 < weight < math.inf for weight in weights)):
            raise ConfigError("data.weights", f"is {weights}", f"give {tables} numbers above 0, as many as manifests")
        self.frontend: dict[str, Any] = dict(frontend or {"name": "speech"})
        self.frames: Frontend[Any] = frontends.build(self.frontend)
        self.augment = (
            None if augment is None else build({"augment": Augment}, "data.augment", {"name": "augment", **augment})
        )
        self.vary = variations.build(self.frontend["name"], vary)
        self._alphabet: Alphabet | None = None
        self._parts: dict[str, Part] = {}
        self._bins: Bins | None = None  # of the training set, once there is a loader
        self._resumed: dict[str, int] = {}

    def prepare_data(self) -> None:
        """Make the embedded corpus, if one is asked for and is not there yet."""
        if self.hparams["sample"]:
            SAMPLES[self.hparams["sample"]](Path(self.hparams["folder"]) / self.hparams["sample"])

    @property
    def alphabet(self) -> dict[str, Any]:
        """The alphabet as plain values: of the training texts, unless one was given."""
        return self._letters().config()

    def _letters(self) -> Alphabet:
        if self._alphabet is None:
            self.prepare_data()
            texts = self.hparams["alphabet"] or "\n".join(utterance.text or "" for _, utterance in self._training()[0])
            texts = texts.lower() if self.hparams["lower"] else texts
            self._alphabet = Alphabet.of(texts.split("\n"), self.hparams["form"], self.hparams["split"])
        return self._alphabet

    def setup(self, stage: str) -> None:
        """Read the manifests, measure every file, and leave out those that cannot be used, by name."""
        if self._parts:
            return
        train, val = self._training()
        test = self._listed("test")
        letters = self._letters()
        chosen = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}.get(stage, ("train", "val", "test"))
        for name, utterances in (("train", train), ("val", val), ("test", test)):
            if name in chosen and utterances:
                self._parts[name] = self._part(name, utterances, letters)

    def _part(self, name: str, listed: list[Listed], alphabet: Alphabet) -> Part:
        given: dict[str, Any] = {key: self.hparams[key] for key in ("lower", "drop_unknown", "cache", "seed")}
        if name == "train":
            given |= {"vary": self.vary, "augment": self.augment, "nothing": self.hparams["nothing"]}
        return Part(name, listed, self.frames, alphabet, **given)

    def _training(self) -> tuple[list[Listed], list[Listed]]:
        train, val = self._listed("train"), self._listed("val")
        if val:
            return train, val
        _, held = manifest.split([utterance for _, utterance in train], self.hparams["val_fraction"])
        out = {id(utterance) for utterance in held}
        return [row for row in train if id(row[1]) not in out], [row for row in train if id(row[1]) in out]

    def _listed(self, name: str) -> list[Listed]:
        if self.hparams["sample"]:
            paths = [str(Path(self.hparams["folder"]) / self.hparams["sample"] / f"{name}.tsv")]
        else:
            given = self.hparams[name]
            paths = [given] if isinstance(given, str) else list(given)
        return [(number, row) for number, path in enumerate(paths) if path for row in manifest.read(path)]

    def _loader(self, name: str) -> DataLoader[Batch]:
        part = self._parts.get(name)
        if part is None:
            raise ConfigError(f"data.{name}", "no manifest was given", f"set data.{name}")
        trainer = self.trainer
        learning = name == "train"
        sampler = Bins(
            part.lengths,
            self.hparams["batch_frames"],
            shuffle=learning,
            seed=self.hparams["seed"],
            rank=trainer.global_rank if trainer else 0,
            world=trainer.world_size if trainer else 1,
            most=self.hparams["batch_most"],
            origins=part.origins if learning else (),
            weights=(learning and self.hparams["weights"]) or [1.0] * (max(part.origins) + 1 if learning else 1),
        )
        if learning:
            self._bins = sampler
            self._resume(sampler)
        workers = self.hparams["workers"]
        return Loader(
            part,
            sampler=sampler,
            batch_size=None,  # the sampler draws whole batches
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def state_dict(self) -> dict[str, Any]:
        """The epoch and how many of its batches each rank has learnt from, so that a run can go on in the middle."""
        if self._bins is None or self.trainer is None:
            return {}
        progress: Any = self.trainer.fit_loop.epoch_loop.batch_progress.current
        return {"epoch": self._bins.epoch, "batches": progress.processed, "of": len(self._bins)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on there; Lightning calls it before it asks for the batches."""
        self._resumed = state_dict

    def _resume(self, sampler: Bins) -> None:
        if not self._resumed:
            return
        done, of = self._resumed["batches"], self._resumed["of"]
        if done < of != len(sampler):
            log.warning(
                "data: %d batches an epoch where the run that goes on had %d: in the rest of epoch %d"
                " some utterances come again and some not at all", len(sampler), of, self._resumed["epoch"],
            )  # fmt: skip
        sampler.resume(self._resumed["epoch"], done if done < of else len(sampler))

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches in a new order each epoch, varied and augmented."""
        return self._loader("train")

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches from short to long, as they are."""
        return self._loader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches from short to long, as they are."""
        return self._loader("test")
