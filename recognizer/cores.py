"""Processes and the processor cores that each may use -> how many there are for each of them."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

Place = tuple[str, frozenset[int]]
"""The name of a machine, and cores of it."""


def place() -> Place:
    """Where this process may run: not all cores are its own under SLURM, in a container or with taskset."""
    every = range(os.cpu_count() or 1)
    return socket.gethostname(), frozenset(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else every)


def count() -> int:
    """Cores that this process may use."""
    return len(place()[1])


def fewest(places: Sequence[Place]) -> int:
    """Cores for each of several processes: as many as the one has that has fewest, when all share what is the same."""
    sharing = [sum(host == other and bool(mine & more) for other, more in places) for host, mine in places]
    return min(len(mine) // count for (_, mine), count in zip(places, sharing, strict=True))
