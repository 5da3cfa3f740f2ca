"""Frames -> outputs of a forward net, each a weighted sum with the few that follow it: a layer that can stream.

Wang et al. 2016, "Lookahead convolution layer for unidirectional recurrent neural networks"; Amodei et al. 2016, "Deep
Speech 2", section 3.5, where it is called row convolution.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from recognizer.layers.base import State, Streaming, silence, slide


class Lookahead(Streaming):
    """A forward net and a look-ahead convolution, each unit by itself:

        r_i(t) = sum over j = 0 ... ahead of w_ij y_i(t + j)

    It begins with w_i0 = 1 and all else 0, as the forward net alone; with a look-ahead of 0 it sees no future.

    Args:
        cell: (inputs, width) -> a net that maps frames [B, T, inputs], and the state of an earlier call to go on from,
            to (outputs [B, T, width], last state), as torch.nn.LSTM.
        inputs: D, features of a frame.
        width: units.
        projection: features after a linear map; 0 leaves `width`.
        norm: layer normalisation (Ba et al. 2016) of the input.
        dropout: share of outputs set to zero while training.
        ahead: frames of the look-ahead, those of the layer: after the stem. Several layers add theirs up.
    """

    def __init__(
        self,
        cell: Callable[[int, int], nn.Module],
        inputs: int,
        width: int,
        projection: int = 0,
        norm: bool = True,
        dropout: float = 0.0,
        ahead: int = 16,
    ) -> None:
        super().__init__()
        if ahead < 0:
            raise ValueError("ahead is at least 0")
        self.norm = nn.LayerNorm(inputs) if norm else nn.Identity()
        self.net = cell(inputs, width)
        self.sight = ahead
        self.weight = nn.Parameter(torch.eye(1, ahead + 1).repeat(width, 1))
        self.projection = nn.Linear(width, projection) if projection else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.width, self.size = width, projection or width

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        outputs, _ = self.net(self.norm(frames))
        seen = nn.functional.pad(silence(outputs, lengths), (0, 0, 0, self.sight))
        return silence(self.dropout(self._look(seen)), lengths), lengths

    def feed(self, frames: Tensor, state: State = (), last: bool = False) -> tuple[Tensor, State]:
        held, *carried = state or (frames.new_zeros(len(frames), 0, self.width),)
        outputs = held[:, :0]
        if frames.shape[1]:
            outputs, carried = self.net(self.norm(frames), tuple(carried) or None)
        seen, rest = slide(held, outputs, self.sight + 1, 1, self.sight if last else None)
        return self._look(seen), (rest, *carried)

    def reach(self, t: int) -> int:
        return t + self.sight

    def _look(self, outputs: Tensor) -> Tensor:
        """[B, T + ahead, width] -> [B, T, size]."""
        if outputs.shape[1]:
            outputs = torch.conv1d(outputs.transpose(1, 2), self.weight[:, None], groups=self.width).transpose(1, 2)
        return self.projection(outputs)
