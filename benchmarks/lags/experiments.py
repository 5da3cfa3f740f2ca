"""The papers' experiments as values: task, net, initial weights, criterion, the paper's figures, and how we learn it.

Sections, nets, initial weights, criteria and figures are those of Hochreiter & Schmidhuber 1997, "Long short-term
memory", Neural Computation 9(8), section 5 and Tables 2 to 10, and of Gers, Schmidhuber & Cummins 2000, "Learning to
forget", Neural Computation 12(10), Table 2. Ours is how they learn: the whole gradient through time, where the papers
truncate it; Adam with cross-entropy, where they descend the squared error, except in 1 and 6, which descend the
cross-entropy, and in 2a, which descends the squared error. First biases of gates are ours in 1, 2a, 2b and 2c; 2a and
2b have an output gate and biases, 2c has biases of gates, which the paper's nets do without. A net that
is stuck begins anew.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from lags import tasks
from lags.cells import Net, count, hidden, split
from lags.training import Learner, Pace, Sequences, learner

CELLS = ("lstm", "rnn")
"""The LSTM of 1997, and the plain tanh RNN with as many units as it has cells and gates."""

PATIENCE = 20_000
"""Sequences that the tanh RNN gets at most: some of the papers' figures would take it hours."""


@dataclass(frozen=True)
class Mark:
    """One of an experiment's criteria, with the paper's figures.

    Attributes:
        name: short; empty if there is but one.
        wrong: how many sequences may be wrong.
        error: what the mean absolute error must stay below.
        paper: sequences to success in the paper.
    """

    name: str = ""
    wrong: int = 0
    error: float = np.inf
    paper: int = 0


@dataclass(frozen=True)
class Experiment:
    """One line of the papers' tables.

    Attributes:
        name: section of the paper and sizes.
        draw: makes the sequences.
        bound: a sequence is right if all outputs are off by less; 0: if all that may follow are above all others.
        net: the net of 1997.
        span: weights begin uniform in [-span, span].
        gates: first biases of the input gates and of the output gates, block by block.
        biased: which units have biases: "cells gates outputs", or some of these.
        pace: how it learns.
        marks: criteria, each harder than the one before; the run ends at the last.
        exam: sequences drawn to try a criterion on; 0: on the latest 2000 that it learnt from.
        book: size of a fixed set that it learns from, which is then part of the exam; 0: each sequence is new.
        weights: in the paper.
        share: of the paper's runs that succeed.
        limit: sequences after which a run has failed.
        alone: sequences from which only the direct connections learn, before the cells do.
        anew: sequences without a further criterion met, after which a net begins anew; all of them are counted.
    """

    name: str
    draw: Callable[[Generator, int], Sequences]
    bound: float
    net: Net
    span: float
    gates: tuple[tuple[float, ...], tuple[float, ...]]
    biased: str
    pace: Pace
    marks: tuple[Mark, ...]
    exam: int = 0
    book: int = 0
    weights: int = 0
    share: float = 1.0
    limit: int = 0
    alone: int = 0
    anew: int = 0
    cells: tuple[str, ...] = field(default=CELLS)

    def shape(self, cell: str) -> Net:
        """The net with another cell."""
        units = hidden(self.net)
        return self.net._replace(blocks=units, size=1, gates=0, fed=units) if cell == "rnn" else self.net

    def most(self, cell: str) -> int:
        """Sequences after which a run of this cell has failed; for the tanh RNN, not more than `PATIENCE`."""
        return min(self.limit, PATIENCE) if cell == "rnn" else self.limit

    def begin(self, cell: str, random: Generator) -> Learner:
        """First weights, and which of them are learnt."""
        return begin(self.shape(cell), random, self.span, self.gates, self.biased)


def begin(net: Net, random: Generator, span: float, gates: Sequence[Sequence[float]], biased: str) -> Learner:
    """Weights from [-span, span], then the gates' biases: of each kind of gate, if given, block by block.

    `biased` names the units that have biases: "cells gates outputs", or some of these.
    """
    vector = random.uniform(-span, span, count(net))
    learnt = np.ones(vector.size)
    cells = net.blocks * net.size
    for weights in (split(net, vector), split(net, learnt)):
        weights.base[:] *= "outputs" in biased
        weights.bias[:cells] *= "cells" in biased or (net.gates == 0 and "gates" in biased)
        weights.bias[cells:] *= "gates" in biased
    for gate, biases in enumerate(gates[: net.gates]):
        if len(biases):
            split(net, vector).bias[cells + gate * net.blocks : cells + (gate + 1) * net.blocks] = biases
    return learner(net, vector, learnt)


def _lag(
    name: str, draw: Callable[..., Sequences], enters: tuple[float, ...], pace: Pace, paper: int, anew: int = 0
) -> Experiment:
    return Experiment(
        name=name,
        draw=draw,
        bound=0.25,
        net=Net(101, 1, 1, 101, fed=1, direct=True, squared=True),
        span=0.2,
        gates=(enters, (-1.0,)),
        biased="gates outputs",
        pace=pace,
        alone=1000,
        anew=anew,
        marks=(Mark(paper=paper),),
        exam=10_000,
        weights=10_504,
        limit=paper * 3,
    )


def _distant(lag: int, distractors: int, paper: int, weights: int) -> Experiment:
    return Experiment(
        name=f"2c q={lag} p={distractors}",
        draw=functools.partial(tasks.distant, lag=lag, distractors=distractors),
        bound=0.2,
        net=Net(distractors + 4, 2, 1, 2, fed=6),
        span=0.2,
        gates=((-4.0, -6.0), ()),  # or a thousand distractors drive the states out of h's range before x and y count
        biased="gates",
        pace=Pace(0.01),
        marks=(Mark(paper=paper),),
        exam=10_000,
        weights=weights,
        limit=paper,
    )


