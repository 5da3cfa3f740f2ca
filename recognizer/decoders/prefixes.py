"""One matrix of log-probabilities -> its likeliest texts: prefix beam search, compiled by Numba.

Hannun et al., *First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs* (2014),
after Graves, *Supervised Sequence Labelling with Recurrent Neural Networks* (2012), 7.5.2. A prefix carries the mass of
its paths that end in the blank and of those that end in its last label, apart, and beside each the best single path,
which says where the labels stand. Prefixes live in a tree in which each occurs once, so that paths which meet add up,
also after a prefix had fallen out of the beam. T frames, A labels, W width; everything is a natural logarithm.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from recognizer.decoders.fusion import (
    CHILD,
    COMMITTED,
    DONE,
    ENTRY,
    LABEL,
    MATCH,
    OPEN,
    PARENT,
    PLACE,
    SIBLING,
    SLOT,
    SPELT,
    STAMP,
    STATE,
    UNKNOWN,
    Floats,
    Ints,
    Language,
    conclude,
    extend,
)
from recognizer.decoders.heap import push, rank
from recognizer.decoders.hotwords import RISE
from recognizer.decoders.lexicon import WORD
from recognizer.decoders.native import compiled, part

NODE, OLDEST, YOUNGER, CLOSED, ORIGIN = range(5)
BLANKS, LETTERS, PATH_BLANK, PATH_LETTER, CLOSED_LABELS, LABELS, SINCE, PEAK = range(8)
"""A place in the beam. Mass of the paths that end in the blank and in the last label; the best path of each; for these
two the chain of the labels before, all of them and all but the last; where that last one began, its peak."""
TOO_SMALL = -40.0  # ln: what is added below this share changes no float64


@part
def add(one: float, other: float) -> float:
    """ln(e^one + e^other)."""
    if one < other:
        one, other = other, one
    if other == -np.inf or other - one < TOO_SMALL:
        return one
    return one + math.log1p(math.exp(other - one))


@part
def close(now: Any, marks: Ints, slot: int, chains: Any, links: int, frame: int) -> int:
    """End the label in which the best path of a slot stands; once for all that follow. The number of links then."""
    if marks[slot, CLOSED] < 0:
        chains[links, 0], chains[links, 1], chains[links, 2] = now[slot, LABELS], now[slot, SINCE], frame
        chains[links, 3] = now[slot, PEAK]
        marks[slot, CLOSED] = links
        links += 1
    return links


@part
def stays(now: Any, kept: Any, marks: Ints, nodes: Ints, size: int, frame: Floats, blank: int, t: int) -> None:
    """The same prefixes again: through the blank, through their last labels, or from a shorter one in the beam."""
    for s in range(size):
        marks[s, OLDEST], marks[s, CLOSED] = -1, -1
        nodes[marks[s, NODE], SLOT], nodes[marks[s, NODE], STAMP] = s, t
    for s in range(size):
        label, parent = nodes[marks[s, NODE], LABEL], nodes[marks[s, NODE], PARENT]
        kept[s, BLANKS] = add(now[s, BLANKS], now[s, LETTERS]) + frame[blank]
        kept[s, PATH_BLANK] = max(now[s, PATH_BLANK], now[s, PATH_LETTER]) + frame[blank]
        kept[s, LETTERS], kept[s, PATH_LETTER] = -np.inf, -np.inf
        marks[s, ORIGIN] = -1
        if parent < 0:
            continue
        kept[s, LETTERS] = now[s, LETTERS] + frame[label]
        kept[s, PATH_LETTER] = now[s, PATH_LETTER] + frame[label]
        if nodes[parent, STAMP] == t:
            q = nodes[parent, SLOT]
            marks[s, YOUNGER], marks[q, OLDEST] = marks[q, OLDEST], s
            mass, path = now[q, BLANKS], now[q, PATH_BLANK]
            if nodes[parent, LABEL] != label:
                mass, path = add(mass, now[q, LETTERS]), max(path, now[q, PATH_LETTER])
            kept[s, LETTERS] = add(kept[s, LETTERS], mass + frame[label])
            if path + frame[label] > kept[s, PATH_LETTER]:
                kept[s, PATH_LETTER], marks[s, ORIGIN] = path + frame[label], q


@part
def born(lm: Language, nodes: Ints, costs: Any, tree: int, parent: int, label: int) -> int:
    """The node of a prefix and one more label; a new one, numbered `tree`, if it never was in the beam."""
    child = np.int64(nodes[parent, CHILD])
    while child >= 0 and nodes[child, LABEL] != label:
        child = np.int64(nodes[child, SIBLING])
    if child < 0:
        child = tree
        committed, open_, state, place, match = extend(lm, nodes, costs, parent, label)
        nodes[child, PARENT], nodes[child, LABEL], nodes[child, CHILD] = parent, label, -1
        nodes[child, SIBLING], nodes[parent, CHILD] = nodes[parent, CHILD], child
        nodes[child, STAMP], nodes[child, DONE], nodes[child, ENTRY] = -1, UNKNOWN, UNKNOWN
        nodes[child, STATE], nodes[child, PLACE], nodes[child, MATCH] = state, place, match
        costs[child, COMMITTED], costs[child, OPEN] = committed, open_
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
    costs: Any,
    chains: Any,
) -> tuple[int, Any, Ints, Any, Ints]:
    """Walk through one matrix [T, A].

    Args:
        least: labels below this log-probability start nothing new in a frame, unless they are its likeliest.
        span: prefixes that lie further than this below the frame's best are dropped.
        nodes, costs, chains: room for T x width + 1 prefixes [., 9], [., 3], and for as many closed labels [., 4].

    Returns:
        how many prefixes are left; for each its masses and best path, its node, ln of the sum of its paths with the
        language model's gain beside it, and their order, best first.
    """
    frames, labels = matrix.shape
    for column in range(11):
        nodes[0, column] = -1
    nodes[0, STATE], nodes[0, PLACE], nodes[0, MATCH] = lm.start, 0, 0
    for column in range(3):
        costs[0, column] = 0.0
    one = np.int64(1)  # to Numba a bare 1 is a type of its own, and all that it is given to would be compiled twice
    none, tree, links, size = one - 1, one, one - 1, one
    now, kept, then = np.empty((width, 8)), np.empty((width, 8)), np.empty((width, 8))
    marks, others = np.zeros((width, 5), np.int32), np.zeros((width, 5), np.int32)
    for column in range(8):
        now[0, column] = -np.inf
    now[0, BLANKS] = now[0, PATH_BLANK] = 0.0
    now[0, CLOSED_LABELS] = now[0, LABELS] = now[0, SINCE] = -1
    room = width * labels + width
    slots, letters, masses = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room)
    heap, order = np.empty(width), np.empty(width, np.int32)
    target, tokens = np.full(labels, -1, np.int32), np.empty(labels, np.int32)

    for t in range(frames):
        frame = matrix[t]
        highest = frame[0]
        for label in range(labels):
            highest = max(highest, frame[label])
        count = 0
        for label in range(labels):
            if label != blank and frame[label] > -np.inf and (frame[label] >= least or frame[label] == highest):
                tokens[count] = label
                count += 1
        stays(now, kept, marks, nodes, size, frame, blank, t)
        best, held, candidates = -np.inf, none, none
        for s in range(size):
            score = add(kept[s, BLANKS], kept[s, LETTERS])
            if width == 1:  # a beam of one keeps one ending, and is the best path
                score = max(kept[s, BLANKS], kept[s, LETTERS])
            if score > -np.inf:
                score += costs[marks[s, NODE], COMMITTED] + costs[marks[s, NODE], OPEN]
                best = max(best, score)
                slots[candidates], letters[candidates] = s, -1
                held = push(heap, order, held, score, candidates)
                candidates += 1
        # Longer prefixes. What a language model adds is at most the bonus, so most of them need not ask it.
        for s in range(size):
            node = np.int64(marks[s, NODE])
            child = marks[s, OLDEST]
            while child >= 0:
                target[nodes[marks[child, NODE], LABEL]] = t
                child = marks[child, YOUNGER]
            total = add(now[s, BLANKS], now[s, LETTERS])
            bound = 0.0
            if lm.helped:
                bound = costs[node, COMMITTED] + max(lm.bonus, 0.0)
                if lm.hot >= 0:
                    bound += lm.earned[nodes[node, MATCH], RISE]
            for i in range(count):
                label = np.int64(tokens[i])
                if target[label] == t:
                    continue
                mass = frame[label] + (now[s, BLANKS] if nodes[node, LABEL] == label else total)
                floor = best + span
                if held == width:
                    floor = max(floor, heap[0])
                if mass == -np.inf or mass + bound < floor:
                    continue
                score = mass
                if lm.helped:
                    committed, open_, _, _, _ = extend(lm, nodes, costs, node, label)
                    score += committed + open_
                    if score < floor or score == -np.inf:
                        continue
                best = max(best, score)
                slots[candidates], letters[candidates], masses[candidates] = s, label, mass
                held = push(heap, order, held, score, candidates)
                candidates += 1
            child = marks[s, OLDEST]
            while child >= 0:
                target[nodes[marks[child, NODE], LABEL]] = -1
                child = marks[child, YOUNGER]
        rank(heap, order, held)
        size = none
        while size < held and heap[size] >= best + span:
            s, label = np.int64(slots[order[size]]), np.int64(letters[order[size]])
            source = s
            if label < 0:
                others[size, NODE] = marks[s, NODE]
                for column in range(4):
                    then[size, column] = kept[s, column]
                then[size, CLOSED_LABELS] = now[s, CLOSED_LABELS]
                if now[s, PATH_LETTER] > now[s, PATH_BLANK]:
                    links = close(now, marks, s, chains, links, t)
                    then[size, CLOSED_LABELS] = marks[s, CLOSED]
                then[size, LABELS], then[size, SINCE], then[size, PEAK] = now[s, LABELS], now[s, SINCE], now[s, PEAK]
                source = np.int64(marks[s, ORIGIN])
                label = np.int64(nodes[marks[s, NODE], LABEL])
                if label >= 0:
                    then[size, PEAK] = max(now[s, PEAK], frame[label])
            else:
                others[size, NODE] = born(lm, nodes, costs, tree, np.int64(marks[s, NODE]), label)
                tree = max(tree, others[size, NODE] + 1)
                path = now[s, PATH_BLANK]
                if nodes[marks[s, NODE], LABEL] != label:
                    path = max(path, now[s, PATH_LETTER])
                then[size, BLANKS], then[size, LETTERS] = -np.inf, masses[order[size]]
                then[size, PATH_BLANK], then[size, PATH_LETTER] = -np.inf, path + frame[label]
                then[size, CLOSED_LABELS] = -1
            if source >= 0:  # the best path has just begun the label
                then[size, LABELS] = now[source, CLOSED_LABELS]
                if nodes[marks[source, NODE], LABEL] != label and now[source, PATH_LETTER] > now[source, PATH_BLANK]:
                    links = close(now, marks, source, chains, links, t)
                    then[size, LABELS] = marks[source, CLOSED]
                then[size, SINCE], then[size, PEAK] = t, frame[label]
            size += 1
        if width == 1 and size == 1:
            worse = 0 if then[0, BLANKS] < then[0, LETTERS] else 1
            then[0, BLANKS + worse] = then[0, PATH_BLANK + worse] = -np.inf
        now, then = then, now
        marks, others = others, marks
        if size == 0:  # every text has probability 0
            break

    held = none
    for s in range(size):
        kept[s, 0] = add(now[s, BLANKS], now[s, LETTERS])
        kept[s, 1] = conclude(lm, nodes, costs, np.int64(marks[s, NODE]))
        if kept[s, 1] > -np.inf:
            held = push(heap[:size], order, held, kept[s, 0] + kept[s, 1], s)
    rank(heap, order, held)
    if held == 0 and size > 0:  # no word of a lexicon is complete: the best prefix, back to where one was
        node = np.int64(marks[0, NODE])
        while kept[0, 1] == -np.inf:
            node = np.int64(nodes[node, PARENT])
            kept[0, 1] = conclude(lm, nodes, costs, node)
        marks[0, NODE], kept[0, 0], order[0], held = node, np.nan, 0, one
    return held, now, marks, kept, order


def written(nodes: Ints, node: int) -> tuple[int, ...]:
    """The labels of a prefix."""
    labels = []
    while node > 0:
        labels.append(int(nodes[node, LABEL]))
        node = nodes[node, PARENT]
    return tuple(reversed(labels))


def listed(nodes: Ints, node: int, space: int, tree: Ints, entries: Ints) -> list[int]:
    """The numbers of the words of a lexicon that a prefix writes."""
    words, ended = [], True
    while node > 0:
        if ended and (place := nodes[node, PLACE]) > 0:
            entry = nodes[node, ENTRY]  # a character model leaves it open
            words.append(int(entries[entry if entry >= 0 else tree[place, SPELT], WORD]))
        ended = nodes[node, LABEL] == space
        node = nodes[node, PARENT]
    return words[::-1]


def total(matrix: Floats, labels: tuple[int, ...], blank: int) -> float:
    """ln of the sum over all paths of one text (Graves et al. 2006, 4.1)."""
    path = np.full(2 * len(labels) + 1, blank)
    path[1::2] = labels
    skips = np.zeros(len(path), bool)  # from one label to the next without a blank between them
    skips[3::2] = path[3::2] != path[1:-2:2]
    skips[1:2] = True  # a text may begin without a blank
    before = np.full(len(path) + 2, -np.inf)
    before[1] = 0.0  # the place before the first blank
    for frame in matrix:
        stay, step = before[2:], before[1:-1]
        skip = np.where(skips, before[:-2], -np.inf)
        before[2:] = np.logaddexp(np.logaddexp(stay, step), skip) + frame[path]
        before[:2] = -np.inf
    return float(np.logaddexp(before[-1], before[-2] if labels else -np.inf)) if len(matrix) else 0.0


def stood(place: Any, chains: Any, frames: int) -> tuple[tuple[tuple[int, int], ...], list[float]]:
    """For each label of a prefix the frames [first, last + 1) of its best path, and its peak there."""
    found, link = [], int(place[CLOSED_LABELS])
    if place[PATH_LETTER] > place[PATH_BLANK]:
        link = int(place[LABELS])
        found.append((int(place[SINCE]), frames, float(place[PEAK])))
    while link >= 0:
        link, first, end, peak = (
            int(chains[link, 0]),
            int(chains[link, 1]),
            int(chains[link, 2]),
            float(chains[link, 3]),
        )
        found.append((first, end, peak))
    found.reverse()
    return tuple((first, end) for first, end, _ in found), [peak for _, _, peak in found]
