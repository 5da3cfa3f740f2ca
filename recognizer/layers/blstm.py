"""Frames -> what a forward and a backward LSTM make of them, side by side.

Graves & Schmidhuber 2005, "Framewise phoneme classification with bidirectional LSTM"; the cell is that of Hochreiter &
Schmidhuber 1997 with the forget gates of Gers et al. 2000, as torch.nn.LSTM computes it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recognizer.layers.base import Layer, reverse, silence


class BLSTM(Layer):
    """A bidirectional LSTM that padding cannot reach, made of two forward ones.

    The backward LSTM reads each row flipped within its own length, so padding stays at the end for both and nothing
    needs to be packed: the same numbers as a packed `nn.LSTM(bidirectional=True)`, but on the fast paths of oneDNN and
    cuDNN, and ready for export.

    Args:
        inputs: D, features of a frame.
        width: units of each direction.
        projection: features after a linear map of both directions' outputs; 0 leaves 2 * width.
        norm: layer normalisation (Ba et al. 2016) of the input.
        dropout: share of outputs set to zero while training.
    """

    def __init__(self, inputs: int, width: int, projection: int = 0, norm: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(inputs) if norm else nn.Identity()
        self.ahead = nn.LSTM(inputs, width, batch_first=True)
        self.back = nn.LSTM(inputs, width, batch_first=True)
        self.projection = nn.Linear(2 * width, projection) if projection else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.size = projection or 2 * width
        for lstm in (self.ahead, self.back):
            _initialise(lstm)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        frames = self.norm(frames)
        ahead, _ = self.ahead(frames)
        back, _ = self.back(reverse(frames, lengths))
        both = torch.cat([ahead, reverse(back, lengths)], dim=-1)
        return silence(self.dropout(self.projection(both)), lengths), lengths


def _initialise(lstm: nn.LSTM) -> None:
    """Orthogonal recurrent weights (Saxe et al. 2014), forget gates open at the start (bias 1, Gers et al. 2000)."""
    width = lstm.hidden_size
    for name, weight in lstm.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(weight)
        elif name.startswith("weight_hh"):
            for gate in torch.split(weight.data, width):
                nn.init.orthogonal_(gate)
        else:
            nn.init.zeros_(weight)
            if name.startswith("bias_ih"):
                weight.data[width : 2 * width] = 1.0
