"""This process's memory -> what training frees is kept for the next step, what only grows is not searched for garbage.

glibc hands large blocks back to the system as soon as they are freed, and each page that it is given anew must be
cleared and mapped: with three trainings on two cores that took a third of the machine's time (docs/LOG.md).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
from collections.abc import Iterator

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
"""Of mallopt (malloc.h): bytes free at the top before they are handed back, bytes asked for at once, blocks mapped."""
KEPT = 2**31 - 1
ASKED = 64 * 2**20
CHOSEN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "LD_PRELOAD")
"""Variables with which the user says it, or brings another allocator: then it is left alone."""


def keep() -> bool:
    """Keep freed memory from now on; False where the C library is not glibc, or the user has chosen otherwise."""
    if any(name in os.environ for name in CHOSEN):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
        ctypes.CDLL(None).gnu_get_libc_version  # noqa: B018  of other C libraries mallopt may mean something else
    except (AttributeError, OSError, TypeError):
        return False
    return all([mallopt(MMAP_MAX, 0), mallopt(TRIM_THRESHOLD, KEPT), mallopt(TOP_PAD, ASKED)])


@contextlib.contextmanager
def growing() -> Iterator[None]:
    """Meanwhile no garbage is looked for: of many small objects that stay, it takes half of the time."""
    looking = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looking:
            gc.enable()
