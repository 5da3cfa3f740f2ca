"""Lengths of utterances -> batches of like length within a budget of frames, shared out over ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy
from torch.utils.data import Sampler

Draw = tuple[int, list[int]]
"""The epoch, which seeds augmentation, and the utterances of one batch."""


class Bins(Sampler[Draw]):
    """Batches in which the longest utterance times their number stays within a budget of frames.

    Every rank makes the same list of batches and takes every world-th one, so all ranks get equally many, and every
    utterance comes exactly once an epoch: where the number of batches does not divide, the largest are halved.

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
        # A jitter of the sorting keys, so that an utterance meets other neighbours each epoch.
        keys = self.lengths * (chance.uniform(0.92, 1.08, len(self.lengths)) if self.shuffle else 1.0)
        bins: list[list[int]] = []
        longest = 0.0
        for index in numpy.argsort(keys, kind="stable").tolist():
            longest = max(longest, float(self.lengths[index]))
            if bins and len(bins[-1]) < self.most and longest * (len(bins[-1]) + 1) <= self.budget:
                bins[-1].append(index)
            else:
                bins.append([index])
                longest = float(self.lengths[index])
        while len(bins) % self.world and max(map(len, bins)) > 1:
            largest = max(bins, key=len)
            bins.remove(largest)
            bins += [largest[::2], largest[1::2]]
        if self.shuffle:
            bins = [bins[place] for place in chance.permutation(len(bins))]
        return bins

    def __iter__(self) -> Iterator[Draw]:
        for members in self.batches()[self.rank :: self.world]:
            yield self.epoch, members

    def __len__(self) -> int:
        return len(self.batches()[self.rank :: self.world])
