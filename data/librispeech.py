"""LibriSpeech (OpenSLR 12: read English books) -> manifests; the makers' own parts.

Expected: `<part>/<speaker>/<chapter>/*.flac` with `<speaker>-<chapter>.trans.txt` beside them, in `SOURCE` or in its
folder `LibriSpeech`. All `train-*` parts are joined to `train`, the `dev-*` parts to `val`; `test-clean` and
`test-other` stay themselves. Without a `dev` part `--fraction` of the training speakers validates. Texts: lower case.
"""

from __future__ import annotations

import sys
from pathlib import Path

from data import SOUNDS, Finder, Parts, hold, listed, need, plain, run
from recognizer.errors import ManifestError
from recognizer.manifest import Utterance

WHAT = "LibriSpeech, which holds train-clean-100/<speaker>/<chapter>/<speaker>-<chapter>.trans.txt"


def prepare(source: Path, out: Path, *, fraction: float = 0.1) -> Parts:
    """The corpus in `source`.

    Raises:
        ManifestError: there is no training part, or a text without its sound.
    """
    need(source, WHAT)
    root = source / "LibriSpeech" if (source / "LibriSpeech").is_dir() else source
    parts: Parts = {}
    for folder in sorted(root.iterdir() if root.is_dir() else []):
        kind = folder.name.split("-")[0]
        if folder.is_dir() and kind in ("train", "dev", "test"):
            name = {"train": "train", "dev": "val"}.get(kind, folder.name)
            parts.setdefault(name, []).extend(_part(folder))
    if not parts.get("train"):
        raise ManifestError(source, "no folder train-*", f"give the folder of {WHAT}")
    if "val" not in parts:
        parts["train"], parts["val"] = hold(parts["train"], fraction)
    return parts


def _part(folder: Path) -> list[Utterance]:
    sounds = Finder(SOUNDS)
    found = []
    for table in sorted(folder.glob("*/*/*.trans.txt")):
        for line in listed(table, WHAT):
            name, _, text = line.partition(" ")
            path = sounds.find(table.parent / name)
            found.append(Utterance(str(path), plain(text), speaker=table.parent.parent.name))
    return found


if __name__ == "__main__":
    sys.exit(run(prepare))
