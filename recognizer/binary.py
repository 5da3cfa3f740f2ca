"""Binaries of KenLM, tries or hash tables -> the n-grams that they were built from; KenLM itself is not needed.

Heafield, *KenLM: Faster and Smaller Language Model Queries* (2011). A head, hashes of the words, the n-grams, and last
the words as text. N-grams are kept from their last word backwards.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recognizer.bits import REMEDY, Parts, begins, fields, room
from recognizer.native import compiled

KENLM = b"mmap lm http://kheafield.com/code "
HEAD = struct.pack("<56s3f3IQ", KENLM + b"format version 5\n", 0.0, 1.0, -0.5, 1, (1 << 32) - 1, 0, 1)
"""How a sound file begins: also the test of how the machine that wrote it wrote numbers."""
TABLE, REST, TRIE = 0, 1, 2  # kinds; of the last there are four: TRIE, + QUANTISED, + ARRAYS
QUANTISED, ARRAYS = 1, 2
ENDING, WORD = np.uint64(8978948897894561157), np.uint64(17894857484156487943)  # what hashes are multiplied with
SIGN = np.uint32(1 << 31)  # of a float32
OTHER = "<unk>"
ABSENT = np.float32(-100.0)  # log10 p of `<unk>` where the ARPA file listed none
LEAST = np.float32(-1e30)
MOST = (1 << 31) - 2  # n-grams of all lengths
TRIALS = 1 << 34  # how many possible n-grams of a hash table are tried
TILE = 512

Bytes = NDArray[np.uint8]
Found = tuple[NDArray[np.int32], NDArray[np.float32]]
"""The n-grams of one length as word numbers [N, length], and their values and weights [2, N]."""


def is_one(path: str | Path) -> bool:
    """Whether the file begins like a binary of KenLM."""
    return begins(path, KENLM)


def read(path: str | Path) -> tuple[tuple[str, ...], Iterator[Found]]:
    """The words; and, length by length, the n-grams, with natural logarithms, as `arpa.read` gives an ARPA file's.

    Where the ARPA file had no `<unk>`, there is none here, either. What KenLM adds to a pruned model, the endings of
    n-grams that were not listed, stays: it scores as if it were not there.

    Raises:
        DecoderError: it is cut off or broken, of another version or kind, or was built without its words.
    """
    file = _File(path)
    found = _tables(file) if file.kind == TABLE else _trie(file)
    words = file.words(len(file.data) - file.place, len(found[0][0]))
    if words[0] != OTHER:
        raise file.broken(f"lists {words[0]!r} where {OTHER} should be")
    # Of each n-gram the endings are listed, too: where no pair has `<unk>`, nothing longer has.
    gone = int(found[0][1][0, 0] == ABSENT and bool(found[1][0].all()))
    found[0] = found[0][0][gone:], found[0][1][:, gone:]
    for place, (grams, numbers) in enumerate(found):
        if not ((numbers[0] <= 0).all() and (numbers[1] < -LEAST).all()):
            raise file.broken(f"holds {place + 1}-grams whose numbers are no logarithms of probabilities")
        found[place] = grams - gone, np.maximum(numbers, LEAST) * np.float32(math.log(10.0))
    return words[gone:], iter(found)


class _File(Parts):
    """A binary of KenLM, taken part by part.

    Attributes:
        counts: how many n-grams of each length there are.
        kind: the number of its kind.
        stretch: how much longer hash tables are than what they hold.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, "a binary of KenLM")
        begin = self.take("u1", len(HEAD)).tobytes()
        if begin.startswith(KENLM + b"incomplete"):
            raise self.broken("was not built to its end")
        if begin != HEAD:
            version = begin[len(KENLM) :].partition(b"\n")[0].decode(errors="replace")
            what = (
                f"is a binary of KenLM in the {version!r} of this or of another machine; 'format version 5' can be read"
            )
            raise self.wrong(what, REMEDY)
        order, self.stretch, self.kind, listed, version = struct.unpack("<B3xfI?3xI", self.take("u1", 20).tobytes())
        if self.kind == REST or self.kind > TRIE + QUANTISED + ARRAYS or version != (self.kind >= TRIE):
            what = "with rest costs" if self.kind == REST else f"of kind {self.kind}, version {version}"
            raise self.wrong(f"is a binary of KenLM {what}, which cannot be read", REMEDY)
        if not listed:
            raise self.wrong("is a binary of KenLM without its words", REMEDY)
        self.counts = [int(count) for count in self.take("<u8", order)]
        self.place += -self.place % 8
        if order < 2 or not self.counts[0] or sum(self.counts) > MOST or not 1 <= self.stretch < 1e3:
            raise self.broken(f"claims to hold {sum(self.counts)} n-grams of {order} lengths")


