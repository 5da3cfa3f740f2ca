"""A net, sequences -> the net a little wiser, and its outputs: Adam on small batches, compiled.

Kingma & Ba 2015, "Adam: a method for stochastic optimization", with gradients clipped to a norm (Pascanu et al. 2013).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lags.cells import Bools, Floats, Ints, Net, Tape, Weights, backward, compiled, forward, split


class Sequences(NamedTuple):
    """N sequences, padded to the longest.

    Attributes:
        lines: [N, T, K] the input lines that are not zero.
        values: [N, T, K] what is on them.
        lengths: [N] steps of each.
        firsts: [N] the first step with a target; all later ones have one, too.
        targets: [N, S, O] what the outputs from `firsts` on are trained towards.
        asked: [N] the first step whose output is judged; all later ones are, too.
        truths: [N, S, O] what the outputs from `firsts` on are judged by: targets without noise, or all symbols that
            may follow.
    """

    lines: Ints
    values: Floats
    lengths: Ints
    firsts: Ints
    targets: Floats
    asked: Ints
    truths: Floats


class Learner(NamedTuple):
    """All that changes while a net learns: [P] each but `steps` [1].

    Attributes:
        vector: the weights.
        learnt: 1 for the weights that change, 0 for those that stay.
        means: running means of the gradients.
        squares: running means of their squares.
        steps: updates so far.
        gradient: zero between updates.
        weights: views into `vector`.
        slopes: views into `gradient`.
    """

    vector: Floats
    learnt: Floats
    means: Floats
    squares: Floats
    steps: Ints
    gradient: Floats
    weights: Weights
    slopes: Weights


def learner(net: Net, vector: Floats, learnt: Floats) -> Learner:
    """Begins with the weights [P], of which some are learnt."""
    gradient = np.zeros(vector.size)
    means, squares, steps = np.zeros(vector.size), np.zeros(vector.size), np.zeros(1, np.int64)
    return Learner(vector, learnt, means, squares, steps, gradient, split(net, vector), split(net, gradient))


class Pace(NamedTuple):
    """How it learns.

    Attributes:
        rate: step size of Adam.
        batch: sequences of an update.
        clip: largest norm of a batch's mean gradient.
        memory: decay of the running means of gradients; that of their squares is 0.999.
        adam: are gradients divided by their running size? If not, plain descent with momentum.
        half: updates after which the rate has halved; it falls as 1 / (1 + updates / half).
    """

    rate: float
    batch: int = 1
    clip: float = 1.0
    memory: float = 0.9
    half: float = math.inf
    adam: bool = True


@compiled
def update(learner: Learner, sequences: int, pace: Pace, factor: float) -> None:
    """One step along the gradient, the sum over so many sequences, which is set to zero; the rate times a factor."""
    vector, learnt, means, squares, _, gradient, _, _ = learner
    total = 0.0
    for p in range(gradient.size):
        gradient[p] *= learnt[p] / sequences
        total += gradient[p] * gradient[p]
    norm = math.sqrt(total)
    scale = pace.clip / norm if norm > pace.clip else 1.0
    learner.steps[0] += 1
    steps = learner.steps[0]
    rate = factor * pace.rate / (1.0 + steps / pace.half)
    unbiased = math.sqrt(1.0 - 0.999**steps) / (1.0 - pace.memory**steps)
    for p in range(gradient.size):
        slope = gradient[p] * scale
        gradient[p] = 0.0
        means[p] += (1.0 - pace.memory) * (slope - means[p])
        if pace.adam:
            squares[p] += 0.001 * (slope * slope - squares[p])
            vector[p] -= rate * unbiased * means[p] / (math.sqrt(squares[p]) + 1e-8)
        else:
            vector[p] -= rate * means[p]


@compiled
def learn(net: Net, learner: Learner, sequences: Sequences, pace: Pace, tape: Tape, outputs: Floats) -> None:
    """One pass over the sequences; outputs [N, S, O] are those before each update."""
    for n in range(sequences.lengths.size):
        lines, values, target = sequences.lines[n], sequences.values[n], sequences.targets[n]
        steps, first = sequences.lengths[n], sequences.firsts[n]
        forward(net, learner.weights, lines, values, steps, first, tape, outputs[n])
        backward(net, learner.weights, lines, values, steps, first, tape, outputs[n], target, learner.slopes)
        if (n + 1) % pace.batch == 0:
            update(learner, pace.batch, pace, 1.0)


@compiled
def answer(net: Net, learner: Learner, sequences: Sequences, tape: Tape, outputs: Floats) -> None:
    """Fills outputs [N, S, O]; learns nothing."""
    for n in range(sequences.lengths.size):
        steps, first = sequences.lengths[n], sequences.firsts[n]
        forward(net, learner.weights, sequences.lines[n], sequences.values[n], steps, first, tape, outputs[n])


@compiled
def within(bound: float, sequences: Sequences, outputs: Floats, right: Bools, errors: Floats) -> None:
    """Judges outputs [N, S, O]: is every one off by less than `bound`? Fills right [N], and errors [N], their mean."""
    for n in range(right.size):
        largest, total = 0.0, 0.0
        start, stop = sequences.asked[n] - sequences.firsts[n], sequences.lengths[n] - sequences.firsts[n]
        for s in range(start, stop):
            for o in range(outputs.shape[2]):
                error = abs(outputs[n, s, o] - sequences.truths[n, s, o])
                largest = max(largest, error)
                total += error
        errors[n] = total / ((stop - start) * outputs.shape[2])
        right[n] = largest < bound


@compiled
def ranked(sequences: Sequences, outputs: Floats, right: Bools, errors: Floats) -> None:
    """Judges outputs [N, S, O]: are, at every step, those of all that may follow (truth 1) above all others (truth 0)?

    Fills right [N], and errors [N], the share of steps where they are not.
    """
    for n in range(right.size):
        start, stop = sequences.asked[n] - sequences.firsts[n], sequences.lengths[n] - sequences.firsts[n]
        wrong = 0
        for s in range(start, stop):
            worst, best = 1.0, 0.0
            for o in range(outputs.shape[2]):
                if sequences.truths[n, s, o] == 1.0:
                    worst = min(worst, outputs[n, s, o])
                else:
                    best = max(best, outputs[n, s, o])
            wrong += worst <= best
        errors[n] = wrong / (stop - start)
        right[n] = wrong == 0
