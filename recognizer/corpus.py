"""Manifests, a front end and an alphabet -> batches of frames and labels."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import pytorch_lightning as lightning
import torch
from torch.utils.data import DataLoader, Dataset

from recognizer import frontends, manifest
from recognizer.alphabet import Alphabet, Form, Split
from recognizer.augment import Augment
from recognizer.batch import Batch, Sample, collate
from recognizer.build import build
from recognizer.errors import AlphabetError, ConfigError, InputError, ManifestError, nearest
from recognizer.frontends import Frontend
from recognizer.manifest import Utterance
from recognizer.sampler import Bins, Draw
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
        vary: show the network variants of each signal (speed, slant, ...), see the front end's `vary`.
        augment: settings of `Augment`; `null` turns it off.
        nothing: empty signals (silence, noise, plain paper) shown in training, as a share of the utterances; without
            them a network that has never met silence finds words in it.
        workers: processes that read and frame; 0 does it in the training process.
        cache: MiB of signals kept in memory by each process, so that files are read once.
        seed: of shuffling and augmentation.
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
        vary: bool = True,
        augment: dict[str, Any] | None = None,
        nothing: float = 0.03,
        workers: int = 0,
        cache: int = 2048,
        seed: int = 0,
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
        self.frontend: dict[str, Any] = dict(frontend or {"name": "speech"})
        self.frames: Frontend[Any] = frontends.build(self.frontend)
        self.augment = (
            None if augment is None else build({"augment": Augment}, "data.augment", {"name": "augment", **augment})
        )
        self._alphabet: Alphabet | None = None
        self._parts: dict[str, _Frames] = {}

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
            texts = self.hparams["alphabet"] or "\n".join(utterance.text or "" for utterance in self._training()[0])
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
                self._parts[name] = _Frames(name, utterances, self, letters)

    def _training(self) -> tuple[list[Utterance], list[Utterance]]:
        train, val = self._listed("train"), self._listed("val")
        return (train, val) if val else manifest.split(train, self.hparams["val_fraction"])

    def _listed(self, name: str) -> list[Utterance]:
        if self.hparams["sample"]:
            paths = [str(Path(self.hparams["folder"]) / self.hparams["sample"] / f"{name}.tsv")]
        else:
            given = self.hparams[name]
            paths = [given] if isinstance(given, str) else list(given)
        return [utterance for path in paths if path for utterance in manifest.read(path)]

    def _loader(self, name: str) -> DataLoader[Batch]:
        part = self._parts.get(name)
        if part is None:
            raise ConfigError(f"data.{name}", "no manifest was given", f"set data.{name}")
        trainer = self.trainer
        sampler = Bins(
            part.lengths,
            self.hparams["batch_frames"],
            shuffle=name == "train",
            seed=self.hparams["seed"],
            rank=trainer.global_rank if trainer else 0,
            world=trainer.world_size if trainer else 1,
            most=self.hparams["batch_most"],
        )
        workers = self.hparams["workers"]
        return DataLoader(
            part,
            sampler=sampler,
            batch_size=None,  # the sampler draws whole batches
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches in a new order each epoch, varied and augmented."""
        return self._loader("train")

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches from short to long, as they are."""
        return self._loader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches from short to long, as they are."""
        return self._loader("test")


