"""Candidates -> the best of them; a heap whose root is the worst, a part of the compiled `prefixes`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recognizer.decoders.native import part

Ints = NDArray[np.int32]


@part
def sink(heap: Any, order: Ints, size: int, score: float, place: int) -> None:
    """Replace the root of a heap, its worst, and restore the order."""
    spot = 0
    while True:
        child = 2 * spot + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= score:
            break
        heap[spot], order[spot] = heap[child], order[child]
        spot = child
    heap[spot], order[spot] = score, place


@part
def push(heap: Any, order: Ints, size: int, score: float, place: int) -> int:
    """Put a candidate into the heap; a full one loses its worst. How many it then holds."""
    if size == len(heap):
        if score > heap[0]:
            sink(heap, order, size, score, place)
        return size
    spot = size
    while spot > 0 and heap[(spot - 1) // 2] > score:
        heap[spot], order[spot] = heap[(spot - 1) // 2], order[(spot - 1) // 2]
        spot = (spot - 1) // 2
    heap[spot], order[spot] = score, place
    return size + 1


@part
def rank(heap: Any, order: Ints, size: int) -> None:
    """Sort what the heap holds, best first."""
    for last in range(size - 1, 0, -1):
        score, place = heap[last], np.int64(order[last])
        heap[last], order[last] = heap[0], order[0]
        sink(heap, order, last, score, place)
