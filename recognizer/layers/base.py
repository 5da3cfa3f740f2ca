"""The contract of every stem and layer: (frames [B, T, D], lengths [B]) -> (frames [B, T', D'], lengths [B]).

B batch, T frames, D features. The law that all of them keep: what stands behind a row's length never reaches what
stands before it, and comes out as zeros.
"""

from __future__ import annotations

import abc

import torch
from torch import Tensor, nn


class Layer(nn.Module, abc.ABC):
    """A stem or a layer.

    Attributes:
        size: D', the number of features it gives out.
        reduction: how many frames become one; layers leave it at 1.
    """

    size: int
    reduction: int = 1

    @abc.abstractmethod
    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, D], [B] -> [B, T', D'], [B]; T' = ceil(T / reduction) for stems, T for layers."""


def inside(lengths: Tensor, longest: int) -> Tensor:
    """bool [B, T]: is frame t of row b before the row's end?"""
    return torch.arange(longest, device=lengths.device)[None] < lengths[:, None]


def silence(frames: Tensor, lengths: Tensor) -> Tensor:
    """The frames [B, T, ...] with zeros behind each row's end; NaN there is silenced, too."""
    keep = inside(lengths, frames.shape[1]).view(*frames.shape[:2], *([1] * (frames.dim() - 2)))
    return frames.masked_fill(~keep, 0.0)


def reverse(frames: Tensor, lengths: Tensor) -> Tensor:
    """Each row [T, D] read backwards within its own length; what stands behind it stays where it is."""
    places = torch.arange(frames.shape[1], device=frames.device)[None]
    mirrored = lengths[:, None] - 1 - places
    order = torch.where(mirrored >= 0, mirrored, places)
    return frames.gather(1, order[:, :, None].expand_as(frames))
