"""Records of whole numbers that are packed bit by bit, the lowest bits first, as KenLM and CMU Sphinx do -> arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recognizer.native import compiled


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
