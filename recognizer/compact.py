"""Weights of a network -> the same in fewer bytes, and back: half precision, or matrices in eight bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from recognizer.errors import CheckpointError

Weights = Mapping[str, Tensor]
STEPS = 127
"""Whole numbers from -STEPS to STEPS stand for the values of a row of a matrix."""
SCALES = "scales"
"""Where a checkpoint keeps what one step is worth, float32 [rows] for each matrix of eight bits."""


def halved(weights: Weights, whole: tuple[str, ...] = ()) -> dict[str, Any]:
    """Them as float16, but for names that begin with one of `whole`: the part "state_dict" of a checkpoint.

    Raises:
        CheckpointError: a weight is too large for that, or not finite.
    """
    made = {
        name: weight.half() if weight.is_floating_point() and not name.startswith(whole) else weight.clone()
        for name, weight in weights.items()
    }
    if not all(bool(weight.isfinite().all()) for weight in made.values()):
        raise CheckpointError("weights", "are too large for half precision, or not finite", "train with weight decay")
    return {"state_dict": made}


def rounded(weights: Weights, whole: tuple[str, ...] = ()) -> dict[str, Any]:
    """As `halved`, but matrices of the same names as int8 [R, ...], each row with a step of its own beside it.

    The step is the row's largest value over STEPS, so no weight moves by more than half a step (Jacob et al. 2018,
    "Quantization and training of neural networks for efficient integer-arithmetic-only inference", symmetric).
    """
    matrices = {name: weight for name, weight in weights.items() if weight.dim() > 1 and not name.startswith(whole)}
    made = halved({name: weight for name, weight in weights.items() if name not in matrices}, whole)
    scales = {}
    for name, weight in matrices.items():
        rows = weight.float().flatten(1)
        if not bool(rows.isfinite().all()):
            raise CheckpointError("weights", "are not finite", "train again")
        scales[name] = rows.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / STEPS
        steps = (rows / scales[name][:, None]).round().clamp(-STEPS, STEPS)
        made["state_dict"][name] = steps.to(torch.int8).view(weight.shape)
    return made | {SCALES: scales}


def restored(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of a checkpoint, those of eight bits as float32."""
    weights, scales = dict(checkpoint["state_dict"]), checkpoint.get(SCALES, {})
    for name, scale in scales.items():
        steps = weights[name]
        weights[name] = (steps.float().flatten(1) * scale[:, None]).view(steps.shape)
    return weights
