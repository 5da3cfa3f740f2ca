"""Lengths of utterances -> batches of like length within a budget of frames, shared out over ranks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy
from numpy.typing import NDArray
from torch.utils.data import Sampler

Draw = tuple[int, list[int]]
"""The epoch, which seeds augmentation, and the utterances of one batch."""


class Bins(Sampler[Draw]):
    """Batches in which the longest utterance times their number stays within a budget of frames.

    Every rank makes the same list of batches and takes every world-th one. All ranks get equally many, each epoch as
    many as the one before, and every utterance comes exactly once an epoch: the largest batches are halved until the
    number is right.

    Args:
        lengths: frames of each utterance.
        budget: frames of a batch, padding counted in; an utterance that is longer stands alone.
        shuffle: draw new batches each epoch, instead of always the same from short to long.
        seed: of the draws.
        rank, world: this process and how many there are.
        most: utterances in a batch at most.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        budget: int,
        shuffle: bool = True,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        most: int = 64,
    ) -> None:
        self.lengths = numpy.asarray(lengths, dtype=numpy.float64)
        self.budget, self.shuffle, self.seed = budget, shuffle, seed
        self.rank, self.world, self.most = rank, world, most
        self.epoch = 0
        self._drawn: tuple[int, list[list[int]]] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Draw anew for this epoch; Lightning calls it."""
        self.epoch = epoch

    def batches(self) -> list[list[int]]:
        """The batches of all ranks in this epoch; a multiple of `world`, where there are enough utterances."""
        epoch = self.epoch if self.shuffle else 0
        if self._drawn is None or self._drawn[0] != epoch:
            self._drawn = (epoch, self._draw(epoch))
        return self._drawn[1]

    def _draw(self, epoch: int) -> list[list[int]]:
        chance = numpy.random.default_rng([self.seed, epoch])
        bins = plain = self._filled(self.lengths)
        # A twentieth more than are needed, so that every epoch can have the same number: the trainer counts them once.
        wanted = -(-math.ceil(1.05 * len(plain)) // self.world) * self.world
        if self.shuffle:
            # A jitter of the sorting keys, so that an utterance meets other neighbours each epoch.
            bins = self._filled(self.lengths * chance.uniform(0.92, 1.08, len(self.lengths)))
            bins = bins if len(bins) <= wanted else plain
        while len(bins) < wanted and max(map(len, bins)) > 1:
            largest = max(bins, key=len)
            bins.remove(largest)
            bins += [largest[::2], largest[1::2]]
        return [bins[place] for place in chance.permutation(len(bins))] if self.shuffle else bins

    def _filled(self, keys: NDArray[numpy.float64]) -> list[list[int]]:
        """The utterances in the order of `keys`, cut wherever the budget is full."""
        bins: list[list[int]] = []
        longest = 0.0
        for index in numpy.argsort(keys, kind="stable").tolist():
            longest = max(longest, float(self.lengths[index]))
            if bins and len(bins[-1]) < self.most and longest * (len(bins[-1]) + 1) <= self.budget:
                bins[-1].append(index)
            else:
                bins.append([index])
                longest = float(self.lengths[index])
        return bins

    def __iter__(self) -> Iterator[Draw]:
        for members in self.batches()[self.rank :: self.world]:
            yield self.epoch, members

    def __len__(self) -> int:
        return len(self.batches()[self.rank :: self.world])
