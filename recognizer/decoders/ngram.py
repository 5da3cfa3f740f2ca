"""The n-grams of an ARPA file -> a back-off model as flat arrays; the spellings of words -> a tree of letters."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recognizer import arpa, binary
from recognizer.arpa import BEGIN, END, OTHER
from recognizer.errors import DecoderError


@dataclasses.dataclass(frozen=True, eq=False)
class NGram:
    """A back-off model. Node 0 is the empty context, node 1 + w the token w, longer n-grams their beginnings' children.

    Nodes are sorted by order, beginning and last token, so that a node's children lie side by side. 20 bytes a node, of
    the longest n-grams, which nothing can follow, 12.

    Attributes:
        tokens: the listed ones, in the file's order.
        order: the longest n-gram's length.
        top: the first node of that length.
        token: int32 [N], the last token of each node; -1 for node 0.
        value: float32 [N], ln p(last token | those before).
        backoff: float32 [top], ln of the weight with which a shorter context is asked instead.
        suffix: int32 [N], the node of the longest listed proper ending.
        first: int32 [top + 1]; the children of n are first[n] to first[n + 1].
    """

    tokens: tuple[str, ...]
    order: int
    top: int
    token: NDArray[np.int32]
    value: NDArray[np.float32]
    backoff: NDArray[np.float32]
    suffix: NDArray[np.int32]
    first: NDArray[np.int32]

    @functools.cached_property
    def index(self) -> dict[str, int]:
        """Token -> its number."""
        return {token: number for number, token in enumerate(self.tokens)}

    @property
    def other(self) -> int:
        """The number of the token for what is not listed, or -1."""
        return max(self.index.get(token, -1) for token in OTHER)

    @property
    def start(self) -> int:
        """The state in which a text begins."""
        return self.index.get(BEGIN, -1) + 1

    def ask(self, state: int, token: str) -> tuple[float, int]:
        """ln p(token | state) and the state behind it; a token that is not listed counts as `<unk>`.

        Where `<unk>` is not listed, either, it costs as much as KenLM lets it.
        """
        number, total = self.index.get(token, self.other), 0.0
        while number < 0:
            if state == 0:
                return total + arpa.MISSING, 0
            total, state = total + float(self.backoff[state]), int(self.suffix[state])
        while True:
            low, high = self.first[state], self.first[state + 1]
            node = int(low + np.searchsorted(self.token[low:high], number))
            if node < high and self.token[node] == number:
                return total + float(self.value[node]), int(self.suffix[node]) if node >= self.top else node
            total, state = total + float(self.backoff[state]), int(self.suffix[state])

    def sentence(self, tokens: Sequence[str]) -> list[float]:
        """ln p of each token after those before it, and last of the end of the sentence, if the model knows one."""
        state, values = self.start, []
        for token in [*tokens, END] if END in self.index else tokens:
            value, state = self.ask(state, token)
            values.append(value)
        return values

    @classmethod
    def read(cls, path: str | Path) -> NGram:
        """The model in an ARPA file or a binary of KenLM.

        Raises:
            DecoderError: it is something else, is cut off, or contradicts itself; with the line, where there is one.
        """
        model = cls._built(path, *(binary if binary.is_one(path) else arpa).read(path))
        _hand_back()
        return model

    @classmethod
    def _built(cls, path: str | Path, tokens: tuple[str, ...], sections: Iterable[arpa.Section]) -> NGram:
        """The model of tokens and, order by order, n-grams."""

        def refuse(gram: NDArray[np.int32], what: str) -> DecoderError:
            return DecoderError(path, f"lists {' '.join(tokens[word] for word in gram)!r} {what}", "build it again")

        size, order, top = len(tokens), 0, 0
        keys = np.full(1, -1, np.int64)  # of each node: its beginning's number x tokens + its last token
        suffix = np.zeros(1, np.int32)
        columns = [(np.full(1, -1, np.int32), *np.zeros((2, 1), np.float32))]
        followers = [np.ones(1, np.int64)]  # how many children each node has; the sum before node 0 is 1
        for order, (grams, numbers) in enumerate(sections, start=1):
            node = np.zeros(len(grams), np.int64)
            for place in range(order - 1):
                node = _child(keys, node * size + grams[:, place])
            if (node < 0).any():
                raise refuse(grams[np.argmax(node < 0)], "and not the n-gram that it begins with")
            key = node * size + grams[:, -1]
            sort = np.argsort(key, kind="stable")
            key = key[sort]
            if (key[1:] == key[:-1]).any():
                raise refuse(grams[sort[np.argmax(key[1:] == key[:-1])]], "twice")
            columns.append((grams[sort, -1], *numbers[:, sort]))
            parent, below, top = key // size, top, len(keys)
            followers.append(np.bincount(parent - below, minlength=top - below))
            suffix = np.append(suffix, _suffixes(keys, suffix, parent, columns[-1][0], size))
            keys = np.append(keys, key)
        token, value, backoff = zip(*columns, strict=True)
        first = np.cumsum(np.concatenate(followers)).astype(np.int32)
        whole, inner = np.concatenate(token), np.concatenate(backoff[:-1])
        return cls(tokens, order, top, whole, np.concatenate(value), inner, suffix, first)


def _hand_back() -> None:
    """Free what is free: glibc keeps it, and the process would hold three times the model for as long as it lives."""
    with contextlib.suppress(TypeError, OSError, AttributeError):  # another system, or another library
        ctypes.CDLL(None).malloc_trim(0)


def _child(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """The nodes whose keys (beginning x tokens + last token) are wanted, or -1."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((keys[place] == wanted) & (wanted >= 0), place, -1)


