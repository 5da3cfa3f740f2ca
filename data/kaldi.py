"""Kaldi data directories -> manifests.

Expected: `wav.scp`, and `text`, `utt2spk`, `segments`, `utt2dur` where there are such, in `SOURCE` (then `--fraction`
of the speakers validates) or in `SOURCE/train` and `SOURCE/dev` (or `val`, `valid`), perhaps `SOURCE/test`. Relative
paths are looked for from the directory itself and from those above it. Texts: as they are.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

from data import SOUNDS, Finder, Parts, hold, listed, need, run
from recognizer.errors import ManifestError
from recognizer.manifest import Utterance

WHAT = "a Kaldi data directory, which holds wav.scp and text, or of several: train, dev, test"
PARTS = {"train": "train", "dev": "val", "val": "val", "valid": "val", "test": "test"}


def prepare(source: Path, out: Path, *, fraction: float = 0.1) -> Parts:
    """The data directory, or directories, in `source`.

    Raises:
        ManifestError: there is none, or one of its tables cannot be used.
    """
    need(source, WHAT)
    if (source / "wav.scp").exists():
        parts = {"train": read(source)}
    else:
        parts = {part: read(source / name) for name, part in PARTS.items() if (source / name / "wav.scp").exists()}
    if "train" not in parts:
        raise ManifestError(source, "no wav.scp in it or in train/", f"give the folder of {WHAT}")
    if "val" not in parts:
        parts["train"], parts["val"] = hold(parts["train"], fraction)
    return parts


def read(folder: Path) -> list[Utterance]:
    """The utterances of one data directory, in the order of its `segments` or its `wav.scp`.

    Raises:
        ManifestError: a table is missing or broken, a sound is missing, or `wav.scp` holds a piped command.
    """
    sounds = Finder(SOUNDS)
    recordings = {key: _path(folder, key, value, sounds) for key, value in _table(folder / "wav.scp").items()}
    texts, speakers, lengths = (_table(folder / name, False) for name in ("text", "utt2spk", "utt2dur"))
    if (folder / "segments").exists():
        rows = [(key, *_segment(folder, key, value)) for key, value in _table(folder / "segments").items()]
    else:
        rows = [(key, key, None, None) for key in recordings]
    found = []
    for key, recording, start, end in rows:
        if recording not in recordings:
            raise ManifestError(folder / "segments", f"{key} is cut from {recording}", "add that recording to wav.scp")
        duration = end - (start or 0.0) if end is not None else None
        if duration is None and start is None and key in lengths:
            duration = _number(folder / "utt2dur", key, lengths[key])
        path = str(recordings[recording])
        found.append(Utterance(path, texts.get(key, ""), start, end, duration, speakers.get(key)))
    return found


def _table(path: Path, required: bool = True) -> dict[str, str]:
    if not required and not path.exists():
        return {}
    rows: dict[str, str] = {}
    for line in listed(path, WHAT):
        key, *rest = line.split(maxsplit=1)
        if key in rows:
            raise ManifestError(path, f"{key} stands in it twice", "delete one of the lines")
        rows[key] = rest[0].strip() if rest else ""
    return rows


def _path(folder: Path, key: str, value: str, sounds: Finder) -> Path:
    where = f"{folder / 'wav.scp'}, {key}"
    if value.endswith("|") or value.startswith("|"):
        way = "run it once for each line, keep the sound files, and name these in wav.scp"
        raise ManifestError(where, f"{value!r} is a command, and commands are not run here", way)
    for place in (folder, *folder.resolve().parents):
        path = place / value
        if path.is_file():
            return path
        other = sounds.get(path.with_suffix(""))
        if other is not None:
            return other
    raise ManifestError(where, f"no such file {value!r}, from here or any folder above", "correct the path")


def _segment(folder: Path, key: str, value: str) -> tuple[str, float | None, float | None]:
    fields = value.split()
    if len(fields) not in (3, 4):  # Kaldi allows a channel behind them
        raise ManifestError(folder / "segments", f"{key} has {value!r}", "write: utterance recording start end")
    start = _number(folder / "segments", key, fields[1])
    end = None if re.fullmatch(r"-1(\.0*)?", fields[2]) else _number(folder / "segments", key, fields[2])
    if end is not None and end <= start:
        raise ManifestError(folder / "segments", f"{key} ends at {fields[2]}, not after {fields[1]}", "correct the row")
    return fields[0], start, end


def _number(path: Path, key: str, field: str) -> float:
    try:
        number = float(field)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise ManifestError(path, f"{key} has {field!r} where seconds belong", "write a number of at least 0")
    return number


if __name__ == "__main__":
    sys.exit(run(prepare))
