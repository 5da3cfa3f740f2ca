"""The n-grams of a file of whatever kind -> a back-off model as flat arrays."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recognizer import arpa, arrays, binary, sphinx
from recognizer.arpa import BEGIN, END, OTHER
from recognizer.arrays import Arrays
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
        name: for messages, the file's.
    """

    tokens: tuple[str, ...]
    order: int
    top: int
    token: NDArray[np.int32]
    value: NDArray[np.float32]
    backoff: NDArray[np.float32]
    suffix: NDArray[np.int32]
    first: NDArray[np.int32]
    name: str = "the language model"

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
        """The state in which a text begins: what n-grams can follow, so the empty context if all are of one token."""
        node = self.index.get(BEGIN, -1) + 1
        return node if node < self.top else int(self.suffix[node])

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
        """The model in an ARPA file, in a binary of KenLM or of CMU Sphinx, or in a file of `write`.

        Raises:
            DecoderError: it is something else, is cut off, or contradicts itself; with the line, where there is one.
        """
        if arrays.is_one(path):
            return cls._opened(path)
        kind = next((kind for kind in (binary, sphinx) if kind.is_one(path)), arpa)
        model = cls.of(path, *kind.read(path))
        _hand_back()
        return model

    @property
    def levels(self) -> list[tuple[int, int]]:
        """For each length the first of its nodes and the one behind its last."""
        found = [(1, int(self.first[1]))]
        while len(found) < self.order:
            end = found[-1][1]
            found.append((end, int(self.first[end])))
        return found

    def sections(self) -> Iterator[arpa.Section]:
        """The n-grams of each length, sorted, as `of` takes them."""
        grams, begin = np.zeros((1, 0), np.int32), 0
        for low, high in self.levels:
            parent = np.repeat(np.arange(len(grams)), np.diff(self.first[begin : low + 1]))
            grams = np.column_stack([grams[parent], self.token[low:high]])
            backoff = np.zeros(high - low, np.float32)
            backoff[: self.top - low] = self.backoff[low:high]  # none of the longest
            yield grams, np.stack([self.value[low:high], backoff])
            begin = low

    def write(self, path: Path) -> None:
        """Write a file that is a fraction of the ARPA file and opens many times as fast; numbers are rounded to it.

        Raises:
            ConfigError: the file cannot be written.
        """
        arrays.write(path, Arrays(self.tokens, self.order, self.token[1:], self.first, self.value[1:], self.backoff))

    @classmethod
    def _opened(cls, path: str | Path) -> NGram:
        """The model in a file of `write`; a file that could lead the search astray is refused."""
        from recognizer.decoders.endings import SOUND, STRANGE, endings  # Numba takes a second to load

        found = arrays.read(path)
        token, value = np.append(np.int32(-1), found.token), np.append(np.float32(0), found.value)
        suffix, top = np.zeros(len(token), np.int32), len(found.backoff)
        what = _uneven(found)
        if not what and (kind := endings(token, found.first, len(found.tokens), suffix)) != SOUND:
            what = "a token that it does not list" if kind == STRANGE else "children that are not sorted"
        if what:
            raise DecoderError(path, f"contradicts itself: {what}", arrays.AGAIN)
        return cls(found.tokens, found.order, top, token, value, found.backoff, suffix, found.first, str(path))

    @classmethod
    def of(cls, path: str | Path, tokens: tuple[str, ...], sections: Iterable[arpa.Section]) -> NGram:
        """The model of tokens and, order by order, n-grams with their natural logarithms.

        Args:
            path: where they are from, for messages.

        Raises:
            DecoderError: an n-gram stands there twice, or without the one that it begins with.
        """

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
                node = child(keys, node * size + grams[:, place])
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
            suffix = np.append(suffix, suffixes(keys, suffix, parent, columns[-1][0], size))
            keys = np.append(keys, key)
        token, value, backoff = zip(*columns, strict=True)
        first = np.cumsum(np.concatenate(followers)).astype(np.int32)
        whole, inner = np.concatenate(token), np.concatenate(backoff[:-1])
        return cls(tokens, order, top, whole, np.concatenate(value), inner, suffix, first, str(path))


def opened(lm: str | Path | NGram | None) -> NGram | None:
    """A language model, wherever it is.

    Raises:
        DecoderError: as `NGram.read`.
    """
    return lm if isinstance(lm, NGram) or lm is None else NGram.read(lm)


def _uneven(model: Arrays) -> str:
    """What is wrong with the numbers of followers that a stranger may have written, or nothing."""
    first, top, size, words = model.first, len(model.backoff), 1 + len(model.token), len(model.tokens)
    if not 1 <= top <= size or not 1 <= model.order <= size or size <= words:
        return f"{size} n-grams of up to {model.order} tokens, {top} that others follow, of {words} tokens"
    if first[1] != 1 + words:
        return "its single tokens are not those that it lists"
    if (first[:-1] <= np.arange(top)).any():
        return "n-grams stand before what they begin with"
    low = high = 1  # of the nodes of each length
    for _ in range(model.order):
        low, high = high, int(first[high]) if high <= top else size + 1
    return "" if (low, high) == (top, size) else f"its longest n-grams do not have {model.order} tokens"


def _hand_back() -> None:
    """Free what is free: glibc keeps it, and the process would hold three times the model for as long as it lives."""
    with contextlib.suppress(TypeError, OSError, AttributeError):  # another system, or another library
        ctypes.CDLL(None).malloc_trim(0)


def child(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """The nodes whose keys (beginning x tokens + last token) are wanted, or -1."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((keys[place] == wanted) & (wanted >= 0), place, -1)


def suffixes(
    keys: NDArray[np.int64], suffix: NDArray[np.int32], parent: NDArray[np.int64], token: NDArray[np.int32], size: int
) -> NDArray[np.int32]:
    """For n-grams one token longer than those of `keys` the nodes of their longest listed proper endings.

    What their beginnings end with is known; of these the longest that the last token follows.
    """
    if not parent.any():
        return np.zeros(len(parent), np.int32)  # single tokens end with nothing
    state = suffix[parent].astype(np.int64)
    found = child(keys, state * size + token)
    while len(lost := np.flatnonzero(found < 0)):
        state[lost] = suffix[state[lost]]
        found[lost] = child(keys, state[lost] * size + token[lost])
    return found.astype(np.int32)
