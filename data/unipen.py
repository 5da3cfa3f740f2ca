"""UNIPEN pen strokes (as JSONL, or the raw files of the CD) -> manifests; writers are kept apart.

Expected: `train.jsonl` and `val.jsonl` (also `.xz` or `.gz`; one object a line: text, writer, strokes, ...). Packed
JSONL is unpacked into `--out`, because every epoch reads single lines of it. Texts: as they are, with case and
punctuation.
"""

from __future__ import annotations

import gzip
import json
import lzma
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from data import Parts, need, run
from recognizer.errors import ManifestError
from recognizer.manifest import Utterance

WHAT = "UNIPEN, which holds train.jsonl.xz and val.jsonl.xz"
PACKED: dict[str, Callable[..., IO[Any]]] = {".xz": lzma.open, ".gz": gzip.open}


def prepare(source: Path, out: Path) -> Parts:
    """The corpus in `source`.

    Raises:
        ManifestError: the layout is another, or a line is no JSON object.
    """
    need(source, WHAT)
    parts: Parts = {}
    for part in ("train", "val", "test"):
        for file in (source / f"{part}.jsonl{ending}" for ending in ("", *PACKED)):
            if file.exists():
                parts[part] = _utterances(_unpacked(file, out))
                break
    if not {"train", "val"} <= set(parts):
        raise ManifestError(source, "no train.jsonl and val.jsonl (or .xz, .gz)", f"give the folder of {WHAT}")
    return parts


def _unpacked(file: Path, out: Path) -> Path:
    """A plain file with the content of `file`: itself or, from a packed one, a copy in `out`."""
    if file.suffix not in PACKED:
        return file
    out.mkdir(parents=True, exist_ok=True)
    target = out / file.stem
    part = target.with_suffix(".part")
    try:
        with PACKED[file.suffix](file, "rb") as packed, part.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise ManifestError(file, f"cannot be unpacked ({error})", "fetch it again") from error
    part.replace(target)
    return target


def _utterances(file: Path) -> list[Utterance]:
    found = []
    with file.open(encoding="utf-8") as rows:
        for number, line in enumerate(row for row in rows if row.strip()):
            try:
                entry = json.loads(line)
                found.append(Utterance(f"{file}#{number}", entry["text"], speaker=entry.get("writer")))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ManifestError(
                    f"{file}, item {number}", f"is no object with a text ({error})", "fetch it again"
                ) from error
    return found


if __name__ == "__main__":
    sys.exit(run(prepare))
