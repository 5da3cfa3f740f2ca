"""The tables of a search -> what it found: the labels of a prefix, where they stand, the words, the mass."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recognizer.decoders.fusion import HISTORY, PREFIX, RIVALS, Floats, Ints, Rows
from recognizer.decoders.lexicon import WORD
from recognizer.decoders.prefixes import CANDIDATE, CHAIN, PLACE
from recognizer.errors import ConfigError


class Tables(NamedTuple):
    """Room for a search; pages of it that are never touched take no memory. T frames, A labels, W width.

    Attributes:
        nodes: PREFIX, one for each that was ever in the beam, T x W + 1 at most.
        chains: CHAIN, one for each label of a best path that is over.
        beam: PLACE, 2 W; half of them are free.
        new: CANDIDATE, 2 W.
        live, order: places and candidates, those that count first.
        tokens, taken: [A], labels that may begin in a frame, and which of them have.
        histories, used: HISTORY, RIVALS for each node at most, and how many there are.
    """

    nodes: Rows
    chains: Rows
    beam: Rows
    new: Rows
    live: Ints
    order: Ints
    tokens: Ints
    taken: Ints
    histories: Rows
    used: Ints

    @classmethod
    def of(cls, frames: int, width: int, labels: int) -> Tables:
        """Tables for a matrix of this size.

        Raises:
            ConfigError: there is no room for them.
        """
        room, twice = frames * width + 1, 2 * width
        try:
            rows = np.empty(room, PREFIX), np.empty(room, CHAIN), np.empty(twice, PLACE), np.empty(twice, CANDIDATE)
            live, order, tokens, taken, used = (np.empty(size, np.int64) for size in (twice, twice, labels, labels, 1))
            return cls(*rows, live, order, tokens, taken, np.empty(RIVALS * room + 1, HISTORY), used)
        except (MemoryError, OverflowError, ValueError) as error:  # ValueError: more than numpy can count
            what = f"a beam of {width} over {frames} frames does not fit into the memory"
            raise ConfigError("width", what, "give a smaller one (--beam)") from error

    def best(self, size: int, count: int) -> list[int]:
        """Places in the beam, at most `count` of the `size` that are left: those of the likeliest whole texts."""
        live = self.live[:size]
        live = live[self.beam["gain"][live] > -np.inf]
        if len(live) > 1:
            live = live[np.argsort(-(self.beam["sum"][live] + self.beam["gain"][live]), kind="stable")]
        return live[:count].tolist()

    def written(self, place: int) -> tuple[int, ...]:
        """The labels of a prefix."""
        labels = self.nodes["label"]
        return tuple(int(labels[node]) for node in reversed(self._path(place)))

    def listed(self, place: int, table: NDArray[np.int32]) -> list[int]:
        """The numbers of the words of a lexicon that a prefix writes."""
        words, history = [], self.histories[self.beam["history"][place]]
        while history["before"] >= 0:
            words.append(int(table[history["entry"], WORD]))
            history = self.histories[history["before"]]
        return words[::-1]

    def _path(self, place: int) -> list[int]:
        """The nodes of a prefix and of those that it begins with, without the empty one; the longest first."""
        node, found, parents = int(self.beam["node"][place]), [], self.nodes["parent"]
        while node > 0:
            found.append(node)
            node = int(parents[node])
        return found

    def stood(self, place: int, frames: int) -> tuple[list[tuple[int, int]], list[float]]:
        """For each label of a prefix the frames [first, last + 1) of its best path, and its peak there."""
        here, spans, peaks = self.beam[place], [], []
        link = here["ended"]
        if here["path_letter"] > here["path_blank"]:
            link = here["labels"]
            spans.append((int(here["since"]), frames))
            peaks.append(float(here["peak"]))
        while link >= 0:
            link, first, end, peak = self.chains[link].tolist()
            spans.append((first, end))
            peaks.append(peak)
        return spans[::-1], peaks[::-1]


def total(matrix: Floats, labels: tuple[int, ...], blank: int) -> float:
    """ln of the sum over all paths of one text (Graves et al. 2006, 4.1)."""
    path = np.full(2 * len(labels) + 1, blank)
    path[1::2] = labels
    skips = np.zeros(len(path), bool)  # from one label to the next without a blank between them
    skips[3::2] = path[3::2] != path[1:-2:2]
    skips[1:2] = True  # a text may begin without a blank
    before = np.full(len(path) + 2, -np.inf)
    before[1] = 0.0  # the place before the first blank
    for frame in matrix:
        stay, step = before[2:], before[1:-1]
        skip = np.where(skips, before[:-2], -np.inf)
        before[2:] = np.logaddexp(np.logaddexp(stay, step), skip) + frame[path]
        before[:2] = -np.inf
    return float(np.logaddexp(before[-1], before[-2] if labels else -np.inf)) if len(matrix) else 0.0
