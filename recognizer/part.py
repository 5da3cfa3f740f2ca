"""Utterances, a front end and an alphabet -> batches of frames and labels, one for each draw of the sampler."""

from __future__ import annotations

import abc
import dataclasses
import logging
import math
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy
import torch
from torch.utils.data import DataLoader, Dataset

from recognizer.alphabet import Alphabet
from recognizer.augment import Augment
from recognizer.batch import HOLLOW, Batch, Sample, collate
from recognizer.errors import AlphabetError, InputError, ManifestError
from recognizer.frontends.base import Frontend
from recognizer.manifest import Utterance
from recognizer.sampler import Bins, Draw, Draws, Plan
from recognizer.variations.base import Variation

log = logging.getLogger(__name__)

Listed = tuple[int, Utterance]
"""The number of a manifest, and an utterance of it."""
Read = tuple[Any, list[int], Utterance]
"""A signal, its labels, and the utterance with its text as it is learnt."""


class Loader(DataLoader[Batch]):
    """Batches, and the seconds that were spent on waiting for them.

    Nothing is drawn before the first batch is asked for: only then does the sampler know its epoch.
    """

    waited = 0.0

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        begun = time.perf_counter()
        for batch in super().__iter__():
            self.waited += time.perf_counter() - begun
            yield batch
            begun = time.perf_counter()


class Part(Dataset[Batch], abc.ABC):
    """The training, the validation or the test set: an index is a draw of the sampler, an item a whole batch.

    Args:
        name: of the set, for messages.
        frontend: makes its signals frames.
        vary, augment, nothing, seed, views: see `Corpus`.

    Attributes:
        lengths: frames of each utterance.
        origins: the manifest in which each utterance stands, or each shard, as a number.
    """

    lengths: list[int]
    origins: list[int]

    def __init__(
        self,
        name: str,
        frontend: Frontend[Any],
        vary: Variation[Any] | None = None,
        augment: Augment | None = None,
        nothing: float = 0.0,
        seed: int = 0,
        views: int = 1,
    ) -> None:
        self.name, self.frontend, self.augment = name, frontend, augment
        self.vary, self.share, self.seed, self.views = vary, nothing, seed, views

    @abc.abstractmethod
    def sampler(self, workers: int, plan: Plan) -> Draws[Any]:
        """What says which utterances make a batch, where so many workers read."""

    @abc.abstractmethod
    def _read(self, index: int) -> Read:
        """Utterance number `index`; raises InputError if it cannot be read."""

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, draw: Draw) -> Batch:
        epoch, members = draw
        samples = []
        for member in members:
            try:
                samples.append(self._sample(member, epoch))
            except InputError as error:
                log.warning("left out of a batch of %s: %s", self.name, error)
        samples += self._nothing(samples, epoch, members) if self.share else []
        # Every rank must take every step, so a batch of nothing but broken files becomes one frame with no text.
        blank = Sample(torch.zeros(1, self.frontend.size), torch.zeros(0, dtype=torch.long), HOLLOW)
        seen = zip(*samples or [[blank] * self.views], strict=True)
        return collate([sample for view in seen for sample in view], self.views)

    def stretch(self, member: int, epoch: int) -> float:
        """How many times as long this draw will be as the utterance is, as far as `vary` can tell."""
        return self.vary.stretch(self._chance(member, epoch)) if self.vary else 1.0

    def _chance(self, member: int, epoch: int) -> numpy.random.Generator:
        return numpy.random.default_rng([self.seed, epoch, member])

    def _sample(self, member: int, epoch: int) -> list[Sample]:
        """Its views."""
        signal, labels, utterance = self._read(member % len(self))
        chance = self._chance(member, epoch)
        frames = self.frontend.frames(self.vary(signal, chance) if self.vary else signal)
        seen = self.augment.views(frames, chance, self.views) if self.augment else [frames] * self.views
        return [Sample(view, torch.tensor(labels, dtype=torch.long), utterance) for view in seen]

    def _nothing(self, samples: list[list[Sample]], epoch: int, members: list[int]) -> list[list[Sample]]:
        """Samples without text, as many as their share, each as long as another of the batch: that costs no padding."""
        chance = numpy.random.default_rng([self.seed, epoch, *members[:1], 1])
        count = math.floor(self.share * len(samples) + chance.random())
        lengths = [len(samples[place % len(samples)][0].frames) for place in range(count)]
        signals = [signal for length in lengths if (signal := self.frontend.nothing(length, chance)) is not None]
        labels = torch.zeros(0, dtype=torch.long)
        return [[Sample(self.frontend.frames(one), labels, Utterance("nothing", ""))] * self.views for one in signals]


