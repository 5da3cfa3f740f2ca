"""Pen strokes -> images of lines, as if that pen had written on paper and a camera had seen it.

    python benchmarks/drawn.py corpora/unipen/train.tsv corpora/unipen/val.tsv --out corpora/drawn

Each manifest is written again under its own name, with images (8-bit grey PNG) in place of ink. A hand keeps its
slant, its slope and the sizes of its letters among each other; pen, paper, light and focus are drawn by chance. Ink
that cannot be read, or is no line, is left out and told of.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy
from tqdm import tqdm

from recognizer import ink, manifest
from recognizer.errors import InputError
from recognizer.manifest import Utterance
from recognizer.samples.lines import draw, photograph
from recognizer.trace import core, even, joined, smooth

SEED = 31
FINE = 0.15
"""Core heights from point to point, so that the stairs of coarse devices can be smoothed away."""
BODY = 14.0
"""A core height in the units of `draw`, whose capitals are 21 high."""
LARGEST = (200.0, 15.0)
"""Width and height in core heights: what is larger is no line, but ink with a stroke far away."""


def main() -> int:
    """Draw all rows of all manifests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifests", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    for source in options.manifests:
        folder = options.out / source.stem
        folder.mkdir(parents=True, exist_ok=True)
        rows = manifest.read(source)
        with ProcessPoolExecutor() as pool:
            made = pool.map(drawing, rows, range(len(rows)), itertools.repeat(folder), chunksize=20)
            drawn = [row for row in tqdm(made, desc=source.stem, total=len(rows)) if row]
        manifest.write(options.out / source.name, drawn)
        print(f"{options.out / source.name}: {len(drawn)} of {len(rows)} lines")
    return 0


def drawing(row: Utterance, index: int, folder: Path) -> Utterance | None:
    """The row with an image in place of its ink; None, with a word on stderr, where there is none."""
    chance = numpy.random.default_rng([SEED, index])
    try:
        points, stroke = joined(ink.read(row.path).strokes)
    except InputError as error:
        print(error, file=sys.stderr)
        return None
    points, stroke = even(points / core(points, stroke), stroke, FINE)
    wide, high = numpy.ptp(points, axis=0)
    if wide > LARGEST[0] or high > LARGEST[1]:
        print(f"{row.path}: {wide:.0f} core heights wide and {high:.0f} high", file=sys.stderr)
        return None
    points = smooth(points, stroke) * BODY
    path = folder / f"{index:05d}.png"
    strokes = numpy.split(points, numpy.flatnonzero(numpy.diff(stroke)) + 1)
    photograph(draw(strokes, chance), chance).save(path)
    return dataclasses.replace(row, path=str(path))


if __name__ == "__main__":
    sys.exit(main())
