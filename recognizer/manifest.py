"""Tables of utterances, the wall between preparing a corpus and training on it: tab-separated files <-> Utterances."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from recognizer.errors import ManifestError, nearest
from recognizer.lines import content

COLUMNS = ("path", "text", "start", "end", "duration", "speaker")


@dataclasses.dataclass(frozen=True)
class Utterance:
    """One thing to read and, where it is known, its text.

    Attributes:
        path: the file; `file#3` means item 3 (from 0) of a file that holds several.
        text: the reference; None where there is none.
        start, end: the part of the file that is meant, in the front end's unit (seconds, points as recorded, pixels of
            the image from where reading begins); None for its beginning and its end.
        duration: its length in the front end's unit (seconds, points, pixels); only for reports and for sorting.
        speaker: speaker, writer or hand, so that splits can keep people apart.
    """

    path: str
    text: str | None = None
    start: float | None = None
    end: float | None = None
    duration: float | None = None
    speaker: str | None = None


def read(path: str | Path) -> list[Utterance]:
    """The utterances of the manifest at `path`; relative paths in it are taken from its own folder.

    The file is UTF-8, its fields are separated by tabs, and its first line names the columns: `path`, then any of
    `text`, `start`, `end`, `duration`, `speaker`.

    Raises:
        ManifestError: no such file, not UTF-8, no `path` column, an unknown column, or a row that cannot be read.
    """
    path = Path(path)
    lines = content(path, ManifestError, "check the path").split("\n")
    columns = lines[0].rstrip("\r").split("\t")
    for column in columns:
        if column not in COLUMNS:
            raise ManifestError(path, f"unknown column {column!r} in line 1", nearest(column, COLUMNS))
    if "path" not in columns:
        raise ManifestError(path, "line 1 names no column 'path'", f"begin with: {' '.join(COLUMNS)}")
    rows = [(number, line.rstrip("\r")) for number, line in enumerate(lines[1:], start=2) if line.strip()]
    return [_utterance(path, number, columns, line.split("\t")) for number, line in rows]


def labelled(path: str | Path) -> list[Utterance]:
    """As `read`, of a manifest with texts; an empty one is the text of silence.

    Raises:
        ManifestError: as there, and if there is no column of texts.
    """
    rows = read(path)
    if any(row.text is None for row in rows):
        what = "has no column 'text', so nothing can be learnt from it or scored by it"
        raise ManifestError(path, what, "add the texts, or leave it out")
    return rows


def _utterance(manifest: Path, number: int, columns: list[str], fields: list[str]) -> Utterance:
    where = f"{manifest}, line {number}"
    if len(fields) != len(columns):
        raise ManifestError(where, f"{len(fields)} fields for {len(columns)} columns", "separate fields by one tab")
    row: dict[str, str] = {column: field for column, field in zip(columns, fields, strict=True) if field != ""}
    if "path" not in row:
        raise ManifestError(where, "the path is empty", "name a file or delete the row")
    if "\0" in row["path"]:
        raise ManifestError(where, f"the path {row['path']!r} has a NUL byte, as no file's has", "write the table anew")
    numbers = {key: _number(where, key, row[key]) for key in ("start", "end", "duration") if key in row}
    if "end" in numbers and numbers["end"] <= numbers.get("start", 0.0):
        raise ManifestError(where, f"end {row['end']} is not after start {row.get('start', 0)}", "correct the row")
    text = row.get("text", "") if "text" in columns else None
    return Utterance(str(manifest.parent / row["path"]), text, speaker=row.get("speaker"), **numbers)


def _number(where: str, column: str, field: str) -> float:
    try:
        number = float(field)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise ManifestError(where, f"{column} is {field!r}", "give a number of at least 0, or leave it empty")
    return number


def write(path: str | Path, utterances: Sequence[Utterance]) -> None:
    """Write `utterances` to `path`, its folder made if need be; `read` gives them back.

    Files below the manifest's folder are named relative to it, so that the folder can be moved.

    Raises:
        ManifestError: a path or speaker with a tab or a line break in it (in texts they become spaces), or a name that
            is not UTF-8, and nothing is written then; or there is no writing at `path`.
    """
    path = Path(path)
    folder = path.parent.resolve()
    lines = ["\t".join(_fields(path, folder, utterance)) + "\n" for utterance in utterances]  # or nothing is written
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(["\t".join(COLUMNS) + "\n", *lines])
    except OSError as error:
        what = f"cannot be written ({error.strerror})"
        raise ManifestError(path, what, "name a folder that exists or can be made, and is your own") from error


def _fields(manifest: Path, folder: Path, utterance: Utterance) -> Iterable[str]:
    target = Path(utterance.path).absolute()
    row = dataclasses.asdict(utterance)
    row["path"] = str(target.relative_to(folder)) if target.is_relative_to(folder) else str(target)
    row["text"] = " ".join((utterance.text or "").split())
    for column in COLUMNS:
        value = row[column]
        field = "" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)
        if any(mark in field for mark in "\t\n\r"):
            raise ManifestError(manifest, f"a tab or line break in {column} {field!r}", "rename it")
        if any("\ud800" <= letter <= "\udfff" for letter in field):
            raise ManifestError(manifest, f"{column} {field!r} is not UTF-8", "rename it, or save it as UTF-8")
        yield field


def split(utterances: Sequence[Utterance], fraction: float) -> tuple[list[Utterance], list[Utterance]]:
    """Two parts with no speaker in both: all but, and about, `fraction` of the speakers.

    Deterministic: of the sorted speakers, evenly spaced ones are held out, at least one. An utterance without a
    speaker counts as a speaker of its own.

    Raises:
        ManifestError: fewer than two speakers.
    """
    people = sorted({utterance.speaker or utterance.path for utterance in utterances})
    if len(people) < 2:
        where = utterances[0].path if utterances else "corpus"
        what = f"{len(people)} speaker(s) cannot be split, and none can be held out to validate on"
        raise ManifestError(where, what, "give a validation set of its own (train.py: data.val)")
    held = max(1, min(len(people) - 1, round(fraction * len(people))))
    out = {people[int((index + 0.5) * len(people) / held)] for index in range(held)}
    kept = [utterance for utterance in utterances if (utterance.speaker or utterance.path) not in out]
    return kept, [utterance for utterance in utterances if (utterance.speaker or utterance.path) in out]
