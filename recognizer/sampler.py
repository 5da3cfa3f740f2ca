"""Lengths of utterances -> batches of like length within a budget of frames, shared out over ranks."""

from __future__ import annotations

import abc
import dataclasses
import logging
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy
from numpy.typing import NDArray
from torch.utils.data import Sampler

from recognizer.errors import ConfigError

log = logging.getLogger(__name__)

Draw = tuple[int, list[int]]
"""The epoch, which seeds augmentation, and the utterances of one batch; `number + n * k` is copy k of the n."""
Drawn = TypeVar("Drawn", bound=tuple[object, ...])
Stretch = Callable[[int, int], float]
"""A member and the epoch -> how many times as long it will be then as its utterance is."""
JITTER = 0.03
"""Of the lengths by which is sorted, so that an utterance meets other neighbours in each epoch."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """Which batches are wanted, and for whom.

    Attributes:
        budget: frames of a batch, padding counted in; an utterance that is longer stands alone.
        shuffle: draw new batches each epoch, instead of always the same from short to long.
        seed: of the draws.
        rank: this process.
        world: how many there are.
        most: utterances in a batch at most.
        weights: how often the utterances of each corpus come in an epoch. Of 2.25, all come twice and a quarter of them
            a third time; which quarter goes round from epoch to epoch.
        stretch: how much longer or shorter than its utterance each member is in an epoch, where that is known.
    """

    budget: int
    shuffle: bool = True
    seed: int = 0
    rank: int = 0
    world: int = 1
    most: int = 64
    weights: Sequence[float] = (1.0,)
    stretch: Stretch | None = None


class Draws(Sampler[Drawn], abc.ABC):
    """The batches of one rank, epoch by epoch; it can go on in the middle of one.

    Args:
        plan: which are wanted.

    Attributes:
        epoch: the present one.
        lanes: workers that the plan depends on; 0 where any number of them get the same batches.
    """

    lanes = 0

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.epoch = 0
        self._from = (0, 0)

    @abc.abstractmethod
    def draws(self) -> list[Drawn]:
        """All batches of this rank in this epoch."""

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def mark(self) -> int:
        """A number that tells the batches of this epoch from others; the same on all ranks."""

    def set_epoch(self, epoch: int) -> None:
        """Draw anew for this epoch; Lightning calls it."""
        self.epoch = epoch

    def resume(self, epoch: int, done: int) -> None:
        """Go on in this epoch after `done` batches of each rank; after all of them, with the next epoch."""
        self._from = (epoch, done) if done < len(self) else (epoch + 1, 0)
        self.epoch = self._from[0]

    def __iter__(self) -> Iterator[Drawn]:
        yield from self.draws()[self._from[1] if self._from[0] == self.epoch else 0 :]


class Bins(Draws[Draw]):
    """Batches in which the longest utterance times their number stays within a budget of frames.

    Every rank makes the same list of batches and takes every world-th one. All ranks get equally many, each epoch as
    many as the one before, and without weights every utterance comes exactly once an epoch: the largest batches are
    halved until the number is right, and where there are fewer utterances than ranks some batches are empty.

    Args:
        lengths: frames of each utterance.
        plan: which batches are wanted; what comes more often than a whole number is chosen in the order of length.
        origins: the corpus of each utterance, as a place in the plan's weights; all the first, if none are said.

    Raises:
        ConfigError: the weights leave no utterance.
    """

    def __init__(self, lengths: Sequence[int], plan: Plan, origins: Sequence[int] = ()) -> None:
        super().__init__(plan)
        self.lengths = numpy.asarray(lengths, dtype=numpy.float64)
        self.origins = numpy.asarray(origins or [0] * len(self.lengths))
        self._drawn: tuple[int, list[list[int]]] | None = None
        # A twentieth more than are needed, so that every epoch can have the same number: the trainer counts them once.
        # No epoch needs more than the one in which every choice fell on the longest.
        needed = len(self._filled(longest := self._copies(None), self._sizes(longest)))
        self._wanted = -(-math.ceil(1.05 * needed) // plan.world) * plan.world
        seldom(plan, numpy.bincount(self.origins, minlength=len(plan.weights)))

    def batches(self) -> list[list[int]]:
        """The batches of all ranks in this epoch, a multiple of `world`."""
        epoch = self.epoch if self.plan.shuffle else 0
        if self._drawn is None or self._drawn[0] != epoch:
            self._drawn = (epoch, self._draw(epoch))
        return self._drawn[1]

    def _draw(self, epoch: int) -> list[list[int]]:
        chance = numpy.random.default_rng([self.plan.seed, epoch])
        members = self._copies(epoch)
        sizes = self._sizes(members)
        bins = plain = self._filled(members, sizes)
        if self.plan.shuffle:
            sizes = sizes * stretches(self.plan.stretch, members, epoch)
            bins = filled(members, sizes, sizes * jitter(chance, len(sizes)), self.plan)
            bins = bins if len(bins) <= self._wanted else plain
        while len(bins) < self._wanted and max(map(len, bins)) > 1:
            largest = max(bins, key=len)
            bins.remove(largest)
            bins += [largest[::2], largest[1::2]]
        bins += [[]] * (-len(bins) % self.plan.world)
        return [bins[place] for place in chance.permutation(len(bins))] if self.plan.shuffle else bins

    def _copies(self, epoch: int | None) -> NDArray[numpy.int64]:
        """The utterances of an epoch, each as often as its corpus's weight says; None chooses the longest ones."""
        chosen = []
        for origin, weight in enumerate(self.plan.weights):
            mine = numpy.flatnonzero(self.origins == origin)
            whole = math.floor(weight)
            chosen += [mine + copy * len(self.lengths) for copy in range(whole)]
            more = round((weight - whole) * len(mine))
            if more:  # one of each of as many stretches of like length, so that epochs cost alike
                ordered = mine[numpy.argsort(self.lengths[mine], kind="stable")]
                parts = numpy.array_split(ordered, more)
                places = [len(part) - 1 if epoch is None else epoch % len(part) for part in parts]
                extra = [part[place] for part, place in zip(parts, places, strict=True)]
                chosen.append(numpy.array(extra) + whole * len(self.lengths))
        if not any(map(len, chosen)):
            raise hollow(self.plan)
        return numpy.sort(numpy.concatenate(chosen))

    def _sizes(self, members: NDArray[numpy.int64]) -> NDArray[numpy.float64]:
        return self.lengths[members % len(self.lengths)]

    def _filled(self, members: NDArray[numpy.int64], sizes: NDArray[numpy.float64]) -> list[list[int]]:
        return filled(members, sizes, sizes, self.plan)

    def draws(self) -> list[Draw]:
        """Every `world`-th batch."""
        return [(self.epoch, members) for members in self.batches()[self.plan.rank :: self.plan.world]]

    def __len__(self) -> int:
        return len(self.batches()) // self.plan.world

    def mark(self) -> int:
        """Of the batches of all ranks."""
        return marked(self.batches())


