"""PAGE-XML (Transkribus, eScriptorium, OCR-D) with page images -> line images and manifests.

Expected: XML files with `PcGts/Page`, in folders of any depth; the image that each names beside it, or above its
`page/` folder. `train/`, `val/` and `test/` are kept where they are there; else `--fraction` of the pages validates.
Each line is cut out along its outline. Texts: as they are, of several readings the first by `index`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from data import Parts, cut, run

WHAT = "PAGE-XML files with the page images beside them or above their folder page/"


def prepare(source: Path, out: Path, *, fraction: float = 0.1) -> Parts:
    """The pages below `source`; their lines are written below `out`.

    Raises:
        ManifestError: no page with an image was found.
        InputError: an XML file or an image is broken.
    """
    return cut.prepare(source, out, WHAT, _page, fraction)


def _page(file: Path, root: Any) -> cut.Page | None:
    page = root.find("Page")
    if root.tag != "PcGts" or page is None:
        return None
    size = (float(page.get("imageWidth") or 0), float(page.get("imageHeight") or 0))
    lines = tuple(cut.Outline(_text(line), _polygon(line, file)) for line in page.iter("TextLine"))
    return cut.Page(page.get("imageFilename") or "", size if min(size) > 0 else None, lines)


def _polygon(line: Any, file: Path) -> tuple[tuple[float, float], ...]:
    coords = line.find("Coords")
    if coords is None:
        return ()
    # Before 2013 the corners were elements of their own.
    corners = " ".join(f"{point.get('x')},{point.get('y')}" for point in coords.findall("Point"))
    return cut.points(coords.get("points") or corners, file)


def _text(element: Any) -> str:
    readings = sorted(element.findall("TextEquiv"), key=lambda reading: int(reading.get("index") or 0))
    if readings:
        return str(readings[0].findtext("Unicode") or readings[0].findtext("PlainText") or "")
    return " ".join(filter(None, (_text(word) for word in element.findall("Word"))))


if __name__ == "__main__":
    sys.exit(run(prepare))
