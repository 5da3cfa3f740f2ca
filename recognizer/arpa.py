"""ARPA files, plain or gzipped, of any order <-> n-grams with base-10 logarithms.

A head says how many n-grams of each length there are; then, for each length, stand its n-grams, one a line, with
the logarithm of their probability before and that of their back-off weight behind them.
"""

from __future__ import annotations

import contextlib
import gzip
import math
import os.path
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recognizer import rows
from recognizer.errors import ConfigError, DecoderError

Section = tuple[NDArray[np.int32], NDArray[np.float32]]
"""The n-grams of one length as word numbers [N, length] and, as natural logarithms, their values and weights [2, N]."""
BEGIN, END, OTHER, SPACE = "<s>", "</s>", ("<unk>", "<UNK>"), "<space>"
LN10 = math.log(10.0)
NEVER = -99.0 * LN10  # as ARPA files write ln 0
MISSING = -100.0 * LN10  # ln p of what is not listed where `<unk>` is not, either: what KenLM puts there
ROUNDING = 1e-3  # how far above 0 a base-10 logarithm may be written
BLOCK = 1 << 20  # bytes that are read at once
STARTS = (
    (b"\xfd7zXZ", "compressed by xz", "unpack it, or use gzip"),
    (b"BZh", "compressed by bzip2", "unpack it, or use gzip"),
    (b"PK\x03\x04", "a zip archive (checkpoints are, too)", "give an ARPA file"),
)
"""How files begin that are no ARPA file, what they are, and what to do. Of the binaries of KenLM `binary` knows."""


def read(path: str | Path) -> tuple[tuple[str, ...], Iterator[Section]]:
    """The words; and, length by length, the n-grams of an ARPA file.

    Raises:
        DecoderError: it is something else or is cut off; with the line, where there is one. What is wrong further
            down is told when the n-grams are asked for.
    """
    lines = _Lines(Path(path))
    counts = lines.counts()
    index: dict[bytes, int] = {}
    singles = lines.section(1, counts[0], index)
    try:
        words = tuple(word.decode() for word in index)
    except UnicodeDecodeError as error:
        raise DecoderError(path, f"holds a word that is not UTF-8: {error.object!r}", "save it as UTF-8") from error

    def sections() -> Iterator[Section]:
        yield singles
        for order, count in enumerate(counts[1:], start=2):
            yield lines.section(order, count, index)
        lines.end()

    return words, sections()


def write(path: Path, tokens: Sequence[str], sections: Iterable[Section]) -> None:
    """Write the n-grams of each length, gzipped if the name ends in .gz.

    Raises:
        ConfigError: the file cannot be written.
    """
    counts: list[int] = []
    part = path.with_name(path.name + ".part")
    opened: Any = gzip.open if path.suffix == ".gz" else open
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as body:  # the counts stand before it
            for length, (grams, numbers) in enumerate(sections, start=1):
                counts.append(len(grams))
                body.write(f"\n\\{length}-grams:\n")
                for gram, value, weight in zip(grams.tolist(), *(numbers / LN10).tolist(), strict=True):
                    behind = f"\t{weight:.7g}\n" if weight else "\n"
                    body.write(f"{value:.7g}\t{' '.join(tokens[token] for token in gram)}{behind}")
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


class _Lines:
    """An ARPA file, block by block; knows in which line it is, for what it says of mistakes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if os.path.isdir(path):
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
        self.blocks = self._read()
        self.block = b""
        self.place = 0  # in the block, of the next line
        self.ahead = b""  # a line that was taken and will be given again
        self.number = 0  # of the last line that was taken

    def _read(self) -> Iterator[bytes]:
        """Blocks that end where a line ends."""
        opened: Any = gzip.open if self.packed else open
        rest = b""
        try:
            with opened(self.path, "rb") as file:
                while block := file.read(BLOCK):
                    if end := block.rfind(b"\n") + 1:
                        yield rest + block[:end]
                        rest = b""
                    rest += block[end:]
        except (OSError, EOFError, zlib.error) as error:
            raise DecoderError(self.path, f"cannot be unpacked ({error})", "fetch or build it again") from error
        if rest:
            yield rest

    def _more(self) -> bool:
        """Go on to the next block, if this one has been taken; whether there is a line."""
        if self.place == len(self.block):
            self.block, self.place = next(self.blocks, b""), 0
        return bool(self.block)

    def _line(self) -> bytes:
        """The next line that is not empty, without white space around it; at the end an empty one."""
        while self._more():
            end = self.block.find(b"\n", self.place) + 1 or len(self.block)
            line = self.block[self.place : end].strip()
            self.place, self.number = end, self.number + 1
            if line:
                return line
        return b""

    def _next(self, wanted: str) -> bytes:
        line, self.ahead = self.ahead or self._line(), b""
        if line:
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
        while (line := self._line()) != b"\\data\\":
            if not line:
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
        self.ahead = line  # that one is not of the head
        return counts

    def section(self, order: int, count: int, index: dict[bytes, int]) -> Section:
        """The n-grams of one order.

        The words of order 1 are entered into `index`; those of higher orders must stand there.
        """
        line = self._next(f"a line \\{order}-grams:")
        if line != b"\\%d-grams:" % order:
            raise self._wrong(line, f"\\{order}-grams:")
        grams, numbers = np.empty((count, order), np.int32), np.empty((2, count), np.float32)
        words = rows.Words.of(index)
        done = 0
        while done < count:
            if self._more() and index and order > 1:
                text = np.frombuffer(self.block, np.uint8)
                done, self.place, lines = rows.parse(text, self.place, words, grams, numbers, done)
                self.number += lines
            if done < count and (order == 1 or self.place < len(self.block) or not self._more()):
                line = self._next(f"n-gram {done + 1} of {count} of order {order}")
                grams[done], numbers[:, done] = self._row(line, order, index)
                done += 1
        return grams, numbers

    def _row(self, line: bytes, order: int, index: dict[bytes, int]) -> tuple[list[int], list[float]]:
        """The n-gram of one line, which may be wrong."""
        fields = line.split()
        try:
            if not order < len(fields) <= order + 2:
                raise ValueError
            value, weight = float(fields[0]), float(fields[-1]) if len(fields) == order + 2 else 0.0
        except ValueError:
            raise self._wrong(line, f"a logarithm, {order} words and at most a weight") from None
        if not value <= ROUNDING or not weight < math.inf:
            raise self._wrong(line, "the base-10 logarithm of a probability")
        if order == 1:
            if fields[1] in index:
                raise self._wrong(line, "a word that is not listed above")
            index[fields[1]] = len(index)
        try:
            gram = [index[word] for word in fields[1 : order + 1]]
        except KeyError:
            raise self._wrong(line, "words of the 1-grams") from None
        return gram, [max(number * LN10, -1e30) for number in (min(value, 0.0), weight)]

    def end(self) -> None:
        """The line that says that nothing was cut off."""
        line = self._next("a line \\end\\")
        if line != b"\\end\\":
            raise self._wrong(line, "\\end\\")
