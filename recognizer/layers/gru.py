"""What a frame brings and the outputs before -> outputs: gated recurrent units (Cho et al. 2014), for comparison."""

from __future__ import annotations

from torch import Tensor

from recognizer.layers.cell import Cell, State


class GRU(Cell):
    """Two gates and no memory apart from the output: an LSTM whose input gate is what its forget gate leaves.

        r = f(net_r)    z = f(net_z)
        y(t) = z y(t - 1) + (1 - z) tanh(brought + r recalled)

    Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder", where r is applied before the
    recurrent weights; here after them, as in torch.nn.GRU, whose cell it is.
    """

    blocks = 3

    def step(self, brought: Tensor, state: State) -> State:
        (y,) = state
        brought_r, brought_z, brought_y = brought.chunk(3, -1)
        recalled_r, recalled_z, recalled_y = self.recall(y).chunk(3, -1)
        r, z = (brought_r + recalled_r).sigmoid(), (brought_z + recalled_z).sigmoid()
        return (z * y + (1 - z) * (brought_y + r * recalled_y).tanh(),)
