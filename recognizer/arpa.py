"""ARPA files, plain or gzipped, of any order <-> n-grams with base-10 logarithms.

A head says how many n-grams of each length there are; then, for each length, stand its n-grams, one a line, with
the logarithm of their probability before and that of their back-off weight behind them.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import math
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recognizer.errors import ConfigError, DecoderError

Row = tuple[float, str, float]
"""log10 p, the n-gram, log10 of its back-off weight."""
BEGIN, END, OTHER, SPACE = "<s>", "</s>", ("<unk>", "<UNK>"), "<space>"
LN10 = math.log(10.0)
ROUNDING = 1e-3  # how far above 0 a base-10 logarithm may be written
STARTS = (
    (b"mmap lm http://kheafield.com/code", "a binary of KenLM", "give the ARPA file that it was built from"),
    (b"\xfd7zXZ", "compressed by xz", "unpack it, or use gzip"),
    (b"BZh", "compressed by bzip2", "unpack it, or use gzip"),
    (b"PK\x03\x04", "a zip archive (checkpoints are, too)", "give an ARPA file"),
)
"""How files begin that are no ARPA file, what they are, and what to do."""


def read(path: str | Path) -> tuple[tuple[str, ...], list[tuple[NDArray[np.int32], NDArray[np.float32]]]]:
    """The words; for each length its n-grams as word numbers [N, length] and, as natural logarithms, their values and
    back-off weights [2, N].

    Raises:
        DecoderError: it is something else or is cut off; with the line, where there is one.
    """
    path = Path(path)
    lines = _Lines(path)
    index: dict[bytes, int] = {}
    table = [lines.section(order, count, index) for order, count in enumerate(lines.counts(), start=1)]
    lines.end()
    try:
        return tuple(word.decode() for word in index), table
    except UnicodeDecodeError as error:
        raise DecoderError(path, f"holds a word that is not UTF-8: {error.object!r}", "save it as UTF-8") from error


def write(path: Path, orders: Iterable[Sequence[Row]]) -> list[int]:
    """Write the n-grams of each length, gzipped if the name ends in .gz; how many there are of each.

    Raises:
        ConfigError: the file cannot be written.
    """
    counts: list[int] = []
    part = path.with_name(path.name + ".part")
    opened: Any = gzip.open if path.suffix == ".gz" else open
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as body:  # the counts stand before it
            for length, rows in enumerate(orders, start=1):
                counts.append(len(rows))
                body.write(f"\n\\{length}-grams:\n")
                body.writelines(
                    f"{value:.7g}\t{gram}\t{weight:.7g}\n" if weight else f"{value:.7g}\t{gram}\n"
                    for value, gram, weight in rows
                )
            body.seek(0)
            with opened(part, "wt", encoding="utf-8", newline="\n") as file:
                file.write("\\data\\\n")
                file.writelines(f"ngram {length}={count}\n" for length, count in enumerate(counts, start=1))
                file.writelines(body)
                file.write("\n\\end\\\n")
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise ConfigError(path, f"cannot be written ({error.strerror})", "choose another file") from error
    return counts


class _Lines:
    """An ARPA file, line by line; knows where it is, for what it says of mistakes."""

    def __init__(self, path: Path) -> None:
        self.path, self.number = path, 0
        if path.is_dir():
            raise DecoderError(path, "is a folder", "give an ARPA file, plain or gzipped")
        try:
            with path.open("rb") as file:
                begin = file.read(40)
        except OSError as error:
            raise DecoderError(path, f"cannot be opened ({error.strerror})", "check the path") from error
        for start, what, remedy in STARTS:
            if begin.startswith(start):
                raise DecoderError(path, f"is {what}", remedy)
        if not begin:
            raise DecoderError(path, "is empty", "give an ARPA file, plain or gzipped")
        self.packed = begin.startswith(b"\x1f\x8b")
        if not self.packed and b"\0" in begin:
            raise DecoderError(path, "is a binary file", "give an ARPA file, plain or gzipped")
        self.rest = self._read()

    def _read(self) -> Iterator[bytes]:
        """Lines that are not empty, without white space around them."""
        opened: Any = gzip.open if self.packed else open
        try:
            with opened(self.path, "rb") as file:
                for self.number, line in enumerate(file, start=1):
                    if stripped := line.strip():
                        yield stripped
        except (OSError, EOFError, zlib.error) as error:
            raise DecoderError(self.path, f"cannot be unpacked ({error})", "fetch or build it again") from error

    def _next(self, wanted: str) -> bytes:
        for line in self.rest:
            return line
        raise DecoderError(
            self.path, f"ends after line {self.number} without {wanted}", "it is cut off; fetch or build it again"
        )

    def _wrong(self, line: bytes, wanted: str) -> DecoderError:
        shown = line[:60].decode(errors="replace")
        return DecoderError(
            f"{self.path}, line {self.number}", f"{shown!r} where {wanted} should be", "give a sound ARPA file"
        )

    def counts(self) -> list[int]:
        """How many n-grams of each order the head announces."""
        for line in self.rest:
            if line == b"\\data\\":
                break
        else:
            raise DecoderError(
                self.path, r"has no line \data\, so it is no ARPA file", "build one: python -m recognizer.lm"
            )
        counts: list[int] = []
        while (line := self._next("sections")).startswith(b"ngram"):
            order, _, count = line[5:].partition(b"=")
            if order.strip() != b"%d" % (len(counts) + 1) or not count.strip().isdigit():
                raise self._wrong(line, f"'ngram {len(counts) + 1}=' and a number")
            counts.append(int(count))
        if not counts or not counts[0]:
            raise DecoderError(self.path, "announces no 1-grams", "build it again")
        self.rest = itertools.chain([line], self.rest)
        return counts

    def section(self, order: int, count: int, index: dict[bytes, int]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The n-grams of one order [count, order] and, as natural logarithms, their values and weights [2, count].

        The words of order 1 are entered into `index`; those of higher orders must stand there.
        """
        line = self._next(f"a line \\{order}-grams:")
        if line != b"\\%d-grams:" % order:
            raise self._wrong(line, f"\\{order}-grams:")
        grams, numbers = np.empty((count, order), np.int32), np.zeros((2, count), np.float64)
        for place in range(count):
            line = self._next(f"n-gram {place + 1} of {count} of order {order}")
            fields = line.split()
            try:
                if not order < len(fields) <= order + 2:
                    raise ValueError
                numbers[0, place] = float(fields[0])
                if len(fields) == order + 2:
                    numbers[1, place] = float(fields[-1])
            except ValueError:
                raise self._wrong(line, f"a logarithm, {order} words and at most a weight") from None
            if not numbers[0, place] <= ROUNDING or not numbers[1, place] < math.inf:
                raise self._wrong(line, "the base-10 logarithm of a probability")
            if order == 1 and index.setdefault(fields[1], place) != place:
                raise self._wrong(line, "a word that is not listed above")
            try:
                grams[place] = [index[word] for word in fields[1 : order + 1]]
            except KeyError:
                raise self._wrong(line, "words of the 1-grams") from None
        numbers[0] = np.minimum(numbers[0], 0.0)
        return grams, np.maximum(numbers * LN10, -1e30).astype(np.float32)

    def end(self) -> None:
        """The line that says that nothing was cut off."""
        line = self._next("a line \\end\\")
        if line != b"\\end\\":
            raise self._wrong(line, "\\end\\")
