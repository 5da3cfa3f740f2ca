"""Files of pen strokes (JSON, JSONL, InkML, UNIPEN) -> Ink: strokes in one square unit with y upwards."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import json
import lzma
import os.path
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recognizer import inkml, unipen
from recognizer.errors import InputError

JSON = (".json", ".json.xz", ".json.gz", ".jsonl", ".jsonl.xz", ".jsonl.gz")
UNIPEN = (".dat", ".unipen", ".unp", ".upn")
SUFFIXES = frozenset((*JSON, *UNIPEN, ".inkml"))
LARGEST = 1e30  # beyond this, single precision overflows once ink is scaled


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
        level: of a UNIPEN segment, in the file's hierarchy: `TEXT`, `WORD`, ...; otherwise None.
    """

    path: str
    text: str | None = None
    writer: str | None = None
    level: str | None = None


def items(path: str | Path) -> list[Item]:
    """All items of a file, in order; of `file#3` that one alone.

    Raises:
        InputError: the file is missing, empty, broken, or of no kind known here; or there is no such item.
    """
    source, names = _named(path)
    told = ((name, source.entry(number, name)) for number, name in names.items())
    return [
        Item(name, *(None if entry.get(key) is None else str(entry[key]) for key in ("text", "writer", "level")))
        for name, entry in told
    ]


def names(path: str | Path) -> list[str]:
    """The paths of all items of a file, as `items`; lines of JSON are not parsed, so that a broken one hides no other.

    Raises:
        InputError: as `items`, but for what single lines of JSON hold.
    """
    return list(_named(path)[1].values())


def read(path: str | Path) -> Ink:
    """The ink of a file, or of its item `file#3`, counted from 0.

    JSON ink is an object with `strokes`, a list of lists of [x, y, ...] in the order of writing; `xppi` and `yppi`,
    points per inch, where they differ; `"y": "down"`, where y does not run upwards. The ink is moved to begin at 0, 0.

    Raises:
        InputError: as `items`; or the file holds several items and none is named, or an item has no stroke, no point,
            or a coordinate that is not a finite number.
    """
    return _ink(str(path), entry(path))


def entry(path: str | Path) -> dict[str, Any]:
    """A file's ink, or its item's, of whatever kind the file is, as an object of JSON ink whose strokes may be arrays.

    Raises:
        InputError: as `items`; or the file holds several items and none is named.
    """
    file, wanted = _split(str(path))
    source = _source(*_stamp(file))
    if wanted is None and len(source) > 1:
        raise InputError(path, f"holds {len(source)} items", f"name one of them: {file}#0 to {file}#{len(source) - 1}")
    return source.entry(_checked(file, wanted or 0, len(source)), str(path))


def _named(path: str | Path) -> tuple[_Source, dict[int, str]]:
    """A file's items, and the paths of those that are meant by their numbers."""
    file, wanted = _split(str(path))
    source = _source(*_stamp(file))
    numbers = range(len(source)) if wanted is None else [_checked(file, wanted, len(source))]
    return source, {number: file if len(source) == 1 else f"{file}#{number}" for number in numbers}


def _split(path: str) -> tuple[str, int | None]:
    file, mark, number = path.rpartition("#")
    return (file, int(number)) if mark and number.isdecimal() and not os.path.exists(path) else (path, None)


def _checked(file: str, wanted: int, count: int) -> int:
    if wanted >= count:
        way = f"use {file}#0 to {file}#{count - 1}" if count > 1 else f"use {file}"
        raise InputError(f"{file}#{wanted}", f"the file holds {count} item(s), counted from 0", way)
    return wanted


def _stamp(file: str) -> tuple[str, int, int]:
    try:
        status = Path(file).stat()
    except OSError as error:
        raise InputError(file, f"cannot be opened ({error.strerror})", "check the path") from error
    return file, status.st_mtime_ns, status.st_size


class _Source:
    """The items of a file, of which JSON ones are parsed only when they are asked for.

    Args:
        pieces: an entry each; or as bytes of JSON; or as a place (first byte, bytes) in the file.
    """

    def __init__(self, file: str, pieces: Sequence[Any]) -> None:
        self.file, self.pieces = file, pieces

    def __len__(self) -> int:
        return len(self.pieces)

    def entry(self, number: int, where: str) -> dict[str, Any]:
        """Item `number`, which errors call `where`, as an object of JSON ink."""
        piece = self.pieces[number]
        if isinstance(piece, tuple):
            with Path(self.file).open("rb") as lines:
                lines.seek(piece[0])
                piece = lines.read(piece[1])
        entry = _parsed(where, piece) if isinstance(piece, bytes) else piece
        if not isinstance(entry, dict) or not isinstance(entry.get("strokes"), list):
            raise InputError(where, 'has no list "strokes"', 'give {"strokes": [[[x, y], ...], ...]}')
        return entry


