"""Frames -> what one net makes of them forwards and another one backwards, side by side.

Schuster & Paliwal 1997, "Bidirectional recurrent neural networks"; with LSTM: Graves & Schmidhuber 2005, "Framewise
phoneme classification with bidirectional LSTM and other neural network architectures".
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from recognizer.layers.base import Layer, reverse, silence


class Bidirectional(Layer):
    """Two forward nets of any kind, made a layer that padding cannot reach.

    The second one reads each row flipped within its own length, so padding stays at the end for both and nothing needs
    to be packed: with the LSTM of torch the same numbers as a packed `nn.LSTM(bidirectional=True)`, but on the fast
    paths of oneDNN and cuDNN, and ready for export.

    Args:
        cell: (inputs, width) -> a net that maps frames [B, T, inputs] to (outputs [B, T, width], last state).
        inputs: D, features of a frame.
        width: units of each direction.
        projection: features after a linear map of both directions' outputs; 0 leaves 2 * width.
        norm: layer normalisation (Ba et al. 2016) of the input.
        dropout: share of outputs set to zero while training.
    """

    def __init__(
        self,
        cell: Callable[[int, int], nn.Module],
        inputs: int,
        width: int,
        projection: int = 0,
        norm: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(inputs) if norm else nn.Identity()
        self.ahead = cell(inputs, width)
        self.back = cell(inputs, width)
        self.projection = nn.Linear(2 * width, projection) if projection else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.size = projection or 2 * width

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        frames = self.norm(frames)
        ahead, _ = self.ahead(frames)
        both = torch.cat([ahead, self.backwards(frames, lengths)], dim=-1)
        return silence(self.dropout(self.projection(both)), lengths), lengths

    def backwards(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """[B, T, D] -> the outputs [B, T, width] of the net that reads each row from its end."""
        back, _ = self.back(reverse(frames, lengths))
        return reverse(back, lengths)
