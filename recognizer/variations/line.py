"""Pixels of a line -> the same text as another hand, pen and scanner might have made it."""

from __future__ import annotations

import numpy
from numpy.typing import NDArray
from PIL import Image

from recognizer.image import SHORTEST, Pixels
from recognizer.variations.base import Variation, check

Values = NDArray[numpy.float32]

PLACED = 0.8  # share of the lines that are sheared, tilted, stretched, resized and moved, in one resampling
WAVED, INKED, BLURRED, FADED, SPECKLED = 0.4, 0.4, 0.25, 0.4, 0.25  # shares of the others, each by itself


class Line(Variation[Pixels]):
    """Variants of a line, uint8 [H, W] with the ink bright on 0; H stays, W changes by `stretch` alone.

    Args:
        shear: columns that one row moves against the next, at most: slant.
        tilt: slope of the line, at most; never so steep that an end moves by more than a twentieth of the height.
        stretch: wider or narrower by up to this share.
        size: smaller by up to this share, or larger by up to four fifths of it, for then ink may leave the picture.
        move: up or down by up to this share of the height.
        wave: share of the height by which a smooth curve moves the columns up or down, at most.
        thickness: strokes are thickened (grey dilation over 3 x 3 pixels, mixed with the line by up to this share), or
            thinned (erosion, five sevenths as much, for a hairline has nothing to lose).
        blur: share of what is smoothed with (1 2 1)/4 both ways, at most.
        contrast: logarithm of the power to which brightness is raised, at most; the ink also fades by up to four
            fifths of this share, or gets stronger by a fifth.
        noise: standard deviation of grey levels, at most.

    Raises:
        ConfigError: a value out of range.
    """

    name = "line"
    kinds = ("shear", "tilt", "stretch", "size", "move", "wave", "thickness", "blur", "contrast", "noise")

    def __init__(
        self,
        shear: float = 0.0,
        tilt: float = 0.02,
        stretch: float = 0.15,
        size: float = 0.15,
        move: float = 0.05,
        wave: float = 0.0625,
        thickness: float = 0.7,
        blur: float = 0.0,
        contrast: float = 0.0,
        noise: float = 14.0,
    ) -> None:
        check({"shear": (shear, 2), "tilt": (tilt, 0.2), "stretch": (stretch, 0.9), "size": (size, 0.9)})
        check({"move": (move, 0.5), "wave": (wave, 0.5), "thickness": (thickness, 1), "blur": (blur, 1)})
        check({"contrast": (contrast, 1), "noise": (noise, 255)})
        self.shear, self.tilt, self.widen, self.size, self.move = shear, tilt, stretch, size, move
        self.wave, self.thickness, self.blur, self.contrast, self.noise = wave, thickness, blur, contrast, noise

    def __call__(self, signal: Pixels, chance: numpy.random.Generator) -> Pixels:
        """uint8 [H, about W]."""
        ink = signal
        wide = self._wide(chance)
        if wide is not None:
            ink = self._placed(ink, wide, chance)
        values = ink.astype(numpy.float32)
        if self.wave and chance.random() < WAVED:
            values = _waved(values, self.wave, chance)
        if self.thickness and chance.random() < INKED:
            choose, most = (numpy.maximum, 1.0) if chance.random() < 0.5 else (numpy.minimum, 5 / 7)
            values += self.thickness * chance.uniform(2 / 7, most) * (spread(values, choose) - values)
        if self.blur and chance.random() < BLURRED:
            values += self.blur * chance.uniform(0.3, 1.0) * (blurred(values) - values)
        if self.contrast and chance.random() < FADED:
            power = numpy.exp(chance.uniform(-self.contrast, self.contrast))
            values = 255 * (values / 255) ** numpy.float32(power)
            values *= chance.uniform(1 - 0.8 * self.contrast, 1 + 0.2 * self.contrast)
        if self.noise and chance.random() < SPECKLED:
            level = self.noise * chance.uniform(1 / 7, 1)
            values += level * chance.standard_normal(values.shape, dtype=numpy.float32)
        assert values.shape[0] == signal.shape[0]
        return numpy.clip(values, 0, 255).astype(numpy.uint8)

    def stretch(self, chance: numpy.random.Generator) -> float:
        """A wider line is longer."""
        return self._wide(chance) or 1.0

    def _wide(self, chance: numpy.random.Generator) -> float | None:
        """How many times as wide, where the line is placed anew; what is drawn first."""
        if any((self.shear, self.tilt, self.widen, self.size, self.move)) and chance.random() < PLACED:
            return float(chance.uniform(1 - self.widen, 1 + self.widen))
        return None

    def _placed(self, ink: Pixels, wider: float, chance: numpy.random.Generator) -> Pixels:
        high, wide = ink.shape
        columns = max(SHORTEST, round(wide * wider))
        shear = chance.uniform(-self.shear, self.shear)
        tall = 1 / chance.uniform(1 - self.size, 1 + 0.8 * self.size)
        slope = chance.uniform(-1, 1) * min(self.tilt, 0.1 * high / wide)
        move = chance.uniform(-self.move, self.move) * high
        return placed(ink, columns, shear, tall, slope, move)


def placed(
    ink: Pixels, columns: int, shear: float = 0.0, tall: float = 1.0, slope: float = 0.0, move: float = 0.0
) -> Pixels:
    """uint8 [H, columns]: the line [H, W] stretched to `columns`, about its middle, in one resampling.

    Args:
        shear: columns that one row moves against the next.
        tall: rows of the line for each of the result; below 1 it grows.
        slope, move: rows by which a column moves against the next, and all of them.
    """
    high, wide = ink.shape
    shift = (1 - tall) * high / 2 + move - slope * columns / 2
    matrix = (wide / columns, shear, -shear * high / 2, slope, tall, shift)
    turned = Image.fromarray(ink).transform((columns, high), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return numpy.asarray(turned)


def _waved(values: Values, most: float, chance: numpy.random.Generator) -> Values:
    """Each column moved up or down by a smooth curve of up to that share of the height."""
    high, wide = values.shape
    knots = max(2, round(wide / (1.5 * high)) + 1)
    curve = chance.uniform(-high * most, high * most, knots)
    moves = numpy.interp(numpy.linspace(0, knots - 1, wide), numpy.arange(knots), curve).astype(numpy.float32)
    whole = numpy.floor(moves)
    part: Values = moves - whole
    room = int(high * most) + 2
    padded = numpy.pad(values, ((room, room), (0, 0)))
    rows = numpy.arange(high)[:, None] + room + whole.astype(int)
    waved: Values = numpy.take_along_axis(padded, rows, axis=0)
    numpy.add(waved, part * (numpy.take_along_axis(padded, rows + 1, axis=0) - waved), out=waved)
    return waved


def spread(values: Values, choose: numpy.ufunc) -> Values:
    """Grey dilation (numpy.maximum) or erosion (numpy.minimum) over 3 x 3 pixels."""
    padded = numpy.pad(values, 1, mode="edge")
    rows = choose(choose(padded[:-2], padded[1:-1]), padded[2:])
    out: Values = choose(choose(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    return out


def blurred(values: Values) -> Values:
    """Smoothed with (1 2 1)/4 both ways."""
    padded = numpy.pad(values, 1, mode="edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    out: Values = rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]
    out /= 16
    return out
