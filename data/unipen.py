"""UNIPEN pen strokes (Guyon et al. 1994), as JSONL or as the files of the release -> manifests; writers are kept apart.

Expected: `train.jsonl` and `val.jsonl`, also `test.jsonl` (or `.xz`, `.gz`; one object a line: text, writer, strokes,
...); or the release's own files, `data/<category>/<provider>/*.dat` with `include/` beside `data/`, or any UNIPEN
files below `SOURCE`. Packed JSONL is unpacked into `--out`, because every epoch reads single lines of it. Of the
release's files `--category` takes one category only (8: texts, 6: cursive words, ...), and each file gives its segments
of the first of `--levels` that it labels; `--fraction` of the writers validates. Texts: as they are, with case and
punctuation.
"""

from __future__ import annotations

import gzip
import json
import logging
import lzma
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from data import Parts, hold, need, run
from recognizer import ink
from recognizer.errors import InputError, ManifestError
from recognizer.manifest import Utterance

WHAT = "UNIPEN, which holds train.jsonl.xz and val.jsonl.xz, or the release's data/ and include/"
PACKED: dict[str, Callable[..., IO[Any]]] = {".xz": lzma.open, ".gz": gzip.open}
RAW = (".dat", ".upn", ".unp", ".unipen")

log = logging.getLogger(__name__)


def prepare(
    source: Path, out: Path, *, category: str = "", levels: str = "TEXT SENTENCE LINE WORD", fraction: float = 0.1
) -> Parts:
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
    if {"train", "val"} <= set(parts):
        return parts
    if parts:
        raise ManifestError(source, f"{' and '.join(parts)}, but not both train and val", f"give the folder of {WHAT}")
    train, val = hold(_raw(source, category, levels.split()), fraction)
    return {"train": train, "val": val}


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
    found: list[Utterance] = []
    with file.open("rb") as rows:
        for line in (row for row in rows if row.strip()):
            try:
                entry = json.loads(line)
                text, writer = entry["text"], entry.get("writer")
                if not (isinstance(text, str | None) and isinstance(writer, str | None)):
                    raise TypeError(f"text {text!r}, writer {writer!r}")
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                where = f"{file}, item {len(found)}"
                raise ManifestError(where, f"is no object with a text ({error})", "fetch it again") from error
            found.append(Utterance(f"{file}#{len(found)}", text, speaker=writer))
    return found


def _raw(source: Path, category: str, levels: list[str]) -> list[Utterance]:
    """The labelled segments of the release's files; a broken file is named and left out."""
    folder = source / "data" if (source / "data").is_dir() else source
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in RAW and file.is_file()]
    files = [file for file in files if not category or category in file.relative_to(folder).parts[:-1]]
    found: list[Utterance] = []
    for file in tqdm(files, desc="UNIPEN", unit="file", disable=None):
        try:
            items = [item for item in ink.items(file) if (item.text or "").strip()]
        except InputError as error:
            log.warning("%s; it is left out", error)
            continue
        # Segments of several levels lie over the same ink; only UNIPEN files tell a level.
        told = [getattr(item, "level", None) for item in items]
        wanted = next((level for level in levels if level in told), None)
        chosen = [item for item, level in zip(items, told, strict=True) if wanted is not None and level == wanted]
        found += [Utterance(item.path, item.text, speaker=item.writer) for item in chosen]
    if not found:
        what = f"no segment with a text at one of the levels {' '.join(levels)} in {len(files)} UNIPEN files"
        raise ManifestError(folder, what, f"give the folder of {WHAT}")
    return found


if __name__ == "__main__":
    sys.exit(run(prepare))
