"""Lines of an ARPA file -> word numbers and logarithms, compiled by Numba; what is not plain is left to the caller."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recognizer.native import compiled

LN10 = math.log(10.0)
NEWLINE, POINT, ZERO = 10, 46, 48
EXACT = 22  # the highest power of ten that a float64 holds exactly
LARGEST = 1 << 53  # up to here it holds every whole number


class Words(NamedTuple):
    """A list of words that can be searched for the bytes of a file.

    Attributes:
        letters: uint8, the words one after the other.
        bounds: int64 [N + 1], where each one begins.
        table: int32, a power of two of places; each holds the number of a word or -1.
    """

    letters: NDArray[np.uint8]
    bounds: NDArray[np.int64]
    table: NDArray[np.int32]

    @classmethod
    def of(cls, words: Iterable[bytes]) -> Words:
        """These words, numbered from 0."""
        listed = list(words)
        bounds = np.cumsum([0, *map(len, listed)], dtype=np.int64)
        table = np.full(2 << len(listed).bit_length(), -1, np.int32)
        made = cls(np.frombuffer(b"".join(listed), np.uint8), bounds, table)
        _enter(made)
        return made


@compiled
def _place(words: Words, text: NDArray[np.uint8], low: int, high: int) -> int:
    """Where in the table the word text[low:high] stands, or would stand (hashed as by Fowler, Noll and Vo)."""
    hashed = 2166136261
    for at in range(low, high):
        hashed = ((hashed ^ np.int64(text[at])) * 16777619) & 0xFFFFFFFF
    last = len(words.table) - 1
    place = (hashed ^ (hashed >> 15)) & last
    while words.table[place] >= 0:
        word = np.int64(words.table[place])
        begin = words.bounds[word]
        if words.bounds[word + 1] - begin == high - low:
            same = 0
            while same < high - low and words.letters[begin + same] == text[low + same]:
                same += 1
            if same == high - low:
                break
        place = (place + 1) & last
    return place


@compiled
def _enter(words: Words) -> None:
    for word in range(len(words.bounds) - 1):
        words.table[_place(words, words.letters, words.bounds[word], words.bounds[word + 1])] = word


@compiled
def _number(text: NDArray[np.uint8], low: int, high: int) -> float:
    """The decimal number text[low:high], rounded as Python rounds it; NaN unless it is like -1.25 or 3."""
    sign = 1.0
    if text[low] == ord("-"):
        sign, low = -1.0, low + 1
    digits, behind, point = 0, 0, False
    for at in range(low, high):
        digit = np.int64(text[at]) - ZERO
        if 0 <= digit <= 9:
            digits, behind = digits * 10 + digit, behind + point
            if digits > LARGEST:
                return np.nan
        elif text[at] == POINT and not point:
            point = True
        else:
            return np.nan
    if high - low == point or behind > EXACT:
        return np.nan
    return sign * (digits / 10.0**behind)


@compiled
def parse(
    text: NDArray[np.uint8],
    place: int,
    words: Words,
    grams: NDArray[np.int32],
    numbers: NDArray[np.float32],
    done: int,
) -> tuple[int, int, int]:
    """Fill grams [N, order] and numbers [2, N] from row `done` on; up to the last, the text's end, or an odd line.

    Odd is what is wrong, and also what is right but seldom written so.

    Args:
        text: bytes that end where a line ends.
        place: where in them a line begins.

    Returns:
        Rows that are then filled, the place of the line that was not taken, and how many lines were.
    """
    count, order = grams.shape
    end, lines = len(text), 0
    while place < end and done < count:
        at, field = place, 0
        numbers[1, done] = 0.0
        while True:
            while at < end and (text[at] == 32 or (9 <= text[at] <= 13 and text[at] != NEWLINE)):
                at += 1
            if at == end or text[at] == NEWLINE:
                break
            begin = at
            while at < end and text[at] != 32 and not 9 <= text[at] <= 13:
                at += 1
            if field == 0 or field == order + 1:
                number = _number(text, begin, at)
                if not (number <= 0 or (field and number > 0)):
                    return done, place, lines
                numbers[0 if field == 0 else 1, done] = number * LN10
            elif field > order:
                return done, place, lines
            else:
                word = words.table[_place(words, text, begin, at)]
                if word < 0:
                    return done, place, lines
                grams[done, field - 1] = word
            field += 1
        if field > order:
            done += 1
        elif field > 0:
            return done, place, lines
        place, lines = min(at + 1, end), lines + 1
    return done, place, lines
