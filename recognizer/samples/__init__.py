"""A folder's name -> a small synthetic corpus in it: spoken numbers, pen words, line images; only for first runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from recognizer.samples import digits, ink, lines

SAMPLES: dict[str, Callable[[Path], None]] = {"digits": digits.make, "ink": ink.make, "lines": lines.make}
"""Each writes media, train.tsv, val.tsv and test.tsv into a folder, or keeps the whole one that it finds there."""
