"""The spellings of words -> a tree of letters, as flat arrays."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True, eq=False)
class Spellings:
    """A tree of letters. Its nodes lie level by level, the children of each side by side; node 0 is the beginning.

    Attributes:
        letter: int32 [N], the label of each node; -1 for node 0.
        branch: int32 [N + 1]; the children of n are branch[n] to branch[n + 1].
        spelt: int32 [N], the token that ends here (of several the likeliest), or -1.
        best: float32 [N], the highest value of the tokens that end here or below.
    """

    letter: NDArray[np.int32]
    branch: NDArray[np.int32]
    spelt: NDArray[np.int32]
    best: NDArray[np.float32]

    @classmethod
    def of(cls, spelt: Sequence[tuple[Sequence[int], int, float]], labels: int) -> Spellings:
        """The tree of (labels, token, value); `labels` is above every label."""
        words, tokens, values = zip(*spelt, strict=True) if spelt else ((), (), ())
        value = np.array(values, np.float64)
        rank = np.argsort(value, kind="stable")  # of those that are spelt alike the likeliest comes last
        size = np.fromiter(map(len, words), np.int64, len(words))
        every = np.fromiter(itertools.chain.from_iterable(words), np.int64, int(size.sum()))
        begin = (np.cumsum(size) - size)[rank]
        size, value, token = size[rank], value[rank], np.array(tokens, np.int32)[rank]
        node = np.zeros(len(spelt), np.int64)
        keys: list[NDArray[np.int64]] = [np.array([-1], np.int64)]
        total = 1
        for depth in range(int(size.max(initial=0))):
            here = size > depth
            level, place = np.unique(node[here] * labels + every[begin[here] + depth], return_inverse=True)
            node[here] = total + place.ravel()
            keys.append(level)
            total += len(level)
        key = np.concatenate(keys)
        parent = key[1:] // labels
        ends, best = np.full(total, -1, np.int32), np.full(total, -np.inf, np.float32)
        ends[node] = token
        np.maximum.at(best, node, value.astype(np.float32))
        end = total
        for level in reversed(keys[1:]):
            np.maximum.at(best, level // labels, best[end - len(level) : end])
            end -= len(level)
        letter = np.append(np.int32(-1), (key[1:] % labels).astype(np.int32))
        branch = 1 + np.searchsorted(parent, np.arange(total + 1)).astype(np.int32)
        return cls(letter, branch, ends, best)
