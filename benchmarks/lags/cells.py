"""Sequences and weights -> outputs and gradients: the tanh RNN, the LSTM of 1997 and its forget gates, compiled.

The nets of the papers have tens to a few thousand weights, so that a call of torch costs more than its arithmetic; here
a step costs a third of a microsecond. The equations are those of `recognizer/layers`, plus what the papers' nets have
and today's do not: blocks of several cells that share their gates, gates that see the gates, and inputs wired directly
to the outputs. tests/test_lags.py compares values and gradients with torch.

    i, o, f = sigma(W x_t + U a_{t-1} + b)            one of each a block; f = 1 without forget gates
    g       = stretch * tanh(slope * (W x_t + U a_{t-1} + b))
    c_t     = f * c_{t-1} + i * g                      Hochreiter & Schmidhuber 1997, Eq. 9; Gers et al. 2000, Eq. 5
    h_t     = o * tanh(slope * c_t)
    y_t     = sigma(V h_t + S x_t + d)

a_{t-1} are the outputs h of the cells and, in a fully connected hidden layer, the gates' activations too. The squashing
functions of 1997, 4 sigma(x) - 2 and 2 sigma(x) - 1, are stretch 2 and 1 at slope 1/2.

Legend: T steps, K active input lines of a step, H hidden units (cells, then gates), C cells, O outputs, P weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Net(NamedTuple):
    """What a net looks like.

    Attributes:
        inputs: input lines.
        blocks: memory blocks, each with its own gates; for the tanh RNN, units.
        size: cells of a block; 1 for the tanh RNN.
        outputs: logistic output units.
        fed: how many hidden units are fed back, cells first: all of them in a fully connected hidden layer.
        gates: of a block: 0 for the tanh RNN, 1 (input) where h_t = c_t (1997, section 5.2), 2 (input, output) for the
            LSTM of 1997, 3 with forget gates.
        direct: are the input lines also wired to the outputs?
        stretch: range of the squashed input of a cell.
        slope: steepness of both squashing functions of a cell.
        squared: is the loss half the squared error, as in the papers, or cross-entropy?
        truncated: does error stop where it would leave a cell's state for an earlier step (1997, Appendix A.1)?
    """

    inputs: int
    blocks: int
    size: int
    outputs: int
    fed: int
    gates: int = 2
    direct: bool = False
    stretch: float = 2.0
    slope: float = 0.5
    truncated: bool = False
    squared: bool = False


class Tape(NamedTuple):
    """What the backward pass needs of the forward pass; row 0 is the state before the first step.

    Attributes:
        activations: [T + 1, H] outputs of cells and gates.
        states: [T + 1, C] c_t.
        news: [T + 1, C] g.
        squashed: [T + 1, C] tanh(slope * c_t).
    """

    activations: Floats
    states: Floats
    news: Floats
    squashed: Floats


class Weights(NamedTuple):
    """Views into the one vector of P: W [inputs, H], U [fed back, H], b [H], V [C, O], S [inputs, O], d [O]."""

    enter: Floats
    again: Floats
    bias: Floats
    leave: Floats
    across: Floats
    base: Floats


def compiled(function: Callable[..., Any]) -> Any:
    """Machine code on the first call, kept on disk where a folder for it can be written."""
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz", "arcp"}}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # Numba finds no such folder
        return numba.njit(**options)(function)


def hidden(net: Net) -> int:
    """H: cells and gates."""
    return net.blocks * (net.size + net.gates)


def count(net: Net) -> int:
    """P, biases that are not learnt included."""
    cells, units = net.blocks * net.size, hidden(net)
    return (net.inputs + net.fed + 1) * units + (cells + net.inputs * net.direct + 1) * net.outputs


def tape(net: Net, steps: int) -> Tape:
    """An empty one for sequences up to `steps` long."""
    cells = net.blocks * net.size
    return Tape(np.zeros((steps + 1, hidden(net))), *(np.zeros((steps + 1, cells)) for _ in range(3)))


def split(net: Net, vector: Floats) -> Weights:
    """The one vector [P] -> views of its parts."""
    cells, units = net.blocks * net.size, hidden(net)
    across, out = net.inputs if net.direct else 0, net.outputs
    shapes = ((net.inputs, units), (net.fed, units), (units,), (cells, out), (across, out), (out,))
    parts, end = list[Floats](), 0
    for shape in shapes:
        begin, end = end, end + math.prod(shape)
        parts.append(vector[begin:end].reshape(shape))
    return Weights(*parts)


@compiled
def sigma(value: float) -> float:
    """The logistic function."""
    return 1.0 / (1.0 + math.exp(-value))


@compiled
def forward(
    net: Net, weights: Weights, lines: Ints, values: Floats, steps: int, first: int, tape: Tape, outputs: Floats
) -> None:
    """Runs a sequence, from the state in row 0 of the tape.

    Args:
        net: its shape.
        weights: its weights.
        lines: [T, K] the input lines that are not zero.
        values: [T, K] what is on them.
        steps: how many steps of T to run.
        first: the step from which on outputs are wanted.
        tape: is filled up to row `steps`.
        outputs: [>= steps - first, O] is filled.
    """
    # Numba copies a whole named tuple whenever a part of it is named: once here, not in the loops.
    enter, again, bias, leave, across, base = weights
    activations, states, news, squashes = tape
    cells, blocks = net.blocks * net.size, net.blocks
    sums = np.empty(cells + blocks * net.gates)
    for t in range(steps):
        before, after = activations[t], activations[t + 1]
        sums[:] = bias
        for k in range(lines.shape[1]):
            row = enter[lines[t, k]]
            for u in range(sums.size):
                sums[u] += values[t, k] * row[u]
        for s in range(net.fed):
            row = again[s]
            for u in range(sums.size):
                sums[u] += before[s] * row[u]
        if net.gates == 0:
            for u in range(cells):
                after[u] = 2.0 * sigma(2.0 * sums[u]) - 1.0
        else:
            for u in range(cells, sums.size):
                after[u] = sigma(sums[u])
            for j in range(cells):
                block = j // net.size
                new = net.stretch * (2.0 * sigma(2.0 * net.slope * sums[j]) - 1.0)
                kept = states[t, j] * (after[cells + 2 * blocks + block] if net.gates == 3 else 1.0)
                state = kept + after[cells + block] * new
                squashed = 2.0 * sigma(2.0 * net.slope * state) - 1.0
                news[t + 1, j], states[t + 1, j], squashes[t + 1, j] = new, state, squashed
                after[j] = after[cells + blocks + block] * squashed if net.gates > 1 else state
        if t >= first:
            answer = outputs[t - first]
            answer[:] = base
            for j in range(cells):
                for o in range(net.outputs):
                    answer[o] += after[j] * leave[j, o]
            if net.direct:
                for k in range(lines.shape[1]):
                    for o in range(net.outputs):
                        answer[o] += values[t, k] * across[lines[t, k], o]
            for o in range(net.outputs):
                answer[o] = sigma(answer[o])


@compiled
def backward(
    net: Net,
    weights: Weights,
    lines: Ints,
    values: Floats,
    steps: int,
    first: int,
    tape: Tape,
    outputs: Floats,
    targets: Floats,
    slopes: Weights,
) -> None:
    """Adds the gradient of one sequence to `slopes`, by back-propagation through time.

    The loss, summed over outputs and steps, is the papers' (y - target)^2 / 2, or the cross-entropy -target ln y -
    (1 - target) ln(1 - y). Both are least where y is the target's mean; by an output's net input their derivatives are
    (y - target) y (1 - y) and y - target: the first forgets small errors, the second saturated ones never.
    """
    _, again, _, leave, _, _ = weights
    d_enter, d_again, d_bias, d_leave, d_across, d_base = slopes
    activations, states, news, squashes = tape
    cells, blocks = net.blocks * net.size, net.blocks
    sums = np.zeros(cells + blocks * net.gates)  # error at what each hidden unit sums up
    ahead = np.zeros(sums.size)  # error that reaches activations from the step ahead
    carried = np.zeros(cells)  # error that reaches states from the step ahead: the constant error flow
    error = np.empty(net.outputs)
    for t in range(steps - 1, -1, -1):
        before, after = activations[t], activations[t + 1]
        if t >= first:
            for o in range(net.outputs):
                error[o] = outputs[t - first, o] - targets[t - first, o]
                if net.squared:
                    error[o] *= outputs[t - first, o] * (1.0 - outputs[t - first, o])
                d_base[o] += error[o]
            for j in range(cells):
                total = 0.0
                for o in range(net.outputs):
                    total += leave[j, o] * error[o]
                    d_leave[j, o] += after[j] * error[o]
                ahead[j] += total
            if net.direct:
                for k in range(lines.shape[1]):
                    for o in range(net.outputs):
                        d_across[lines[t, k], o] += values[t, k] * error[o]
        if net.gates == 0:
            for u in range(cells):
                sums[u] = ahead[u] * (1.0 - after[u] * after[u])
        else:
            for u in range(cells, sums.size):
                sums[u] = ahead[u]
            for j in range(cells):
                block = j // net.size
                enters, new, squashed = after[cells + block], news[t + 1, j], squashes[t + 1, j]
                state = carried[j] + ahead[j]
                if net.gates > 1:
                    leaves = after[cells + blocks + block]
                    state = carried[j] + ahead[j] * leaves * net.slope * (1.0 - squashed * squashed)
                    sums[cells + blocks + block] += ahead[j] * squashed
                sums[cells + block] += state * new
                carried[j] = state
                if net.gates == 3:
                    sums[cells + 2 * blocks + block] += state * states[t, j]
                    carried[j] *= after[cells + 2 * blocks + block]
                sums[j] = state * enters * net.slope * (net.stretch - new * new / net.stretch)
            for u in range(cells, sums.size):
                sums[u] *= after[u] * (1.0 - after[u])
        for u in range(sums.size):
            d_bias[u] += sums[u]
        for k in range(lines.shape[1]):
            row = d_enter[lines[t, k]]
            for u in range(sums.size):
                row[u] += values[t, k] * sums[u]
        for s in range(net.fed):
            total = 0.0
            for u in range(sums.size):
                total += again[s, u] * sums[u]
                d_again[s, u] += before[s] * sums[u]
            ahead[s] = 0.0 if net.truncated else total