def _twofold(letter: str, least: int, telling: int, pace: Pace, marks: tuple[Mark, ...]) -> Experiment:
    return Experiment(
        name=f"3{letter} T={least} N={telling}",
        draw=functools.partial(tasks.twofold, least=least, telling=telling, inputs=letter == "b", goals=letter == "c"),
        bound=0.1 if letter == "c" else 0.2,
        net=Net(1, 3, 1, 1, fed=9),
        span=0.1,
        gates=((-1.0, -3.0, -5.0), (-2.0, -4.0, -6.0)),
        biased="cells gates",
        pace=pace,
        marks=marks,
        exam=256,
        weights=102,
        limit=marks[-1].paper * (3 if letter != "c" and least == 100 else 1),
        anew=0 if letter == "c" else 20_000 if least == 100 else 60_000,
    )


def _sum(name: str, draw: Callable[..., Sequences], least: int, pace: Pace, marks: tuple[Mark, ...]) -> Experiment:
    return Experiment(
        name=name,
        draw=functools.partial(draw, least=least),
        bound=0.04,
        net=Net(2, 2, 2, 1, fed=8),
        span=0.1,
        gates=((-3.0, -6.0), ()),
        biased="cells gates outputs",
        pace=pace,
        marks=marks,
        weights=93,
        limit=marks[-1].paper * (3 if least == 100 else 1),
        anew=1_000 * least if draw is tasks.addition else 1_000_000,
    )


def _order(letter: str, places: tuple[int, ...], pace: Pace, paper: int, weights: int) -> Experiment:
    blocks = len(places)
    return Experiment(
        name=f"6{letter}",
        draw=functools.partial(tasks.order, places=places),
        bound=0.3,
        net=Net(8, blocks, 2, 2**blocks, fed=4 * blocks),
        span=0.1,
        gates=((-2.0, -4.0, -6.0)[:blocks], ()),
        biased="cells gates outputs",
        pace=pace,
        marks=(Mark(error=0.1, paper=paper),),
        weights=weights,
        limit=paper * 3,
    )


EXPERIMENTS = (
    Experiment(
        name="1 Reber",
        draw=tasks.reber,
        bound=0.0,
        net=Net(7, 3, 2, 7, fed=12),
        span=0.5,
        gates=((-1.0, -3.0, -5.0), ()),
        biased="gates",
        pace=Pace(0.3, clip=10.0, memory=0.0, adam=False, half=5000.0),
        marks=(Mark(paper=8_440),),
        exam=256,
        book=256,
        weights=276,
        limit=200_000,
        anew=5_000,
    ),
    _lag("2a p=100", tasks.regular, (), Pace(1.0, clip=10.0, memory=0.0, adam=False), 5_040, anew=5_000),
    _lag("2b p=100", tasks.irregular, (-4.0,), Pace(0.003, clip=10.0), 5_680),
    _distant(50, 50, 30_000, 364),
    _distant(100, 100, 31_000, 664),
    _distant(200, 200, 33_000, 1_264),
    _distant(500, 500, 38_000, 3_064),
    _distant(1000, 1000, 49_000, 6_064),
    _distant(1000, 500, 49_000, 3_064),
    _distant(1000, 200, 75_000, 1_264),
    _distant(1000, 100, 135_000, 664),
    _distant(1000, 50, 203_000, 364),
    _twofold("a", 100, 3, Pace(0.02, half=2000.0), (Mark("ST1", paper=27_380), Mark("ST2", error=0.01, paper=39_850))),
    _twofold("a", 100, 1, Pace(0.02, half=2000.0), (Mark("ST1", paper=58_370), Mark("ST2", error=0.01, paper=64_330))),
    _twofold("a", 1000, 3, Pace(0.01), (Mark("ST1", paper=446_850), Mark("ST2", error=0.01, paper=452_460))),
    _twofold("b", 100, 3, Pace(0.02, half=2000.0), (Mark("ST1", 5, paper=41_740), Mark("ST2", 5, 0.04, 43_250))),
    _twofold("b", 100, 1, Pace(0.02, half=2000.0), (Mark("ST1", 5, paper=74_950), Mark("ST2", 5, 0.04, 78_430))),
    _twofold("b", 1000, 1, Pace(0.02, half=10000.0), (Mark("ST1", 5, paper=481_060), Mark("ST2", 5, 0.04, 485_080))),
    _twofold("c", 100, 3, Pace(0.02, half=2000.0), (Mark(error=0.015, paper=269_650),)),
    _twofold("c", 100, 1, Pace(0.02, half=2000.0), (Mark(error=0.015, paper=565_640),)),
    _sum("4 T=100", tasks.addition, 100, Pace(0.01, half=20000.0), (Mark(error=0.01, paper=74_000),)),
    _sum("4 T=500", tasks.addition, 500, Pace(0.01, half=20000.0), (Mark(error=0.01, paper=209_000),)),
    _sum("4 T=1000", tasks.addition, 1000, Pace(0.01, half=20000.0), (Mark(error=0.01, paper=853_000),)),
    _sum(
        "5 T=100",
        tasks.product,
        100,
        Pace(0.005, half=120000.0),
        (Mark("140 wrong", 139, paper=482_000), Mark("13 wrong", 12, paper=1_273_000)),
    ),
    _order("a", (10, 50), Pace(1.0, memory=0.0, adam=False), 31_390, 156),
    _order("b", (10, 33, 66), Pace(0.5, memory=0.0, adam=False), 571_100, 308),
)
