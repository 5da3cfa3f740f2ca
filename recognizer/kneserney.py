"""Texts as tokens -> n-gram counts -> a back-off model.

Interpolated modified Kneser-Ney (Chen and Goodman, *An Empirical Study of Smoothing Techniques for Language Modeling*,
1999). Below the highest order an n-gram counts as often as different words are seen before it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from recognizer.arpa import BEGIN, END, NEVER, OTHER, Section
from recognizer.decoders.ngram import NGram
from recognizer.errors import ConfigError

USUAL = (0.5, 1.0, 1.5)
"""Discounts of n-grams seen once, twice and more often, where a text is too small to say them itself."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclasses.dataclass
class Order:
    """The n-grams of one length.

    Attributes:
        last: [N], the number of each one's last token.
        prefix: [N], which n-gram of the length below it begins with (0 for the empty one).
        suffix: [N], which one it ends with.
        seen: [N], how often it occurs.
        count: [N], how often it counts.
        chance: [N], its probability after its prefix, interpolated.
        weight: [N], of the shorter context, where this one is the context.
    """

    last: Ints
    prefix: Ints
    suffix: Ints
    seen: Ints
    count: Floats
    chance: Floats
    weight: Floats


def built(texts: Iterable[Sequence[str]], order: int, prune: int = 0, listed: Sequence[str] = ()) -> NGram:
    """The model of texts.

    Args:
        order: tokens of the longest n-gram.
        prune: n-grams of 3 tokens and more seen so often or less are left out.
        listed: tokens that the model knows although the texts may not hold them.

    Raises:
        ConfigError: there is no text.
    """
    tokens, orders = counted(texts, order, listed)
    smooth(orders, prune)
    return NGram.of("the texts", tuple(tokens), sections(orders, prune))


def counted(texts: Iterable[Sequence[str]], order: int, listed: Sequence[str] = ()) -> tuple[list[str], list[Order]]:
    """Tokens (the marks first, then those of `listed`) and the n-grams of each length up to `order`, counted.

    Raises:
        ConfigError: there is no text.
    """
    index = {token: number for number, token in enumerate(dict.fromkeys((OTHER[0], BEGIN, END, *listed)))}
    stream: list[int] = []
    for words in texts:
        stream.append(1)
        stream.extend(index.setdefault(word, len(index)) for word in words)
        stream.append(2)
    if not stream:
        raise ConfigError("text", "there is none in the files", "give texts that are not empty")
    tokens = np.array(stream, np.int64)
    size = len(index)
    ends = np.flatnonzero(tokens == 2)
    until = ends[np.searchsorted(ends, np.arange(len(tokens)))]  # the end of the sentence in which a token stands
    # An order's n-grams are numbered as they sort by prefix and last token; `which` holds the number of that which
    # begins at each place. Order 1 lists all tokens, also the unknown one, which never occurs.
    which = tokens
    seen = np.bincount(tokens, minlength=size)
    nothing = np.zeros(size, np.int64)
    orders = [_order(np.arange(size), nothing, nothing, seen)]
    for length in range(2, order + 1):
        places = np.flatnonzero(np.arange(len(tokens)) + length - 1 <= until)
        if not len(places):
            break
        keys = which[places] * size + tokens[places + length - 1]
        found, first, inverse, seen = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        suffix = which[places[first] + 1]
        orders.append(_order(found % size, found // size, suffix, seen))
        which = np.full(len(tokens), -1)
        which[places] = inverse.ravel()
        # What begins a sentence has nothing before it, so it counts as often as it is seen.
        before = np.bincount(suffix, minlength=len(orders[-2].seen)).astype(np.float64)
        orders[-2].count = np.where(_begins(orders, length - 1), orders[-2].seen, before)
    orders[0].count[1] = 0.0  # a text's beginning is given, never guessed
    return list(index), orders


def _order(last: Ints, prefix: Ints, suffix: Ints, seen: Ints) -> Order:
    return Order(last, prefix, suffix, seen, seen.astype(np.float64), np.zeros(len(last)), np.ones(len(last)))


def _begins(orders: list[Order], length: int) -> NDArray[np.bool_]:
    """Which n-grams of a length begin with `<s>`."""
    found = orders[0].last == 1
    for order in orders[1:length]:
        found = found[order.prefix]
    return found


def discounts(count: Floats) -> tuple[float, float, float]:
    """What is taken from n-grams that count 1, 2, and 3 or more (Chen and Goodman 1999, equation 26)."""
    n1, n2, n3, n4 = (float((count == number).sum()) for number in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return USUAL
    share = n1 / (n1 + 2 * n2)
    found = (1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3)
    sound = all(0 < discount <= number for number, discount in enumerate(found, start=1))
    return found if sound else USUAL


def smooth(orders: list[Order], prune: int = 0) -> None:
    """Fill in `chance` and `weight`, so that over all tokens but `<s>` each context's probabilities sum to 1.

    Args:
        prune: n-grams of 3 tokens and more seen so often or less are taken out; the shorter context gets their share.
    """
    lower = np.full(1, 1.0 / (len(orders[0].last) - 1))  # below the unigrams all tokens but `<s>` are alike
    contexts = 1
    for length, order in enumerate(orders, start=1):
        taken = np.take(np.array([0.0, *discounts(order.count)]), np.minimum(order.count, 3).astype(np.int64))
        if length >= 3:
            taken = np.where(order.seen <= prune, order.count, taken)
        sums = np.bincount(order.prefix, order.count, contexts)
        full = np.maximum(sums, 1.0)
        weight = np.where(sums > 0, np.bincount(order.prefix, taken, contexts) / full, 1.0)
        order.chance = (order.count - taken) / full[order.prefix] + weight[order.prefix] * lower[order.suffix]
        if length > 1:
            orders[length - 2].weight = weight
        lower, contexts = order.chance, len(order.last)


def sections(orders: Sequence[Order], prune: int = 0) -> Iterator[Section]:
    """The n-grams of each length that are left."""
    grams = np.zeros((1, 0), np.int32)
    for length, order in enumerate(orders, start=1):
        grams = np.column_stack([grams[order.prefix], order.last.astype(np.int32)])
        numbers = np.log(np.stack([order.chance, order.weight]))
        if length == 1:
            numbers[0, 1] = NEVER
        kept = (order.seen > prune) | (length < 3)
        yield grams[kept], numbers[:, kept].astype(np.float32)