def _trie(file: _File) -> list[Found]:
    """The n-grams of a trie, with base-10 logarithms."""
    counts, order, quantised = file.counts, len(file.counts), file.kind - TRIE & QUANTISED
    if file.take("<u8", 1 + counts[0])[0] != counts[0] - 1:  # the rest are the words' hashes; `<unk>` has none
        raise file.broken("holds another number of words than it claims")
    bins = _bins(file) if quantised else []
    table = file.take([("value", "<f4"), ("weight", "<f4"), ("next", "<i8")], counts[0] + 2)[:-1]
    following = table["next"]  # where a node's children begin; they end where those of the next node begin
    found = [(np.arange(counts[0], dtype=np.int32)[:, None], np.stack([table["value"], table["weight"]])[:, :-1])]
    for length, count in enumerate(counts[1:], start=2):
        children = np.diff(following)
        if following[0] != 0 or following[-1] != count or (children < 0).any():
            raise file.broken(f"does not tell which {length}-grams end alike")
        rows = [0] if length == order else [1, 0] if quantised else [0, 1]
        widths = [len(bins[length - 2][row]).bit_length() - 1 if quantised else 31 + row for row in rows]
        link, steps = (0, np.zeros(1, np.int64)) if length == order else _links(file, count + 1, counts[length])
        word, *stored, low = _fields(file, count + 1, [counts[0].bit_length(), *widths, link])
        following = np.searchsorted(steps, np.arange(count + 1), side="right") - 1 << link | low
        if (word[:count] >= counts[0]).any():
            raise file.broken(f"has {length}-grams of words that it does not list")
        numbers = np.zeros((2, count), np.float32)
        for row, field in zip(rows, stored, strict=True):
            numbers[row] = bins[length - 2][row][field[:count]] if quantised else field[:count].view(np.float32)
        numbers[0] = -np.abs(numbers[0])  # that sign is not kept
        ends = np.repeat(found[-1][0], children, axis=0)
        found.append((np.column_stack([word[:count].astype(np.int32), ends]), numbers))
    return found


def _bins(file: _File) -> list[tuple[NDArray[np.float32], ...]]:
    """For each length from 2 on what quantised values mean, and what weights do."""
    version, value, weight = (int(number) for number in file.take("u1", 8)[:3])
    if version != 2 or not 0 < value <= 25 or not 0 < weight <= 25:
        raise file.broken(f"quantises in an unknown way ({version}, {value} and {weight} bits)")
    inner = [(file.take("<f4", 1 << value), file.take("<f4", 1 << weight)) for _ in file.counts[2:]]
    return [*inner, (file.take("<f4", 1 << value),)]


def _links(file: _File, entries: int, most: int) -> tuple[int, NDArray[np.int64]]:
    """How many low bits of a pointer stand with its n-gram, and from which n-gram on the rest is 0, 1, ..."""
    needed = most.bit_length()
    if not file.kind - TRIE & ARRAYS:
        return needed, np.zeros(1, np.int64)
    begin = file.place
    version, limit = (int(number) for number in file.take("u1", 2))
    if version != 0:
        raise file.broken(f"has pointers of version {version}")
    # As many bits stand elsewhere as make the whole smallest.
    costs = [(most >> needed - less) * 64 - entries * less for less in range(min(needed, limit) + 1)]
    less = costs.index(min(costs))
    size, file.place = (most >> needed - less) + 1, begin
    whole = file.take("u1", 8 * size + 15)
    return needed - less, whole[-begin % 8 + 8 :][: 8 * size].view("<i8")


def _fields(file: _File, count: int, widths: list[int]) -> list[NDArray[np.uint32]]:
    """The next records, of whole numbers of so many bits each, field by field."""
    return fields(file.take("u1", room(count, widths)), count, widths)


