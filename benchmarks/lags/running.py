"""An experiment, a cell, a seed -> when the net met each criterion: one run, in one process."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.random import Generator

from lags.cells import Floats, Net, Tape, split, tape
from lags.experiments import Experiment, Mark
from lags.training import Learner, Pace, Sequences, answer, learn, ranked, within

RECENT = 2000
"""How many of the latest training sequences the criteria of experiments 4 to 6 look at."""
LESSON = 100
"""Sequences between two looks at the criteria."""
FINAL = 2560
"""Sequences of the last test, as in the paper."""


def run(experiment: Experiment, cell: str, seed: int, share: float = 1.0) -> dict[str, object]:
    """Trains one net until it meets the last criterion or reaches the limit.

    Args:
        experiment: what to learn.
        cell: one of CELLS.
        seed: of weights and sequences.
        share: of the experiment's limit after which to give up.

    Returns:
        plain values: `marks` the sequences after which each criterion was met, as far as they were; `seen` all of them;
        `wrong` of FINAL new sequences and `error`, their mean absolute error; `weights` that were learnt.
    """
    random = np.random.default_rng([1997, seed])
    net = experiment.shape(cell)
    learner, everything = beginning(experiment, cell, random)
    desk = Desk(net, learner)

    def lessons() -> Iterator[Sequences]:
        while True:
            yield experiment.draw(random, LESSON)

    taught, fixed = lessons(), list[Sequences]()
    if experiment.book:
        book = experiment.draw(random, experiment.book)
        taught = (pick(book, random.integers(0, experiment.book, LESSON)) for _ in itertools.count())
        fixed.append(book)
    if 0 < experiment.exam <= 256:
        fixed.append(experiment.draw(random, experiment.exam))

    recent = deque[tuple[bool, float]](maxlen=RECENT)
    marks: list[int] = []
    seen = begun = 0
    while len(marks) < len(experiment.marks) and seen < share * experiment.most(cell):
        lesson, pace = next(taught), experiment.pace
        if experiment.anew and seen - max([begun, *marks]) == experiment.anew:
            begun = seen
            learner, everything = beginning(experiment, cell, random)
            desk.learner = learner
            if 0 < experiment.exam <= 256:  # also: in 3b, chance makes test sets that nobody can pass
                fixed[-1] = experiment.draw(random, experiment.exam)
        if seen - begun < experiment.alone:
            pace = Pace(0.1)
        elif seen - begun == experiment.alone:
            learner.learnt[:] = everything
        outputs = desk.outputs(lesson)
        learn(net, learner, lesson, pace, desk.tape, outputs)
        seen += LESSON
        judged = judge(experiment, outputs, lesson)
        recent.extend(judged)
        while len(marks) < len(experiment.marks):
            mark = experiment.marks[len(marks)]
            if not experiment.exam:
                met = len(recent) == RECENT and meets(mark, [recent])
            elif not meets(_leniently(mark, experiment.exam), [judged]):
                met = False  # not worth an exam
            else:
                papers = fixed or itertools.islice(lessons(), experiment.exam // LESSON)
                met = meets(mark, (judge(experiment, desk.answers(paper), paper) for paper in papers))
            if not met:
                break
            marks.append(seen)
    finals = itertools.islice(lessons(), -(-FINAL // LESSON))
    last = [row for paper in finals for row in judge(experiment, desk.answers(paper), paper)]
    return {
        "marks": marks,
        "seen": seen,
        "wrong": sum(not right for right, _ in last[:FINAL]),
        "error": float(np.mean([error for _, error in last[:FINAL]])),
        "weights": int(everything.sum()),
    }


def beginning(experiment: Experiment, cell: str, random: Generator) -> tuple[Learner, Floats]:
    """A net that has learnt nothing, and which of its weights it is to learn once it is not `alone` any more."""
    learner = experiment.begin(cell, random)
    everything = learner.learnt.copy()
    if experiment.alone:  # the remedy of section 4 against the "abuse problem": cells come when the rest has learnt
        learner.learnt[:] = 0.0
        learnt = split(experiment.shape(cell), learner.learnt)
        learnt.across[:] = learnt.base[:] = 1.0
    return learner, everything


class Desk:
    """A net at work: keeps the tape between sequences."""

    def __init__(self, net: Net, learner: Learner) -> None:
        self.net, self.learner = net, learner
        self.tape: Tape = tape(net, 0)

    def outputs(self, sequences: Sequences) -> Floats:
        """Room for the answers [N, S, O], and a tape that is long enough."""
        if len(self.tape.activations) <= sequences.lines.shape[1]:
            self.tape = tape(self.net, sequences.lines.shape[1] + 16)
        return np.zeros(sequences.targets.shape)

    def answers(self, sequences: Sequences) -> Floats:
        """[N, S, O]"""
        outputs = self.outputs(sequences)
        answer(self.net, self.learner, sequences, self.tape, outputs)
        return outputs


def pick(sequences: Sequences, rows: np.ndarray) -> Sequences:
    """Some of them, in this order."""
    return Sequences(*(part[rows] for part in sequences))


def judge(experiment: Experiment, outputs: Floats, sequences: Sequences) -> list[tuple[bool, float]]:
    """For each sequence: is it right, and its mean absolute error."""
    right, errors = np.zeros(len(outputs), np.bool_), np.zeros(len(outputs))
    if experiment.bound:
        within(experiment.bound, sequences, outputs, right, errors)
    else:
        ranked(sequences, outputs, right, errors)
    return list(zip(right.tolist(), errors.tolist(), strict=True))


def meets(mark: Mark, groups: Iterable[Iterable[tuple[bool, float]]]) -> bool:
    """Do the judged sequences meet a criterion? Reads no further group once too many are wrong."""
    wrong, errors = 0, list[float]()
    for group in groups:
        for right, error in group:
            wrong += not right
            errors.append(error)
        if wrong > mark.wrong:
            return False
    return float(np.mean(errors)) < mark.error


def _leniently(mark: Mark, exam: int) -> Mark:
    """What a lesson must meet for an exam to have a chance."""
    return Mark(wrong=5 + 2 * LESSON * mark.wrong // exam, error=1.5 * mark.error)
