"""What a frame brings and the outputs before -> outputs: the plain recurrent net (Elman 1990), for comparison."""

from __future__ import annotations

from torch import Tensor

from recognizer.layers.cell import Cell, State


class RNN(Cell):
    """y(t) = tanh(net): its error passes tanh' <= 1 and the weights at every frame, and so fades or grows with a power.

    Hochreiter 1991, "Untersuchungen zu dynamischen neuronalen Netzen"; Bengio et al. 1994. The cell of torch.nn.RNN.
    """

    blocks = 1

    def step(self, brought: Tensor, state: State) -> State:
        (y,) = state
        return ((brought + self.recall(y)).tanh(),)
