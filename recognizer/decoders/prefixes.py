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

from recognizer.decoders.fusion import KNOWN, NEVER, UNKNOWN, Floats, Ints, Language, Row, Rows, conclude, extend
from recognizer.decoders.hotwords import RISE
from recognizer.native import compiled, part

MARKS = ("node", "chosen", "ended", "closed", "labels", "since", "history")
MASSES = ("blanks", "letters", "whole", "path_blank", "path_letter")
LOGARITHMS = (*MASSES, *("then_" + name for name in MASSES), "peak", "sum", "gain")
PLACE = np.dtype([*((name, np.int64) for name in MARKS), *((name, np.float64) for name in LOGARITHMS)])
"""A place in the beam: its prefix, whether it stays, and of its best path the chain of the labels that are over, the
same when the frame began, that of those before the last label, and where the last one began; in the end, the words
it stands for. Then logarithms: the mass
of the paths that end in the blank, in the last label, in either; the best path that ends in the blank, in the last
label; all of them again for the next frame. The peak of the last label, on the best path. In the end, the sum of the
paths, and what is added to it."""
WAYS = ("slot", "parent", "label")
CANDIDATE = np.dtype([*((name, np.int64) for name in WAYS), *KNOWN, ("mass", np.float64), ("score", np.float64)])
"""What may be in the next beam: from which place; as a prefix, the label -1 if it is the same one; its mass, and that
with all that is added."""
CHAIN = np.dtype([("before", np.int64), ("first", np.int64), ("end", np.int64), ("peak", np.float64)])
"""A label of a best path that is over: the row of the one before, its frames [first, end), its peak."""
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
def leave(place: Row, nodes: Rows, label: int) -> tuple[float, float, int]:
    """What a prefix hands on to itself and one more label: its mass, its best path, and the labels on that."""
    mass, path, chain = place.blanks, place.path_blank, place.closed
    if nodes[place.node].label != label:  # else only through the blank
        mass, chain = place.whole, place.ended
        if place.path_letter > path:
            path = place.path_letter
    return mass, path, chain


@part
def stay(place: Row, beam: Rows, nodes: Rows, frame: Floats, blank: int, t: int) -> float:
    """The same prefix again: through the blank, its last label, or from a shorter one in the beam. Its mass."""
    node, path, silence = nodes[place.node], place.path_blank, frame[blank]
    blanks, letters, peak = place.whole + silence, NEVER, NEVER
    if place.path_letter > path:
        path = place.path_letter
    place.then_blanks, place.then_path_blank = blanks, path + silence
    path = NEVER
    if node.parent >= 0:
        label, source = node.label, nodes[node.parent].slot
        peak = frame[label]
        letters, path = place.letters + peak, place.path_letter + peak
        if source >= 0:
            mass, begun, chain = leave(beam[source], nodes, label)
            letters = add(letters, mass + peak)
            if begun + peak > path:
                path = begun + peak
                place.labels, place.since, place.peak = chain, t, peak
        if peak > place.peak:
            place.peak = peak
    place.then_letters, place.then_path_letter = letters, path
    return add(blanks, letters)


