"""NeMo manifests (a JSON object a line) -> manifests.

Expected: `SOURCE` is such a file, or a folder of them with `train`, `dev` (or `val`) and perhaps `test` in their
names. Keys: `audio_filepath` and `text`, also `duration`, `offset` and `speaker` where they are known; relative paths
are taken from the file's own folder. Without a `dev` file `--fraction` of the speakers validates. Texts: as they are.
"""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path

from data import Parts, hold, listed, need, run
from recognizer.errors import ManifestError
from recognizer.manifest import Utterance

WHAT = "NeMo manifests: *train*.jsonl (or .json) of objects with audio_filepath and text"
PARTS = {"train": "train", "dev": "val", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def prepare(source: Path, out: Path, *, fraction: float = 0.1) -> Parts:
    """The manifest or manifests in `source`.

    Raises:
        ManifestError: there is none for training, or a line of one cannot be used.
    """
    parts: Parts = {}
    if need(source, WHAT).is_file():
        parts["train"] = _part(source)
    else:
        for file in sorted(path for path in source.iterdir() if path.suffix in (".jsonl", ".json")):
            words = re.split(r"[-_. ]", file.stem.lower())
            part = next((PARTS[word] for word in words if word in PARTS), None)
            if part is not None:
                parts.setdefault(part, []).extend(_part(file))
    if "train" not in parts:
        raise ManifestError(source, "no manifest with train in its name", f"give the folder of {WHAT}")
    if "val" not in parts:
        parts["train"], parts["val"] = hold(parts["train"], fraction)
    return parts


def _part(file: Path) -> list[Utterance]:
    return [_utterance(file, number, line) for number, line in enumerate(listed(file, WHAT), start=1)]


def _utterance(file: Path, number: int, line: str) -> Utterance:
    where = f"{file}, object {number}"
    try:
        row = json.loads(line)
        path, text = str(file.parent / row["audio_filepath"]), str(row.get("text") or "")
        duration, offset = (None if row.get(key) is None else float(row[key]) for key in ("duration", "offset"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = 'write a line like {"audio_filepath": "a.wav", "text": "yes", "duration": 1.2}'
        raise ManifestError(where, f"cannot be used ({type(error).__name__}: {error})", remedy) from error
    for key, seconds in (("duration", duration), ("offset", offset)):
        if seconds is not None and not 0 <= seconds < math.inf:
            raise ManifestError(where, f"{key} is {row[key]}", "write seconds of at least 0, or leave it out")
    if offset is not None and duration == 0:
        raise ManifestError(where, f"lasts {row['duration']} s from {row['offset']} s", "correct its duration")
    speaker = None if row.get("speaker") is None else str(row["speaker"])
    if offset is None:
        return Utterance(path, text, duration=duration, speaker=speaker)
    end = None if duration is None else offset + duration
    return Utterance(path, text, offset, end, duration, speaker)


if __name__ == "__main__":
    sys.exit(run(prepare))
