"""Image file of one text line -> grey pixels, ink bright on dark, level and of one height -> a frame for each column.

Axes: H rows, W columns.
"""

from __future__ import annotations

import itertools
import math

import numpy
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from recognizer.errors import ConfigError, InputError
from recognizer.frontends.base import Frontend
from recognizer.image import SHORTEST, SUFFIXES, Pixels, grey

WORKING = 3  # times the final height: finer detail than this is lost in the end anyway
LONGEST = 100_000  # columns: more than a hundred lines laid end to end
STEEPEST = 0.0875  # slope of 5 degrees: a steeper line is not skew but another layout
BODY = 7.5  # height of the window around the text, in standard deviations of a letter's ink about its centre
INK = 3.0  # what full ink becomes in a frame: with an eighth of the picture inked, a standard deviation of one


class Line(Frontend[Pixels]):
    """Reads images of single text lines.

    The signal is uint8 [height, W], in reading order, background 0 and ink up to 255. A frame is one of its columns.
    Colour, alpha, bit depth, polarity, lighting, skew and the size of the writing are taken out here, because they
    tell nothing about the text; slant and stroke width are left to the network and to `variations.line`. Places are
    columns of the image as it lies in the file, upright, from where reading begins.

    Args:
        height: rows of the signal, F.
        deskew: turn lines that rise or fall by up to 5 degrees; images less than three times as wide as high are
            left as they are, for a few letters have no direction.
        body: scale by the height of the writing; without it by the height of the image.
        squeeze: columns of the signal for each column of the image in proportion; below 1 shortens time.
        direction: "ltr", or "rtl" for scripts from right to left, whose columns then count from the right.

    Raises:
        ConfigError: a value that makes no image.
    """

    name = "line"
    suffixes = SUFFIXES
    unit = "pixels"

    def __init__(
        self,
        height: int = 48,
        deskew: bool = True,
        body: bool = True,
        squeeze: float = 1.0,
        direction: str = "ltr",
    ) -> None:
        super().__init__(height=height, deskew=deskew, body=body, squeeze=squeeze, direction=direction)
        if not 8 <= height <= 512:
            raise ConfigError("frontend line", f"height is {height}", "give 8 to 512 pixels")
        if not 0.1 <= squeeze <= 4:
            raise ConfigError("frontend line", f"squeeze is {squeeze}", "give a factor from 0.1 to 4")
        if direction not in ("ltr", "rtl"):
            raise ConfigError("frontend line", f"direction is {direction!r}", "choose ltr or rtl")
        self.height, self.deskew, self.body, self.squeeze, self.direction = height, deskew, body, squeeze, direction

    @property
    def size(self) -> int:
        """F, the height in pixels."""
        return self.height

    @property
    def step(self) -> float:
        """One, for how many columns of the image make one of the signal differs from image to image."""
        return 1.0

    def read(self, path: str, start: float | None = None, end: float | None = None) -> Pixels:
        """The normalised line, uint8 [height, W], or what the image has from column `start` to `end`, in reading order.

        Raises:
            InputError: missing, no image, broken, too small, too large, too long, or without such columns.
        """
        ink, wide, columns, slope, top, window = self._plan(path)
        image = Image.fromarray(ink)
        if self.body or slope:
            # One resampling turns the line about its middle and cuts the window out; x moves as y does, so it is a
            # rotation (to the first order) and leaves the slant alone.
            rows, middle = math.ceil(window), image.width / 2
            matrix = (1.0, -slope * window / rows, slope * window / 2, slope, window / rows, top - slope * middle)
            image = image.transform((image.width, rows), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
        pixels = numpy.asarray(image.resize((columns, self.height), Image.Resampling.BILINEAR))
        if self.direction == "rtl":
            pixels = pixels[:, ::-1]
        first, last = _part(path, wide, columns, start, end)
        return numpy.array(pixels[:, first:last], order="C")

    def frames(self, signal: Pixels) -> Tensor:
        """float32 [W, height]: 0 is background, as padding is, and full ink is 3."""
        assert signal.dtype == numpy.uint8 and signal.shape[0] == self.height, (signal.dtype, signal.shape)
        return torch.from_numpy(numpy.array(signal.T, numpy.float32, order="C")) * (INK / 255)

    def length(self, path: str, start: float | None = None, end: float | None = None) -> int:
        """The number of columns `read` gives: exact, for the header does not tell how large the writing is.

        Costs about half of `read`.

        Raises:
            InputError: as `read`.
        """
        _, wide, columns, *_ = self._plan(path)
        first, last = _part(path, wide, columns, start, end)
        return last - first

    def places(
        self, path: str, signal: Pixels, frames: int, start: float | None = None, end: float | None = None
    ) -> NDArray[numpy.float64]:
        """Columns of the image at even distances; that a sloping line was turned is not counted in."""
        wide = grey(path).shape[1]
        return numpy.linspace(start or 0.0, wide if end is None else min(end, wide), frames + 1)

    def nothing(self, frames: int, chance: numpy.random.Generator) -> Pixels:
        """Plain paper: background, with specks on some."""
        specks = chance.random((self.height, frames)) < chance.choice([0, 0.002, 0.02])
        return (specks * chance.integers(10, 120, specks.shape)).astype(numpy.uint8)

    def _plan(self, path: str) -> tuple[Pixels, int, int, float, float, float]:
        """The ink, the columns of the image and those it will have, its slope, first row and height of what is cut."""
        pixels = grey(path)
        whole = pixels.shape[1]
        if pixels.shape[0] > WORKING * self.height:
            size = (max(1, round(pixels.shape[1] * WORKING * self.height / pixels.shape[0])), WORKING * self.height)
            pixels = numpy.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
        ink = _flatten(pixels)
        high, wide = ink.shape
        slope = _slope(ink) if self.deskew else 0.0
        top, window = 0.0, float(high)
        for _ in range(2 if self.body else 0):  # the second time with strips that fit the writing, not the margins
            top, window = _body(ink, slope, window)
        columns = round(wide * self.height / window * self.squeeze)
        if not SHORTEST <= columns <= LONGEST:
            what = f"gives {columns} columns at a height of {self.height} pixels"
            raise InputError(path, what, f"give the image of a whole line, {SHORTEST} to {LONGEST} columns long")
        return ink, whole, columns, slope, top, window


def _part(path: str, wide: int, columns: int, start: float | None, end: float | None) -> tuple[int, int]:
    """Of an image `wide` pixels wide, of which so many columns are made, those of a part."""
    until = wide if end is None else min(end, wide)
    if not 0 <= (start or 0.0) < until:
        what = f"has {wide} columns, none from {start} to {end}"
        raise InputError(path, what, "correct start and end, in pixels of the image from where reading begins")
    first = min(round((start or 0.0) * columns / wide), columns - 1)
    return first, max(first + 1, round(until * columns / wide))


def _flatten(pixels: Pixels) -> Pixels:
    """Ink bright on a background of 0, whatever the polarity, the lighting and the contrast.

    The background is the median of each stretch of columns, for ink covers less than half of it; where a painted
    initial covers more, the median over neighbouring stretches corrects it. What deviates from it far to one side is
    ink, hence the sign of the third moment is the polarity. 255 is the ink's strongest level in the usual column.
    """
    high, wide = pixels.shape
    count = max(1, round(wide / max(high, 16)))
    edges = numpy.linspace(0, wide, count + 1).astype(int)
    levels = numpy.array([numpy.median(pixels[:, a:b]) for a, b in itertools.pairwise(edges)])
    around = numpy.pad(levels, 2, mode="edge")
    levels = numpy.median([around[offset : offset + count] for offset in range(5)], axis=0)
    paper = numpy.interp(numpy.arange(wide), (edges[1:] + edges[:-1]) / 2, levels).astype(numpy.float32)
    ink = pixels - paper
    if (ink * ink * ink).sum() < 0:
        ink = -ink
    strongest = numpy.percentile(ink.max(axis=0), 80)
    # Less than 24 levels is paper: stretching it to the full range would write text of dust.
    ink *= 255 / max(strongest, 24.0)
    flat: Pixels = numpy.clip(ink, 0, 255).astype(numpy.uint8)
    return flat


def _strips(ink: Pixels, width: float) -> tuple[NDArray[numpy.float32], NDArray[numpy.float32]]:
    """The ink of each row in each of S strips of columns about `width` wide, [S, H], and their middles [S]."""
    wide = ink.shape[1]
    count = min(wide, max(8, round(wide / width)))
    edges = numpy.linspace(0, wide, count + 1).astype(int)
    sums = numpy.add.reduceat(ink, edges[:-1], axis=1, dtype=numpy.float32)
    return sums.T, ((edges[1:] + edges[:-1]) / 2).astype(numpy.float32)


def _slope(ink: Pixels) -> float:
    """The slope, rows down for each column, along which the rows' ink is gathered most sharply (0 for short lines).

    Postl 1986: the projection profile has the greatest energy along the text, and no baseline has to be found. The
    strips slide along each other, first in coarse, then in fine steps.
    """
    high, wide = ink.shape
    if wide < 3 * high or not ink.any():
        return 0.0
    strips, places = _strips(ink, max(high / 3, wide / 96))
    room = math.ceil(STEEPEST * wide / 2) + 1
    padded = numpy.pad(strips, ((0, 0), (2 * room, 2 * room)))
    rows = numpy.arange(room, high + 3 * room)
    level = numpy.arange(len(strips))[:, None] * padded.shape[1] + rows
    best = 0.0
    for reach, steps in ((STEEPEST, 31), (STEEPEST / 15, 17)):
        slopes = numpy.clip(best + numpy.linspace(-reach, reach, steps), -STEEPEST, STEEPEST)
        shifts = numpy.rint(slopes[:, None] * (places - wide / 2)).astype(int)
        profiles = [padded.ravel().take(level + shift[:, None]).sum(axis=0) for shift in shifts]
        best = float(slopes[int(numpy.argmax([profile @ profile for profile in profiles]))])
    return best


def _body(ink: Pixels, slope: float, size: float) -> tuple[float, float]:
    """First row and height, in pixels, of the window around the writing, at the middle column.

    After Kozielski, Forster and Ney 2012 (moment-based normalisation): the window follows the mean and the standard
    deviation of the ink. Both are taken in strips a third of `size` wide, the window as it is known so far, and their
    medians count, so that an initial three lines high, or specks from the line above, move nothing. The window is
    kept between a quarter of the image's height, lest a dash be blown up, and one and a quarter.
    """
    high, wide = ink.shape
    strips, places = _strips(ink, size / 3)
    weight = strips.sum(axis=1)
    inked = weight > 0.1 * weight.max()
    if not inked.any():
        return 0.0, float(high)
    rows = numpy.arange(high) + 0.5
    strips, weight = strips[inked], weight[inked]
    mean = strips @ rows / weight
    spread = numpy.sqrt(numpy.maximum(strips @ rows**2 / weight - mean**2, 0))
    centre = float(numpy.median(mean - slope * (places[inked] - wide / 2)))
    window = float(numpy.clip(BODY * numpy.median(spread), 0.25 * high, 1.25 * high))
    return centre - window / 2, window
