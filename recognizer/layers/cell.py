"""The contract of every recurrent cell, one step written out: (what frame t brings, state) -> state.

B batch, T frames, D features, W units, G blocks of W rows in the weights: one block for each gate or candidate.
"""

from __future__ import annotations

import abc
from contextvars import ContextVar
from typing import ClassVar

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]
"""What a cell carries from one frame to the next, each [B, W]; the first is its output."""
HOLLOW: ContextVar[bool] = ContextVar("hollow", default=False)
"""Whether nets are made with weights of no value, for who sets them all: orthogonal ones take as long as a reading."""


class Cell(nn.Module, abc.ABC):
    """A recurrent net that reads frames one by one, from the first to the last.

    A sibling is a number of blocks and a `step`. Names, shapes and order of the weights are those of torch.nn.LSTM, GRU
    and RNN, so that the weights of either open in the other.

    Args:
        inputs: D, features of a frame.
        width: W, units.

    Attributes:
        blocks: G.
        states: how many tensors make a state.
        opened: the block whose bias begins at 1, where that is wanted.
    """

    blocks: ClassVar[int]
    states: ClassVar[int] = 1
    opened: ClassVar[int | None] = None

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.width = width
        rows = self.blocks * width
        self.weight_ih_l0 = nn.Parameter(torch.empty(rows, inputs))
        self.weight_hh_l0 = nn.Parameter(torch.empty(rows, width))
        self.bias_ih_l0 = nn.Parameter(torch.empty(rows))
        self.bias_hh_l0 = nn.Parameter(torch.empty(rows))
        initialise(self, width, self.opened)

    @abc.abstractmethod
    def step(self, brought: Tensor, state: State) -> State:
        """What frame t brings [B, G * W] and the state at t - 1 -> the state at t."""

    def recall(self, output: Tensor) -> Tensor:
        """What the outputs at t - 1 [B, W] bring to every block at t: [B, G * W]."""
        return nn.functional.linear(output, self.weight_hh_l0, self.bias_hh_l0)

    def trace(self, frames: Tensor) -> list[State]:
        """The state after each frame of [B, T, D], from a state of zeros."""
        # What the frames bring waits for nothing and is one product; only what the past brings goes frame by frame.
        # The zeros are of the weights' kind: a memory that adds up small steps needs its digits also under autocast.
        brought = nn.functional.linear(frames, self.weight_ih_l0, self.bias_ih_l0)
        state: State = (self.bias_hh_l0.new_zeros(len(frames), self.width),) * self.states
        passed = []
        for one in brought.unbind(1):
            state = self.step(one, state)
            passed.append(state)
        return passed

    def forward(self, frames: Tensor) -> tuple[Tensor, State]:
        """[B, T, D] -> outputs [B, T, W] and the last state."""
        passed = self.trace(frames)
        return torch.stack([state[0] for state in passed], 1), passed[-1]


def initialise(net: nn.Module, width: int, opened: int | None) -> None:
    """Orthogonal recurrent weights, block by block (Saxe et al. 2014), inputs' by Glorot & Bengio 2010, biases 0.

    Args:
        net: its weights bear torch's names.
        width: W.
        opened: the block of forget gates, whose bias begins at 1 (Gers et al. 2000: open at first, or all is forgotten
            before anything is learnt).
    """
    if HOLLOW.get():
        return
    for name, weight in net.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(weight)
        elif name.startswith("weight_hh"):
            for block in torch.split(weight.data, width):
                nn.init.orthogonal_(block)
        else:
            nn.init.zeros_(weight)
            if name.startswith("bias_ih") and opened is not None:
                weight.data[opened * width : (opened + 1) * width] = 1.0