def _suffixes(
    keys: NDArray[np.int64], suffix: NDArray[np.int32], parent: NDArray[np.int64], token: NDArray[np.int32], size: int
) -> NDArray[np.int32]:
    """For n-grams one token longer than those of `keys` the nodes of their longest listed proper endings.

    What their beginnings end with is known; of these the longest that the last token follows.
    """
    if not parent.any():
        return np.zeros(len(parent), np.int32)  # single tokens end with nothing
    state = suffix[parent].astype(np.int64)
    found = _child(keys, state * size + token)
    while len(lost := np.flatnonzero(found < 0)):
        state[lost] = suffix[state[lost]]
        found[lost] = _child(keys, state[lost] * size + token[lost])
    return found.astype(np.int32)


@dataclasses.dataclass(frozen=True, eq=False)
class Spellings:
    """A tree of letters. Its nodes lie level by level, the children of each side by side; node 0 is the beginning.

    Attributes:
        letter: int32 [N], the label of each node; -1 for node 0.
        branch: int32 [N + 1]; the children of n are branch[n] to branch[n + 1].
        spelt: int32 [N], the token that ends here (of several the likeliest), or -1.
        best: float32 [N], the highest value of the tokens that end here or below.
    """

    letter: NDArray[np.int32]
    branch: NDArray[np.int32]
    spelt: NDArray[np.int32]
    best: NDArray[np.float32]

    @classmethod
    def of(cls, spelt: Sequence[tuple[Sequence[int], int, float]], labels: int) -> Spellings:
        """The tree of (labels, token, value); `labels` is above every label."""
        spelt = sorted(spelt, key=lambda item: item[2])  # of those that are spelt alike the likeliest comes last
        size = np.array([len(word) for word, _, _ in spelt], np.int64)
        node = np.zeros(len(spelt), np.int64)
        keys: list[NDArray[np.int64]] = [np.array([-1], np.int64)]
        total = 1
        for depth in range(int(size.max(initial=0))):
            here = size > depth
            letters = np.array([word[depth] for word, _, _ in spelt if len(word) > depth], np.int64)
            level, place = np.unique(node[here] * labels + letters, return_inverse=True)
            node[here] = total + place.ravel()
            keys.append(level)
            total += len(level)
        key = np.concatenate(keys)
        parent = key[1:] // labels
        ends, best = np.full(total, -1, np.int32), np.full(total, -np.inf, np.float32)
        ends[node] = [token for _, token, _ in spelt]
        np.maximum.at(best, node, np.array([value for _, _, value in spelt], np.float32))
        end = total
        for level in reversed(keys[1:]):
            np.maximum.at(best, level // labels, best[end - len(level) : end])
            end -= len(level)
        letter = np.append(np.int32(-1), (key[1:] % labels).astype(np.int32))
        branch = 1 + np.searchsorted(parent, np.arange(total + 1)).astype(np.int32)
        return cls(letter, branch, ends, best)
