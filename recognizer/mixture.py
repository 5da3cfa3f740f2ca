"""Two back-off models -> one, near the weighted mean of their probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from recognizer.arpa import NEVER, OTHER, Section
from recognizer.decoders.ngram import NGram
from recognizer.nodes import Nodes


def mixed(one: NGram, two: NGram, share: float) -> NGram:
    """A model that gives every n-gram that either lists (1 - share) p of one + share p of two.

    What a context does not list gets what is left for it, by the mixed model of the shorter context (the static
    interpolation of Stolcke, *SRILM*, 2002, section 3.2). A token that one of them does not list has no chance in it.

    Args:
        share: of the second, between 0 and 1.
    """
    tokens = tuple(dict.fromkeys(_named(token) for model in (one, two) for token in model.tokens))
    size, models = len(tokens), (_listing(one, tokens), _listing(two, tokens))
    parts, made = [Nodes.of(model) for model in models], Nodes.none(size)
    states = [np.zeros(1, np.int64), np.zeros(1, np.int64)]  # of each part, after the tokens of each node made
    places = [np.zeros(len(part.key), np.int64) for part in parts]  # of each part's nodes among those made
    for length in range(max(one.order, two.order)):
        nodes = [np.arange(*(model.levels[length] if length < model.order else (0, 0))) for model in models]
        keys = [
            place[part.parent[node]] * size + part.token[node]
            for part, place, node in zip(parts, places, nodes, strict=True)
        ]
        key, top = np.unique(np.concatenate(keys)), len(made.key)
        for place, node, mine in zip(places, nodes, keys, strict=True):
            place[node] = top + np.searchsorted(key, mine)
        parent, token = key // size, key % size
        (first, ends), (second, others) = (
            part.ask(state[parent], token) for part, state in zip(parts, states, strict=True)
        )
        made.grow(key, np.log((1 - share) * np.exp(first) + share * np.exp(second)))
        states = [np.append(state, found) for state, found in zip(states, (ends, others), strict=True)]
    return made.model(tokens)


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
