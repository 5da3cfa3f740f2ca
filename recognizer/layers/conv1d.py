"""Frames -> fewer, wider frames: convolutions over time alone, for features that have no neighbours (pen strokes)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from recognizer.layers.base import Layer, silence


class Conv1d(Layer):
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
        self.reduction = math.prod(strides)
        self.size = channels[-1]
        self.strides = tuple(strides)
        sizes = [inputs, *channels]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel, stride, kernel // 2)
            for before, after, stride in zip(sizes, channels, strides, strict=False)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        for convolution, norm, stride in zip(self.convolutions, self.norms, self.strides, strict=True):
            frames = convolution(silence(frames, lengths).transpose(1, 2)).transpose(1, 2)
            lengths = -(-lengths // stride)
            frames = norm(frames).relu()
        return silence(self.dropout(frames), lengths), lengths
