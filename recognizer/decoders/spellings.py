"""The spellings of words -> a tree of letters, as flat arrays."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Rows(NamedTuple):
    """Spellings, one behind the other.

    Attributes:
        labels: int32 [sum of the sizes].
        size: int64 [S], how many labels each has.
    """

    labels: NDArray[np.int32]
    size: NDArray[np.int64]

    @classmethod
    def of(cls, spellings: Sequence[Sequence[int]]) -> Rows:
        """These, each the labels in their order."""
        size = np.fromiter(map(len, spellings), np.int64, len(spellings))
        return cls(np.fromiter(itertools.chain.from_iterable(spellings), np.int32, int(size.sum())), size)


@dataclasses.dataclass(frozen=True, eq=False)
class Spellings:
    """A tree of letters. Its nodes lie level by level, the children of each side by side; node 0 is the beginning.

    Attributes:
        letter: int32 [N], the label of each node; -1 for node 0.
        branch: int32 [N + 1]; the children of n are branch[n] to branch[n + 1].
        spelt: int32 [N], which of the spellings ends here (of those that are alike the likeliest), or -1.
        best: float32 [N], the highest value of the spellings that end here or below.
        node: int64 [S], where each spelling ends.
    """

    letter: NDArray[np.int32]
    branch: NDArray[np.int32]
    spelt: NDArray[np.int32]
    best: NDArray[np.float32]
    node: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Rows, value: NDArray[np.float64], labels: int) -> Spellings:
        """The tree of spellings with a value each, float64 [S]; `labels` is above every label."""
        start = np.cumsum(rows.size) - rows.size
        node = np.zeros(len(start), np.int64)
        keys: list[NDArray[np.int64]] = [np.array([-1], np.int64)]
        total = 1
        for depth in range(int(rows.size.max(initial=0))):
            here = np.flatnonzero(rows.size > depth)
            level, place = np.unique(node[here] * labels + rows.labels[start[here] + depth], return_inverse=True)
            node[here] = total + place.ravel()
            keys.append(level)
            total += len(level)
        key = np.concatenate(keys)
        rank = np.argsort(value, kind="stable")  # of those that are spelt alike the likeliest comes last
        spelt, best = np.full(total, -1, np.int32), np.full(total, -np.inf, np.float32)
        spelt[node[rank]] = rank
        np.maximum.at(best, node, value.astype(np.float32))
        end = total
        for level in reversed(keys[1:]):
            np.maximum.at(best, level // labels, best[end - len(level) : end])
            end -= len(level)
        letter = np.append(np.int32(-1), (key[1:] % labels).astype(np.int32))
        branch = 1 + np.searchsorted(key[1:] // labels, np.arange(total + 1)).astype(np.int32)
        return cls(letter, branch, spelt, best, node)