def marked(batches: Sequence[Sequence[int]]) -> int:
    """A checksum of the members of batches."""
    return zlib.crc32(str([[int(member) for member in batch] for batch in batches]).encode())


def seldom(plan: Plan, sizes: Iterable[int]) -> None:
    """Say of which corpora, of so many utterances each, the weights are so small that nothing of them ever comes."""
    for place, (weight, size) in enumerate(zip(plan.weights, sizes, strict=True)):
        if size and not round(weight * size) and not plan.rank:
            what = "by %g none of the %d utterances of manifest %d ever comes; use at least %.2g"
            log.warning(f"data.weights: {what}", weight, size, place + 1, 1 / size)


def hollow(plan: Plan) -> ConfigError:
    """What is wrong with weights so small that no utterance is left."""
    found = f"is {list(plan.weights)}, by which no utterance comes in an epoch"
    return ConfigError("data.weights", found, "use larger ones, such as 1 for each once")


def stretches(stretch: Stretch | None, members: NDArray[numpy.int64], epoch: int) -> NDArray[numpy.float64]:
    """How many times as long each of the members will be in this epoch."""
    if stretch is None:
        return numpy.ones(len(members))
    return numpy.array([stretch(member, epoch) for member in members.tolist()])


def jitter(chance: numpy.random.Generator, count: int) -> NDArray[numpy.float64]:
    """Factors for the lengths by which is sorted."""
    return chance.uniform(1 - JITTER, 1 + JITTER, count)


def filled(
    members: NDArray[numpy.int64], sizes: NDArray[numpy.float64], keys: NDArray[numpy.float64], plan: Plan
) -> list[list[int]]:
    """Members of these sizes in the order of their keys, cut wherever the plan's budget is full or `most` are in."""
    bins: list[list[int]] = []
    longest = 0.0
    for place in numpy.argsort(keys, kind="stable").tolist():
        index, size = int(members[place]), float(sizes[place])
        longest = max(longest, size)
        if bins and len(bins[-1]) < plan.most and longest * (len(bins[-1]) + 1) <= plan.budget:
            bins[-1].append(index)
        else:
            bins.append([index])
            longest = size
    return bins


def learnt(trainer: Any) -> int:
    """How many batches of its epoch are in the weights of a Lightning trainer's model.

    Those that were accumulated since the last step are not: their gradients are in no checkpoint.
    """
    done: int = trainer.fit_loop.epoch_loop.batch_progress.current.processed
    return done if done >= trainer.num_training_batches else done - done % trainer.accumulate_grad_batches