def _tables(file: _File) -> list[Found]:
    """The n-grams of hash tables, with base-10 logarithms.

    Of an n-gram only a hash of 64 bits is kept, made of its ending's (a single word's is its number) and its first
    word: each listed ending is tried with the first word of each listed beginning that fits.
    """
    counts, order = file.counts, len(file.counts)

    def places(count: int) -> int:
        return max(count + 1, int(np.float32(file.stretch) * np.float32(count)))

    version, bound = (int(number) for number in file.take("<u4", 2))
    if version or bound - counts[0] not in (0, 1):  # it counts `<unk>`, which may have been added
        raise file.broken(f"holds {bound} words, and not the {counts[0]} that it claims")
    file.take("u1", 12 * places(counts[0]))  # the words' hashes
    table = file.take([("value", "<f4"), ("weight", "<f4")], counts[0] + 1)[:bound]
    keys, grams = np.arange(bound, dtype=np.uint64), np.arange(bound, dtype=np.int32)[:, None]
    begin, end = np.zeros((2, bound), np.int64)  # n-grams one word shorter that these begin and end with
    found = list[Found]()
    for length, count in enumerate(counts[1:], start=2):
        numbers = np.zeros((2, len(grams)), np.float32)
        numbers[0], numbers[1] = -np.abs(table["value"]), table["weight"]
        found.append((grams, numbers))
        # Signs tell: a value above 0 that something longer ends so, a weight of -0 that nothing longer begins so.
        firsts = np.flatnonzero(table["weight"].view("<u4") != SIGN)
        ends = np.flatnonzero(table["value"].view("<u4") < SIGN)
        table = file.take([("key", "<u8"), ("value", "<f4"), ("weight", "<f4")][: 3 - (length == order)], places(count))
        hashes = np.ascontiguousarray(table["key"])
        table = table[np.argsort(hashes, kind="stable")[np.count_nonzero(hashes == 0) :]]
        hashes = np.ascontiguousarray(table["key"])
        ending, first = _meet(file, hashes, (keys[ends] * ENDING, begin[ends]), (grams[firsts, 0], end[firsts]))
        begin, end, keys = firsts[first], ends[ending], hashes
        grams = np.column_stack([grams[begin, 0], grams[end]])
    numbers = np.zeros((2, len(grams)), np.float32)
    numbers[0] = -np.abs(table["value"])
    return [*found, (grams, numbers)]


def _meet(
    file: _File,
    hashes: NDArray[np.uint64],
    endings: tuple[NDArray[np.uint64], NDArray[np.int64]],
    firsts: tuple[NDArray[np.int32], NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Which ending and which first word make each of the sorted hashes [2, N]; both must share what is between."""
    sides, sorts = [], []
    for side, middle in (endings, ((firsts[0].astype(np.uint64) + np.uint64(1)) * WORD, firsts[1])):
        sorts.append(np.lexsort((side, middle)))
        sides.append((side[sorts[-1]], middle[sorts[-1]]))
    (left, shared), (right, other) = sides
    groups, begin = np.unique(shared, return_index=True)
    low, high = np.searchsorted(other, groups), np.searchsorted(other, groups, "right")
    bounds = np.stack([begin, np.append(begin, len(left))[1:], low, high], axis=1)
    trials = int(((bounds[:, 1] - begin) * (high - low)).sum())
    if trials > TRIALS:
        what = f"is a hash table of KenLM, whose n-grams can only be told by {trials:.0e} trials"
        raise file.wrong(what, f"{REMEDY}, or build a trie: build_binary trie lm.arpa lm.binary")
    found = np.full((2, len(hashes)), -1, np.int64)
    made = _try(left, right, bounds, hashes, found)
    if made != len(hashes) or (found < 0).any():
        raise file.broken(f"has n-grams of no known words: {made} of {len(hashes)} were told")
    return np.stack([sorts[0][found[0]], sorts[1][found[1]]])


@compiled
def _try(
    endings: NDArray[np.uint64],
    firsts: NDArray[np.uint64],
    bounds: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    found: NDArray[np.int64],
) -> int:
    """Enter which endings and first words, of those between the same bounds, make which hash; how many do.

    All are sorted: those of one tile make hashes that lie side by side, so that what they meet stays in the cache.
    """
    bits = 1
    while len(hashes) >> bits:
        bits += 1
    coarse, fine = np.uint64(64 - bits), np.uint64(61 - bits)
    starts = np.zeros((1 << bits) + 1, np.int32)  # where hashes with these first bits begin
    seen = np.zeros(1 << bits, np.uint8)  # whether there are any with these and three more
    for place in range(len(hashes)):
        starts[np.int64(hashes[place] >> coarse) + 1] += 1
        mark = hashes[place] >> fine
        seen[mark >> np.uint64(3)] |= np.uint8(1) << np.uint8(mark & np.uint64(7))
    for place in range(1 << bits):
        starts[place + 1] += starts[place]
    made = 0
    for group in range(len(bounds)):
        low, high, left, right = bounds[group]
        for row in range(low, high, TILE):
            for column in range(left, right, TILE):
                for ending in range(row, min(row + TILE, high)):
                    for first in range(column, min(column + TILE, right)):
                        whole = endings[ending] ^ firsts[first]
                        mark = whole >> fine
                        if seen[mark >> np.uint64(3)] >> np.uint8(mark & np.uint64(7)) & np.uint8(1):
                            top = whole >> coarse
                            for place in range(starts[top], starts[top + np.uint64(1)]):
                                if hashes[place] == whole:
                                    found[0, place], found[1, place], made = ending, first, made + 1
    return made
