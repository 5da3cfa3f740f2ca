"""Files of pen strokes (JSON, JSONL, InkML, UNIPEN) -> Ink: strokes in one square unit with y upwards."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import json
import lzma
import zlib
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
        path: the file or, where it holds several items, `file#3`: what `read` takes.
        text: what was written; None where the file does not tell.
        writer: who wrote it; None where the file does not tell.
    """

    path: str
    text: str | None = None
    writer: str | None = None


def items(path: str | Path) -> list[Item]:
    """All items of a file, in order; of `file#3` that one alone.

    Raises:
        InputError: the file is missing, empty, broken, or of no kind known here; or there is no such item.
    """
    file, wanted = _split(str(path))
    lines = _lines(*_stamp(file))
    numbers = range(len(lines)) if wanted is None else [_checked(file, wanted, len(lines))]
    found = []
    for number in numbers:
        name = file if len(lines) == 1 else f"{file}#{number}"
        entry = _entry(name, lines[number])
        text, writer = entry.get("text"), entry.get("writer")
        found.append(Item(name, None if text is None else str(text), None if writer is None else str(writer)))
    return found


def read(path: str | Path) -> Ink:
    """The ink of a file, or of its item `file#3`, counted from 0.

    Raises:
        InputError: as `items`; or the file holds several items and none is named, or an item has no stroke, no point,
            or a coordinate that is not a finite number.
    """
    file, wanted = _split(str(path))
    lines = _lines(*_stamp(file))
    if wanted is None and len(lines) > 1:
        raise InputError(path, f"holds {len(lines)} items", f"name one of them: {file}#0 to {file}#{len(lines) - 1}")
    entry = _entry(str(path), lines[_checked(file, wanted or 0, len(lines))])
    return _ink(str(path), entry)


def _split(path: str) -> tuple[str, int | None]:
    file, mark, number = path.rpartition("#")
    return (file, int(number)) if mark and number.isdecimal() and not Path(path).exists() else (path, None)


def _checked(file: str, wanted: int, count: int) -> int:
    if wanted >= count:
        raise InputError(f"{file}#{wanted}", f"the file holds {count} item(s)", f"use {file}#0 to {file}#{count - 1}")
    return wanted


def _stamp(file: str) -> tuple[str, int, int]:
    try:
        status = Path(file).stat()
    except OSError as error:
        raise InputError(file, f"cannot be opened ({error.strerror})", "check the path") from error
    return file, status.st_mtime_ns, status.st_size


def _bytes(file: str) -> bytes:
    try:
        data = Path(file).read_bytes()
        if file.lower().endswith(".xz"):
            return lzma.decompress(data)
        return gzip.decompress(data) if file.lower().endswith(".gz") else data
    except OSError as error:
        raise InputError(file, f"cannot be read ({error.strerror or error})", "check the file") from error
    except (lzma.LZMAError, EOFError, zlib.error) as error:
        raise InputError(file, f"cannot be unpacked ({error})", "fetch it again, or correct its suffix") from error


@functools.lru_cache(maxsize=4)
def _lines(file: str, _time: int, _size: int) -> tuple[bytes, ...]:
    """The items of a JSON or JSONL file as unparsed bytes; small beside parsed ones, and quick to come back to."""
    data = _bytes(file)
    if not data.strip():
        raise InputError(file, "is empty", "give a file with ink in it")
    if ".jsonl" in Path(file).name.lower():
        return tuple(line for line in data.splitlines() if line.strip())
    whole = _parsed(file, data)
    if isinstance(whole, dict):
        return (data,)
    if not isinstance(whole, list) or not whole:
        raise InputError(file, f"holds {str(whole)[:20]}", 'give an object with "strokes", or a list of such objects')
    return tuple(json.dumps(entry).encode() for entry in whole)


def _parsed(where: str, data: bytes) -> Any:
    try:
        return json.loads(data)
    except UnicodeDecodeError as error:
        raise InputError(where, f"is not UTF-8 text (byte {error.start})", "give JSON in UTF-8") from error
    except json.JSONDecodeError as error:
        raise InputError(where, f"broken JSON: {error}", "correct it, or correct the file's suffix") from error


def _entry(where: str, line: bytes) -> dict[str, Any]:
    entry = _parsed(where, line)
    if not isinstance(entry, dict) or not isinstance(entry.get("strokes"), list):
        raise InputError(where, 'has no list "strokes"', 'give {"strokes": [[[x, y], ...], ...]}')
    return entry


def _ink(where: str, entry: dict[str, Any]) -> Ink:
    scale = np.ones(2)
    if entry.get("xppi") is not None and entry.get("yppi") is not None:
        scale = np.array([_density(where, entry, "xppi"), _density(where, entry, "yppi")])
        scale = scale[0] / scale
    if entry.get("y", "up") not in ("up", "down"):
        raise InputError(where, f'"y" is {entry["y"]!r}', "say up or down")
    if entry.get("y") == "down":
        scale = scale * [1, -1]
    strokes = []
    for number, stroke in enumerate(entry["strokes"]):
        if not stroke:
            continue
        try:
            points = np.array([point[:2] for point in stroke], dtype=np.float64)
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise InputError(where, f"stroke {number} is not a list of [x, y]", "correct it") from error
        if points.ndim != 2 or points.shape[1] != 2:
            raise InputError(where, f"stroke {number} is not a list of [x, y]", "correct it")
        strokes.append(points)
    return whole(where, strokes, scale)


def whole(where: str, strokes: list[np.ndarray], scale: np.ndarray) -> Ink:
    """Strokes [n, 2], times `scale`, moved to begin at the origin, so that float32 keeps every digit of large ones."""
    if not any(len(points) for points in strokes):
        raise InputError(where, "has no points", "give ink with at least one point")
    for number, points in enumerate(strokes):
        if not np.isfinite(points).all():
            bad = points[~np.isfinite(points).all(1)][0].tolist()
            raise InputError(where, f"stroke {number} has the point {bad}", "give finite numbers")
    scaled = [points * scale for points in strokes if len(points)]
    return Ink(tuple((points - scaled[0][0]).astype(np.float32) for points in scaled))


def _density(where: str, entry: dict[str, Any], key: str) -> float:
    value = entry[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InputError(where, f'"{key}" is {value!r}', "give points per inch, a number above 0, or leave it out")
    return float(value)
