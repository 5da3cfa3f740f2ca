"""Chance -> strings of the embedded Reber grammar, one by one or without end, and what may follow each symbol.

Reber 1967; embedded as in Cleeremans et al. 1989 and Fahlman 1991: `B T (string of the Reber grammar) T E` or the same
with P, so that the last symbol but one repeats the second over all that lies between. Every arc of a state is taken
with the same chance.
"""

from __future__ import annotations

import numpy as np

from lags.cells import Ints, compiled

SYMBOLS = "BTPSXVE"
INNER = (  # of each state: its arcs, symbol and next state; the last state leads out
    (("B", 1),),
    (("T", 2), ("P", 3)),
    (("S", 2), ("X", 4)),
    (("T", 3), ("V", 5)),
    (("X", 3), ("S", 6)),
    (("P", 4), ("V", 6)),
    (("E", 7),),
)


def arcs() -> tuple[Ints, Ints]:
    """The embedded grammar as one machine that begins anew behind the last E: symbols and next states, [states, 2].

    Each state has two arcs, the same one twice where there is no choice. State 0 begins a string.
    """
    states: list[tuple[tuple[str, int], ...]] = [(("B", 1),), (("T", 2), ("P", 2 + len(INNER) + 2))]
    for letter in "TP":
        offset = len(states)
        states += [tuple((symbol, state + offset) for symbol, state in ways) for ways in INNER]
        states += [((letter, len(states) + 1),), (("E", 0),)]
    pairs = [ways * 2 if len(ways) == 1 else ways for ways in states]
    symbols = np.array([[SYMBOLS.index(symbol) for symbol, _ in ways] for ways in pairs])
    return symbols, np.array([[state for _, state in ways] for ways in pairs])


ARCS = arcs()


@compiled
def walk(letters: Ints, nexts: Ints, state: int, coins: Ints, symbols: Ints, choices: Ints) -> int:
    """Walks as many arcs as there are coins (0 or 1) from a state; gives the state it ends in.

    Args:
        letters: [states, 2] the symbol on each arc.
        nexts: [states, 2] the state behind each arc.
        state: to begin in.
        coins: [N] which arc to take.
        symbols: [N] is filled with the symbols passed.
        choices: [N, 2] is filled with the symbols that could have been passed.
    """
    for n in range(coins.size):
        choices[n, 0], choices[n, 1] = letters[state, 0], letters[state, 1]
        symbols[n] = letters[state, coins[n]]
        state = nexts[state, coins[n]]
    return state


def strings(random: np.random.Generator, count: int) -> list[tuple[Ints, Ints]]:
    """So many strings: symbols [L], and [L, 2] the symbols that could have stood at each place."""
    found: list[tuple[Ints, Ints]] = []
    while len(found) < count:
        size = 16 * (count - len(found)) + 64
        symbols, choices = np.empty(size, np.int64), np.empty((size, 2), np.int64)
        walk(*ARCS, 0, random.integers(0, 2, size), symbols, choices)
        last = (symbols[1:] == SYMBOLS.index("E")) & np.isin(symbols[:-1], [SYMBOLS.index("T"), SYMBOLS.index("P")])
        ends = np.flatnonzero(last) + 2  # the inner E stands behind S or V
        pieces = list(zip(np.split(symbols, ends), np.split(choices, ends), strict=True))
        found += pieces[:-1][: count - len(found)]  # the last one is cut off
    return found
