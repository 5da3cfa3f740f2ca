"""IAM Handwriting Database, lines (Marti & Bunke 2002: English forms, scanned) -> manifests; writers are kept apart.

Expected, as downloaded by those who may: `lines/a01/a01-000u/a01-000u-00.png`, and `xml/a01-000u.xml` or `lines.txt`
(also in `ascii/`) with `forms.txt`. Lists of the parts are looked for by name: `trainset.txt`, `validationset1.txt`,
`validationset2.txt`, `testset.txt` (also `train.txt`, `val.txt`, `test.txt`, `.uttlist`, `.lst`), with names of lines
or of forms; validation set 2 becomes `val2`. Without them `--fraction` of the writers validates. Texts: from the XML,
which has them as written; `lines.txt` separates each sign by `|`, so a space is left out before `. , ; : ! ?`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from data import IMAGES, Finder, Parts, cut, hold, listed, need, run
from recognizer.errors import ManifestError
from recognizer.manifest import Utterance

WHAT = "IAM lines, which holds lines/a01/a01-000u/a01-000u-00.png and xml/a01-000u.xml or lines.txt"
NAMES = {
    "train": ("trainset", "train", "tr"),
    "val": ("validationset1", "validation", "valid", "val", "va1", "va"),
    "val2": ("validationset2", "va2"),
    "test": ("testset", "test", "te"),
}
Lines = dict[str, tuple[str, str | None]]  # name of the line -> its text and its writer


def prepare(source: Path, out: Path, *, fraction: float = 0.1) -> Parts:
    """The corpus in `source`.

    Raises:
        ManifestError: the layout is another, or a list names what is not there.
        InputError: an XML file is broken.
    """
    need(source / "lines", WHAT)
    told = _xml(source / "xml") if (source / "xml").is_dir() else _ascii(source)
    images = Finder(IMAGES)
    found = {}
    for name, (text, writer) in told.items():
        form = name.rpartition("-")[0]
        path = images.get(source / "lines" / form[:3] / form / name)
        if path is not None:
            found[name] = Utterance(str(path), text, speaker=writer)
    if not found:
        raise ManifestError(source / "lines", "no image of a line that has a text", f"give the folder of {WHAT}")
    parts = {part: _chosen(table, found) for part in NAMES if (table := _list(source, NAMES[part])) is not None}
    if "train" not in parts:
        parts["train"], parts["val"] = hold(list(found.values()), fraction)
    elif "val" not in parts:
        parts["train"], parts["val"] = hold(parts["train"], fraction)
    return parts


def _list(source: Path, stems: tuple[str, ...]) -> Path | None:
    files = sorted(file for ending in ("txt", "uttlist", "lst") for file in source.rglob(f"*.{ending}"))
    return next((file for stem in stems for file in files if file.stem.lower() == stem), None)


def _chosen(table: Path, found: dict[str, Utterance]) -> list[Utterance]:
    wanted = {line.split()[0] for line in listed(table, WHAT)}
    chosen = [row for name, row in found.items() if name in wanted or name.rpartition("-")[0] in wanted]
    if not chosen:
        raise ManifestError(table, "names no line that is there", "take the list of the same corpus")
    return chosen


def _xml(folder: Path) -> Lines:
    told: Lines = {}
    for file in sorted(folder.rglob("*.xml")):
        form = cut.root(file)
        for line in form.iter("line"):
            if line.get("id") and line.get("text"):
                told[line.get("id")] = (_unescaped(line.get("text")), form.get("writer-id"))
    return told


def _ascii(source: Path) -> Lines:
    folder = source if (source / "lines.txt").exists() else source / "ascii"
    forms = [line.split() for line in listed(folder / "forms.txt", WHAT)] if (folder / "forms.txt").exists() else []
    writers = {fields[0]: fields[1] for fields in forms if len(fields) > 1 and not fields[0].startswith("#")}
    told: Lines = {}
    for line in listed(folder / "lines.txt", WHAT):
        if line.startswith("#"):
            continue
        fields = line.split(maxsplit=8)
        if len(fields) != 9:
            raise ManifestError(
                folder / "lines.txt", f"{line[:60]!r} has {len(fields)} fields, not 9", "fetch it again"
            )
        text = re.sub(r" (?=[.,;:!?](?: |$))", "", _unescaped(fields[8].replace("|", " ")))
        told[fields[0]] = (text, writers.get(fields[0].rpartition("-")[0]))
    return told


def _unescaped(text: str) -> str:
    # The makers escaped the quotation mark once more than XML asks.
    return text.replace("&quot;", '"').replace("&apos;", "'").replace("&amp;", "&")


if __name__ == "__main__":
    sys.exit(run(prepare))
