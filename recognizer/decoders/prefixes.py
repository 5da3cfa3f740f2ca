"""One matrix of log-probabilities -> its likeliest texts: prefix beam search, compiled by Numba.

Hannun et al., *First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs* (2014),
after Graves, *Supervised Sequence Labelling with Recurrent Neural Networks* (2012), 7.5.2. A prefix carries the mass of
its paths that end in the blank and of those that end in its last label, apart, and beside each the best single path,
which says where the labels stand. Prefixes live in a tree in which each occurs once, so that paths which meet add up,
also after a prefix had fallen out of the beam. T frames, A labels, W width; everything is a natural logarithm.
"""

from __future__ import annotations

import math

import numpy as np

from recognizer.decoders.fusion import (
    CHILD,
    COLUMNS,
    COMMITTED,
    LABEL,
    MATCH,
    OPEN,
    PARENT,
    PLACE,
    SIBLING,
    SLOT,
    STATE,
    Floats,
    Ints,
    Language,
    Numbers,
    conclude,
    extend,
)
from recognizer.decoders.hotwords import RISE
from recognizer.native import compiled, part

NODE, CHOSEN, ENDED, CLOSED, LABELS, SINCE, MARKS = range(7)
"""Whole numbers of a place in the beam: its prefix, whether it stays, and of its best path the chain of the labels that
are over, the same when the frame began, that of those before the last label, and where the last one began."""
BLANKS, LETTERS, WHOLE, PATH_BLANK, PATH_LETTER, TURN = range(6)
"""Logarithms of a place: mass of the paths that end in the blank, in the last label, in either; the best path that ends
in the blank, in the last label. All stand there twice, for this frame and the next one, TURN columns apart."""
PEAK = 2 * TURN  # of the last label, on the best path
MASS, SCORE = 2, 3  # of a candidate, beside what is COMMITTED and OPEN
SUM, GAIN = 0, 1  # of what is left in the end, in the same table
TOO_SMALL = -40.0  # ln: what is added below this share changes no float64
LOWEST = -1.7e308


@part
def add(one: float, other: float) -> float:
    """ln(e^one + e^other)."""
    if one < other:
        one, other = other, one
    if other - one >= TOO_SMALL:  # not so where both are -inf
        return one + math.log1p(math.exp(other - one))
    return one


@part
def leave(beam: Numbers, marks: Ints, nodes: Ints, slot: int, label: int, now: int) -> tuple[float, float, int]:
    """What a prefix hands on to itself and one more label: its mass, its best path, and the labels on that."""
    mass, path, chain = beam[slot, now + BLANKS], beam[slot, now + PATH_BLANK], marks[slot, CLOSED]
    if nodes[marks[slot, NODE], LABEL] != label:  # else only through the blank
        mass, chain = beam[slot, now + WHOLE], marks[slot, ENDED]
        if beam[slot, now + PATH_LETTER] > path:
            path = beam[slot, now + PATH_LETTER]
    return mass, path, chain


@part
def stay(beam: Numbers, marks: Ints, nodes: Ints, slot: int, frame: Floats, blank: int, t: int, now: int) -> float:
    """The same prefix again: through the blank, its last label, or from a shorter one in the beam. Its mass."""
    then = TURN - now
    node, path = marks[slot, NODE], beam[slot, now + PATH_BLANK]
    blanks, letters, peak = beam[slot, now + WHOLE] + frame[blank], -np.inf, -np.inf
    if beam[slot, now + PATH_LETTER] > path:
        path = beam[slot, now + PATH_LETTER]
    beam[slot, then + BLANKS], beam[slot, then + PATH_BLANK] = blanks, path + frame[blank]
    path, parent = -np.inf, nodes[node, PARENT]
    if parent >= 0:
        label, source = nodes[node, LABEL], nodes[parent, SLOT]
        peak = frame[label]
        letters, path = beam[slot, now + LETTERS] + peak, beam[slot, now + PATH_LETTER] + peak
        if source >= 0:
            mass, begun, chain = leave(beam, marks, nodes, source, label, now)
            letters = add(letters, mass + peak)
            if begun + peak > path:
                path = begun + peak
                marks[slot, LABELS], marks[slot, SINCE], beam[slot, PEAK] = chain, t, peak
        if peak > beam[slot, PEAK]:
            beam[slot, PEAK] = peak
    beam[slot, then + LETTERS], beam[slot, then + PATH_LETTER] = letters, path
    return add(blanks, letters)


