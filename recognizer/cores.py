"""Processes and the processor cores that each may use -> how many there are for each of them."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

Place = tuple[str, frozenset[int]]
"""The name of a machine, and cores of it."""
GROUPS = Path("/sys/fs/cgroup")
QUOTAS = (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))
"""Where Linux, by the second and the first version of its control groups, tells a container's share of processor time:
so many microseconds of each period. https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu"""


def place() -> Place:
    """Where this process may run: not all cores are its own under SLURM, in a container or with taskset."""
    every = range(os.cpu_count() or 1)
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else every
    return socket.gethostname(), frozenset(sorted(mine)[: quota()])


def quota() -> int | None:
    """Cores that all processes of the container may keep busy together, rounded up; None: as many as they see."""
    for names in QUOTAS:
        try:
            used, period = (int(word) for name in names for word in (GROUPS / name).read_text().split())
        except (OSError, ValueError):  # there is none, or it is "max"
            continue
        if used > 0 and period > 0:
            return -(-used // period)
    return None


def count() -> int:
    """Cores that this process may use."""
    return len(place()[1])


def fewest(places: Sequence[Place]) -> int:
    """Cores for each of several processes: as many as the one has that has fewest, when all share what is the same."""
    sharing = [sum(host == other and bool(mine & more) for other, more in places) for host, mine in places]
    return min(len(mine) // count for (_, mine), count in zip(places, sharing, strict=True))
