"""Lengths of items in shards -> batches of like length for each rank and worker, each of which reads forwards."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy
from numpy.typing import NDArray

from recognizer.sampler import Draws, Plan, filled, hollow, jitter, marked, seldom, stretches
from recognizer.shards import Span

Haul = tuple[int, list[int], tuple[Span, ...]]
"""As a Draw, and the spans among which its members stand: a worker reads them once for all batches of a window."""
Numbers = NDArray[numpy.int64]
Window = tuple[Numbers, list[list[int]]]
"""Members that a worker holds at a time, and the batches made of them."""
BATCHES, LEAST = 30, 1000
"""As many batches as a window should hold, for less than 8 % of padding, and how many items at least."""


class Lanes(Draws[Haul]):
    """Each worker of each rank reads a lane of the shards: batches are made of what it has read and not of all.

    All processes plan the same epoch from the lengths alone. The shards are put in a new order and cut into lanes that
    cost alike, if need be in the middle of a shard, which then is read by two; so any number of shards goes with any
    number of ranks. Each lane is cut into windows, and the members of a window are sorted by length and cut into
    batches, which come in a new order. All lanes have equally many batches, each epoch as many as the one before, and
    without weights every item comes exactly once an epoch: where a lane has too few, its largest batches are halved,
    and in the end some may be empty; where it has too many, which is rare and happens where there is little, its
    smallest are put together, budget or not.

    Args:
        shards: frames of the items of each shard.
        plan: which batches are wanted; what comes more often than a whole number is a stretch of the shards.
        origins: the corpus of each shard, as a place in the plan's weights; all of them the first, if none are said.
        workers: processes of this rank that read; 0 counts as one.
        window: items that each of them holds at a time; None: as many as make `BATCHES` batches, and `LEAST` at least.

    Raises:
        ConfigError: the weights leave no item.
    """

    def __init__(
        self,
        shards: Sequence[Sequence[int]],
        plan: Plan,
        origins: Sequence[int] = (),
        workers: int = 0,
        window: int | None = None,
    ) -> None:
        super().__init__(plan)
        self.lengths = numpy.concatenate([numpy.asarray(shard, dtype=numpy.float64) for shard in shards])
        self.starts: Numbers = numpy.cumsum([0, *map(len, shards)])
        usual = BATCHES * min(plan.most, plan.budget / self.lengths.mean())
        self.window = max(LEAST, math.ceil(usual)) if window is None else window
        self.lanes = max(1, workers)
        self.origins = numpy.asarray(origins or [0] * len(shards))
        self._drawn: tuple[int, list[Haul]] | None = None
        # A twentieth more than are needed this time, so that all epochs can have the same number.
        self.wanted = max(sum(len(batches) for _, batches in self._windows(lane, 0)) for lane in self._cut(0))
        self.wanted = math.ceil(1.05 * self.wanted) if plan.shuffle else self.wanted
        seldom(plan, numpy.bincount(self.origins, numpy.diff(self.starts), len(plan.weights)))

    def draws(self) -> list[Haul]:
        """Those of this rank; its workers take turns."""
        epoch = self.epoch if self.plan.shuffle else 0
        if self._drawn is None or self._drawn[0] != epoch:
            lanes = self._cut(epoch)[self.plan.rank * self.lanes : (self.plan.rank + 1) * self.lanes]
            mine = [self._even(self._windows(lane, epoch)) for lane in lanes]
            self._drawn = (epoch, [(epoch, *draw) for draws in zip(*mine, strict=True) for draw in draws])
        return self._drawn[1]

    def __len__(self) -> int:
        return self.lanes * self.wanted

    def mark(self) -> int:
        """Of the first lane's batches; where they are others, so are those of its neighbours."""
        windows = self._windows(self._cut(self.epoch)[0], self.epoch)
        return marked([batch for _, batches in windows for batch in batches])

    def _cut(self, epoch: int) -> list[tuple[int, Numbers]]:
        """The lanes of all ranks, each with its number, as members in the order in which they are read."""
        spans = self._spans(epoch)
        order = numpy.random.default_rng([self.plan.seed, epoch]).permutation(len(spans)).tolist()
        order = order if self.plan.shuffle else sorted(order)
        members = numpy.concatenate([numpy.arange(*spans[place]) for place in order])
        # A batch is full by its frames or by its number: what a short one costs is the place it takes.
        costs = numpy.maximum(self._sizes(members), self.plan.budget / self.plan.most).cumsum()
        count = self.plan.world * self.lanes
        edges = numpy.searchsorted(costs, costs[-1] * numpy.arange(1, count) / count)
        return list(enumerate(numpy.split(members, edges)))

    def _spans(self, epoch: int) -> list[Span]:
        """What is read in an epoch, as spans of members; copy k of item `number` of n is member `number + k n`."""
        found: list[Span] = []
        total = len(self.lengths)
        for origin, weight in enumerate(self.plan.weights):
            mine = [
                (int(self.starts[at]), int(self.starts[at + 1])) for at in numpy.flatnonzero(self.origins == origin)
            ]
            whole, count = math.floor(weight), sum(stop - first for first, stop in mine)
            found += [(first + copy * total, stop + copy * total) for copy in range(whole) for first, stop in mine]
            more = round((weight - whole) * count)
            begin = epoch * more % max(1, count)  # the stretch that comes once more goes round from epoch to epoch
            place = 0
            for first, stop in mine:
                for low, high in ((begin, begin + more), (begin - count, begin + more - count)):
                    part = (max(first, first + low - place), min(stop, first + high - place))
                    found += [(part[0] + whole * total, part[1] + whole * total)] if part[0] < part[1] else []
                place += stop - first
        if not found:
            raise hollow(self.plan)
        return found

    def _windows(self, lane: tuple[int, Numbers], epoch: int) -> list[Window]:
        """The windows of a lane and their batches; the first is shorter in some, so that not all read on at a time."""
        number, members = lane
        chance = numpy.random.default_rng([self.plan.seed, epoch, number])
        found = []
        for part in numpy.split(members, self._edges(len(members), number % self.lanes)):
            keys = sizes = self._sizes(part)
            if self.plan.shuffle:
                sizes = sizes * stretches(self.plan.stretch, part, epoch)
                keys = sizes * jitter(chance, len(sizes))
            batches = filled(part, sizes, keys, self.plan)
            order = chance.permutation(len(batches)).tolist() if self.plan.shuffle else list(range(len(batches)))
            found.append((part, [batches[place] for place in order]))
        return found

    def _edges(self, count: int, worker: int) -> list[int]:
        """Where a lane of so many members is cut: into as few windows as can be, and none much below half of one."""
        if count <= self.window:
            return []
        even = count / math.ceil(count / self.window)
        first = math.ceil(even * (1 + (worker + 1) / self.lanes) / 2)
        parts = math.ceil((count - first) / self.window)
        return [first + (count - first) * part // parts for part in range(parts)]

    def _even(self, windows: list[Window]) -> list[tuple[list[int], tuple[Span, ...]]]:
        """As many batches as are wanted, each with the spans to read for it."""
        draws = [(batch, self._runs(part)) for part, batches in windows for batch in batches]
        while len(draws) > self.wanted:
            place = min(range(len(draws) - 1), key=lambda at: len(draws[at][0]) + len(draws[at + 1][0]))
            (one, spans), (other, more) = draws[place : place + 2]
            draws[place : place + 2] = [(one + other, spans if spans == more else spans + more)]
        while len(draws) < self.wanted and max((len(batch) for batch, _ in draws), default=0) > 1:
            place = max(range(len(draws)), key=lambda at: len(draws[at][0]))
            batch, spans = draws[place]
            draws[place : place + 1] = [(batch[::2], spans), (batch[1::2], spans)]
        empty: tuple[list[int], tuple[Span, ...]] = ([], ())
        return draws + [empty] * (self.wanted - len(draws))

    def _runs(self, members: Numbers) -> tuple[Span, ...]:
        """Members in the order in which they are read -> the spans of their items."""
        numbers = members % len(self.lengths)
        breaks = (numpy.diff(numbers) != 1) | numpy.isin(numbers[1:], self.starts)
        runs = numpy.split(numbers, numpy.flatnonzero(breaks) + 1)
        return tuple((int(run[0]), int(run[-1]) + 1) for run in runs if len(run))

    def _sizes(self, members: Numbers) -> NDArray[numpy.float64]:
        return self.lengths[members % len(self.lengths)]