@part
def select(worth: Numbers, order: Ints, size: int, count: int) -> None:
    """Bring the best `count` of `size` candidates to the front (Hoare, *Algorithm 65: Find*, 1961)."""
    low, high = 0, size - 1
    while low < high:
        pivot = worth[order[(low + high) // 2], SCORE]
        left, right = low, high
        while left <= right:
            while worth[order[left], SCORE] > pivot:
                left += 1
            while worth[order[right], SCORE] < pivot:
                right -= 1
            if left <= right:
                order[left], order[right] = order[right], order[left]
                left, right = left + 1, right - 1
        if right < count - 1:
            low = left
        if left > count - 1:
            high = right


@part
def born(nodes: Ints, costs: Numbers, new: Ints, worth: Numbers, spot: int, tree: int) -> int:
    """The node of a candidate; a new one, numbered `tree`, if its prefix never was in the beam."""
    parent, label = new[spot, PARENT], new[spot, LABEL]
    child = nodes[parent, CHILD]
    while child >= 0 and nodes[child, LABEL] != label:
        child = nodes[child, SIBLING]
    if child < 0:
        child = tree
        for column in range(COLUMNS):
            nodes[child, column] = new[spot, column]
        costs[child, COMMITTED], costs[child, OPEN] = worth[spot, COMMITTED], worth[spot, OPEN]
        nodes[child, SIBLING], nodes[parent, CHILD] = nodes[parent, CHILD], child
    return child


@compiled
def search(
    matrix: Floats,
    blank: int,
    width: int,
    least: float,
    span: float,
    lm: Language,
    nodes: Ints,
    costs: Numbers,
    chains: Numbers,
    beam: Numbers,
    marks: Ints,
    new: Ints,
    worth: Numbers,
    live: Ints,
    order: Ints,
    tokens: Ints,
    taken: Ints,
) -> tuple[int, int]:
    """Walk through one matrix [T, A].

    Args:
        least: labels below this log-probability start nothing new in a frame, unless they are its likeliest.
        span: prefixes that lie further than this below the frame's best are dropped.
        nodes: and all that follow: see `Tables`.

    Returns:
        How many prefixes are left, and in which column of `beam` their masses begin. Their places are the first in
        `live`; of each `marks` has its NODE, and `worth` in SUM ln of the sum of its paths and in GAIN what is added.
    """
    frames, labels = matrix.shape
    for place in range(2 * width):
        live[place] = order[place] = place
    for label in range(labels):
        taken[label] = -1
    for column in range(COLUMNS):
        nodes[0, column] = -1
    nodes[0, SLOT], nodes[0, STATE], nodes[0, PLACE], nodes[0, MATCH] = 0, lm.start, 0, lm.match
    costs[0, COMMITTED] = costs[0, OPEN] = 0.0
    for column in range(TURN):
        beam[0, column] = -np.inf
    beam[0, BLANKS] = beam[0, WHOLE] = beam[0, PATH_BLANK] = 0.0
    marks[0, NODE], marks[0, ENDED] = 0, -1
    now, size, tree, links, looks = 0, 1, 1, 0, 0
    bonus = lm.bonus if lm.bonus > 0.0 else 0.0
    for t in range(frames):
        frame, then = matrix[t], TURN - now
        highest = frame[0]
        for label in range(labels):
            if frame[label] > highest:
                highest = frame[label]
        count, likeliest = 0, -np.inf
        for label in range(labels):
            value = frame[label]
            if (value >= least or value == highest) and value > -np.inf and label != blank:
                tokens[count] = label
                count += 1
                if value > likeliest:
                    likeliest = value
        begins = count
        for place in range(size):
            s = live[place]
            marks[s, CHOSEN], marks[s, CLOSED] = 0, marks[s, ENDED]
            if beam[s, now + PATH_LETTER] > beam[s, now + PATH_BLANK]:
                chains[links, 0], chains[links, 1] = marks[s, LABELS], marks[s, SINCE]
                chains[links, 2], chains[links, 3] = t, beam[s, PEAK]
                marks[s, ENDED] = links
                links += 1
        count, best, worst = 0, -np.inf, LOWEST
        for place in range(size):
            s = live[place]
            node, mass = marks[s, NODE], stay(beam, marks, nodes, s, frame, blank, t, now)
            if width == 1:  # a beam of one keeps one ending, and is the best path
                worse = BLANKS if beam[s, then + BLANKS] < beam[s, then + LETTERS] else LETTERS
                mass = beam[s, then + LETTERS - worse]
                beam[s, then + worse] = beam[s, then + PATH_BLANK + worse] = -np.inf
            beam[s, then + WHOLE] = mass
            score = mass + (costs[node, COMMITTED] + costs[node, OPEN])
            if score > -np.inf:
                if score > best:
                    best = score
                spot = order[count]
                new[spot, SLOT], new[spot, LABEL], worth[spot, SCORE] = s, -1, score
                count += 1
        # Longer prefixes. What a language model adds is at most the bonus, so most of them need not ask it.
        for place in range(size if begins > 0 else 0):
            s = live[place]
            node, whole = marks[s, NODE], beam[s, now + WHOLE]
            last = nodes[node, LABEL]
            bound = costs[node, COMMITTED] + bonus + lm.earned[nodes[node, MATCH] - lm.match, RISE]
            floor = best + span if best + span > worst else worst
            if whole + likeliest + bound < floor:
                continue
            looks += 1
            child = nodes[node, CHILD]
            while child >= 0:
                if nodes[child, SLOT] >= 0:
                    taken[nodes[child, LABEL]] = looks
                child = nodes[child, SIBLING]
            for i in range(begins):
                label = tokens[i]
                mass = frame[label] + (beam[s, now + BLANKS] if label == last else whole)
                if mass + bound < floor or taken[label] == looks:
                    continue
                spot = order[count]
                extend(lm, nodes, costs, node, label, new, worth, spot)
                score = mass + (worth[spot, COMMITTED] + worth[spot, OPEN])
                if score < floor:
                    continue
                new[spot, SLOT], worth[spot, MASS], worth[spot, SCORE] = s, mass, score
                count += 1
                if count == 2 * width:
                    count = width
                    select(worth, order, 2 * width, count)
                    worst = worth[order[width - 1], SCORE]
                if score > best:
                    best = score
                floor = best + span if best + span > worst else worst
        if count > width:
            select(worth, order, count, width)
            count = width
        for i in range(count):
            spot = order[i]
            if new[spot, LABEL] < 0 and worth[spot, SCORE] >= best + span:
                marks[new[spot, SLOT], CHOSEN] = 1
        kept, free = 0, size  # places that are left become free when the frame is over: longer prefixes look there
        for place in range(size):
            s = live[place]
            if marks[s, CHOSEN] == 1:
                live[place], live[kept] = live[kept], s
                kept += 1
            else:
                nodes[marks[s, NODE], SLOT] = -1
        for i in range(count):
            spot = order[i]
            label = new[spot, LABEL]
            if label >= 0 and worth[spot, SCORE] >= best + span:
                s, node = live[free], born(nodes, costs, new, worth, spot, tree)
                live[free], live[kept] = live[kept], s
                kept, free = kept + 1, free + 1
                if node == tree:
                    tree += 1
                _, path, chain = leave(beam, marks, nodes, new[spot, SLOT], label, now)
                nodes[node, SLOT] = s
                marks[s, NODE], marks[s, ENDED], marks[s, LABELS], marks[s, SINCE] = node, -1, chain, t
                beam[s, then + BLANKS] = beam[s, then + PATH_BLANK] = -np.inf
                beam[s, then + LETTERS] = beam[s, then + WHOLE] = worth[spot, MASS]
                beam[s, then + PATH_LETTER], beam[s, PEAK] = path + frame[label], frame[label]
        now, size = then, kept
        if size == 0:  # every text has probability 0
            break

    whole_words, first, best = False, 0, -np.inf
    for place in range(size):
        s = live[place]
        node = marks[s, NODE]
        worth[s, SUM], worth[s, GAIN] = beam[s, now + WHOLE], conclude(lm, nodes, costs, node)
        whole_words = whole_words or worth[s, GAIN] > -np.inf
        score = beam[s, now + WHOLE] + (costs[node, COMMITTED] + costs[node, OPEN])
        if score > best:
            best, first = score, s
    if size > 0 and not whole_words:  # no word of a lexicon is complete: the best prefix, back to where one was
        node = marks[first, NODE]
        while worth[first, GAIN] == -np.inf:
            node = nodes[node, PARENT]
            worth[first, GAIN] = conclude(lm, nodes, costs, node)
        marks[first, NODE], worth[first, SUM] = node, np.nan
    return size, now
