"""Manifests, a front end and an alphabet -> batches of frames and labels."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch.distributed
from torch.utils.data import DataLoader

from recognizer import cores, frontends, manifest, shards, variations
from recognizer.alphabet import Alphabet, Form, Split
from recognizer.augment import Augment
from recognizer.batch import Batch
from recognizer.build import build
from recognizer.errors import ConfigError, ManifestError, nearest
from recognizer.frontends import Frontend
from recognizer.packed import Packed
from recognizer.part import Files, Listed, Loader, Part
from recognizer.pronunciations import Pronunciations
from recognizer.sampler import Draws, Plan, learnt
from recognizer.samples import SAMPLES

log = logging.getLogger(__name__)

WORKERS = 8
"""Processes that read for one GPU at most, where nobody says how many."""


class Corpus(lightning.LightningDataModule):
    """Training, validation and test sets of one kind of files.

    Args:
        train: one or more manifests to learn from; or one or more folders of shards that data.shards wrote.
        val: the same to validate on; none: some speakers of the training manifests are held out.
        test: the same for `trainer.test`.
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
        workers: processes that read and frame; 0 does it in the training process. By default 0 on a CPU, whose cores
            the network needs, and beside a GPU one for each core that is free, 8 at most. All ranks have equally many:
            as the first is told, or as there are cores for where there are fewest.
        cache: MiB of signals kept in memory by each process, so that files are read once.
        seed: of shuffling and augmentation.
        weights: how often the utterances of each manifest of `train` come in an epoch, see `Bins`; none: each once.
        pronunciations: a pronouncing dictionary, see `Pronunciations.read`: the network learns the phones of the words
            beside their characters. Texts with words that are not listed take no part in that.
        views: 2 shows each utterance of a batch twice, with masks of its own each time, see `model.consistency`.
        window: of shards, how many utterances each worker holds, undecoded, to find some of like length; by default
            those of 30 batches, and 1000 at least.
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
        workers: int | None = None,
        cache: int = 2048,
        seed: int = 0,
        weights: list[float] | None = None,
        window: int | None = None,
        pronunciations: str = "",
        views: int = 1,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        if bool(sample) == bool(train):
            found = f"train {train!r} and sample {sample!r}"
            raise ConfigError("data", f"{found}: one of the two must be given", "set data.train to a manifest")
        if sample and sample not in SAMPLES:
            raise ConfigError("data.sample", f"unknown name {sample!r}", nearest(sample, SAMPLES))
        if sample and (val or test):
            what = f"is {sample!r}, which has parts of its own, beside val {val!r} and test {test!r}"
            raise ConfigError("data.sample", what, "set data.train, or leave val and test out")
        if min(batch_frames, batch_most, 1 if window is None else window) < 1:
            found = f"batch_frames {batch_frames}, batch_most {batch_most}, window {window}"
            raise ConfigError("data", found, "use at least 1")
        for name, value in (("workers", workers or 0), ("seed", seed), ("nothing", nothing), ("cache", cache)):
            if not 0 <= value < math.inf:
                raise ConfigError(f"data.{name}", f"is {value}", "use a number from 0")
        if not 0 <= val_fraction < 1:
            raise ConfigError("data.val_fraction", f"is {val_fraction}", "use a share below 1, such as 0.1")
        if views not in (1, 2):
            raise ConfigError("data.views", f"is {views}", "use 1, or 2 for model.consistency")
        tables = 1 if sample or isinstance(train, str) else len(train)
        if weights is not None and not (len(weights) == tables and all(0 < weight < math.inf for weight in weights)):
            raise ConfigError("data.weights", f"is {weights}", f"give {tables} numbers above 0, as many as manifests")
        self.frontend: dict[str, Any] = dict(frontend or {"name": "speech"})
        self.frames: Frontend[Any] = frontends.build(self.frontend)
        self.augment = (
            None if augment is None else build({"augment": Augment}, "data.augment", {"name": "augment", **augment})
        )
        self.vary = variations.build(self.frontend["name"], vary)
        self.pronunciations = Pronunciations.read(pronunciations) if pronunciations else None
        self._alphabet: Alphabet | None = None
        self._parts: dict[str, Part] = {}
        self._draws: Draws[Any] | None = None  # of the training set, once there is a loader
        self._resumed: dict[str, int] = {}
        self._told = False

    def prepare_data(self) -> None:
        """Make the embedded corpus, if one is asked for and is not there yet."""
        if self.hparams["sample"]:
            SAMPLES[self.hparams["sample"]](Path(self.hparams["folder"]) / self.hparams["sample"])

    @property
    def alphabet(self) -> dict[str, Any]:
        """The alphabet as plain values: of the training texts, unless one was given."""
        return self._letters().config()

    @property
    def phones(self) -> list[str] | None:
        """What a second output of the network writes: the dictionary's phones, if there is a dictionary."""
        return list(self.pronunciations.phones) if self.pronunciations else None

    def _letters(self) -> Alphabet:
        if self._alphabet is None:
            self.prepare_data()
            texts = [self.hparams["alphabet"]] if self.hparams["alphabet"] else self._texts()
            texts = [text.lower() for text in texts] if self.hparams["lower"] else texts
            self._alphabet = Alphabet.of(texts, self.hparams["form"], self.hparams["split"])
        return self._alphabet

    def _texts(self) -> list[str]:
        """What is written in the training set; of shards, whose texts are not at hand, the pieces of it."""
        if indices := self._indices("train"):
            return [one for index in indices for one in (index.lower if self.hparams["lower"] else index.characters)]
        return [utterance.text or "" for _, utterance in self._training()[0]]

    def setup(self, stage: str) -> None:
        """Read the manifests, measure every file, and leave out those that cannot be used, by name.

        Parts that an earlier stage has read stay as they are.
        """
        chosen = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}.get(stage, ("train", "val", "test"))
        chosen = tuple(name for name in chosen if name not in self._parts)
        if not chosen:
            return
        listed = dict(zip(("train", "val", "test"), [*self._training(), self._rows("test")], strict=True))
        letters = self._letters()
        if "train" in chosen:
            self._spoken([row.text or "" for _, row in listed["train"]])
        for name in chosen:
            given: dict[str, Any] = {key: self.hparams[key] for key in ("lower", "drop_unknown", "seed")}
            if name == "train":
                given |= {"vary": self.vary, "augment": self.augment, "nothing": self.hparams["nothing"]}
                given |= {"views": self.hparams["views"]}
            if indices := self._indices(name):
                self._parts[name] = Packed(name, indices, self.frames, letters, self.hparams["window"], **given)
            elif listed[name]:
                self._parts[name] = Files(name, listed[name], self.frames, letters, self.hparams["cache"], **given)

    def _spoken(self, texts: list[str]) -> None:
        """Say how many texts have words whose pronunciation is not known."""
        if self.pronunciations is None or not texts:
            return
        count, words = self.pronunciations.missing(texts)
        if count:
            most = ", ".join(f"{word!r} x {times}" for word, times in words.most_common(12))
            found = f"{words.total()} words of {count} texts are not listed ({most})"
            log.warning("%s: %s; the phones of these texts are not learnt", self.hparams["pronunciations"], found)

    def _training(self) -> tuple[list[Listed], list[Listed]]:
        """What manifests name to learn from and to validate on; without the latter some people are held out."""
        train = self._rows("train")
        if self._named("val"):
            return train, self._rows("val")
        if not train:
            raise ConfigError("data.val", "none is given, and no people are held out of shards", "set data.val")
        _, held = manifest.split([utterance for _, utterance in train], self.hparams["val_fraction"])
        out = {id(utterance) for utterance in held}
        return [row for row in train if id(row[1]) not in out], [row for row in train if id(row[1]) in out]

    def _rows(self, name: str) -> list[Listed]:
        paths = [] if self._packed(name) else self._named(name)
        found = [(number, row) for number, path in enumerate(paths) for row in manifest.labelled(path)]
        if paths and not found:
            raise ManifestError(", ".join(paths), "holds no utterance", f"add rows, or name another for data.{name}")
        return found

    def _indices(self, name: str) -> list[shards.Index]:
        return [shards.Index.read(path) for path in self._named(name)] if self._packed(name) else []

    def _packed(self, name: str) -> bool:
        return shards.packed(self._named(name), f"data.{name}")

    def _named(self, name: str) -> list[str]:
        """The paths that the settings give for a part."""
        if self.hparams["sample"]:
            return [str(Path(self.hparams["folder"]) / self.hparams["sample"] / f"{name}.tsv")]
        given = self.hparams[name]
        return [path for path in ([given] if isinstance(given, str) else given) if path]

    def _loader(self, name: str) -> DataLoader[Batch]:
        part = self._parts.get(name)
        if part is None:
            raise ConfigError(f"data.{name}", "no manifest was given", f"set data.{name}")
        trainer = self.trainer
        learning = name == "train"
        workers = self._workers()
        plan = Plan(
            budget=self.hparams["batch_frames"] // (self.hparams["views"] if learning else 1),
            shuffle=learning,
            seed=self.hparams["seed"],
            rank=trainer.global_rank if trainer else 0,
            world=trainer.world_size if trainer else 1,
            most=self.hparams["batch_most"],
            weights=(learning and self.hparams["weights"]) or [1.0] * (max(part.origins) + 1),
        )
        sampler = part.sampler(workers, plan)
        if learning:
            self._draws = sampler
            self._resume(sampler)
        return Loader(
            part,
            sampler=sampler,
            batch_size=None,  # the sampler draws whole batches
            num_workers=workers,
            persistent_workers=workers > 0,
        )

    def _workers(self) -> int:
        """Processes that read for each rank: as many for all, since all must plan the same epoch of shards."""
        ranks: list[Any] = [(self.hparams["workers"], cores.place())]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            mine, ranks = ranks[0], [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(ranks, mine)
        given: int | None = ranks[0][0]
        if given is not None:
            return given
        if self.trainer is None or self.trainer.strategy.root_device.type == "cpu":
            return 0
        return min(WORKERS, max(0, cores.fewest([place for _, place in ranks]) - 1))

    def state_dict(self) -> dict[str, Any]:
        """The epoch and how many of its batches each rank has learnt from, so that a run can go on in the middle."""
        if self._draws is None or self.trainer is None:
            return {}
        plan = self._draws
        done, last = learnt(self.trainer), self.trainer.num_training_batches  # which may be limited
        kept = {"epoch": plan.epoch, "batches": done if done < last else len(plan), "of": len(plan)}
        return {**kept, "lanes": plan.lanes, "mark": plan.mark()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on there; Lightning calls it before it asks for the batches."""
        self._resumed = state_dict

    def _resume(self, sampler: Draws[Any]) -> None:
        if not self._resumed:
            return
        epoch, done, of = (self._resumed[key] for key in ("epoch", "batches", "of"))
        sampler.set_epoch(epoch)
        mine = {"of": len(sampler), "lanes": sampler.lanes, "mark": sampler.mark()}
        others = any(self._resumed.get(key, value) != value for key, value in mine.items())
        if done < of and others and not self._told:
            self._told = True  # once, however often batches are asked for
            log.warning(
                "data: the batches of epoch %d are others than in the run that goes on, %d where it had %d:"
                " in the rest of it some utterances come again and some not at all", epoch, len(sampler), of,
            )  # fmt: skip
        sampler.resume(epoch, done if done < of else len(sampler))

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches in a new order each epoch, varied and augmented."""
        return self._loader("train")

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches from short to long, as they are."""
        return self._loader("val")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches from short to long, as they are."""
        return self._loader("test")
