"""Checkpoints of like networks -> one checkpoint with the mean of their weights.

    python -m recognizer.blend runs/mine/version_1/checkpoints/best.ckpt runs/mine/version_2/checkpoints/best.ckpt \\
        --output runs/mine/blend.ckpt

Networks that were trained on from the same weights (`--from`), with other data, rates or seeds, often read better
together than each of them alone, at the cost of one (model soups, Wortsman et al. 2022). Of networks that began apart
the mean is worth nothing: measure before you trust it. Everything beside the weights is that of the first; calibrate
anew (`python -m recognizer.calibrate`).
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recognizer.compact import SCALES, restored
from recognizer.errors import CheckpointError, ConfigError, RecognizerError
from recognizer.network import FOUND, VERSION, opened

log = logging.getLogger(__name__)

ALIKE = ("alphabet", "frontend")
"""Settings without which the same weights mean something else."""


def main(argv: Sequence[str] | None = None) -> int:
    """Blend what the command line names; 0 it is done, 2 it cannot be done."""
    parser = argparse.ArgumentParser(
        prog="python -m recognizer.blend", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoints", metavar="CHECKPOINT", nargs="+", type=Path)
    parser.add_argument("--output", metavar="FILE", required=True, type=Path)
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        blended = blend(options.checkpoints)
        try:
            torch.save(blended, options.output)
        except (OSError, RuntimeError) as error:
            raise ConfigError(options.output, f"cannot be written ({error})", "give another --output") from error
    except RecognizerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    log.info("%s: the mean of %d", options.output, len(options.checkpoints))
    return 0


def blend(paths: Sequence[Path]) -> dict[str, Any]:
    """The first checkpoint with the mean of the weights of all, without what only resuming it would need.

    Raises:
        CheckpointError: one cannot be read, or differs from the first in alphabet, front end or network.
    """
    wholes = [opened(path) for path in paths]
    first = wholes[0]
    for path, whole in zip(paths[1:], wholes[1:], strict=True):
        _refuse_unlike(paths[0], first, path, whole)
    states: list[Mapping[str, Tensor]] = [restored(whole) for whole in wholes]
    mean = {
        name: torch.stack([state[name].float() for state in states]).mean(0).to(weight.dtype)
        if weight.is_floating_point() and not name.startswith(FOUND)
        else weight.clone()
        for name, weight in states[0].items()
    }
    dropped = ("learning", "optimizer_states", "lr_schedulers", SCALES)
    kept = {key: value for key, value in first.items() if key not in dropped} | {"recognizer_version": VERSION}
    return kept | {"state_dict": mean, "blended": [str(path) for path in paths]}


def _refuse_unlike(one: Path, first: Mapping[str, Any], other: Path, whole: Mapping[str, Any]) -> None:
    """One that the first cannot be blended with."""
    for key in ALIKE:
        if first["hyper_parameters"].get(key) != whole["hyper_parameters"].get(key):
            raise CheckpointError(other, f"has another {key} than {one}", "blend models of one family (--from)")
    shapes = [
        {name: weight.shape for name, weight in known["state_dict"].items() if not name.startswith(FOUND)}
        for known in (first, whole)
    ]
    for name in sorted(shapes[0].keys() | shapes[1].keys()):
        mine, theirs = (shape.get(name) for shape in shapes)
        if mine != theirs:
            found = f"{name} is {_size(theirs)}, and {_size(mine)} in {one}"
            raise CheckpointError(other, found, "blend networks of one shape")


def _size(shape: torch.Size | None) -> str:
    return "missing" if shape is None else " x ".join(map(str, shape)) or "one number"


if __name__ == "__main__":
    sys.exit(main())
