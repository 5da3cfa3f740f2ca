"""Language models of CMU Sphinx in binary form (`en-us.lm.bin`) -> the n-grams that they were built from.

A head, tables of what quantised numbers mean, the single words, the longer n-grams from their last word backwards, and
the words as text; Sphinx itself is not needed. Logarithms are of base `BASE`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recognizer.bits import Parts, begins, fields, room

SPHINX = b"Trie Language Model"
"""How a file begins."""
BASE = 1.0001
QUANTISED = 16  # bits of each number of n-grams of two words and more
MOST = (1 << 31) - 2  # n-grams of all lengths

Found = tuple[NDArray[np.int32], NDArray[np.float32]]
"""The n-grams of one length as word numbers [N, length], and their values and weights [2, N]."""


def is_one(path: str | Path) -> bool:
    """Whether the file begins like a binary model of CMU Sphinx."""
    return begins(path, SPHINX)


def read(path: str | Path) -> tuple[tuple[str, ...], Iterator[Found]]:
    """The words; and, length by length, the n-grams, with natural logarithms, as `arpa.read` gives an ARPA file's.

    Endings of n-grams that were not listed, which Sphinx adds, stay: it scores as if they were not there.

    Raises:
        DecoderError: it is cut off or broken.
    """
    file = _File(path)
    counts = file.counts
    tables = [file.take("<f4", 1 << QUANTISED) for _ in range(2 * len(counts) - 3)]
    single = file.take([("value", "<f4"), ("weight", "<f4"), ("next", "<u4")], counts[0] + 1)
    found = [(np.arange(counts[0], dtype=np.int32)[:, None], single["value"][:-1], single["weight"][:-1])]
    following, bits = single["next"].astype(np.int64), counts[0].bit_length()
    for length, count in enumerate(counts[1:], start=2):
        longest = length == len(counts)
        widths = [bits, QUANTISED] if longest else [bits, QUANTISED, QUANTISED, counts[length].bit_length()]
        word, *rest = fields(file.take("u1", room(1 + count, widths)), 1 + count, widths)
        runs = np.diff(following)
        if following[0] or (runs < 0).any() or following[-1] > count:
            raise file.broken(f"claims {following[-1]} of its {count} {length}-grams")
        size = int(following[-1])
        if (word[:size] >= counts[0]).any():
            raise file.broken(f"holds {length}-grams of words that it does not list")
        grams = np.column_stack([word[:size].astype(np.int32), np.repeat(found[-1][0], runs, 0)])
        value = tables[2 * length - 4][rest[0 if longest else 1][:size]]
        weight = np.zeros(size, np.float32) if longest else tables[2 * length - 3][rest[0][:size]]
        found.append((grams, value, weight))
        following = rest[-1][: size + 1].astype(np.int64)
    words = file.words(int(file.take("<i4", 1)[0]), counts[0])
    if len({*words}) < len(words):
        raise file.broken("lists a word twice")
    return words, itertools.starmap(file.section, found)


class _File(Parts):
    """A binary model of CMU Sphinx, taken part by part.

    Attributes:
        counts: how many n-grams of each length there are.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, "a binary model of CMU Sphinx")
        self.take("u1", len(SPHINX))
        order = int(self.take("u1", 1)[0])
        self.counts = [int(count) for count in self.take("<u4", order)]
        if order < 1 or not self.counts[0] or sum(self.counts) > MOST:
            raise self.broken(f"claims to hold {sum(self.counts)} n-grams of {order} lengths")
        if order > 1:
            self.take("<i4", 1)  # once the kind of the tables

    def section(self, grams: NDArray[np.int32], value: NDArray[np.float32], weight: NDArray[np.float32]) -> Found:
        """The n-grams of one length, with natural logarithms."""
        numbers = np.stack([value, weight])
        if not (np.isfinite(numbers).all() and (value <= 0).all()):
            raise self.broken(f"holds {grams.shape[1]}-grams whose numbers are no logarithms of probabilities")
        return grams, numbers * np.float32(math.log(BASE))