class _Frames(Dataset[Batch]):
    """The utterances of one part; an index is a draw of the sampler, an item a whole batch."""

    def __init__(self, name: str, utterances: Sequence[Utterance], corpus: Corpus, alphabet: Alphabet) -> None:
        self.name, self.corpus = name, corpus
        self.utterances: list[Utterance] = []
        self.labels: list[list[int]] = []
        self.lengths: list[int] = []
        self._signals: dict[int, Any] = {}
        self._room = corpus.hparams["cache"] * 2**20
        unreadable = 0
        for utterance in _spelt(utterances, alphabet, corpus.hparams["lower"], corpus.hparams["drop_unknown"]):
            try:
                self.lengths.append(corpus.frames.length(utterance.path, utterance.start, utterance.end))
            except InputError as error:
                log.warning("left out of %s: %s", name, error)
                unreadable += 1
                continue
            self.utterances.append(utterance)
            self.labels.append(alphabet.encode(utterance.text or "", utterance.path, drop=True))
        if unreadable:
            log.warning("%d of %d files left out of %s", unreadable, len(utterances), name)
        if not self.utterances:
            raise ManifestError(f"data.{name}", f"none of its {len(utterances)} files can be read", "check the paths")

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, draw: Draw) -> Batch:
        epoch, members = draw
        samples = []
        for index in members:
            try:
                samples.append(self._sample(index, epoch))
            except InputError as error:
                log.warning("left out of a batch of %s: %s", self.name, error)
        samples += self._nothing(samples, epoch, members) if self.name == "train" else []
        # Every rank must take every step, so a batch of nothing but broken files becomes one frame with no text.
        nothing = Sample(torch.zeros(1, self.corpus.frames.size), torch.zeros(0, dtype=torch.long), Utterance("", ""))
        return collate(samples or [nothing])

    def _sample(self, index: int, epoch: int) -> Sample:
        corpus = self.corpus
        signal = self._signal(index)
        if self.name == "train":
            chance = numpy.random.default_rng([corpus.hparams["seed"], epoch, index])
            frames = corpus.frames.frames(corpus.frames.vary(signal, chance) if corpus.hparams["vary"] else signal)
            frames = corpus.augment(frames, chance) if corpus.augment else frames
        else:
            frames = corpus.frames.frames(signal)
        return Sample(frames, torch.tensor(self.labels[index], dtype=torch.long), self.utterances[index])

    def _nothing(self, samples: list[Sample], epoch: int, members: list[int]) -> list[Sample]:
        """Sometimes a sample without text, as long as another one of the batch, so that it costs no padding."""
        corpus = self.corpus
        chance = numpy.random.default_rng([corpus.hparams["seed"], epoch, members[0], 1])
        if not samples or chance.random() >= corpus.hparams["nothing"] * len(samples):
            return []
        signal = corpus.frames.nothing(len(samples[0].frames), chance)
        if signal is None:
            return []
        labels = torch.zeros(0, dtype=torch.long)
        return [Sample(corpus.frames.frames(signal), labels, Utterance("nothing", ""))]

    def _signal(self, index: int) -> Any:
        if index in self._signals:
            return self._signals[index]
        utterance = self.utterances[index]
        signal = self.corpus.frames.read(utterance.path, utterance.start, utterance.end)
        self._room -= _bytes(signal)
        if self._room > 0:
            self._signals[index] = signal
        return signal


def _spelt(utterances: Sequence[Utterance], alphabet: Alphabet, lower: bool, drop: bool) -> list[Utterance]:
    """The utterances with their texts as they are learnt and scored; refuses characters that cannot be written."""
    spelt, unknown, where = [], Counter[str](), []
    for utterance in utterances:
        text = alphabet.normalise(utterance.text or "")
        text = text.lower() if lower else text
        missing = alphabet.missing(text)
        unknown += missing
        where += [utterance.path] if missing else []
        spelt.append(dataclasses.replace(utterance, text=text))
    if unknown:
        listed = ", ".join(f"{character!r} x {count}" for character, count in unknown.most_common(12))
        found = f"{unknown.total()} characters in {len(where)} texts are not in the alphabet ({listed})"
        if not drop:
            raise AlphabetError(where[0], found, "correct the texts, or leave them out with --data.drop_unknown true")
        log.warning("%s: %s; they are left out of the labels", where[0], found)
    return spelt


def _bytes(signal: Any) -> int:
    if hasattr(signal, "nbytes"):
        return int(signal.nbytes)
    return sum(_bytes(part) for part in getattr(signal, "strokes", ()))
