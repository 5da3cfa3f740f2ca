"""Frames -> fewer, wider frames: convolutions over time and features, for those with neighbours (pixels, mel bands)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recognizer.layers.base import Layer, silence


class Conv2d(Layer):
    """3 x 3 convolutions, each with a rectifier, max pooling and layer normalisation; then a linear map.

    A frame's features are one column of a picture whose other axis is time. Normalising each time step by itself, over
    channels and rows, keeps padding and the other rows of a batch out of the answer, which batch statistics would not.

    Args:
        inputs: F, features of a frame.
        channels: feature maps after each convolution.
        pools: (time, features) by which each shortens its input; the product over time is the stem's reduction.
        width: features of the frames that come out.
        dropout: share of outputs set to zero while training.
    """

    def __init__(
        self,
        inputs: int,
        channels: Sequence[int] = (16, 32, 64),
        pools: Sequence[Sequence[int]] = ((2, 2), (2, 2), (1, 2)),
        width: int = 256,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.reduction = math.prod(time for time, _ in pools)
        self.size = width
        self.pools = [(int(time), int(high)) for time, high in pools]
        sizes = [1, *channels]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1) for before, after in zip(sizes, channels, strict=False)
        )
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(size, 1, 1)) for size in channels)
        self.shifts = nn.ParameterList(nn.Parameter(torch.zeros(size, 1, 1)) for size in channels)
        high = inputs
        for _, pool in self.pools:
            high = -(-high // pool)
        self.linear = nn.Linear(channels[-1] * high, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        maps = silence(frames, lengths).unsqueeze(1)  # [B, C, T, F]
        for convolution, scale, shift, pool in zip(
            self.convolutions, self.scales, self.shifts, self.pools, strict=True
        ):
            # After the rectifier all is >= 0, so that the zeros of the padding never win a maximum.
            maps = convolution(maps).relu()
            maps = silence(maps.transpose(1, 2), lengths).transpose(1, 2)
            maps = nn.functional.max_pool2d(maps, pool, ceil_mode=True)
            lengths = -(-lengths // pool[0])
            variance, mean = torch.var_mean(maps, dim=(1, 3), keepdim=True, correction=0)
            maps = torch.addcmul(shift, maps - mean, (variance + 1e-5).rsqrt() * scale)
            maps = silence(maps.transpose(1, 2), lengths).transpose(1, 2)
        rows, _, longest, _ = maps.shape
        flat = maps.transpose(1, 2).reshape(rows, longest, -1)
        return silence(self.dropout(self.linear(flat)), lengths), lengths