@functools.lru_cache(maxsize=64)
def _source(file: str, _time: int, _size: int) -> _Source:
    """The items of a file as it is now; kept, because a manifest asks for them one by one, again and again."""
    name = Path(file).name.lower()
    if not name.endswith(tuple(SUFFIXES)):
        raise InputError(file, "is of no kind of ink known here", f"use one of: {' '.join(sorted(SUFFIXES))}")
    if name.endswith(".jsonl"):
        pieces: Sequence[Any] = _places(file)
    else:
        data = _bytes(file)
        if name.endswith((".jsonl.xz", ".jsonl.gz")):
            pieces = [line for line in data.splitlines() if line.strip()]
        elif name.endswith(JSON):
            whole = _parsed(file, data) if data.strip() else []
            pieces = whole if isinstance(whole, list) else [whole]
        elif data.strip():
            pieces = _foreign(file, (lambda: inkml.entries(data)) if name.endswith(".inkml") else None, data)
        else:
            pieces = []
    if not pieces:
        raise InputError(file, "is empty", "give a file with ink in it")
    return _Source(file, pieces)


def _foreign(file: str, reader: Callable[[], list[dict[str, Any]]] | None, data: bytes) -> list[dict[str, Any]]:
    try:
        return reader() if reader else unipen.entries(data, Path(file))
    except (ValueError, OverflowError) as error:
        what, remedy = error.args if len(error.args) == 2 else (str(error), "correct it")
        raise InputError(file, what, remedy) from error


def _places(file: str) -> list[tuple[int, int]]:
    """Where the lines of a file lie that are not empty: little to keep of a large file."""
    found, place = [], 0
    with Path(file).open("rb") as lines:
        for line in lines:
            if line.strip():
                found.append((place, len(line)))
            place += len(line)
    return found


def _bytes(file: str) -> bytes:
    try:
        data = Path(file).read_bytes()
        if file.lower().endswith(".xz"):
            return lzma.decompress(data)
        return gzip.decompress(data) if file.lower().endswith(".gz") else data
    except (lzma.LZMAError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(file, f"cannot be unpacked ({error})", "fetch it again, or correct its suffix") from error
    except OSError as error:
        raise InputError(file, f"cannot be read ({error.strerror or error})", "check the file") from error


def _parsed(where: str, data: bytes) -> Any:
    try:
        return json.loads(data)
    except UnicodeDecodeError as error:
        raise InputError(where, f"is not UTF-8 text (byte {error.start})", "give JSON in UTF-8") from error
    except (ValueError, RecursionError) as error:  # no JSONDecodeError but a ValueError where a number has no end
        what = str(error).partition(";")[0]
        raise InputError(where, f"broken JSON: {what}", "correct it, or correct the file's suffix") from error


def _ink(where: str, entry: dict[str, Any]) -> Ink:
    scale = np.ones(2)
    if entry.get("xppi") is not None and entry.get("yppi") is not None:
        scale[1] = _density(where, entry, "xppi") / _density(where, entry, "yppi")
    if entry.get("y", "up") not in ("up", "down"):
        raise InputError(where, f'"y" is {entry["y"]!r}', "say up or down")
    if entry.get("y") == "down":
        scale[1] = -scale[1]
    strokes = [_points(where, number, stroke) for number, stroke in enumerate(entry["strokes"])]
    with np.errstate(over="ignore", invalid="ignore"):
        strokes = [points * scale for points in strokes if len(points)]
    if not strokes:
        raise InputError(where, "has no points", "give ink with at least one point")
    if not all((np.abs(points) < LARGEST).all() for points in strokes):
        what = f'"xppi" is {entry["xppi"]!r} and "yppi" {entry["yppi"]!r}, which takes points beyond {LARGEST:g}'
        raise InputError(where, what, "correct them, or leave them out")
    # Moved to the origin first, so that single precision keeps every digit of large coordinates.
    return Ink(tuple((points - strokes[0][0]).astype(np.float32) for points in strokes))


def _points(where: str, number: int, stroke: Any) -> np.ndarray:
    if isinstance(stroke, np.ndarray):
        points = stroke
    else:
        try:
            points = np.array([point[:2] for point in stroke], dtype=np.float64).reshape(len(stroke), 2)
        except OverflowError as error:
            raise InputError(where, f"stroke {number} has a point beyond {LARGEST:g}", "give finite numbers") from error
        except (TypeError, ValueError, KeyError) as error:
            raise InputError(where, f"stroke {number} is not a list of [x, y]", "correct it") from error
    if not (np.abs(points) < LARGEST).all():
        bad = points[~(np.abs(points) < LARGEST).all(1)][0].tolist()
        raise InputError(where, f"stroke {number} has the point {bad}", "give finite numbers")
    return points


def _density(where: str, entry: dict[str, Any], key: str) -> float:
    value = entry[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= sys.float_info.max:
        raise InputError(where, f'"{key}" is {value!r:.40}', "give points per inch, a number above 0, or leave it out")
    return float(value)
