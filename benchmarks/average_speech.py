"""Manifests of speech -> what average speech sounds like: the constant AVERAGE of recognizer.frontends.speech.

    python benchmarks/average_speech.py TRAIN.tsv...

Of each manifest: the log-mel energy above the mean of its utterance, averaged over all frames of each speaker and then
over speakers, at 17 places that are evenly spaced in mel; and, to see how far they differ, each manifest by itself.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import recognizer  # noqa: F401  # before torch: it says how threads wait

# isort: split
import numpy
import torch

from recognizer import manifest
from recognizer.frontends import speech

PLACES = 17


def main() -> int:
    """Print a line for each manifest, and their mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifests", nargs="+", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = [average(path) for path in options.manifests]
    for path, values in zip(options.manifests, found, strict=True):
        print(f"{path}: {told(values)}")
    print(f"AVERAGE = ({told(sum(found) / len(found))})")
    return 0


def average(path: Path) -> numpy.ndarray:
    """Of one manifest's speakers: nat at PLACES places, about 0 in the mean."""
    frontend = speech.Speech(floor=60.0)
    sums: dict[str, list[torch.Tensor]] = {}
    for utterance in manifest.read(path):
        energy, _ = frontend.energy(frontend.read(utterance.path, utterance.start, utterance.end))
        sums.setdefault(utterance.speaker or utterance.path, []).append((energy - energy.mean()).mean(dim=1))
    people = [torch.stack(shapes).mean(dim=0) for shapes in sums.values()]
    bands = torch.stack(people).mean(dim=0).numpy()
    return numpy.interp(numpy.linspace(0, 1, PLACES), speech.places(len(bands)), bands)


def told(values: numpy.ndarray) -> str:
    """As Python writes them."""
    return ", ".join(f"{value:.1f}" for value in values)


if __name__ == "__main__":
    sys.exit(main())
