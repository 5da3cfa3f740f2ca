"""A folder's name -> a small synthetic corpus in it: spoken numbers, pen words, line images; for a first run and tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from recognizer.samples import digits

SAMPLES: dict[str, Callable[[Path], None]] = {"digits": digits.make}
"""Each writes media, train.tsv, val.tsv and test.tsv into a folder, or keeps the whole one that it finds there."""
