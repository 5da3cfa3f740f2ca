"""IAM-OnDB (Liwicki & Bunke 2005: English on a whiteboard, as strokes) -> JSONL ink and manifests; the makers' parts.

Expected, as downloaded by those who may: `lineStrokes/a01/a01-000/a01-000u-01.xml`, `ascii/a01/a01-000/a01-000u.txt`,
the lists of task 1 anywhere below: `trainset.txt`, `testset_v.txt` (becomes `val`), `testset_t.txt` (`val2`),
`testset_f.txt` (`test`), and `original/`, which alone tells the writers. Without the lists `--fraction` of the
writers, or of the forms, validates. The strokes are written to `--out` with y upwards. Texts: the lines after `CSR:`,
as they are.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data import Parts, apart, cut, listed, need, run
from recognizer.errors import InputError, ManifestError
from recognizer.lines import each
from recognizer.manifest import Utterance

WHAT = "IAM-OnDB, which holds lineStrokes/a01/a01-000/a01-000u-01.xml and ascii/a01/a01-000/a01-000u.txt"
LISTS = {"train": "trainset.txt", "val": "testset_v.txt", "val2": "testset_t.txt", "test": "testset_f.txt"}


def prepare(source: Path, out: Path, *, fraction: float = 0.1) -> Parts:
    """The corpus in `source`; its strokes are written to `out/<part>.jsonl`.

    Raises:
        ManifestError: the layout is another, or a list names what is not there.
        InputError: a file of strokes is broken.
    """
    strokes, texts = _folder(source, "lineStrokes"), _folder(source, "ascii")
    forms: dict[str, list[Path]] = {}
    for file in sorted(strokes.rglob("*.xml")):
        form, _, line = file.stem.rpartition("-")
        if not line.isdecimal():
            what = "has a name that does not end in the number of a line"
            raise InputError(file, what, "name it as the makers do, a01-000u-01.xml, or move it away")
        forms.setdefault(form, []).append(file)
    if not forms:
        raise ManifestError(strokes, "no file of strokes in it", f"give the folder of {WHAT}")
    writers = {form: _writer(source, form) for form in forms}
    chosen = {
        part: _listed(table, forms) for part, name in LISTS.items() if (table := _table(source, name)) is not None
    }
    if "train" not in chosen:
        people = [Utterance(form, speaker=writers[form] or form) for form in forms]
        kept, held = apart(people, fraction, [str(row.speaker) for row in people], "writer")
        chosen = {"train": [row.path for row in kept], "val": [row.path for row in held]}
    out.mkdir(parents=True, exist_ok=True)
    return {part: _part(out / f"{part}.jsonl", names, forms, texts, writers) for part, names in chosen.items()}


def _folder(source: Path, name: str) -> Path:
    """The archives unpack to `lineStrokes/`, people keep them in `lineStrokes-all/lineStrokes/`."""
    nested = source / f"{name}-all" / name
    return nested if nested.is_dir() else need(source / name, WHAT)


def _table(source: Path, name: str) -> Path | None:
    return next(iter(sorted(source.rglob(name))), None)


def _listed(table: Path, forms: dict[str, list[Path]]) -> list[str]:
    names = [name for line in listed(table, WHAT) if (name := line.strip()) in forms]
    if not names:
        raise ManifestError(table, "names no form whose strokes are there", "take the list of the same corpus")
    return names


def _part(
    target: Path, names: list[str], forms: dict[str, list[Path]], texts: Path, writers: dict[str, str | None]
) -> list[Utterance]:
    found: list[Utterance] = []
    temporary = target.with_suffix(".part")
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        for form in tqdm(names, desc=target.stem, unit="form", disable=None):
            written = _texts(texts / form[:3] / re.sub(r"[a-z]$", "", form) / f"{form}.txt")
            for path in forms[form]:
                text = written.get(int(path.stem.rpartition("-")[2]), "")
                entry = {"name": path.stem, "text": text, "writer": writers[form], "strokes": _strokes(path)}
                file.write(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n")
                found.append(Utterance(f"{target}#{len(found)}", text, speaker=writers[form]))
    temporary.replace(target)
    return found


def _texts(file: Path) -> dict[int, str]:
    """The text of each line from 1: what stands after `CSR:`, a line a line."""
    told = "\n".join(listed(file, WHAT)).partition("CSR:")[2]
    return dict(enumerate((line.strip() for line in each(told) if line.strip()), start=1))


def _strokes(file: Path) -> list[list[list[float]]]:
    """Points [x, y] of each stroke; the whiteboard's y runs downwards from its upper corner."""
    try:
        return [[_point(point) for point in stroke.iter("Point")] for stroke in cut.root(file).iter("Stroke")]
    except (TypeError, ValueError) as error:
        raise InputError(file, f"has a point without numbers x and y ({error})", "fetch it again") from error


def _point(point: Any) -> list[float]:
    return [float(point.get("x")), -float(point.get("y"))]


def _writer(source: Path, form: str) -> str | None:
    letter = form[-1] if form[-1].isalpha() else ""
    for top in ("original", "original-xml", "original-xml-all/original"):
        file = source / top / form[:3] / re.sub(r"[a-z]$", "", form) / f"strokes{letter}.xml"
        if file.exists():
            head = file.read_bytes()[:2000].decode("latin-1")
            match = re.search(r'writerID="([^"]+)"', head)
            return match[1] if match else None
    return None


if __name__ == "__main__":
    sys.exit(run(prepare))
