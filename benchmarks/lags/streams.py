"""A cell, a seed -> how long a net foretells an endless embedded Reber grammar (Gers, Schmidhuber & Cummins 2000).

Nothing tells the net where a string ends and nothing resets it. A stream, for learning or for testing, ends at the
first wrong prediction or after 10^6 symbols, and the next one begins with cleared states. A net has solved the task if
it foretells ten test streams to their ends. As in the paper, section 4: 4 blocks of 2 cells, gates fed by inputs and
cells, inputs wired to outputs too, biases of gates and outputs, of which the input and output gates' begin at -0.5, -1,
-1.5, -2 and the forget gates' at 0.5, 1, 1.5, 2; other weights from [-0.2, 0.2]. With a decaying rate, it falls by 0.99
a symbol and begins anew with each stream.

What differs: Adam on gradients through the last `WINDOW` symbols, every so many, where the paper descends the
truncated gradient after every symbol; the cross-entropy loss; a net that has never foretold `STUCK` symbols begins anew
after some thousand streams. A stream whose rate has faded to nothing is read no further than `FADED` symbols, which
changes nothing that is learnt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lags.cells import Ints, Net, Tape, backward, compiled, forward, tape
from lags.experiments import Mark, begin
from lags.grammar import ARCS
from lags.training import Learner, Pace, update

LONGEST = 1_000_000
TESTS = 10
WINDOW = 40
NETS = {
    "lstm": Net(7, 4, 2, 7, fed=8, gates=2, direct=True),
    "forget": Net(7, 4, 2, 7, fed=8, gates=3, direct=True),
    "rnn": Net(7, 20, 1, 7, fed=20, gates=0, direct=True),
}
"""The LSTM of 1997, with forget gates, and the plain tanh RNN with as many units as the latter has cells and gates."""
GATES = (np.arange(1, 5) * -0.5, np.arange(1, 5) * -0.5, np.arange(1, 5) * 0.5)
FAINTEST = 1e-6
"""What a rate has faded to when the rest of a stream changes nothing."""
FADED = 10_000
"""Symbols after which a stream of a fading rate is learnt from no longer."""
EVERY = {LONGEST: 1, FADED: 50}
"""Of the streams that were foretold to their ends while learning, how many make a test."""
STUCK = 1_000
"""Symbols that a net must have foretold once, or it begins anew when its time has come."""


@compiled
def read(
    net: Net,
    learner: Learner,
    pace: Pace,
    fade: float,
    learning: bool,
    arcs: Ints,
    place: Ints,
    coins: Ints,
    tape: Tape,
) -> int:
    """Reads a stream on; gives how many symbols were foretold before the first wrong prediction.

    Args:
        net: its shape.
        learner: its weights.
        pace: how it learns.
        fade: the rate is multiplied by this after each symbol of the stream.
        learning: are weights changed?
        arcs: [2, states, 2] symbols and next states of the grammar.
        place: the state of the grammar, the symbol just passed, and how many were foretold before; is moved on.
        coins: [N] which way the grammar takes.
        tape: row 0 is the state of the net; is moved on.
    """
    window = tape.states.shape[0] - 1
    lines, values = np.empty((window, 1), np.int64), np.ones((window, 1))
    outputs, targets = np.zeros((window, net.outputs)), np.zeros((window, net.outputs))
    for start in range(0, coins.size, window):
        steps = min(window, coins.size - start)
        origin = place[0]
        targets[:] = 0.0
        for t in range(steps):
            lines[t, 0] = place[1]
            place[1] = arcs[0, place[0], coins[start + t]]
            place[0] = arcs[1, place[0], coins[start + t]]
            targets[t, place[1]] = 1.0
        forward(net, learner.weights, lines, values, steps, 0, tape, outputs)
        wrong, state = steps, origin
        for t in range(steps):
            one, other = arcs[0, state, 0], arcs[0, state, 1]
            state = arcs[1, state, coins[start + t]]
            least = min(outputs[t, one], outputs[t, other])
            for o in range(net.outputs):
                if o != one and o != other and not outputs[t, o] < least:
                    wrong = min(wrong, t)
        factor = fade ** place[2]
        if learning and factor > FAINTEST:
            used = min(wrong + 1, steps)
            backward(net, learner.weights, lines, values, used, 0, tape, outputs, targets, learner.slopes)
            update(learner, used, pace, factor)
        place[2] += wrong
        if wrong < steps:
            return start + wrong
        tape.activations[0] = tape.activations[steps]
        tape.states[0] = tape.states[steps]
    return coins.size


@dataclass(frozen=True)
class Continual:
    """One line of the paper's table.

    Attributes:
        name: as in the paper.
        cell: one of NETS.
        pace: how it learns.
        fade: the rate is multiplied by this after each symbol of a stream.
        marks: the criterion, with the streams after which the paper's runs had solved the task.
        weights: in the paper.
        share: of the paper's runs that succeed.
        limit: streams after which a run has failed.
        symbols: symbols after which it has, too.
        anew: streams after which a net that is stuck begins anew with other weights; all of them are counted.
    """

    name: str
    cell: str
    pace: Pace
    fade: float = 1.0
    marks: tuple[Mark, ...] = (Mark(),)
    weights: int = 0
    share: float | None = None
    limit: int = 30_000
    symbols: int = 60_000_000
    anew: int = 8_000

    @property
    def cells(self) -> tuple[str, ...]:
        """The one cell it is for."""
        return (self.cell,)


CONTINUAL = (
    Continual("continual", "lstm", Pace(0.006), share=0.0),
    Continual("continual", "forget", Pace(0.006), marks=(Mark(paper=18_889),), weights=424, share=0.18),
    Continual(
        "continual, decaying rate", "forget", Pace(0.02), 0.99, (Mark(paper=14_087),), 424, 0.62, symbols=300_000_000
    ),
    Continual("continual", "rnn", Pace(0.006)),
)


def run(task: Continual, seed: int, share: float = 1.0) -> dict[str, object]:
    """Trains one net, testing it now and then, after streams that it foretold to their ends, until it solves the task.

    Args:
        task: what to learn.
        seed: of weights and symbols.
        share: of the limits after which to give up.

    Returns:
        plain values: `marks`, the streams after which it had solved the task, if it had; `seen` streams and `symbols`
        learnt from; `length`, foretold symbols of the last test's streams, their mean; `weights` that were learnt.
    """
    random = np.random.default_rng([2000, seed])
    net = NETS[task.cell]
    learner = begin(net, random, 0.2, GATES, "gates outputs")
    roll, arcs = tape(net, WINDOW), np.stack(ARCS)

    def stream(learning: bool, longest: int) -> int:
        """Begins a new one; how many symbols were foretold."""
        place, total = np.zeros(3, np.int64), 0  # place[1] = 0 is B, which stands before the first arc but one
        place[0] = arcs[1, 0, 0]
        roll.activations[0], roll.states[0] = 0.0, 0.0
        size = 4 * WINDOW
        while total < longest:
            size = min(4 * size, 64 * WINDOW, longest - total)
            coins = random.integers(0, 2, size)
            foretold = read(net, learner, task.pace, task.fade, learning, arcs, place, coins, roll)
            total += foretold
            if foretold < size:
                break
        return total

    longest = LONGEST if task.fade == 1.0 else FADED
    seen = learnt = best = whole = 0
    length, marks = 0.0, list[int]()
    while not marks and seen < share * task.limit and learnt < share * task.symbols:
        if seen and seen % task.anew == 0 and best < STUCK:
            learner = begin(net, random, 0.2, GATES, "gates outputs")
        foretold = stream(True, longest)
        seen, learnt, best = seen + 1, learnt + foretold, max(best, foretold)
        whole += foretold == longest
        if foretold == longest and whole % EVERY[longest] == 0:
            tests = list[int]()
            while len(tests) < TESTS and tests.count(LONGEST) == len(tests):
                tests.append(stream(False, LONGEST))
            length = float(np.mean(tests))
            if length == LONGEST:
                marks.append(seen)
    if not marks:
        length = float(np.mean([stream(False, LONGEST) for _ in range(TESTS)]))
    return {"marks": marks, "seen": seen, "symbols": learnt, "length": length, "weights": int(learner.learnt.sum())}
