"""Common Voice (Mozilla: sentences read by volunteers, one folder a language) -> manifests; the makers' own parts.

Expected: `train.tsv`, `dev.tsv`, `test.tsv` (columns `client_id`, `path`, `sentence`) and `clips/`; lengths come from
`clip_durations.tsv` where it is there. Texts: lower case without punctuation, apostrophes within words kept; with
`--written` as they were shown to the reader.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from pathlib import Path

from data import SOUNDS, Finder, Parts, listed, need, run
from recognizer.errors import ManifestError
from recognizer.manifest import Utterance

WHAT = "one language of Common Voice, which holds train.tsv, dev.tsv and clips/"


def prepare(source: Path, out: Path, *, written: bool = False) -> Parts:
    """The language in `source`; its texts as they are `written`, or as they are said.

    Raises:
        ManifestError: the layout is another, or a clip is missing.
    """
    need(source / "clips", WHAT)
    lengths = _lengths(source / "clip_durations.tsv")
    parts = {"train": "train", "dev": "val", "test": "test"}
    return {
        part: _part(source, name, written, lengths)
        for name, part in parts.items()
        if name != "test" or (source / "test.tsv").exists()
    }


def _part(source: Path, name: str, written: bool, lengths: dict[str, float]) -> list[Utterance]:
    table = source / f"{name}.tsv"
    clips = Finder(SOUNDS)
    found = []
    for client, clip, sentence in _rows(table, ("client_id", "path", "sentence")):
        stem = Path(clip).stem if Path(clip).suffix.lower() in SOUNDS else clip  # the first releases name no ending
        path = clips.find(source / "clips" / stem)
        text = sentence if written else spoken(sentence)
        found.append(Utterance(str(path), text, duration=lengths.get(stem), speaker=client or None))
    return found


def _rows(table: Path, columns: tuple[str, ...]) -> list[list[str]]:
    # The files are plain: a quotation mark in them is a quotation mark, so no csv dialect.
    head, *rows = [line.split("\t") for line in listed(table, WHAT)] or [[]]
    for column in columns:
        if column not in head:
            raise ManifestError(table, f"no column {column!r} in line 1", f"give the folder of {WHAT}")
    places = [head.index(column) for column in columns]
    for number, row in enumerate(rows, start=2):
        if len(row) <= max(places):
            raise ManifestError(
                f"{table}, row {number}", f"{len(row)} fields for {len(head)} columns", "fetch it again"
            )
    return [[row[place] for place in places] for row in rows]


def _lengths(table: Path) -> dict[str, float]:
    """Seconds of each clip, by its name without ending."""
    if not table.exists():
        return {}
    head = (listed(table, WHAT) or [""])[0].split("\t")
    rows = _rows(table, ("clip", head[-1]))  # the second column is `duration[ms]` or `duration`, both in ms
    return {Path(clip).stem: float(length) / 1000 for clip, length in rows if length.isdigit()}


def spoken(sentence: str) -> str:
    """Lower case; of all that is no letter, mark, digit or joiner only apostrophes within words stay."""
    text = sentence.lower().replace("’", "'").replace("ʼ", "'")
    kept = (char if char == "'" or unicodedata.category(char)[0] in "LMN" or char in "‌‍" else " " for char in text)
    return " ".join(re.sub(r"(?<!\w)'+|'+(?!\w)", " ", "".join(kept)).split())


if __name__ == "__main__":
    sys.exit(run(prepare))
