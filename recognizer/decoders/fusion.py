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
STANDS = ("state", "place", "match", "history")
KNOWN = [*((name, np.int64) for name in STANDS), ("committed", np.float64), ("open", np.float64)]
"""What is known of a prefix: where a character model stands, a word, hotwords; the likeliest of its histories; what is
added for it for good, and for what is under way in it."""
TREE = ("parent", "label", "child", "sibling", "slot", "done")
PREFIX = np.dtype([*((name, np.int64) for name in TREE), *KNOWN, ("finished", np.float64)])
"""A prefix: in their tree; its place in the beam; the likeliest of its histories if the word ended here; what is known
of it; what is added for the word in which it stands if it ends."""
LINKS = ("state", "entry", "before", "next")
HISTORY = np.dtype([*((name, np.int64) for name in LINKS), ("gain", np.float64)])
"""Words that a prefix may stand for, where some are spelt alike: where a word model stands behind them, the last one's
entry or token, the history before it, the next likely one of the same prefix; what is added for them."""
RIVALS = 4
"""Histories of a prefix that are kept: only the words that follow tell which was meant."""
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
def keep(histories: Rows, begin: int, count: int, state: int, entry: int, before: int, gain: float) -> int:
    """Put a history in among the `count` from `begin` on, the likeliest first, one a state; how many there are now."""
    spot = np.int64(count)
    for place in range(count):
        if histories[begin + place].state == state:
            spot = place
    if spot == RIVALS:
        spot = RIVALS - 1
    if spot < count and histories[begin + spot].gain >= gain:
        return count
    count = max(count, spot + 1)
    while spot > 0 and histories[begin + spot - 1].gain < gain:
        row, above = histories[begin + spot], histories[begin + spot - 1]
        row.state, row.entry, row.before, row.gain = above.state, above.entry, above.before, above.gain
        spot -= 1
    row = histories[begin + spot]
    row.state, row.entry, row.before, row.gain = state, entry, before, gain
    return count


@part
def finish(lm: Language, prefix: Row, histories: Rows, used: Ints) -> None:
    """Write down what the word in which a prefix stands is worth, as if it ended here, and the histories with it."""
    place, before = prefix.place, prefix.history
    spelt = np.int64(lm.table[place, SPELT]) if place > 0 else UNKNOWN
    begin, count = used[0], np.int64(0)
    while before >= 0:
        history, entry, another = histories[before], spelt, True
        while another:
            state, gain = history.state, history.gain
            if lm.kind == WORDS:
                token = np.int64(lm.table[entry, TOKEN]) if lm.closed else entry
                value, state = ask(lm, state, token)
                gain += lm.weight * value
            if lm.kind != CHARACTERS:
                gain += lm.bonus
            count = keep(histories, begin, count, state, entry, before, gain)
            entry = np.int64(lm.table[entry, NEXT]) if lm.closed and lm.kind == WORDS else UNKNOWN
            another = entry >= 0
        before = history.next
    for row in range(begin, begin + count):
        histories[row].next = row + 1
    histories[begin + count - 1].next = UNKNOWN
    used[0] = begin + count
    prefix.done, prefix.finished = begin, histories[begin].gain - histories[prefix.history].gain


@part
def extend(lm: Language, prefix: Row, label: int, new: Row, histories: Rows, used: Ints) -> None:
    """Write what is known of a prefix and one more label into `new`, which has columns like those of KNOWN.

    What is committed is -inf where the lexicon has no such text.
    """
    committed, open_ = prefix.committed, 0.0
    state, place, match, history = prefix.state, prefix.place, prefix.match, prefix.history
    if lm.kind == CHARACTERS:
        value, state = ask(lm, state, np.int64(lm.table[lm.each + label, 0]))
        committed += lm.weight * value + lm.bonus
    if lm.kind == WORDS or lm.closed:
        if label == lm.space:
            if lm.closed and (place == 0 or lm.table[place, SPELT] == UNKNOWN):
                committed = NEVER
            elif place != 0:
                if prefix.done == UNKNOWN:
                    finish(lm, prefix, histories, used)
                committed += prefix.finished
                history = prefix.done
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
    new.state, new.place, new.match, new.history = state, place, match, history
    new.committed, new.open = committed, open_


@part
def conclude(lm: Language, prefix: Row, histories: Rows, used: Ints) -> tuple[float, int]:
    """All that is added to a text that ends with this prefix, -inf if its last word is not one of the lexicon's; and
    the likeliest of its histories."""
    gain, place, history = prefix.committed, prefix.place, prefix.history
    if lm.closed and place != 0 and lm.table[place, SPELT] == UNKNOWN:
        return NEVER, history
    if (lm.kind == WORDS or lm.closed) and place != 0:
        if prefix.done == UNKNOWN:
            finish(lm, prefix, histories, used)
        gain += prefix.finished
        history = prefix.done
    if lm.kind == CHARACTERS and lm.end != UNKNOWN:
        value, _ = ask(lm, prefix.state, lm.end)
        gain += lm.weight * value
    if lm.kind == WORDS and lm.end != UNKNOWN:
        first, rival, most = histories[history].gain, history, NEVER
        while rival >= 0:
            value, _ = ask(lm, histories[rival].state, lm.end)
            value = histories[rival].gain - first + lm.weight * value
            if value > most:
                most, history = value, rival
            rival = histories[rival].next
        gain += most
    if lm.hot >= 0 and lm.space >= 0:
        gain += lm.earned[prefix.match - lm.match, WHOLE]
    return gain, history
