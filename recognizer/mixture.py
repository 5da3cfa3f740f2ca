"""Two back-off models -> one, near the weighted mean of their probabilities."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from recognizer.arpa import NEVER, OTHER, Section
from recognizer.decoders.ngram import NGram, child, suffixes

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
LEAST = 1e-9  # probability that is left for what a context does not list


@dataclasses.dataclass
class Nodes:
    """A back-off model that grows, order by order; see `NGram`.

    Attributes:
        size: how many tokens there are.
        key: of each node: its beginning's number x size + its last token, rising; -1 for node 0.
        value: ln p.
        backoff: ln of the shorter context's weight.
        suffix: the longest listed proper ending.
    """

    size: int
    key: Ints
    value: Floats
    backoff: Floats
    suffix: NDArray[np.int32]

    @classmethod
    def of(cls, model: NGram) -> Nodes:
        """Those of a model that is ready."""
        size = len(model.tokens)
        parent = np.repeat(np.arange(model.top, dtype=np.int64), np.diff(model.first))
        key = np.concatenate([[-1], parent * size + model.token[1:]])
        backoff = np.concatenate([model.backoff, np.zeros(len(key) - model.top)])
        return cls(size, key, model.value.astype(np.float64), backoff.astype(np.float64), model.suffix)

    @classmethod
    def none(cls, size: int) -> Nodes:
        """Node 0 alone."""
        return cls(size, np.full(1, -1, np.int64), np.zeros(1), np.zeros(1), np.zeros(1, np.int32))

    def ask(self, state: Ints, token: Ints) -> tuple[Floats, Ints]:
        """ln p(token | state) [N] and the nodes that were found; single tokens must all be listed."""
        state, total = state.copy(), np.zeros(len(state))
        found = child(self.key, state * self.size + token)
        while len(lost := np.flatnonzero(found < 0)):
            total[lost] += self.backoff[state[lost]]
            state[lost] = self.suffix[state[lost]]
            found[lost] = child(self.key, state[lost] * self.size + token[lost])
        return total + self.value[found], found

    def grow(self, key: Ints, value: Floats) -> None:
        """Take in n-grams one token longer than the longest so far."""
        ends = suffixes(self.key, self.suffix, key // self.size, (key % self.size).astype(np.int32), self.size)
        self.key, self.value = np.append(self.key, key), np.append(self.value, value)
        self.suffix, self.backoff = np.append(self.suffix, ends), np.append(self.backoff, np.zeros(len(key)))


def mixed(one: NGram, two: NGram, share: float) -> NGram:
    """A model that gives every n-gram that either lists (1 - share) p of one + share p of two.

    What a context does not list gets what is left for it, by the mixed model of the shorter context (the static
    interpolation of Stolcke, *SRILM*, 2002, section 3.2). A token that one of them does not list has no chance in it.

    Args:
        share: of the second, between 0 and 1.
    """
    tokens = tuple(dict.fromkeys(_named(token) for model in (one, two) for token in model.tokens))
    size, models = len(tokens), (_listing(one, tokens), _listing(two, tokens))
    parts, made, order, top = [Nodes.of(model) for model in models], Nodes.none(size), max(one.order, two.order), 0
    states = [np.zeros(1, np.int64), np.zeros(1, np.int64)]  # of each part, after the tokens of each node made
    places = [np.zeros(len(part.key), np.int64) for part in parts]  # of each part's nodes among those made
    for length in range(order):
        nodes = [np.arange(*(model.levels[length] if length < model.order else (0, 0))) for model in models]
        asked = [part.key[node] for part, node in zip(parts, nodes, strict=True)]
        keys = [place[key // size] * size + key % size for place, key in zip(places, asked, strict=True)]
        key, top = np.unique(np.concatenate(keys)), len(made.key)
        for place, node, mine in zip(places, nodes, keys, strict=True):
            place[node] = top + np.searchsorted(key, mine)
        parent, token = key // size, key % size
        (first, ends), (second, others) = (
            part.ask(state[parent], token) for part, state in zip(parts, states, strict=True)
        )
        chance = (1 - share) * np.exp(first) + share * np.exp(second)
        if length:
            shorter, _ = made.ask(made.suffix[parent].astype(np.int64), token)
            left, below = (1 - np.bincount(parent, each, top) for each in (chance, np.exp(shorter)))
            contexts = np.unique(parent)
            made.backoff[contexts] = np.log(np.maximum(left, LEAST) / np.maximum(below, LEAST))[contexts]
        made.grow(key, np.log(chance))
        states = [np.append(state, found) for state, found in zip(states, (ends, others), strict=True)]
    token = np.append(-1, made.key[1:] % size).astype(np.int32)
    children = 1 + np.searchsorted(made.key[1:] // size, np.arange(top + 1)).astype(np.int32)
    numbers = made.value.astype(np.float32), made.backoff[:top].astype(np.float32)
    return NGram(tokens, order, top, token, *numbers, made.suffix, children)


def _named(token: str) -> str:
    """One name for what is not listed."""
    return OTHER[0] if token in OTHER else token


def _listing(model: NGram, tokens: Sequence[str]) -> NGram:
    """The model as one of these tokens, its own among them."""
    own = tuple(map(_named, model.tokens))
    if own == tokens:
        return model
    index = {token: number for number, token in enumerate(tokens)}
    places = np.array([index[token] for token in own], np.int32)
    rest = np.setdiff1d(np.arange(len(tokens), dtype=np.int32), places)[:, None]

    def sections() -> Iterator[Section]:
        for length, (grams, numbers) in enumerate(model.sections(), start=1):
            grams = places[grams]
            if length == 1:
                grams = np.concatenate([grams, rest])
                numbers = np.pad(numbers, ((0, 0), (0, len(rest))))
                numbers[0, len(own) :] = NEVER
            yield grams, numbers

    return NGram.of("the mixture", tuple(tokens), sections())
