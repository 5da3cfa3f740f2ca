"""Tar shards, a front end and an alphabet -> batches of frames and labels, one for each haul of the sampler."""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy

from recognizer.alphabet import Alphabet
from recognizer.batch import Batch
from recognizer.errors import ConfigError, InputError
from recognizer.frontends.base import Frontend
from recognizer.lanes import Haul, Lanes
from recognizer.manifest import Utterance
from recognizer.part import Part, Read, refuse
from recognizer.sampler import Draw, Plan
from recognizer.shards import Index, Item, Reader, Span

PROBED = 8  # items that tell how the front end counts frames, where it is set in another way than when they were packed

log = logging.getLogger(__name__)


class Packed(Part):
    """A part that stands in tar shards: a worker reads them forwards, and holds a window of items, undecoded.

    Args:
        name: of the part, for messages.
        indices: of the folders with its shards.
        frontend: makes its items frames.
        alphabet: makes their texts labels.
        window: items that a worker holds at a time; None: as the batches are large, see `Lanes`.
        lower, drop_unknown, given: see `Part`.

    Raises:
        ConfigError: they were packed for another front end.
        AlphabetError: a text has characters outside the alphabet.
    """

    def __init__(
        self,
        name: str,
        indices: Sequence[Index],
        frontend: Frontend[Any],
        alphabet: Alphabet,
        window: int | None = None,
        lower: bool = False,
        drop_unknown: bool = False,
        **given: Any,
    ) -> None:
        super().__init__(name, frontend, **given)
        self.alphabet, self.lower, self.window = alphabet, lower, window
        self.shards = [shard for index in indices for shard in index.frames]
        self.origins = [place for place, index in enumerate(indices) for _ in index.frames]
        files = [index.folder / file for index in indices for file in index.names]
        self._reader = Reader(files, numpy.cumsum([0, *map(len, self.shards)]))
        self._spans: tuple[Span, ...] = ()
        self._held: dict[int, Item] = {}
        for index in indices:
            if index.frontend["name"] != frontend.name:
                found = f"was packed for the front end {index.frontend['name']}"
                raise ConfigError(index.folder, found, f"set data.frontend to it, not to {frontend.name}")
            letters = index.lower if lower else index.characters
            unknown = Counter({one: count for one, count in letters.items() if alphabet.missing(one)})
            if unknown:
                refuse(unknown, str(index.folder), "its texts", drop_unknown)
        scales = [self._scale(index, place) for place, index in enumerate(indices)]
        margin = 2 * frontend.margin
        self.shards = [
            [round(scales[place] * frames) + margin for frames in shard]
            for place, shard in zip(self.origins, self.shards, strict=True)
        ]
        self.lengths = [frames for shard in self.shards for frames in shard]

    def sampler(self, workers: int, plan: Plan) -> Lanes:
        """The batches of a rank, see `Lanes`."""
        return Lanes(self.shards, dataclasses.replace(plan, stretch=self.stretch), self.origins, workers, self.window)

    def __getitem__(self, draw: Draw | Haul) -> Batch:
        epoch, members, *window = draw
        if members and window and window[0] != self._spans:
            self._spans = window[0]
            self._held.clear()
            self._held = self._reader.read(self._spans)
        return super().__getitem__((epoch, members))

    def _read(self, index: int) -> Read:
        if index not in self._held and not self._inside(index):  # a batch that was drawn by hand
            self._held |= self._reader.read([(index, index + 1)])
        file = self._reader.files[self._reader.shard(index)]
        if index not in self._held:
            raise InputError(file, f"item {index} of {self.name} is not in it", "pack the corpus again")
        item = self._held[index]
        told = item.told
        with tempfile.NamedTemporaryFile(prefix="item-", suffix=f".{item.suffix}") as place:
            place.write(item.data)
            place.flush()
            try:
                signal = self.frontend.read(place.name, told.get("start"), told.get("end"))
            except InputError as error:
                raise InputError(f"{file}, {told['path']}", error.what, error.remedy) from error
        text = self.alphabet.normalise(told["text"])
        text = text.lower() if self.lower else text
        utterance = Utterance(told["path"], text, told.get("start"), told.get("end"), speaker=told.get("speaker"))
        return signal, self.alphabet.encode(text, told["path"], drop=True), utterance

    def _inside(self, index: int) -> bool:
        return any(first <= index < stop for first, stop in self._spans)

    def _scale(self, index: Index, place: int) -> float:
        """How many frames this front end makes of one that was counted; 1 if it is set alike."""
        if index.frontend == self.frontend.config() or not index.count:
            return 1.0
        begin = int(self._reader.starts[self.origins.index(place)])
        self._spans = ((begin, begin + min(PROBED, len(index.frames[0]))),)
        self._held = self._reader.read(self._spans)
        counted = made = 0
        for number in self._held:
            try:
                made += len(self.frontend.frames(self._read(number)[0])) - 2 * self.frontend.margin
            except InputError:  # named when its turn comes
                continue
            counted += index.frames[0][number - begin]
        self._reader.close()
        self._spans, self._held = (), {}
        return made / counted if counted else 1.0
