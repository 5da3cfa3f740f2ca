"""A prefix and one more label -> what a language model adds to it; compiled by Numba for `prefixes`.

Numba keeps `prefixes.search` on disk and looks for changes in its own file only: who changes this file touches that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]

NONE, WORDS, CHARACTERS = 0, 1, 2
PARENT, LABEL, CHILD, SIBLING, SLOT, STAMP, STATE, PLACE, DONE = range(9)
COMMITTED, OPEN, FINISHED = range(3)
UNKNOWN = -1  # the place in the tree of spellings of a word that has left it, and the token of what is in no list


class Language(NamedTuple):
    """A language model as the search asks it; arrays of `NGram` and of a tree of spellings.

    Attributes:
        kind: NONE, WORDS or CHARACTERS.
        weight, bonus, unknown: of the model's logarithms; for each token; added for a token that is not listed.
        space: the label that parts words, or -1.
        start, end, other: state in which a text begins; tokens of its end and of what is not listed, or -1.
        top, token, value, backoff, suffix, first: see `NGram`.
        tokens: for each label its token, or UNKNOWN (CHARACTERS).
        letter, branch: tree of spellings: label of each node, and where its children begin.
        spelt: the token that ends in a node, or UNKNOWN.
        best: the highest unigram value of the tokens below a node, which stands in for a word that is not finished.
    """

    kind: int
    weight: float
    bonus: float
    unknown: float
    space: int
    start: int
    end: int
    other: int
    top: int
    token: Ints
    value: Floats
    backoff: Floats
    suffix: Ints
    first: Ints
    tokens: Ints
    letter: Ints
    branch: Ints
    spelt: Ints
    best: Floats


def compiled(function: Callable[..., Any]) -> Any:
    """Machine code on the first call, kept on disk where a folder for it can be written; runs without the GIL."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # Numba finds no such folder
        return numba.njit(nogil=True)(function)


@compiled
def find(keys: Ints, first: Ints, node: int, key: int) -> int:
    """The child of `node` whose key is `key`, or -1; children lie side by side, sorted."""
    low, high = (
        np.int64(first[node]),
        np.int64(first[node + 1]),
    )  # all whole numbers of one kind: Numba compiles once for each
    stop = high
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < stop and keys[low] == key else -1


@compiled
def ask(lm: Language, state: int, token: int) -> tuple[float, int]:
    """Back-off: ln p(token | state) and the state behind it (Katz 1987, as ARPA files mean it)."""
    extra = 0.0
    if token == UNKNOWN:
        extra, token = lm.unknown, lm.other
        if token == UNKNOWN:
            while state != 0:
                extra += lm.backoff[state]
                state = np.int64(lm.suffix[state])
            return extra, 0
    while True:
        node = token + 1 if state == 0 else find(lm.token, lm.first, state, token)
        if node >= 0:
            return extra + lm.value[node], np.int64(lm.suffix[node]) if node >= lm.top else node
        extra += lm.backoff[state]
        state = np.int64(lm.suffix[state])


@compiled
def finish(lm: Language, nodes: Ints, costs: Any, node: int) -> tuple[float, int]:
    """Weighted value of the word in which `node` stands, as if it ended here, and the state behind it; kept."""
    if nodes[node, DONE] == UNKNOWN:
        place = nodes[node, PLACE]
        value, state = ask(lm, np.int64(nodes[node, STATE]), np.int64(lm.spelt[place]) if place > 0 else UNKNOWN)
        costs[node, FINISHED] = lm.weight * value + lm.bonus
        nodes[node, DONE] = state
    return costs[node, FINISHED], np.int64(nodes[node, DONE])


@compiled
def extend(lm: Language, nodes: Ints, costs: Any, node: int, label: int) -> tuple[float, float, int, int]:
    """What the language model says of a prefix and one more label: committed, open, state, place in the spellings."""
    committed, state, place = costs[node, COMMITTED], np.int64(nodes[node, STATE]), np.int64(nodes[node, PLACE])
    if lm.kind == NONE:
        return 0.0, 0.0, 0, 0
    if lm.kind == CHARACTERS:
        value, state = ask(lm, state, np.int64(lm.tokens[label]))
        return committed + lm.weight * value + lm.bonus, 0.0, state, 0
    if label == lm.space:
        if place != 0:
            value, state = finish(lm, nodes, costs, node)
            committed += value
        return committed, 0.0, state, 0
    if place != UNKNOWN:
        place = find(lm.letter, lm.branch, place, label)
    if place != UNKNOWN:
        return committed, lm.weight * lm.best[place] + lm.bonus, state, place
    value = lm.unknown + (lm.value[lm.other + 1] if lm.other != UNKNOWN else 0.0)
    return committed, lm.weight * value + lm.bonus, state, UNKNOWN
