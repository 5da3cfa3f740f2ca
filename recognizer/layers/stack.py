"""Frames -> groups of neighbouring frames, laid end to end (Sak et al. 2015, "Fast and accurate recurrent...")."""

from __future__ import annotations

import torch
from torch import Tensor

from recognizer.layers.base import State, Streaming, silence, slide


class Stack(Streaming):
    """`reduction` neighbouring frames become one; the last group is filled up with zeros.

    Args:
        inputs: F, features of a frame.
        reduction: how many frames make one.
    """

    def __init__(self, inputs: int, reduction: int = 3) -> None:
        super().__init__()
        if reduction < 1:
            raise ValueError(f"reduction is {reduction}, and must be at least 1")
        self.reduction = reduction
        self.size = inputs * reduction

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        frames = torch.nn.functional.pad(silence(frames, lengths), (0, 0, 0, -frames.shape[1] % self.reduction))
        return self._group(frames), -(-lengths // self.reduction)

    def feed(self, frames: Tensor, state: State = (), last: bool = False) -> tuple[Tensor, State]:
        (held,) = state or (frames[:, :0],)
        end = -(held.shape[1] + frames.shape[1]) % self.reduction if last else None
        frames, rest = slide(held, frames, self.reduction, self.reduction, end)
        return self._group(frames), (rest,)

    def reach(self, t: int) -> int:
        return (t + 1) * self.reduction - 1

    def _group(self, frames: Tensor) -> Tensor:
        rows, longest, _ = frames.shape
        return frames.reshape(rows, longest // self.reduction, self.size)
