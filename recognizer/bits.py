"""A binary file of a language model, as KenLM and CMU Sphinx write theirs -> its parts, one after the other.

Both pack whole numbers bit by bit, the lowest bits first, and list words with a zero behind each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recognizer.errors import DecoderError
from recognizer.native import compiled

REMEDY = "give the ARPA file that it was built from"


class Parts:
    """A file, taken part by part.

    Args:
        path: the file.
        kind: what it is, for messages: "a binary of KenLM".
    """

    def __init__(self, path: str | Path, kind: str) -> None:
        self.path, self.sort, self.place = Path(path), kind, 0
        self.data = np.memmap(path, np.uint8, "r").view(np.ndarray)

    def wrong(self, what: str, remedy: str) -> DecoderError:
        """What to raise."""
        return DecoderError(self.path, what, remedy)

    def broken(self, what: str) -> DecoderError:
        """What to raise if the file is not as that program writes it."""
        return self.wrong(f"is {self.sort} that {what}", f"fetch or build it again, or {REMEDY}")

    def take(self, kind: Any, count: int) -> NDArray[Any]:
        """The next so many numbers of that kind.

        Raises:
            DecoderError: the file ends before.
        """
        kind = np.dtype(kind)
        begin, self.place = self.place, self.place + kind.itemsize * count
        if self.place > len(self.data) or count < 0:
            raise self.broken(f"is cut off: byte {self.place} of {len(self.data)} is asked for")
        return self.data[begin : self.place].view(kind)

    def words(self, size: int, count: int) -> tuple[str, ...]:
        """The next `size` bytes as so many words.

        Raises:
            DecoderError: they are not as many, or not in UTF-8.
        """
        text = self.take("u1", size).tobytes()
        try:
            words = tuple(text.decode().split("\0"))
        except UnicodeDecodeError as error:
            raise self.broken(f"holds a word that is not UTF-8: {error.object[error.start :][:20]!r}") from error
        if len(words) != count + 1 or words[-1]:
            raise self.broken(f"ends with {len(words) - 1} words where {count} should be")
        return words[:-1]


def begins(path: str | Path, mark: bytes) -> bool:
    """Whether a file can be opened and begins so."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(mark)) == mark
    except OSError:
        return False


def room(count: int, widths: Sequence[int]) -> int:
    """How many bytes so many records take, with the eight that both programs leave behind them."""
    return (count * sum(widths) + 7) // 8 + 8


def fields(part: NDArray[np.uint8], count: int, widths: Sequence[int]) -> list[NDArray[np.uint32]]:
    """Field by field the numbers of `count` records.

    Args:
        part: `room` bytes.
        widths: how many bits each field has, at most 32.
    """
    found = [np.zeros(count, np.uint32) for _ in widths]
    for place, field in enumerate(found):
        _unpack(part, sum(widths[:place]), sum(widths), widths[place], field)
    return found


@compiled
def _unpack(part: NDArray[np.uint8], spot: int, step: int, bits: int, field: NDArray[np.uint32]) -> None:
    """Fill a field; its first number begins at bit `spot`, and each `step` bits behind the last."""
    mask = (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
    for place in range(len(field)):
        at, whole = spot >> 3, np.uint64(0)
        for byte in range((spot & 7) + bits + 7 >> 3):
            whole |= np.uint64(part[at + byte]) << np.uint64(8 * byte)
        field[place] = whole >> np.uint64(spot & 7) & mask
        spot += step
