"""Files of pen strokes (JSON, JSONL, InkML, UNIPEN) -> Ink: strokes in one square unit with y upwards."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import json
import lzma
import math
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.errors import InputError

JSON = frozenset({".json", ".json.xz", ".json.gz", ".jsonl", ".jsonl.xz", ".jsonl.gz"})
SUFFIXES = JSON


@dataclasses.dataclass(frozen=True)
class Ink:
    """What a pen drew: float32 arrays [n, 2] of x, y, one for each stroke; y upwards, x and y in the same unit."""

    strokes: tuple[np.ndarray, ...]


@dataclasses.dataclass(frozen=True)
class Item:
    """One piece of ink in a file, and what the file says of it.

    Attributes:
        path: the file or, where it holds several items, `file#3`; what `read` takes.
        text: what was written; None where the file does not tell.
        writer: who wrote it; None where the file does not tell.
        level: for UNIPEN the segment's level (`WORD`, `TEXT`, ...); otherwise None.
    """

    path: str
    text: str | None = None
    writer: str | None = None
    level: str | None = None


def suffix(path: str | Path) -> str:
    """The ending of `path` that tells its format, lower case: `.jsonl.xz` of `Ink.JSONL.xz#3`."""
    parts = Path(_split(str(path))[0]).suffixes
    return "".join(parts[-2:] if parts and parts[-1].lower() in (".xz", ".gz") else parts[-1:]).lower()


def items(path: str | Path) -> list[Item]:
    """All items of a file, in order.

    Raises:
        InputError: the file is missing, empty, broken, or of no kind known here.
    """
    file, wanted = _split(str(path))
    count = len(_lines(*_stamp(file)))
    numbers = range(count) if wanted is None else [_checked(file, wanted, count)]
    found = []
    for number in numbers:
        name = file if count == 1 else f"{file}#{number}"
        entry = _entry(name, _lines(*_stamp(file))[number])
        text, writer = entry.get("text"), entry.get("writer")
        found.append(Item(name, None if text is None else str(text), None if writer is None else str(writer)))
    return found


def read(path: str | Path) -> Ink:
    """The ink of a file, or of its item `file#3`, counted from 0.

    Raises:
        InputError: as `items`; or there is no such item, the file holds several and none is named, or an item has no
            stroke, no point, or a coordinate that is not a finite number.
    """
    file, wanted = _split(str(path))
    lines = _lines(*_stamp(file))
    if wanted is None and len(lines) > 1:
        raise InputError(path, f"holds {len(lines)} items", f"name one of them: {file}#0 to {file}#{len(lines) - 1}")
    entry = _entry(str(path), lines[_checked(file, wanted or 0, len(lines))])
    ...
    return _ink(str(path), entry)
