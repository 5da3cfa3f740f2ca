"""The tables of a search -> what it found: the labels of a prefix, where they stand, the words, the mass."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recognizer.decoders.fusion import COLUMNS, ENTRY, LABEL, PARENT, PLACE, SPELT, Floats, Ints, Numbers
from recognizer.decoders.lexicon import WORD
from recognizer.decoders.prefixes import (
    ENDED,
    GAIN,
    LABELS,
    MARKS,
    NODE,
    PATH_BLANK,
    PATH_LETTER,
    PEAK,
    SCORE,
    SINCE,
    SUM,
)


class Tables(NamedTuple):
    """Room for a search; pages of it that are never touched take no memory. T frames, A labels, W width.

    Attributes:
        nodes, costs: a row for each prefix that was ever in the beam, T x W + 1 at most.
        chains: a row for each label of a best path that is over: the row of the one before, its first frame, the one
            behind its last, its peak.
        beam, marks: a row for each of 2 W places; half of them are free.
        new, worth: a row for each of 2 W candidates, like those of `nodes` and `costs`.
        live, order: places and candidates, those that count first.
        tokens, taken: [A], labels that may begin in a frame, and which of them have.
    """

    nodes: Ints
    costs: Numbers
    chains: Numbers
    beam: Numbers
    marks: Ints
    new: Ints
    worth: Numbers
    live: Ints
    order: Ints
    tokens: Ints
    taken: Ints

    @classmethod
    def of(cls, frames: int, width: int, labels: int) -> Tables:
        """Tables for a matrix of this size."""
        room, twice = frames * width + 1, 2 * width
        nodes, costs, chains = np.empty((room, COLUMNS), np.int64), np.empty((room, 3)), np.empty((room, 4))
        beam, marks = np.empty((twice, PEAK + 1)), np.empty((twice, MARKS), np.int64)
        new, worth = np.empty((twice, COLUMNS), np.int64), np.empty((twice, SCORE + 1))
        lists = (np.empty(size, np.int64) for size in (twice, twice, labels, labels))
        return cls(nodes, costs, chains, beam, marks, new, worth, *lists)

    def best(self, size: int, count: int) -> list[int]:
        """Places in the beam, at most `count` of the `size` that are left: those of the likeliest whole texts."""
        live = self.live[:size]
        live = live[self.worth[live, GAIN] > -np.inf]
        if len(live) > 1:
            live = live[np.argsort(-(self.worth[live, SUM] + self.worth[live, GAIN]), kind="stable")]
        return live[:count].tolist()

    def written(self, place: int) -> tuple[int, ...]:
        """The labels of a prefix."""
        node, labels = self.marks[place, NODE], []
        while node > 0:
            labels.append(int(self.nodes[node, LABEL]))
            node = self.nodes[node, PARENT]
        return tuple(reversed(labels))

    def listed(self, place: int, space: int, table: NDArray[np.int32]) -> list[int]:
        """The numbers of the words of a lexicon that a prefix writes."""
        node, words, ended = self.marks[place, NODE], [], True
        while node > 0:
            if ended and (spelt := self.nodes[node, PLACE]) > 0:
                entry = self.nodes[node, ENTRY]  # a character model leaves it open
                words.append(int(table[entry if entry >= 0 else table[spelt, SPELT], WORD]))
            ended = self.nodes[node, LABEL] == space
            node = self.nodes[node, PARENT]
        return words[::-1]

    def stood(self, place: int, now: int, frames: int) -> tuple[list[tuple[int, int]], list[float]]:
        """For each label of a prefix the frames [first, last + 1) of its best path, and its peak there."""
        link, spans, peaks = self.marks[place, ENDED], [], []
        if self.beam[place, now + PATH_LETTER] > self.beam[place, now + PATH_BLANK]:
            link = self.marks[place, LABELS]
            spans.append((int(self.marks[place, SINCE]), frames))
            peaks.append(float(self.beam[place, PEAK]))
        while link >= 0:
            before, first, end, peak = self.chains[link].tolist()
            spans.append((int(first), int(end)))
            peaks.append(peak)
            link = int(before)
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
