"""Lengths of rows -> which frames of a padded batch are theirs."""

from __future__ import annotations

import torch
from torch import Tensor


def inside(lengths: Tensor, longest: int) -> Tensor:
    """bool [B, T]: is frame t of row b before the row's end? `lengths` [B], T = `longest`."""
    return torch.arange(longest, device=lengths.device)[None] < lengths[:, None]
