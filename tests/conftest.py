"""What holds for every test: one thread, the same chance each time; no compiled code reads or writes beside an array;
and corpora to be had by their names."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

# Numba heeds it once it is imported, and takes code that was kept without it for the same: hence a place of its own.
os.environ |= {
    "NUMBA_BOUNDSCHECK": "1",
    "NUMBA_CACHE_DIR": str(Path(__file__).parent.parent / ".pytest_cache" / "numba"),
}

# isort: split
import hypothesis
import numpy
import pytest
import torch
from layouts import MAKERS

torch.set_num_threads(1)
hypothesis.settings.register_profile("fixed", derandomize=True, database=None, deadline=None, max_examples=50)
hypothesis.settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    numpy.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def corpus(tmp_path: Path) -> Callable[[str], Path]:
    """Makes the imitation of a name and gives its folder."""

    def made(name: str) -> Path:
        MAKERS[name](tmp_path / name)
        return tmp_path / name

    return made
