"""ALTO 2 to 4 (libraries, eScriptorium, kraken) with page images -> line images and manifests.

Expected: XML files with `alto/Layout/Page`, in folders of any depth; the image that each names beside it, or above
its `alto/` folder. `train/`, `val/` and `test/` are kept where they are there; else `--fraction` of the pages
validates. Each line is cut out along its `Shape/Polygon` or, without one, its box. Units other than pixels are
brought to the image by the page's own width and height. Texts: as they are; a hyphen at the line's end stays.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from data import Parts, cut, run
from recognizer.errors import InputError

WHAT = "ALTO files with the page images beside them or above their folder alto/"


def prepare(source: Path, out: Path, *, fraction: float = 0.1) -> Parts:
    """The pages below `source`; their lines are written below `out`.

    Raises:
        ManifestError: no page with an image was found.
        InputError: an XML file or an image is broken, or it tells lengths that nothing brings to the image.
    """
    return cut.prepare(source, out, WHAT, _page, fraction)


def _page(file: Path, root: Any) -> cut.Page | None:
    page = root.find("Layout/Page")
    if root.tag != "alto" or page is None:
        return None
    size = (float(page.get("WIDTH") or 0), float(page.get("HEIGHT") or 0))
    unit = root.findtext("Description/MeasurementUnit") or "pixel"
    if not min(size) > 0 and unit != "pixel":
        raise InputError(file, f"measures in {unit} and its Page has no WIDTH and HEIGHT", "export it in pixels")
    lines = tuple(cut.Outline(_text(line), _polygon(line, file)) for line in page.iter("TextLine"))
    name = root.findtext("Description/sourceImageInformation/fileName") or ""
    return cut.Page(name.strip(), size if min(size) > 0 else None, lines)


def _polygon(line: Any, file: Path) -> tuple[tuple[float, float], ...]:
    shape = line.find("Shape/Polygon")
    if shape is not None and shape.get("POINTS"):
        return cut.points(shape.get("POINTS"), file)
    box = [line.get(name) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")]
    if None in box:
        return ()
    ((left, top), (wide, high)) = cut.points(" ".join(box), file)
    return ((left, top), (left + wide, top), (left + wide, top + high), (left, top + high))


def _text(line: Any) -> str:
    """Its strings, with a space where SP stands or, in files that leave all SP out, between any two."""
    spaced = line.find("SP") is not None
    pieces = []
    for part in line:
        if part.tag == "SP":
            pieces.append(" ")
        elif part.tag == "String":
            pieces += [part.get("CONTENT") or ""] if spaced else [" ", part.get("CONTENT") or ""]
        elif part.tag == "HYP":
            pieces.append(part.get("CONTENT") or "-")
    return " ".join("".join(pieces).split())


if __name__ == "__main__":
    sys.exit(run(prepare))
