"""Frames -> fewer, wider frames: convolutions over time and features, for those with neighbours (pixels, mel bands)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recognizer.layers.base import State, Streaming, fit, silence, slide


class Conv2d(Streaming):
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
        fit(channels, [min(pair) for pair in strides], kernel)
        if width < 1:
            raise ValueError(f"width is {width}, and must be at least 1")
        self.reduction = math.prod(time for time, _ in strides)
        self.size = width
        self.strides = [(int(time), int(high)) for time, high in strides]
        self.kernel, self.margin = kernel, kernel // 2
        sizes = [1, *channels[:-1]]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, kernel, stride, kernel // 2)
            for before, after, stride in zip(sizes, channels, self.strides, strict=True)
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
        for place, (stride, _) in enumerate(self.strides):
            maps = self._stage(place, maps, self.margin)
            lengths = -(-lengths // stride)
            maps = silence(maps.transpose(1, 2), lengths).transpose(1, 2)
        return silence(self.dropout(self._flat(maps)), lengths), lengths

    def feed(self, frames: Tensor, state: State = (), last: bool = False) -> tuple[Tensor, State]:
        kept = []
        maps = frames.unsqueeze(1)
        for place, (stride, _) in enumerate(self.strides):
            rows, channels, _, high = maps.shape
            held = state[place] if state else maps.new_zeros(rows, self.margin, channels, high)
            part, rest = slide(held, maps.transpose(1, 2), self.kernel, stride, self.margin if last else None)
            kept.append(rest)
            maps = self._stage(place, part.transpose(1, 2), 0)
        return self._flat(maps), tuple(kept)

    def reach(self, t: int) -> int:
        for stride, _ in reversed(self.strides):
            t = t * stride + max(self.margin, stride - 1 - self.margin)
        return t

    def _stage(self, place: int, maps: Tensor, margin: int) -> Tensor:
        """One convolution of [B, C, T, F] with rectifier and norm; before and behind stand `margin` zeros."""
        convolution: Any = self.convolutions[place]
        rows, _, longest, high = maps.shape
        if longest == 0:
            return maps.new_zeros(rows, convolution.out_channels, 0, -(-high // self.strides[place][1]))
        maps = torch.conv2d(
            maps, convolution.weight, convolution.bias, convolution.stride, (margin, self.margin)
        ).relu()
        variance, mean = torch.var_mean(maps, dim=(1, 3), keepdim=True, correction=0)
        return torch.addcmul(self.shifts[place], maps - mean, (variance + 1e-5).rsqrt() * self.scales[place])

    def _flat(self, maps: Tensor) -> Tensor:
        """[B, C, T, F] -> [B, T, width]."""
        return self.linear(maps.transpose(1, 2).flatten(2))