class Files(Part):
    """A part whose utterances are files that manifests name.

    Args:
        listed: its utterances, each with the number of the manifest it stands in.
        alphabet: makes their texts labels.
        cache, lower, drop_unknown: see `Corpus`.
        name, frontend, given: see `Part`.

    Raises:
        ManifestError: none of the files can be read.
        AlphabetError: a text has characters outside the alphabet.

    Attributes:
        utterances, labels: of all that can be read, as lengths and origins are.
    """

    def __init__(
        self,
        name: str,
        listed: Sequence[Listed],
        frontend: Frontend[Any],
        alphabet: Alphabet,
        cache: int = 0,
        lower: bool = False,
        drop_unknown: bool = False,
        **given: Any,
    ) -> None:
        super().__init__(name, frontend, **given)
        self.utterances: list[Utterance] = []
        self.origins = []
        self.labels: list[list[int]] = []
        self.lengths = []
        self._signals: dict[int, Any] = {}
        self._room = cache * 2**20
        unreadable = 0
        rows = [utterance for _, utterance in listed]
        texts = spelt(rows, alphabet, lower, drop_unknown)
        for (origin, _), utterance in zip(listed, texts, strict=True):
            try:
                self.lengths.append(frontend.length(utterance.path, utterance.start, utterance.end))
            except InputError as error:
                log.warning("left out of %s: %s", name, error)
                unreadable += 1
                continue
            self.utterances.append(utterance)
            self.origins.append(origin)
            self.labels.append(alphabet.encode(utterance.text or "", utterance.path, drop=True))
        silent = sum(not row.text for row in self.utterances)
        if silent:
            log.warning("%s: %d of %d texts are empty, as of silence", name, silent, len(self.utterances))
        if unreadable:
            log.warning("%d of %d files left out of %s", unreadable, len(listed), name)
        if not self.utterances:
            known, remedy = tuple(frontend.suffixes), "check the paths"
            if not any(re.sub(r"#\d+$", "", row.path).lower().endswith(known) for row in rows):
                remedy = f"data.frontend is {frontend.name!r}, for {' '.join(sorted(known))}: name that of these files"
            raise ManifestError(f"data.{name}", f"none of its {len(listed)} files can be read", remedy)

    def sampler(self, workers: int, plan: Plan) -> Bins:
        """The batches of a rank, see `Bins`."""
        return Bins(self.lengths, dataclasses.replace(plan, stretch=self.stretch), self.origins)

    def _read(self, index: int) -> Read:
        return self._signal(index), self.labels[index], self.utterances[index]

    def _signal(self, index: int) -> Any:
        if index in self._signals:
            return self._signals[index]
        utterance = self.utterances[index]
        signal = self.frontend.read(utterance.path, utterance.start, utterance.end)
        self._room -= _bytes(signal)
        if self._room > 0:
            self._signals[index] = signal
        return signal


def spelt(utterances: Sequence[Utterance], alphabet: Alphabet, lower: bool, drop: bool) -> list[Utterance]:
    """The utterances with their texts as they are learnt and scored; refuses characters that cannot be written."""
    out, unknown, where = [], Counter[str](), []
    for utterance in utterances:
        text = alphabet.normalise(utterance.text or "")
        text = text.lower() if lower else text
        missing = alphabet.missing(text)
        unknown += missing
        where += [utterance.path] if missing else []
        out.append(dataclasses.replace(utterance, text=text))
    if unknown:
        refuse(unknown, where[0], f"{len(where)} texts", drop)
    return out


def refuse(unknown: Counter[str], where: str, texts: str, drop: bool) -> None:
    """Say which characters are not in the alphabet; or, with `drop`, that they are left out of the labels."""
    listed = ", ".join(f"{character!r} x {count}" for character, count in unknown.most_common(12))
    found = f"{unknown.total()} characters in {texts} are not in the alphabet ({listed})"
    if not drop:
        raise AlphabetError(where, found, "correct the texts, or leave them out with --data.drop_unknown true")
    log.warning("%s: %s; they are left out of the labels", where, found)


def _bytes(signal: Any) -> int:
    if hasattr(signal, "nbytes"):
        return int(signal.nbytes)
    return sum(_bytes(part) for part in getattr(signal, "strokes", ()))
