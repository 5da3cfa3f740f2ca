"""A back-off model that grows, order by order: what is made out of models, a mixture of two or a part of one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recognizer.decoders.ngram import NGram, child, suffixes

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
LEAST = 1e-9  # probability that is left for what a context does not list


@dataclasses.dataclass
class Nodes:
    """A back-off model; see `NGram`, whose nodes these are, as they are numbered there.

    Attributes:
        size: how many tokens there are.
        key: of each node: its beginning's number x size + its last token, rising; -1 for node 0.
        value: ln p.
        backoff: ln of the shorter context's weight; 0 where there is none.
        suffix: the longest listed proper ending.
        top: the first node of the longest n-grams.
        order: how many tokens these have.
    """

    size: int
    key: Ints
    value: Floats
    backoff: Floats
    suffix: NDArray[np.int32]
    top: int
    order: int

    @classmethod
    def of(cls, model: NGram) -> Nodes:
        """Those of a model that is ready."""
        size = len(model.tokens)
        parent = np.repeat(np.arange(model.top, dtype=np.int64), np.diff(model.first))
        key = np.concatenate([[-1], parent * size + model.token[1:]])
        backoff = np.concatenate([model.backoff, np.zeros(len(key) - model.top)])
        value = model.value.astype(np.float64)
        return cls(size, key, value, backoff.astype(np.float64), model.suffix, model.top, model.order)

    @classmethod
    def none(cls, size: int) -> Nodes:
        """Node 0 alone."""
        return cls(size, np.full(1, -1, np.int64), np.zeros(1), np.zeros(1), np.zeros(1, np.int32), 0, 0)

    @property
    def parent(self) -> Ints:
        """The node of each one's beginning; -1 for node 0."""
        return self.key // self.size

    @property
    def token(self) -> Ints:
        """Each one's last token; of no matter for node 0."""
        return self.key % self.size

    def ask(self, state: Ints, token: Ints) -> tuple[Floats, Ints]:
        """ln p(token | state) [N] and the nodes that were found; single tokens must all be listed."""
        state, total = state.copy(), np.zeros(len(state))
        found = child(self.key, state * self.size + token)
        while len(lost := np.flatnonzero(found < 0)):
            total[lost] += self.backoff[state[lost]]
            state[lost] = self.suffix[state[lost]]
            found[lost] = child(self.key, state[lost] * self.size + token[lost])
        return total + self.value[found], found

    def left(self, parent: Ints, token: Ints, value: Floats) -> tuple[Floats, Floats]:
        """What contexts leave for tokens that they do not list, and what the shorter contexts give these [contexts].

        The quotient is the weight of the shorter context. Both are `LEAST` at least.

        Args:
            parent, token, value: the n-grams that the contexts do list, and their ln p.
        """
        shorter, _ = self.ask(self.suffix[parent].astype(np.int64), token)
        sums = (np.bincount(parent, np.exp(each), len(self.key)) for each in (value, shorter))
        mine, below = (np.maximum(1 - each, LEAST) for each in sums)
        return mine, below

    def grow(self, key: Ints, value: Floats) -> None:
        """Take in n-grams one token longer than the longest so far, and weigh the contexts shorter than theirs."""
        parent, token = key // self.size, key % self.size
        if self.order:
            mine, below = self.left(parent, token, value)
            contexts = np.unique(parent)
            self.backoff[contexts] = np.log(mine / below)[contexts]
        ends = suffixes(self.key, self.suffix, parent, token.astype(np.int32), self.size)
        self.top, self.order = len(self.key), self.order + 1
        self.key, self.value = np.append(self.key, key), np.append(self.value, value)
        self.suffix, self.backoff = np.append(self.suffix, ends), np.append(self.backoff, np.zeros(len(key)))

    def model(self, tokens: Sequence[str]) -> NGram:
        """The model, ready to be asked."""
        token = np.append(-1, self.token[1:]).astype(np.int32)
        first = 1 + np.searchsorted(self.parent[1:], np.arange(self.top + 1)).astype(np.int32)
        value, backoff = self.value.astype(np.float32), self.backoff[: self.top].astype(np.float32)
        return NGram(tuple(tokens), self.order, self.top, token, value, backoff, self.suffix, first)
