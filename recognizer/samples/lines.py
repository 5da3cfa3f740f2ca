"""The strokes of made-up hands -> grey images of lines of pen on paper. Synthetic: for a first run and for tests.

H rows, W columns; pixels are 0 (black) to 1 (white) until they are written.
"""

from __future__ import annotations

from pathlib import Path

import numpy
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from tqdm import tqdm

from recognizer import manifest
from recognizer.manifest import Utterance
from recognizer.samples import base, ink

Shade = NDArray[numpy.float64]

COUNT = 2000
SEED = 20_242
VERSION = 1
"""Raised whenever the same count would give other files, so that corpora made before are made again."""
FINER = 3
"""Strokes are drawn this many times larger and averaged, which gives them soft edges."""


def make(folder: Path, count: int = COUNT) -> None:
    """Write PNG images (8-bit grey) and manifests of `count` training lines of one to three words into `folder`.

    Deterministic; a finished folder is kept. No hand of one part writes in another.

    Raises:
        SampleError: the folder cannot be used.
    """
    base.make(folder, f"lines {VERSION} ink {ink.VERSION} {count}", lambda building: _fill(building, count))


def _fill(folder: Path, count: int) -> None:
    sizes = base.sizes(count)
    with tqdm(total=sum(sizes.values()), desc="making lines", unit="line", delay=1, leave=False, disable=None) as bar:
        for number, part in enumerate(base.PARTS):
            (folder / part).mkdir()
            utterances = []
            for index in range(sizes[part]):
                chance = numpy.random.default_rng([SEED, number, index])
                hand = ink.hands(part)[index % ink.HANDS[part]]
                text = " ".join(ink.word(chance) for _ in range(chance.integers(1, 4)))
                path = folder / part / f"{index:05d}.png"
                image = photograph(draw(ink.write(text, hand, chance), chance), chance)
                image.save(path)
                utterances.append(Utterance(str(path), text, duration=float(image.width), speaker=hand.name))
                bar.update()
            manifest.write(folder / f"{part}.tsv", utterances)


def draw(strokes: list[ink.Points], chance: numpy.random.Generator) -> Shade:
    """How much ink covers each pixel, [H, W] in [0, 1]; a capital is 20 to 34 pixels high."""
    scale = chance.uniform(20, 34) / 21 * FINER
    points = numpy.concatenate(strokes)
    low, high = points.min(0), points.max(0)
    margin = chance.uniform(2, 8, size=4) * scale / FINER
    width, height = (numpy.ceil(((high - low) * scale + margin[:2] + margin[2:]) / FINER) * FINER).astype(int)
    image = Image.new("L", (int(width), int(height)))
    canvas = ImageDraw.Draw(image)
    pen = chance.uniform(1.2, 3.2) * scale / 1.4
    for stroke in strokes:
        thick = max(1, round(pen * chance.uniform(0.85, 1.15)))
        places = (stroke - [low[0], high[1]]) * [scale, -scale] + margin[:2]
        canvas.line([(float(x), float(y)) for x, y in places], fill=255, width=thick, joint="curve")
        for x, y in (places[0], places[-1]):  # round ends
            canvas.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=255)
    whole: Shade = numpy.asarray(image, dtype=float) / 255
    return whole.reshape(height // FINER, FINER, width // FINER, FINER).mean((1, 3))


def photograph(cover: Shade, chance: numpy.random.Generator) -> Image.Image:
    """Ink of uneven strength on uneven paper, a little out of focus, with the noise of a camera."""
    paper = (
        chance.uniform(0.65, 0.97) + 0.06 * _clouds(cover.shape, 40, chance) + 0.015 * _clouds(cover.shape, 2, chance)
    )
    strength = chance.uniform(0.45, 0.85) * (1 + 0.15 * _clouds(cover.shape, 12, chance))
    sharp = paper * (1 - _blurred(cover, chance.uniform(0.3, 1.0)) * numpy.clip(strength, 0.3, 0.95))
    seen = sharp + chance.normal(0, chance.uniform(0.005, 0.03), cover.shape)
    return Image.fromarray(numpy.round(numpy.clip(seen, 0, 1) * 255).astype(numpy.uint8))


def _clouds(shape: tuple[int, ...], size: float, chance: numpy.random.Generator) -> Shade:
    """Smooth noise [H, W] of mean 0 and deviation 1, its spots about `size` pixels wide."""
    spots = _blurred(chance.standard_normal(shape), size)
    deviation = float(spots.std())
    return (spots - spots.mean()) / (deviation or 1.0)


def _blurred(pixels: Shade, size: float) -> Shade:
    """Convolution with a Gaussian of deviation `size` pixels; the edges go round to the opposite ones."""
    rows, columns = (numpy.fft.fftfreq(length) for length in pixels.shape)
    fall = numpy.exp(-2 * (numpy.pi * size) ** 2 * (rows[:, None] ** 2 + columns[None] ** 2))
    blurred: Shade = numpy.fft.ifft2(numpy.fft.fft2(pixels) * fall).real
    return blurred
