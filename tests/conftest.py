"""What holds for every test: one thread, the same chance each time."""

from __future__ import annotations

import random

import hypothesis
import numpy
import pytest
import torch

torch.set_num_threads(1)
hypothesis.settings.register_profile("fixed", derandomize=True, database=None, deadline=None, max_examples=50)
hypothesis.settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    numpy.random.seed(0)
    torch.manual_seed(0)
