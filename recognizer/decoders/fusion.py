"""A prefix and one more label -> what a language model, a lexicon and hotwords say; a part of the compiled search."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recognizer.decoders.hotwords import LINK, PART, WHOLE
from recognizer.decoders.lexicon import NEXT, TOKEN
from recognizer.decoders.native import part

Ints = NDArray[np.int32]
Floats = NDArray[np.float32]

NONE, WORDS, CHARACTERS = 0, 1, 2
PARENT, LABEL, CHILD, SIBLING, SLOT, STAMP, STATE, PLACE, DONE, ENTRY, MATCH = range(11)
COMMITTED, OPEN, FINISHED = range(3)
BRANCH, SPELT = 1, 2  # beside LETTER = 0 the columns of a tree of spellings
FOLD = 1  # beside the token the row of what is known of a label
UNKNOWN = -1  # the place in the tree of spellings of a word that has left it, and the token of what is in no list


class Language(NamedTuple):
    """What the search asks about texts; arrays of `NGram`, of a tree of spellings, of `Lexicon` and of `Hotwords`.

    Attributes:
        kind: of the language model, NONE, WORDS or CHARACTERS.
        closed: whether only what the tree spells may be written.
        helped: whether there is anything to ask: a language model, a lexicon or hotwords.
        hot: the node of the hotwords where none can begin, or -1 without hotwords.
        space: the label that parts words, or -1.
        start, end, other: state in which a text begins; tokens of its end and of what is not listed, or -1.
        top: see `NGram`.
        weight, bonus, unknown: of the model's logarithms; for each token; added for a token that is not listed.
        token, value, backoff, suffix, first: see `NGram`.
        each: int32 [2, A], for each label its token, or UNKNOWN (CHARACTERS), and how it is compared with hotwords.
        tree: int32 [N + 1, 3], of each node its label, where its children begin, and the token that ends in it or, of a
            lexicon, its first entry; or UNKNOWN.
        best: the highest unigram value of the tokens below a node, which stands in for a word that is not finished.
        entries: see `Lexicon.entries`.
        nodes, earned: see `Hotwords`.
    """

    kind: int
    closed: bool
    helped: bool
    hot: int
    space: int
    start: int
    end: int
    other: int
    top: int
    weight: float
    bonus: float
    unknown: float
    token: Ints
    value: Floats
    backoff: Floats
    suffix: Ints
    first: Ints
    each: Ints
    tree: Ints
    best: Floats
    entries: Ints
    nodes: Ints
    earned: NDArray[np.float64]


@part
def find(keys: Ints, first: Ints, node: int, key: int) -> int:
    """The child of `node` whose key is `key`, or -1; children lie side by side, sorted."""
    low, high = np.int64(first[node]), np.int64(first[node + 1])  # one kind of whole number: Numba compiles for each
    stop = high
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < stop and keys[low] == key else -1


@part
def below(tree: Ints, node: int, label: int) -> int:
    """The child of `node` to which `label` leads, or -1; children lie side by side, sorted."""
    low, high = np.int64(tree[node, BRANCH]), np.int64(tree[node + 1, BRANCH])
    stop = high
    while low < high:
        middle = (low + high) // 2
        if tree[middle, 0] < label:
            low = middle + 1
        else:
            high = middle
    return low if low < stop and tree[low, 0] == label else -1


@part
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


@part
def finish(lm: Language, nodes: Ints, costs: Any, node: int) -> tuple[float, int]:
    """Weighted value of the word in which `node` stands, as if it ended here, and the state behind it; kept.

    Of words that are spelt alike the one that is likeliest after those before it.
    """
    if nodes[node, DONE] == UNKNOWN:
        place, state = np.int64(nodes[node, PLACE]), np.int64(nodes[node, STATE])
        spelt = np.int64(lm.tree[place, SPELT]) if place > 0 else np.int64(UNKNOWN)
        value, behind, entry = 0.0, state, spelt
        if lm.kind == WORDS:
            token = np.int64(lm.entries[spelt, TOKEN]) if lm.closed else spelt
            value, behind = ask(lm, state, token)
            while lm.closed and lm.entries[spelt, NEXT] >= 0:
                spelt = np.int64(lm.entries[spelt, NEXT])
                other, then = ask(lm, state, np.int64(lm.entries[spelt, TOKEN]))
                if other > value:
                    value, behind, entry = other, then, spelt
        costs[node, FINISHED] = lm.weight * value + lm.bonus
        nodes[node, DONE], nodes[node, ENTRY] = behind, entry
    return costs[node, FINISHED], np.int64(nodes[node, DONE])


@part
def matched(lm: Language, match: int, label: int) -> int:
    """Where a match of hotwords stands after one more label."""
    key = lm.each[FOLD, label]
    while match >= 0:
        child = below(lm.nodes, match, key)
        if child >= 0:
            return child
        match = np.int64(lm.nodes[match, LINK])
    return 0 if lm.space < 0 or label == lm.space else lm.hot


@part
def extend(lm: Language, nodes: Ints, costs: Any, node: int, label: int) -> tuple[float, float, int, int, int]:
    """What is said of a prefix and one more label: committed, open, state, place in the spellings, match.

    What is committed is -inf where the lexicon has no such text.
    """
    committed, open_ = costs[node, COMMITTED], 0.0
    state, place, match = np.int64(nodes[node, STATE]), np.int64(nodes[node, PLACE]), np.int64(nodes[node, MATCH])
    if lm.kind == CHARACTERS:
        value, state = ask(lm, state, np.int64(lm.each[0, label]))
        committed += lm.weight * value + lm.bonus
    if lm.kind == WORDS or lm.closed:
        if label == lm.space:
            if lm.closed and (place == 0 or lm.tree[place, SPELT] == UNKNOWN):
                return -np.inf, 0.0, state, place, match
            if place != 0 and lm.kind != CHARACTERS:
                value, state = finish(lm, nodes, costs, node)
                committed += value
            place = 0
        else:
            if place != UNKNOWN:
                place = below(lm.tree, place, label)
            if place == UNKNOWN and lm.closed:
                return -np.inf, 0.0, state, place, match
            if lm.kind != CHARACTERS:
                if place != UNKNOWN:
                    value = np.float64(lm.best[place])
                else:
                    value = lm.unknown + (lm.value[lm.other + 1] if lm.other != UNKNOWN else 0.0)
                open_ = lm.weight * value + lm.bonus
    if lm.hot >= 0:
        if label == lm.space:
            committed += lm.earned[match, WHOLE]
        match = matched(lm, match, label)
        if lm.space < 0:
            committed += lm.earned[match, WHOLE]
        open_ += lm.earned[match, PART]
    return committed, open_, state, place, match


@part
def conclude(lm: Language, nodes: Ints, costs: Any, node: int) -> float:
    """All that is added to a text that ends with this prefix; -inf if its last word is not one of the lexicon's."""
    gain, state, place = costs[node, COMMITTED], np.int64(nodes[node, STATE]), np.int64(nodes[node, PLACE])
    if lm.closed and place != 0 and lm.tree[place, SPELT] == UNKNOWN:
        return -np.inf
    if (lm.kind == WORDS or (lm.closed and lm.kind == NONE)) and place != 0:
        value, state = finish(lm, nodes, costs, node)
        gain += value
    if lm.kind != NONE and lm.end != UNKNOWN:
        gain += lm.weight * ask(lm, state, lm.end)[0]
    if lm.hot >= 0 and lm.space >= 0:
        gain += lm.earned[nodes[node, MATCH], WHOLE]
    return gain
