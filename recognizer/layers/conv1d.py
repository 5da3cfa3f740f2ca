"""Frames -> fewer, wider frames: convolutions over time alone, for features that have no neighbours (pen strokes)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from recognizer.layers.base import State, Streaming, fit, silence, slide


class Conv1d(Streaming):
    """Strided convolutions over time, each with layer normalisation and a rectifier.

    Args:
        inputs: F, features of a frame.
        channels: features after each convolution.
        strides: by how much each shortens time; their product is the stem's reduction.
        kernel: frames that each sees; odd.
        dropout: share of outputs set to zero while training.
    """

    def __init__(
        self,
        inputs: int,
        channels: Sequence[int] = (64, 128),
        strides: Sequence[int] = (1, 2),
        kernel: int = 5,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        fit(channels, strides, kernel)
        self.reduction = math.prod(strides)
        self.size = channels[-1]
        self.strides = tuple(strides)
        self.kernel, self.margin = kernel, kernel // 2
        sizes = [inputs, *channels[:-1]]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel, stride, kernel // 2)
            for before, after, stride in zip(sizes, channels, strides, strict=True)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        for place, stride in enumerate(self.strides):
            frames = self._stage(place, silence(frames, lengths), self.margin)
            lengths = -(-lengths // stride)
        return silence(self.dropout(frames), lengths), lengths

    def feed(self, frames: Tensor, state: State = (), last: bool = False) -> tuple[Tensor, State]:
        kept = []
        for place, stride in enumerate(self.strides):
            held = state[place] if state else frames.new_zeros(len(frames), self.margin, frames.shape[2])
            frames, rest = slide(held, frames, self.kernel, stride, self.margin if last else None)
            kept.append(rest)
            frames = self._stage(place, frames, 0)
        return frames, tuple(kept)

    def reach(self, t: int) -> int:
        for stride in reversed(self.strides):
            t = t * stride + max(self.margin, stride - 1 - self.margin)
        return t

    def _stage(self, place: int, frames: Tensor, margin: int) -> Tensor:
        """One convolution of [B, T, D] with its norm and rectifier; before and behind stand `margin` zeros."""
        convolution: Any = self.convolutions[place]
        if frames.shape[1] == 0:
            return frames.new_zeros(len(frames), 0, convolution.out_channels)
        frames = torch.conv1d(
            frames.transpose(1, 2), convolution.weight, convolution.bias, convolution.stride, margin
        ).transpose(1, 2)
        return self.norms[place](frames).relu()
