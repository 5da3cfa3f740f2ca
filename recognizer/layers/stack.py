"""Frames -> groups of neighbouring frames, laid end to end (Sak et al. 2015, "Fast and accurate recurrent...")."""

from __future__ import annotations

import torch
from torch import Tensor

from recognizer.layers.base import Layer, silence


class Stack(Layer):
    """`reduction` neighbouring frames become one; the last group is filled up with zeros.

    Args:
        inputs: F, features of a frame.
        reduction: how many frames make one.
    """

    def __init__(self, inputs: int, reduction: int = 3) -> None:
        super().__init__()
        self.reduction = reduction
        self.size = inputs * reduction

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        rows, longest, features = frames.shape
        frames = torch.nn.functional.pad(silence(frames, lengths), (0, 0, 0, -longest % self.reduction))
        lengths = -(-lengths // self.reduction)
        return frames.reshape(rows, -1, features * self.reduction), lengths
