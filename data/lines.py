"""Line images with their text beside them (`x.png`, `x.gt.txt`: kraken, OCRopus, Calamari, HTR-United) -> manifests.

Expected: `train/` and `val/`, perhaps `test/`, each with images (or folders of them) and a `.gt.txt` beside each.
Without `train/` every image below `SOURCE` counts, and whole pages are held out for validation: lines whose names are
equal up to the last `_`, `-` or `.` are one page. Texts: as they are, in their own normal form; single spaces.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from data import IMAGES, Finder, Parts, alone, apart, need, run
from recognizer.errors import ManifestError
from recognizer.lines import content
from recognizer.manifest import Utterance

WHAT = f"line images ({' '.join(IMAGES)}) with x.gt.txt beside each x.png, in train/ and val/ or all in one"
ENDING = ".gt.txt"


def prepare(source: Path, out: Path, *, fraction: float = 0.1) -> Parts:
    """The lines in `source`; without folders of the makers `fraction` of the pages is held out for validation.

    Raises:
        ManifestError: there are no such pairs, or they are of one page, or a text is not UTF-8.
    """
    need(source, WHAT)
    folders = {"train": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "test": "test"}
    parts = {part: read(source / name) for name, part in folders.items() if (source / name).is_dir()}
    if "train" in parts and "val" in parts:
        return parts
    found = parts.get("train") or read(source)
    pages = [_page(line.path) for line in found]
    if len(set(pages)) < 2:
        raise alone(source, "page")
    train, val = apart(found, fraction, pages, "page")
    return {**parts, "train": train, "val": val}


def read(folder: Path) -> list[Utterance]:
    """The lines below `folder`, by name.

    Raises:
        ManifestError: there are none, or a text is not UTF-8.
    """
    images = Finder(IMAGES)
    found = []
    for truth in sorted(folder.rglob(f"*{ENDING}")):
        image = images.get(truth.with_name(truth.name[: -len(ENDING)]))
        if image is not None:
            found.append(Utterance(str(image), _text(truth)))
    if not found:
        raise ManifestError(folder, "no image with its text beside it", f"give the folder of {WHAT}")
    return found


def _text(truth: Path) -> str:
    return " ".join(content(truth, ManifestError).split())


def _page(path: str) -> str:
    return str(Path(path).parent / re.sub(r"[-_.][^-_.]*$", "", Path(path).stem))


if __name__ == "__main__":
    sys.exit(run(prepare))
