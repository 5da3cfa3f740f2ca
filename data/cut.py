"""Page images and the outlines of their lines -> line images and manifests; no recipe, but what PAGE and ALTO share."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import defusedxml.ElementTree
import numpy
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps
from tqdm import tqdm

from data import IMAGES, Finder, Parts, alone, apart, need
from recognizer.errors import InputError, ManifestError
from recognizer.manifest import Utterance

# Where the image may lie, seen from its XML: beside it, above it (Transkribus keeps XML in page/ or alto/), or in a
# folder of its own.
PLACES = (".", "..", "images", "../images", "img", "../img", "../image", "../..")
FOLDERS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "test": "test"}

LARGEST = 1e9  # of a page's lengths, in whatever unit

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Outline:
    """A line on a page: its text, and its polygon as (x, y) in the page's own unit, y downwards."""

    text: str
    polygon: tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True)
class Page:
    """A page: the name of its image, its width and height in its own unit where they are told, its lines."""

    image: str
    size: tuple[float, float] | None
    lines: tuple[Outline, ...]


def prepare(source: Path, out: Path, what: str, read: Callable[[Path, Any], Page | None], fraction: float) -> Parts:
    """Cut all lines with a text out of the pages below `source`, into `out/lines/<page>/<number>.png`.

    Args:
        what: the layout, for messages.
        read: file and root element of an XML file -> its page, or None where it is XML of another kind.
        fraction: of the pages is held out where there are no folders `train` and `val`.

    Raises:
        ManifestError: no page with an image was found, or one only and no folder `val`.
        InputError: an XML file or an image is broken.
    """
    need(source, what)
    folders = {part: source / name for name, part in FOLDERS.items() if (source / name).is_dir()}
    if "train" not in folders:
        folders = {"train": source}
    parts = {
        part: _folder(source, folder, out, what, read, part == "train" and "val" not in folders)
        for part, folder in folders.items()
    }
    if "val" not in parts:
        pages = [str(Path(line.path).parent) for line in parts["train"]]
        parts["train"], parts["val"] = apart(parts["train"], fraction, pages, "page")
    return parts


def _folder(
    source: Path, folder: Path, out: Path, what: str, read: Callable[[Path, Any], Page | None], parted: bool
) -> list[Utterance]:
    pages, images = [], Finder(IMAGES)
    for file in tqdm(sorted(folder.rglob("*.xml")), desc=folder.name, unit="page", disable=None):
        try:
            page = read(file, root(file))
        except ValueError as error:
            raise InputError(file, f"has a value that is no number ({error})", "export it again") from error
        image = None if page is None else _image(file, page, images)
        if page is not None and page.size and not all(1e-3 < side < LARGEST for side in page.size):
            raise InputError(file, f"has a page of {page.size[0]:g} x {page.size[1]:g}", "export it again")
        if page is not None and image is None:
            log.warning("%s: no image %s beside it or above it; the page is left out", file, page.image)
        elif page is not None and image is not None:
            pages.append((page, image, out / "lines" / file.relative_to(source).with_suffix("")))
    if parted and sum(any(line.text.strip() for line in page.lines) for page, *_ in pages) == 1:
        raise alone(source, "page")  # before anything is written
    found = [line for page in tqdm(pages, desc="lines", unit="page", disable=None) for line in _cut(*page)]
    if not found:
        raise ManifestError(folder, "no page with both lines of text and an image", f"give the folder of {what}")
    return found


def root(file: Path) -> Any:
    """The root element of an XML file, its tags without name spaces, for these change with each year's version.

    Raises:
        InputError: it cannot be read.
    """
    try:
        top = defusedxml.ElementTree.parse(file).getroot()
    # ParseError is a SyntaxError, defused finds are ValueErrors, an unknown encoding is a LookupError.
    except (OSError, ValueError, SyntaxError, LookupError) as error:
        raise InputError(file, f"is no XML that can be read ({error})", "export it again") from error
    for element in top.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return top


