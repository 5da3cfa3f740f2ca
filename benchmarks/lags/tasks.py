"""Chance -> sequences: the tasks of Hochreiter & Schmidhuber 1997, "Long short-term memory", section 5.

Each function draws N sequences at once; what they say of a task is the paper's definition.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from lags import grammar
from lags.cells import Floats, Ints
from lags.training import Sequences

NOISE = 0.2
"""Variance of the noise in the two-sequence problem, whose inputs are 1 and -1."""


def reber(random: Generator, count: int) -> Sequences:
    """1, embedded Reber grammar: predict the next symbol of a string, all along; 7 lines, 7 outputs.

    Right if the outputs of all symbols that may follow are above those of all others, at every step.
    """
    drawn = grammar.strings(random, count)
    lengths = np.array([len(symbols) - 1 for symbols, _ in drawn])
    lines = np.zeros((count, lengths.max(), 1), np.int64)
    targets = np.zeros((count, lengths.max(), len(grammar.SYMBOLS)))
    truths = np.zeros(targets.shape)
    for n, (symbols, choices) in enumerate(drawn):
        steps = np.arange(lengths[n])
        lines[n, steps, 0] = symbols[:-1]
        targets[n, steps, symbols[1:]] = 1.0
        truths[n, steps[:, None], choices[1:]] = 1.0
    firsts = np.zeros(count, np.int64)
    return Sequences(lines, np.ones(lines.shape), lengths, firsts, targets, firsts, truths)


def regular(random: Generator, count: int, lag: int = 100) -> Sequences:
    """2a, noise-free, with local regularities: y, a_1 ... a_(p-1), y or the same with x; predict each next symbol.

    p + 1 lines and outputs: a_1 ... a_(p-1), x, y. Right if every output is off by less than 0.25 at every step.
    """
    return _echo(random, count, lag, np.broadcast_to(np.arange(lag - 1), (count, lag - 1)))


def irregular(random: Generator, count: int, lag: int = 100) -> Sequences:
    """2b, no local regularities: as 2a, but what lies between is drawn from a_1 ... a_(p-1).

    Right if every output is off by less than 0.25 at the end, which alone can be predicted. The paper asks for the
    unpredictable symbols, too; here error comes from the end alone, or x and y would be learnt as rare symbols.
    """
    sequences = _echo(random, count, lag, random.integers(0, lag - 1, (count, lag - 1)))
    last, goals = sequences.lengths - 1, np.ascontiguousarray(sequences.targets[:, -1:])
    return sequences._replace(firsts=last, targets=goals, asked=last, truths=goals)


def _echo(random: Generator, count: int, lag: int, between: Ints) -> Sequences:
    """A symbol, what lies between, the same symbol; all but the last are read, all but the first foretold."""
    which = random.integers(lag - 1, lag + 1, (count, 1))
    symbols = np.concatenate([which, between, which], axis=1)
    targets = np.zeros((count, lag, lag + 1))
    np.put_along_axis(targets, symbols[:, 1:, None], 1.0, axis=2)
    lines, firsts = symbols[:, :-1, None].copy(), np.zeros(count, np.int64)
    return Sequences(lines, np.ones(lines.shape), np.full(count, lag), firsts, targets, firsts, targets)


def distant(random: Generator, count: int, lag: int, distractors: int) -> Sequences:
    """2c, very long time lags: b, then x or y, then q + k of p distractors, then e; which of x and y was it?

    P(k) = 0.1 * 0.9^k. p + 4 lines (distractors, e, b, x, y), 2 outputs, error at the end alone; `lag` is the paper's
    q, `distractors` its p. Right if both outputs are off by less than 0.2.
    """
    lengths = lag + 2 + random.geometric(0.1, count)
    longest = lengths.max()
    lines = random.integers(0, distractors, (count, longest, 1))
    which = random.integers(0, 2, count)
    lines[:, 0, 0] = distractors + 1
    lines[:, 1, 0] = distractors + 2 + which
    lines[np.arange(count), lengths - 1, 0] = distractors
    targets = (which[:, None, None] == np.arange(2)).astype(float)
    return Sequences(lines, np.ones(lines.shape), lengths, lengths - 1, targets, lengths - 1, targets)


def twofold(
    random: Generator, count: int, least: int, telling: int, inputs: bool = False, goals: bool = False
) -> Sequences:
    """3, the two-sequence problem of Bengio et al. 1994: the first N values are 1 or -1, by the class, then noise.

    T to 1.1 T steps of one line, noise of variance 0.2, one output at the end; `least` is the paper's T, `telling` its
    N. Targets 1 and 0; right if off by less than 0.2.

    Args:
        random: where chance comes from.
        count: how many.
        least: T.
        telling: N.
        inputs: 3b: noise on the telling values, too.
        goals: 3c: targets 0.2 and 0.8 under noise of variance 0.1; right if off by less than 0.1 from those without.
    """
    lengths = random.integers(least, least + least // 10 + 1, count)
    values = random.normal(0.0, NOISE**0.5, (count, lengths.max(), 1))
    first = random.integers(0, 2, count) == 1
    told = np.where(first, 1.0, -1.0)[:, None]
    values[:, :telling, 0] = told + values[:, :telling, 0] * inputs
    truths = (np.where(first, 0.2, 0.8) if goals else first.astype(float))[:, None, None]
    targets = truths + random.normal(0.0, 0.1**0.5, truths.shape) * goals
    return Sequences(np.zeros(values.shape, np.int64), values, lengths, lengths - 1, targets, lengths - 1, truths)


def addition(random: Generator, count: int, least: int) -> Sequences:
    """4, adding: the sum of the two marked ones of T to 1.1 T values from [-1, 1], scaled to 0.5 + (X1 + X2) / 4.

    Lines: value, marker. One of the first ten steps is marked by 1, then one of the first T/2 - 1 yet unmarked; the
    first and the last marker are -1; a marked first step counts as 0. Right if off by less than 0.04 at the end.
    """
    values, lengths, first, second = _marked(random, count, least, -1.0, 0.0)
    return _real(values, lengths, 0.5 + (first + second) / 4.0)


def product(random: Generator, count: int, least: int) -> Sequences:
    """5, multiplication: as adding, but values from [0, 1], the target X1 * X2, and a marked first step counts as 1."""
    values, lengths, first, second = _marked(random, count, least, 0.0, 1.0)
    return _real(values, lengths, first * second)


def _marked(
    random: Generator, count: int, least: int, low: float, neutral: float
) -> tuple[Floats, Ints, Floats, Floats]:
    """Values and markers [N, T, 2], lengths, and the two marked values."""
    rows = np.arange(count)
    lengths = random.integers(least, least + least // 10 + 1, count)
    values = np.zeros((count, lengths.max(), 2))
    values[:, :, 0] = random.uniform(low, 1.0, values.shape[:2])
    early = random.integers(0, 10, count)
    later = random.integers(0, least // 2 - 1, count)
    later += later >= early
    values[rows, 0, 1] = values[rows, lengths - 1, 1] = -1.0
    values[rows, early, 1] = values[rows, later, 1] = 1.0
    first, second = (np.where(place == 0, neutral, values[rows, place, 0]) for place in (early, later))
    return values, lengths, first, second


def _real(values: Floats, lengths: Ints, targets: Floats) -> Sequences:
    """Sequences of real values on all lines, and one number wanted at the end."""
    lines = np.broadcast_to(np.arange(values.shape[2]), values.shape).copy()
    goals = targets[:, None, None]
    return Sequences(lines, values, lengths, lengths - 1, goals, lengths - 1, goals)


def order(random: Generator, count: int, places: tuple[int, ...] = (10, 50)) -> Sequences:
    """6, temporal order: E, then 98 to 108 of a, b, c, d but for two or three X or Y, then B; in which order are they?

    The first X or Y stands at step 10 to 20, the second at 50 to 60 (6a: places 10, 50); or the three of 6b at 10 to
    20, 33 to 43 and 66 to 76. Lines a, b, c, d, X, Y, E, B; 4 or 8 outputs, one for each order, error at the end alone.
    Right if all outputs are off by less than 0.3.
    """
    lengths = random.integers(100, 111, count)
    rows = np.arange(count)
    lines = random.integers(0, 4, (count, lengths.max(), 1))
    lines[:, 0, 0], lines[rows, lengths - 1, 0] = 6, 7
    kind = np.zeros(count, np.int64)
    for place in places:
        which = random.integers(0, 2, count)
        lines[rows, place + random.integers(0, 11, count), 0] = 4 + which
        kind = 2 * kind + which
    targets = (kind[:, None, None] == np.arange(2 ** len(places))).astype(float)
    return Sequences(lines, np.ones(lines.shape), lengths, lengths - 1, targets, lengths - 1, targets)
