"""What a frame brings, outputs and memory -> outputs and memory: the LSTM of 1997, with forget gates, with peepholes.

[97] Hochreiter & Schmidhuber 1997, "Long short-term memory", Neural Computation 9(8). [00] Gers, Schmidhuber & Cummins
2000, "Learning to forget: continual prediction with LSTM", Neural Computation 12(10). [P] Gers & Schmidhuber 2000,
"Recurrent nets that time and count", IJCNN; [02] Gers, Schraudolph & Schmidhuber 2002, "Learning precise timing with
LSTM recurrent networks", JMLR 3. The names are the papers': net_in is what reaches the input gate, y_in what it lets
through, s the memory cell's state, y its output.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recognizer.layers.cell import Cell, State


class Memory(Cell):
    """What all three have in common: a state (y, s), and the paper's shorter gradient where it is asked for.

    Args:
        inputs: D, features of a frame.
        width: memory cells, each with gates of its own (the papers' blocks of size 1).
        truncate: no error leaves a cell for an earlier frame but along its memory ([97], appendix A.1, after eq. 9):
            the errors that reach net_in, net_out and net_c change their weights and go no further back. Then
            d s(t) / d s(t - 1) is the identity in the cell of 1997 ([97], appendix A.2) and diag(y_forget) with forget
            gates. Off by default: all of the gradient, as in Graves & Schmidhuber 2005.
    """

    states = 2

    def __init__(self, inputs: int, width: int, truncate: bool = False) -> None:
        super().__init__(inputs, width)
        self.truncate = truncate

    def past(self, value: Tensor) -> Tensor:
        """A value of the past on its way to the gates: with its gradient, or cut off from it."""
        return value.detach() if self.truncate else value


class LSTM97(Memory):
    """The cell of [97], section 4: what is in its memory stays, an error in it neither fades nor grows.

        y_in = f(net_in)    y_out = f(net_out)                  appendix A.1, eq. 7 and 8
        s(t) = s(t - 1) + y_in g(net_c)    y = y_out h(s)       eq. 9

    with f logistic (eq. 3), h a logistic function in [-1, 1] (eq. 4), g one in [-2, 2] (eq. 5). The weight of s(t - 1)
    is 1 for ever: the constant error carousel. So the memory can only add up or be cancelled out, and a stream without
    an end drives it out of h's range ([00], section 2).
    """

    blocks = 3

    def step(self, brought: Tensor, state: State) -> State:
        y, s = state
        net_in, net_c, net_out = (brought + self.recall(self.past(y))).chunk(3, -1)
        s = s + net_in.sigmoid() * g(net_c)
        return net_out.sigmoid() * h(s), s


class Forget(Memory):
    """With forget gates, [00], section 3: the memory is kept by a share that the net learns to choose.

        y_forget = f(net_forget)
        s(t) = y_forget s(t - 1) + y_in g(net_c)

    g and h are tanh, as has become custom (Graves & Schmidhuber 2005), where [00] has those of [97]. It is the cell of
    torch.nn.LSTM, weight by weight.
    """

    blocks = 4
    opened = 1

    def step(self, brought: Tensor, state: State) -> State:
        y, s = state
        net_in, net_forget, net_c, net_out = (brought + self.recall(self.past(y))).chunk(4, -1)
        s = net_forget.sigmoid() * s + net_in.sigmoid() * net_c.tanh()
        return net_out.sigmoid() * s.tanh(), s


class Peephole(Memory):
    """With peepholes [P], [02], section 3: a gate also sees the memory it guards, even where the output gate is shut.

        net_in     += w_in     s(t - 1)
        net_forget += w_forget s(t - 1)
        net_out    += w_out    s(t)

    one weight for each gate and cell; the output gate comes last and sees the new memory. They begin at 0, so the cell
    begins as `Forget`. [02] leaves h out; here g and h are tanh (Graves & Schmidhuber 2005). `truncate` also cuts the
    errors that would enter the memory through a peephole, as [02] does.
    """

    blocks = 4
    opened = 1

    def __init__(self, inputs: int, width: int, truncate: bool = False) -> None:
        super().__init__(inputs, width, truncate)
        self.peepholes = nn.Parameter(torch.zeros(3, width))

    def step(self, brought: Tensor, state: State) -> State:
        y, s = state
        w_in, w_forget, w_out = self.peepholes
        net_in, net_forget, net_c, net_out = (brought + self.recall(self.past(y))).chunk(4, -1)
        seen = self.past(s)
        y_in, y_forget = (net_in + w_in * seen).sigmoid(), (net_forget + w_forget * seen).sigmoid()
        s = y_forget * s + y_in * net_c.tanh()
        return (net_out + w_out * self.past(s)).sigmoid() * s.tanh(), s


def g(net: Tensor) -> Tensor:
    """4 / (1 + exp(-net)) - 2, in [-2, 2]: what a cell of 1997 would take in ([97], eq. 5)."""
    return 4 * net.sigmoid() - 2


def h(s: Tensor) -> Tensor:
    """2 / (1 + exp(-s)) - 1, in [-1, 1]: what it would give out ([97], eq. 4)."""
    return 2 * s.sigmoid() - 1
