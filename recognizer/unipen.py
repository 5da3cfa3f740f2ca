"""UNIPEN 1.0 files (Guyon et al. 1994) -> entries: dicts of strokes, text, writer, level, as JSON ink has them."""

from __future__ import annotations

import os.path
import re
from pathlib import Path
from typing import Any

import numpy as np

STATEMENT = re.compile(r"^\.([A-Z_]+)[ \t]*", re.MULTILINE)
LABEL = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
RANGE = re.compile(r"(\d+)(?::(\d+))?(?:-(\d+)(?::(\d+))?)?")
ESCAPES = {"n": " ", "t": " "}
PER_INCH = {"INCH": 1.0, "MM": 25.4, "CM": 2.54}
DEPTH = 8
"""Files that include files that include files ...: so deep."""


def entries(data: bytes, file: Path) -> list[dict[str, Any]]:
    """The segments of a UNIPEN file, in its order; the whole ink as one, where it has none.

    Components, to which segments point, are the pen streams `.PEN_DOWN` and, if they have points, `.PEN_UP`, counted
    from 0; of a segment only the strokes that were written are given. Files that are included are looked for beside
    the file, in the folders above it, and in an `include/` beside any of these, as in the release of UNIPEN.

    Raises:
        ValueError: (what, remedy); no UNIPEN statement, an included file that is missing, coordinates that are no
            numbers or do not fit `.COORD`, or a segment that points to components that do not exist.
    """
    ink = _Ink()
    ink.read(data, file, 0)
    common = {"xppi": ink.density.get("X"), "yppi": ink.density.get("Y")}
    if not ink.segments:
        return [{"text": None, "writer": ink.writer, "level": None, "strokes": ink.strokes("0-"), **common}]
    return [
        {"text": text, "writer": writer or ink.writer, "level": level, "strokes": ink.strokes(where), **common}
        for level, where, text, writer in ink.segments
    ]


class _Ink:
    """What the statements of a file have told so far."""

    def __init__(self) -> None:
        self.order = ["X", "Y"]
        self.density: dict[str, float] = {}
        self.writer: str | None = None
        self.components: list[np.ndarray] = []
        self.down: list[bool] = []
        self.segments: list[tuple[str, str, str | None, str | None]] = []

    def read(self, data: bytes, file: Path, depth: int) -> None:
        """Take in all statements of a file and of those that it includes."""
        text = data.decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
        statements = list(STATEMENT.finditer(text))
        if not statements:
            raise ValueError(
                "has no UNIPEN statement", "give UNIPEN, with lines such as .PEN_DOWN, or correct the suffix"
            )
        for statement, following in zip(statements, [*statements[1:], None], strict=True):
            body = text[statement.end() : following.start() if following else len(text)]
            self.take(statement[1], body, file, depth, text.count("\n", 0, statement.start()) + 1)

    def take(self, keyword: str, body: str, file: Path, depth: int, line: int) -> None:
        """Take in one statement; most are for people to read, and passed over."""
        words = body.split()
        if keyword in ("PEN_DOWN", "PEN_UP"):
            self.pen(keyword == "PEN_DOWN", words, line)
        elif keyword == "SEGMENT":
            self.segment(body)
        elif keyword == "INCLUDE":
            self.include(" ".join(words), file, depth)
        elif keyword == "COORD":
            self.order = [word.upper() for word in words]
            if not {"X", "Y"} <= set(self.order):
                raise ValueError(f"line {line}: .COORD is {' '.join(words)!r}", "give ink with X and Y")
        elif keyword == "WRITER_ID" and words:
            self.writer = " ".join(words)
        elif "_POINTS_PER_" in keyword and words:
            axis, unit = keyword.split("_POINTS_PER_")
            try:
                self.density[axis] = float(words[0]) * PER_INCH.get(unit, 1.0)
            except ValueError as error:
                raise ValueError(f"line {line}: .{keyword} is {words[0]!r}", "give a number") from error

    def pen(self, down: bool, words: list[str], line: int) -> None:
        """A component: its points [n, 2]."""
        try:
            values = np.array(words, dtype=np.float64)
        except ValueError as error:
            raise ValueError(f"the component in line {line} has words for numbers", "correct it") from error
        if len(values) % len(self.order):
            what = f"the component in line {line} has {len(values)} numbers, not a multiple of {len(self.order)}"
            raise ValueError(what, f"correct it, or .COORD, which is {' '.join(self.order)}")
        if down or len(values):
            columns = [self.order.index("X"), self.order.index("Y")]
            self.components.append(values.reshape(-1, len(self.order))[:, columns])
            self.down.append(down)

    def segment(self, body: str) -> None:
        """A part of the ink, and its label."""
        label = LABEL.search(body)
        words = (body[: label.start()] if label else body).split()
        text = None
        if label:
            plain = re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), label[1], flags=re.DOTALL)
            text = " ".join(plain.split())
        where = words[1] if len(words) > 1 and words[1][0].isdigit() else "0-"
        self.segments.append((words[0] if words else "", where, text, self.writer))

    def include(self, name: str, file: Path, depth: int) -> None:
        """The statements of another file, as if they stood here."""
        if depth >= DEPTH:
            raise ValueError(f"includes {name!r} {DEPTH} files deep", "break the circle")
        folder = file.absolute().parent
        places = [place / inner / name for place in (folder, *folder.parents) for inner in ("", "include")]
        found = next((place for place in places if os.path.isfile(place)), None)
        if found is None:
            raise ValueError(
                f"includes {name!r}, which is not there", f"put it into {folder} or into include/ above it"
            )
        self.read(found.read_bytes(), found, depth + 1)

    def strokes(self, where: str) -> list[np.ndarray]:
        """The written components, or parts of them, of a delineation such as `12-15,20` or `3:10-5:20`."""
        if where == "0-":
            return [points for points, down in zip(self.components, self.down, strict=True) if down]
        chosen = []
        for part in where.split(","):
            match = RANGE.fullmatch(part)
            if match is None:
                raise ValueError(f"a segment is delineated by {where!r}", "give such as 12-15 or 3:10-5:20")
            first, start, last, end = match.groups()
            last, end = (first, end or start) if last is None else (last, end)
            if int(last) >= len(self.components):
                what = f"a segment points to component {last}, but there are {len(self.components)}"
                raise ValueError(what, "correct the segment")
            for number in range(int(first), int(last) + 1):
                from_ = int(start) if start and number == int(first) else 0
                to = int(end) + 1 if end and number == int(last) else None
                if self.down[number]:
                    chosen.append(self.components[number][from_:to])
        return chosen
