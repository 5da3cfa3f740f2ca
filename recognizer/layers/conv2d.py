"""Frames -> fewer, wider frames: convolutions over time and features, for those with neighbours (pixels, mel bands)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recognizer.layers.base import Layer, silence


class Conv2d(Layer):
    """Strided convolutions, each with a rectifier and layer normalisation; then a linear map.

    A frame's features are one column of a picture whose other axis is time. Normalising each time step by itself, over
    channels and rows, keeps padding and the other rows of a batch out of the answer, which batch statistics would not.
    Strides in place of pooling, because on a processor the maps at full size would cost more than all the rest.

    Args:
        inputs: F, features of a frame.
        channels: feature maps after each convolution.
        strides: (time, features) by which each shortens its input; the product over time is the stem's reduction.
        kernel: places that each sees along both axes; odd.
        width: features of the frames that come out.
        dropout: share of outputs set to zero while training.
    """

    def __init__(
        self,
        inputs: int,
        channels: Sequence[int] = (16, 32, 64),
        strides: Sequence[Sequence[int]] = ((2, 2), (2, 2), (1, 2)),
        kernel: int = 3,
        width: int = 256,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.reduction = math.prod(time for time, _ in strides)
        self.size = width
        self.strides = [(int(time), int(high)) for time, high in strides]
        sizes = [1, *channels]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, kernel, stride, kernel // 2)
            for before, after, stride in zip(sizes, channels, self.strides, strict=False)
        )
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(size, 1, 1)) for size in channels)
        self.shifts = nn.ParameterList(nn.Parameter(torch.zeros(size, 1, 1)) for size in channels)
        high = inputs
        for _, stride in self.strides:
            high = -(-high // stride)
        self.linear = nn.Linear(channels[-1] * high, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        maps = silence(frames, lengths).unsqueeze(1)  # [B, C, T, F]
        for convolution, scale, shift, stride in zip(
            self.convolutions, self.scales, self.shifts, self.strides, strict=True
        ):
            maps = convolution(maps).relu()
            lengths = -(-lengths // stride[0])
            variance, mean = torch.var_mean(maps, dim=(1, 3), keepdim=True, correction=0)
            maps = torch.addcmul(shift, maps - mean, (variance + 1e-5).rsqrt() * scale)
            maps = silence(maps.transpose(1, 2), lengths).transpose(1, 2)
        rows, _, longest, _ = maps.shape
        flat = maps.transpose(1, 2).reshape(rows, longest, -1)
        return silence(self.dropout(self.linear(flat)), lengths), lengths