def points(text: str, file: Path) -> tuple[tuple[float, float], ...]:
    """The corners in `x,y x,y` or in `x y x y`.

    Raises:
        InputError: they are not pairs of finite numbers.
    """
    try:
        numbers = [float(field) for field in text.replace(",", " ").split()]
        if not all(abs(number) < LARGEST for number in numbers):
            raise ValueError("no page is so large")
        return tuple(zip(numbers[::2], numbers[1::2], strict=True))
    except ValueError as error:
        raise InputError(file, f"has an outline {text[:40]!r}", "write it as x,y x,y x,y, in finite numbers") from error


def _image(file: Path, page: Page, images: Finder) -> Path | None:
    names = [Path(page.image.replace("\\", "/")).name] if page.image else []
    for place in PLACES:
        for name in names:
            if (file.parent / place / name).is_file():
                return file.parent / place / name
        for stem in (*(Path(name).stem for name in names), file.stem):
            found = images.get(file.parent / place / stem)
            if found is not None:
                return found
    return None


def _cut(page: Page, path: Path, folder: Path) -> list[Utterance]:
    lines = [line for line in page.lines if line.text.strip()]
    if not lines:
        return []
    image = _opened(path, page.size)
    wide, high = page.size or image.size
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number, line in enumerate(lines, start=1):
        scaled = [(x * image.width / wide, y * image.height / high) for x, y in line.polygon]
        polygon = [(min(max(x, -LARGEST), LARGEST), min(max(y, -LARGEST), LARGEST)) for x, y in scaled]
        crop = _line(image, polygon) if len(polygon) > 2 else None
        if crop is None:
            log.warning("%s: %r has no outline within the page; it is left out", path, line.text[:40])
            continue
        target = folder / f"{number:03d}.png"
        crop.save(target)
        found.append(Utterance(str(target), " ".join(line.text.split())))
    return found


def _opened(path: Path, size: tuple[float, float] | None) -> Image.Image:
    """The page in grey; turned as its EXIF data say where only that gives the proportions which the XML tells."""
    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore")  # odd metadata; and pages may be larger than Pillow's warning
            image.load()
            upright: Image.Image = image
            with contextlib.suppress(Exception):  # broken EXIF data say nothing about the pixels
                turned = ImageOps.exif_transpose(image)
                if size and (turned.width > turned.height) == (size[0] > size[1]):
                    upright = turned
            if upright.mode.startswith("I"):
                return Image.fromarray((numpy.asarray(upright) >> 8).clip(0, 255).astype(numpy.uint8))
            return upright.convert("L")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(path, f"is not an image that can be read ({error})", "make or copy the file again") from error


def _line(image: Image.Image, polygon: list[tuple[float, float]]) -> Image.Image | None:
    """What lies within the polygon, on the paper's own shade; None where it has no area on the page."""
    left, top = (max(0, math.floor(min(values))) for values in zip(*polygon, strict=True))
    right, bottom = (math.ceil(max(values)) + 1 for values in zip(*polygon, strict=True))
    right, bottom = min(right, image.width), min(bottom, image.height)
    if right - left < 2 or bottom - top < 2:
        return None
    pixels = numpy.asarray(image.crop((left, top, right, bottom)))
    mask = Image.new("1", (right - left, bottom - top))
    ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in polygon], fill=1, outline=1)
    inside = numpy.asarray(mask)
    if not inside.any():
        return None
    return Image.fromarray(numpy.where(inside, pixels, _paper(pixels, inside)))


def _paper(pixels: NDArray[numpy.uint8], inside: NDArray[numpy.bool_]) -> NDArray[numpy.uint8]:
    """The shade of the paper in each column [W]: the median within the outline over stretches as wide as the line is
    high, because ink covers less than half of it and light is not even along a line.
    """
    high, wide = pixels.shape
    edges = numpy.linspace(0, wide, max(1, round(wide / high)) + 1).astype(int)
    whole = numpy.median(pixels[inside])
    shades = []
    for first, last in itertools.pairwise(edges):
        within = pixels[:, first:last][inside[:, first:last]]
        shades.append(numpy.median(within) if within.size else whole)
    paper: NDArray[numpy.uint8] = numpy.interp(numpy.arange(wide), (edges[1:] + edges[:-1]) / 2, shades).astype(
        numpy.uint8
    )
    return paper