@part
def select(new: Rows, order: Ints, size: int, count: int) -> None:
    """Bring the best `count` of `size` candidates to the front (Hoare, *Algorithm 65: Find*, 1961)."""
    low, high = 0, size - 1
    while low < high:
        pivot = new[order[(low + high) // 2]].score
        left, right = low, high
        while left <= right:
            while new[order[left]].score > pivot:
                left += 1
            while new[order[right]].score < pivot:
                right -= 1
            if left <= right:
                order[left], order[right] = order[right], order[left]
                left, right = left + 1, right - 1
        if right < count - 1:
            low = left
        if left > count - 1:
            high = right


@part
def born(nodes: Rows, new: Row, tree: int) -> int:
    """The node of a candidate; a new one, numbered `tree`, if its prefix never was in the beam."""
    parent = nodes[new.parent]
    child = parent.child
    while child >= 0 and nodes[child].label != new.label:
        child = nodes[child].sibling
    if child < 0:
        child, node = tree, nodes[tree]
        node.parent, node.label, node.child, node.sibling = new.parent, new.label, UNKNOWN, parent.child
        node.state, node.place, node.match = new.state, new.place, new.match
        node.history, node.done = new.history, UNKNOWN
        node.committed, node.open = new.committed, new.open
        parent.child = child
    return child


@compiled
def search(
    matrix: Floats,
    blank: int,
    width: int,
    least: float,
    span: float,
    lm: Language,
    nodes: Rows,
    chains: Rows,
    beam: Rows,
    new: Rows,
    live: Ints,
    order: Ints,
    tokens: Ints,
    taken: Ints,
    histories: Rows,
    used: Ints,
) -> int:
    """Walk through one matrix [T, A].

    Args:
        least: labels below this log-probability start nothing new in a frame, unless they are its likeliest.
        span: prefixes that lie further than this below the frame's best are dropped.
        nodes: and all that follow: see `Tables`.

    Returns:
        How many prefixes are left. Their places in `beam` are the first in `live`.
    """
    frames, labels = matrix.shape
    for place in range(2 * width):
        live[place] = order[place] = place
    for label in range(labels):
        taken[label] = -1
    root, here = nodes[0], beam[0]
    root.parent = root.label = root.child = root.sibling = root.done = UNKNOWN
    begin, used[0] = histories[0], 1
    begin.state, begin.entry, begin.before, begin.next, begin.gain = lm.start, UNKNOWN, UNKNOWN, UNKNOWN, 0.0
    root.slot, root.state, root.place, root.match, root.history = 0, lm.start, 0, lm.match, 0
    root.committed = root.open = 0.0
    here.node, here.ended = 0, UNKNOWN
    here.blanks = here.whole = here.path_blank = 0.0
    here.letters = here.path_letter = here.peak = NEVER
    zero = np.int64(0)  # a bare 0 is of a type of its own, and Numba would compile what is called with it twice
    tree, links, looks, size = zero + 1, zero, zero, zero + 1
    bonus = lm.bonus if lm.bonus > 0.0 else 0.0
    for t in range(frames):
        frame = matrix[t]
        highest = frame[0]
        for label in range(labels):
            if frame[label] > highest:
                highest = frame[label]
        begins, likeliest = zero, NEVER
        for label in range(labels):
            value = frame[label]
            if (value >= least or value == highest) and value > NEVER and label != blank:
                tokens[begins] = label
                begins += 1
                if value > likeliest:
                    likeliest = value
        for i in range(size):
            here = beam[live[i]]
            here.chosen, here.closed = 0, here.ended
            if here.path_letter > here.path_blank:
                chain = chains[links]
                chain.before, chain.first = here.labels, here.since
                chain.end, chain.peak = t, here.peak
                here.ended = links
                links += 1
        count, best, worst = zero, NEVER, LOWEST
        for i in range(size):
            here = beam[live[i]]
            node, mass = nodes[here.node], stay(here, beam, nodes, frame, blank, t)
            if width == 1:  # a beam of one keeps one ending, and is the best path
                if here.then_blanks < here.then_letters:
                    mass = here.then_letters
                    here.then_blanks = here.then_path_blank = NEVER
                else:
                    mass = here.then_blanks
                    here.then_letters = here.then_path_letter = NEVER
            here.then_whole = mass
            score = mass + (node.committed + node.open)
            if score > NEVER:
                if score > best:
                    best = score
                way = new[order[count]]
                way.slot, way.label, way.score = live[i], UNKNOWN, score
                count += 1
        # Longer prefixes. What a language model adds is at most the bonus, so most of them need not ask it.
        for i in range(size if begins > 0 else zero):
            here = beam[live[i]]
            node, whole = nodes[here.node], here.whole
            bound = node.committed + bonus + lm.earned[node.match - lm.match, RISE]
            floor = best + span if best + span > worst else worst
            if whole + likeliest + bound < floor:
                continue
            looks += 1
            child = node.child
            while child >= 0:
                longer = nodes[child]
                if longer.slot >= 0:
                    taken[longer.label] = looks
                child = longer.sibling
            for j in range(begins):
                label = tokens[j]
                mass = frame[label] + (here.blanks if label == node.label else whole)
                if mass + bound < floor or taken[label] == looks:
                    continue
                way = new[order[count]]
                extend(lm, node, label, way, histories, used)
                score = mass + (way.committed + way.open)
                if score < floor:
                    continue
                way.slot, way.parent, way.label = live[i], here.node, label
                way.mass, way.score = mass, score
                count += 1
                if count == 2 * width:
                    count = width
                    select(new, order, 2 * width, count)
                    worst = new[order[width - 1]].score
                if score > best:
                    best = score
                floor = best + span if best + span > worst else worst
        if count > width:
            select(new, order, count, width)
            count = width
        for i in range(count):
            way = new[order[i]]
            if way.label < 0 and way.score >= best + span:
                beam[way.slot].chosen = 1
        kept, free = zero, size  # places that are left become free when the frame is over: longer prefixes look there
        for i in range(size):
            s = live[i]
            if beam[s].chosen == 1:
                live[i], live[kept] = live[kept], s
                kept += 1
            else:
                nodes[beam[s].node].slot = UNKNOWN
        for i in range(count):
            way = new[order[i]]
            if way.label >= 0 and way.score >= best + span:
                s, born_as = live[free], born(nodes, way, tree)
                live[free], live[kept] = live[kept], s
                kept, free = kept + 1, free + 1
                if born_as == tree:
                    tree += 1
                _, path, closed = leave(beam[way.slot], nodes, way.label)
                nodes[born_as].slot = s
                here, peak = beam[s], frame[way.label]
                here.node, here.ended = born_as, UNKNOWN
                here.labels, here.since, here.peak = closed, t, peak
                here.then_blanks = here.then_path_blank = NEVER
                here.then_letters = here.then_whole = way.mass
                here.then_path_letter = path + peak
        size = kept
        if size == 0:  # every text has probability 0
            break
        for i in range(size):
            here = beam[live[i]]
            here.blanks, here.letters, here.whole = here.then_blanks, here.then_letters, here.then_whole
            here.path_blank, here.path_letter = here.then_path_blank, here.then_path_letter

    whole_words, first, best = False, zero, NEVER
    for i in range(size):
        here = beam[live[i]]
        node = nodes[here.node]
        here.sum = here.whole
        here.gain, here.history = conclude(lm, node, histories, used)
        whole_words = whole_words or here.gain > NEVER
        score = here.whole + (node.committed + node.open)
        if score > best:
            best, first = score, live[i]
    if size > 0 and not whole_words:  # no word of a lexicon is complete: the best prefix, back to where one was
        here = beam[first]
        while here.gain == NEVER:
            here.node = nodes[here.node].parent
            here.gain, here.history = conclude(lm, nodes[here.node], histories, used)
        here.sum = np.nan
    return size
