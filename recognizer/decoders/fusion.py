"""A prefix and one more label -> what a language model, a lexicon and hotwords say; a part of the compiled search."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recognizer.decoders.hotwords import BRANCH, LETTER, LINK, PART, WHOLE
from recognizer.decoders.lexicon import NEXT, TOKEN
from recognizer.native import part

Ints = NDArray[np.int64]
Numbers = NDArray[np.float64]
Floats = NDArray[np.float32]
Row = Any
"""Of a table with named columns: Numba finds the type of `row.name` in a fraction of the time of `table[row, NAME]`."""
Rows = NDArray[Any]

NONE, WORDS, CHARACTERS = range(3)
KNOWN = [("state", np.int64), ("place", np.int64), ("match", np.int64), ("committed", np.float64), ("open", np.float64)]
"""What is known of a prefix: where a model stands, a word and hotwords; what is added for it for good, and for what is
under way in it."""
TREE = ("parent", "label", "child", "sibling", "slot", "done", "entry")
PREFIX = np.dtype([*((name, np.int64) for name in TREE), *KNOWN, ("finished", np.float64)])
"""A prefix: in their tree; its place in the beam; the state behind the word if it ended here and, with a lexicon, which
one that is; what is known of it; what is added for the word in which it stands if it ends."""
NEVER = -math.inf  # ln 0
FOLD = 1  # beside the token the row of what is known of a label
SPELT = 2  # beside LETTER and BRANCH of a tree of spellings
UNKNOWN = -1  # the place in the tree of spellings of a word that has left it, and the token of what is in no list


class Language(NamedTuple):
    """What the search asks about texts; few arrays, because Numba compiles each anew wherever the whole is handed on.

    Attributes:
        kind: of the language model, NONE, WORDS or CHARACTERS.
        closed: whether only what the tree spells may be written.
        hot: the row of the hotwords where none can begin, or -1 without hotwords.
        space: the label that parts words, or -1.
        start, end, other: state in which a text begins; tokens of its end and of what is not listed, or -1.
        top: see `NGram`.
        each: the first row of the labels.
        match: the first row of the hotwords.
        weight, bonus, unknown: of the model's logarithms; for each token; added for a token that is not listed.
        token, value, backoff, suffix, first: see `NGram`.
        table: int32 [N, 3], one below the other: the tree of spellings, of each node its label, where its children
            begin, and the token that ends in it or, of a lexicon, the row of its first entry, or UNKNOWN; of each label
            its token, or UNKNOWN (CHARACTERS), and how it is compared with hotwords; `Lexicon.entries`;
            `Hotwords.nodes`.
        best: the highest unigram value of the tokens below a node, which stands in for a word that is not finished.
        earned: see `Hotwords`.
    """

    kind: int
    closed: bool
    hot: int
    space: int
    start: int
    end: int
    other: int
    top: int
    each: int
    match: int
    weight: float
    bonus: float
    unknown: float
    token: NDArray[np.int32]
    value: Floats
    backoff: Floats
    suffix: NDArray[np.int32]
    first: NDArray[np.int32]
    table: NDArray[np.int32]
    best: Floats
    earned: Numbers


@part
def find(first: NDArray[np.int32], token: NDArray[np.int32], node: int, key: int) -> int:
    """The n-gram in which a token follows another one, or -1; those that follow lie side by side, sorted."""
    low, high = np.int64(first[node]), np.int64(first[node + 1])
    stop = high
    while low < high:
        middle = (low + high) // 2
        if token[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low if low < stop and token[low] == key else -1


@part
def below(table: NDArray[np.int32], node: int, label: int) -> int:
    """The row of the table to which a label leads from another one, or -1; children lie side by side, sorted."""
    low, high = np.int64(table[node, BRANCH]), np.int64(table[node + 1, BRANCH])
    stop = high
    while low < high:
        middle = (low + high) // 2
        if table[middle, LETTER] < label:
            low = middle + 1
        else:
            high = middle
    return low if low < stop and table[low, LETTER] == label else -1


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
        node = token + 1 if state == 0 else find(lm.first, lm.token, state, token)
        if node >= 0:
            return extra + lm.value[node], np.int64(lm.suffix[node]) if node >= lm.top else node
        extra += lm.backoff[state]
        state = np.int64(lm.suffix[state])


@part
def finish(lm: Language, prefix: Row) -> None:
    """Write down what the word in which a prefix stands is worth, as if it ended here, and the state behind it.

    Of words that are spelt alike the one that is likeliest after those before it.
    """
    place, state = prefix.place, prefix.state
    spelt = np.int64(lm.table[place, SPELT]) if place > 0 else UNKNOWN
    value, behind, entry = 0.0, state, spelt
    if lm.kind == WORDS:
        value, likelier = NEVER, True
        while likelier:
            token = np.int64(lm.table[spelt, TOKEN]) if lm.closed else spelt
            other, then = ask(lm, state, token)
            if other > value:
                value, behind, entry = other, then, spelt
            spelt = np.int64(lm.table[spelt, NEXT]) if lm.closed else UNKNOWN
            likelier = spelt >= 0
    prefix.finished = lm.weight * value + lm.bonus
    prefix.done, prefix.entry = behind, entry


@part
def extend(lm: Language, prefix: Row, label: int, new: Row) -> None:
    """Write what is known of a prefix and one more label into `new`, which has columns like those of KNOWN.

    What is committed is -inf where the lexicon has no such text.
    """
    committed, open_ = prefix.committed, 0.0
    state, place, match = prefix.state, prefix.place, prefix.match
    if lm.kind == CHARACTERS:
        value, state = ask(lm, state, np.int64(lm.table[lm.each + label, 0]))
        committed += lm.weight * value + lm.bonus
    if lm.kind == WORDS or lm.closed:
        if label == lm.space:
            if lm.closed and (place == 0 or lm.table[place, SPELT] == UNKNOWN):
                committed = NEVER
            elif place != 0 and lm.kind != CHARACTERS:
                if prefix.done == UNKNOWN:
                    finish(lm, prefix)
                committed += prefix.finished
                state = prefix.done
            place = 0
        else:
            if place != UNKNOWN:
                place = below(lm.table, place, label)
            if place == UNKNOWN and lm.closed:
                committed = NEVER
            elif lm.kind != CHARACTERS:
                if place != UNKNOWN:
                    open_ = np.float64(lm.best[place])
                else:
                    open_ = lm.unknown
                    if lm.other != UNKNOWN:
                        open_ += lm.value[lm.other + 1]
                open_ = lm.weight * open_ + lm.bonus
    if lm.hot >= 0:
        ended = lm.earned[match - lm.match, WHOLE]
        if label == lm.space:
            committed += ended
        key, at = np.int64(lm.table[lm.each + label, FOLD]), match
        match = lm.match if lm.space < 0 or label == lm.space else lm.hot
        while at >= 0:
            child = below(lm.table, at, key)
            if child >= 0:
                match = child
                break
            at = np.int64(lm.table[at, LINK])
        if lm.space < 0:
            committed += lm.earned[match - lm.match, WHOLE]
        open_ += lm.earned[match - lm.match, PART]
    new.state, new.place, new.match = state, place, match
    new.committed, new.open = committed, open_


@part
def conclude(lm: Language, prefix: Row) -> float:
    """All that is added to a text that ends with this prefix; -inf if its last word is not one of the lexicon's."""
    gain, state, place = prefix.committed, prefix.state, prefix.place
    if lm.closed and place != 0 and lm.table[place, SPELT] == UNKNOWN:
        return NEVER
    if (lm.kind == WORDS or (lm.closed and lm.kind == NONE)) and place != 0:
        if prefix.done == UNKNOWN:
            finish(lm, prefix)
        gain += prefix.finished
        state = prefix.done
    if lm.kind != NONE and lm.end != UNKNOWN:
        value, state = ask(lm, state, lm.end)
        gain += lm.weight * value
    if lm.hot >= 0 and lm.space >= 0:
        gain += lm.earned[prefix.match - lm.match, WHOLE]
    return gain
