"""Freed memory is kept for the next step, unless the user has said otherwise."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from recognizer import memory

PROGRAM = """
import resource, sys, torch
from recognizer import memory
kept = memory.keep() if sys.argv[1] == "keep" else None
def step():
    return sum(float(torch.ones(size * 2**18).sum()) for size in (40, 80, 160))
step(), step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(15):
    step()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode: str, **variables: str) -> tuple[str, int]:
    """What `keep` answered, and the pages mapped by 15 steps after two others, each of 280 MiB in three blocks."""
    environment = {name: value for name, value in os.environ.items() if name not in memory.CHOSEN} | variables
    command = [sys.executable, "-c", PROGRAM, mode]
    found = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split()
    return found[0], int(found[1])


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(os, "confstr"), reason="of glibc")
def test_the_same_blocks_are_mapped_once():
    kept, few = faults("keep")
    if kept == "False":
        pytest.skip("another C library than glibc")
    _, many = faults("leave")
    assert few * 4 < many  # where something small comes to lie between them, blocks are mapped once more, some times


def test_what_the_user_chose_stays():
    assert faults("keep", MALLOC_MMAP_MAX_="65536")[0] == "False"


@pytest.mark.parametrize("looking", [True, False])
def test_garbage_is_not_looked_for_meanwhile_and_then_as_before(looking: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if looking else gc.disable)()
        with pytest.raises(KeyError), memory.growing():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == looking
    finally:
        (gc.enable if before else gc.disable)()
