"""A back-off model -> a smaller one, without the n-grams that it misses least."""

from __future__ import annotations

import numpy as np

from recognizer.arpa import BEGIN, END
from recognizer.decoders.ngram import NGram
from recognizer.nodes import Floats, Nodes


def pruned(model: NGram, most: int) -> NGram:
    """The model with its single tokens and at most `most` longer n-grams: those without which it would change most.

    What an n-gram is worth says `worths`; one that others begin with is worth as much as the best of them. Shorter
    contexts get the weights anew that are due to them.
    """
    whole, worth = Nodes.of(model), worths(model)
    worth[: 1 + whole.size] = np.inf
    parent = whole.parent
    for low, high in reversed(model.levels[1:]):
        np.maximum.at(worth, parent[low:high], worth[low:high])
    kept = np.zeros(len(worth), bool)
    kept[np.argsort(-worth, kind="stable")[: 1 + whole.size + most]] = True
    number = np.cumsum(kept) - 1  # of each node among those that are kept
    made = Nodes.none(whole.size)
    for low, high in model.levels:
        if len(nodes := low + np.flatnonzero(kept[low:high])):
            made.grow(number[parent[nodes]] * whole.size + whole.token[nodes], whole.value[nodes])
    return made.model(model.tokens)


def worths(model: NGram) -> Floats:
    """[N] how far, in nats, the model is from one that lacks this n-gram alone; 0 for single tokens.

    The relative entropy of the two, as far as this context's tokens go, times the probability of the context (Stolcke,
    *Entropy-based pruning of backoff language models*, 1998, equations 3 to 6). A text begins as often as one ends.
    """
    nodes = Nodes.of(model)
    parent, token, worth = nodes.parent, nodes.token, np.zeros(len(nodes.key))
    joint = nodes.value.copy()  # ln p of all of an n-gram's tokens
    joint[0] = 0.0
    if {BEGIN, END} <= model.index.keys():
        joint[1 + model.index[BEGIN]] = joint[1 + model.index[END]]
    for low, high in model.levels[1:]:
        context, here = parent[low:high], nodes.value[low:high]
        joint[low:high] += joint[context]
        mine, below = nodes.left(context, token[low:high], here)
        shorter, _ = nodes.ask(nodes.suffix[context].astype(np.int64), token[low:high])
        mine, below = mine[context], below[context]
        weight, wider = np.log(mine / below), np.log((mine + np.exp(here)) / (below + np.exp(shorter)))
        lost = np.exp(here) * (here - shorter - wider) + mine * (weight - wider)
        worth[low:high] = np.exp(joint[context]) * lost
    return worth
