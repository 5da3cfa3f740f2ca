"""Line images with their text beside them (`x.png`, `x.gt.txt`: kraken, OCRopus, Calamari, HTR-United) -> manifests.

Expected: `train/` and `val/`, perhaps `test/`, each with images (or folders of them) and a `.gt.txt` beside each.
Without `train/` every image below `SOURCE` counts, and whole pages are held out for validation: lines in one folder
whose names are equal up to the last `_`, `-` or `.`, or have none of these. Texts: as they are, in their own normal
form; single spaces.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from data import IMAGES, Finder, Parts, alone, apart, cut, need, run
from recognizer.errors import ManifestError
from recognizer.lines import content
from recognizer.manifest import Utterance

WHAT = f"line images ({' '.join(IMAGES)}) with x.gt.txt beside each x.png, in train/ and val/ or all in one"
ENDING = ".gt.txt"

log = logging.getLogger(__name__)


def prepare(source: Path, out: Path, *, fraction: float = 0.1) -> Parts:
    """The lines in `source`; without folders of the makers `fraction` of the pages is held out for validation.

    Raises:
        ManifestError: there are no such pairs, or they are of one page, or a text is not UTF-8.
    """
    need(source, WHAT)
    parts = {part: read(source / name) for name, part in cut.FOLDERS.items() if (source / name).is_dir()}
    if "train" in parts and "val" in parts:
        return parts
    found = parts.get("train") or read(source)
    pages = _pages([Path(line.path) for line in found])
    if len(set(pages)) < 2:
        raise alone(source, "page")
    train, val = apart(found, fraction, pages, "page")
    return {**parts, "train": train, "val": val}


def read(folder: Path) -> list[Utterance]:
    """The lines below `folder`, by name; what has no other half is left out and counted in a warning.

    Raises:
        ManifestError: there are none, or a text is not UTF-8.
    """
    images = Finder(IMAGES)
    truths = {truth.with_name(truth.name[: -len(ENDING)]): truth for truth in sorted(folder.rglob(f"*{ENDING}"))}
    pairs = {stem: image for stem in truths if (image := images.get(stem)) is not None}
    if not pairs:
        raise ManifestError(folder, "no image with its text beside it", f"give the folder of {WHAT}")
    _count(folder, "text(s) without an image", (truths[stem] for stem in truths.keys() - pairs.keys()))
    pictures = (file for file in folder.rglob("*") if file.suffix.lower() in IMAGES)
    stems = ((file, file.with_suffix("")) for file in pictures)  # x.bin.png is x.png in another form
    bare = (file for file, stem in stems if pairs.keys().isdisjoint({stem, stem.with_suffix("")}))
    _count(folder, "image(s) without a text", bare)
    return [Utterance(str(image), _text(truths[stem])) for stem, image in pairs.items()]


def _count(folder: Path, what: str, files: Iterable[Path]) -> None:
    left = sorted(files)
    if left:
        log.warning("%s: %d %s left out, such as %s", folder, len(left), what, left[0].name)


def _text(truth: Path) -> str:
    return " ".join(content(truth, ManifestError).split())


def _pages(paths: list[Path]) -> list[str]:
    """The page of each line, as far as names and folders tell."""
    names = [re.fullmatch(r"(.*)[-_.][^-_.]*", path.stem) for path in paths]
    pages = [str(path.parent / name[1]) if name else str(path.parent) for path, name in zip(paths, names, strict=True)]
    if len(set(pages)) > 1 or any(names):
        return pages
    log.warning("%s: names tell no pages, so lines of one page may be on both sides", paths[0].parent)
    return [str(path) for path in paths]


if __name__ == "__main__":
    sys.exit(run(prepare))
