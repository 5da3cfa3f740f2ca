"""The n-grams of an ARPA file or a binary of KenLM -> a back-off model as flat arrays <-> a file that opens at once."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import functools
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recognizer import arpa, binary
from recognizer.arpa import BEGIN, END, OTHER
from recognizer.errors import ConfigError, DecoderError

ARRAYS = {"token": np.int32, "value": np.float32, "backoff": np.float32, "suffix": np.int32, "first": np.int32}
SHAPE = ("order", "tokens")  # what else stands in a file of arrays: the order, and the tokens as lines of UTF-8


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
        """The model in an ARPA file, in a binary of KenLM, or in a file of `write`.

        Raises:
            DecoderError: it is something else, is cut off, or contradicts itself; with the line, where there is one.
        """
        if zipfile.is_zipfile(path):
            return cls._opened(path)
        model = cls.of(path, *(binary if binary.is_one(path) else arpa).read(path))
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
        """Keep the arrays as they are: a file that is smaller than the ARPA file and opens many times as fast.

        Raises:
            ConfigError: the file cannot be written.
        """
        lines = np.frombuffer("\n".join(self.tokens).encode(), np.uint8)
        part = path.with_name(path.name + ".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                arrays = {name: getattr(self, name) for name in ARRAYS}
                np.savez_compressed(file, allow_pickle=False, order=np.int32(self.order), tokens=lines, **arrays)
            part.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            raise ConfigError(path, f"cannot be written ({error.strerror})", "choose another file") from error

    @classmethod
    def _opened(cls, path: str | Path) -> NGram:
        """The model in a file of `write`; a file that could lead the search astray is refused."""
        wrong, remedy = "is a zip archive (checkpoints are, too)", "give a language model"
        try:
            with np.load(path, allow_pickle=False) as file:
                if {*file.files} != {*ARRAYS, *SHAPE}:
                    raise DecoderError(path, f"{wrong}, and none that recognizer.lm wrote", remedy)
                found = {name: np.asarray(file[name]) for name in file.files}  # a member may be other bytes
            tokens = tuple(found["tokens"].tobytes().decode().split("\n"))
            model = cls(tokens, int(found["order"]), len(found["backoff"]), **{name: found[name] for name in ARRAYS})
        except (OSError, EOFError, ValueError, TypeError, zlib.error, zipfile.BadZipFile) as error:
            raise DecoderError(path, f"{wrong} that is broken ({error})", "fetch or build it again") from error
        if what := model._unsound():
            raise DecoderError(path, f"contradicts itself: {what}", "fetch or build it again")
        return model

    def _unsound(self) -> str:
        """What is wrong with arrays that a stranger may have made, or nothing."""
        for name, kind in ARRAYS.items():
            if (array := getattr(self, name)).dtype != kind or array.ndim != 1:
                return f"{name} is {array.dtype} of {array.ndim} dimensions"
        size, words = len(self.token), len(self.tokens)
        lengths = {"value": size, "suffix": size, "first": self.top + 1}
        for name, length in lengths.items():
            if len(getattr(self, name)) != length:
                return f"{name} has {len(getattr(self, name))} entries, not {length}"
        if not 1 <= self.top <= size or not 1 <= self.order <= size or size <= words:
            return f"{size} n-grams of up to {self.order} tokens, {self.top} that others follow, of {words} tokens"
        first, nodes = self.first, np.arange(size)
        if first[0] != 1 or first[-1] != size or (np.diff(first) < 0).any() or (first[:-1] <= nodes[: self.top]).any():
            return "the children of its nodes do not lie side by side"
        low = high = 1  # of the nodes of each length
        for _ in range(self.order):
            low, high = high, int(first[high]) if high <= self.top else size + 1
        if (low, high) != (self.top, size):
            return f"its longest n-grams do not have {self.order} tokens"
        if first[1] != 1 + words or (self.token[: 1 + words] != nodes[: 1 + words] - 1).any():
            return "its single tokens are not those that it lists"
        if (self.token[1:] < 0).any() or (self.token >= words).any():
            return "a token that it does not list"
        risen = self.token[1:] > self.token[:-1]
        risen[first[(first > 1) & (first < size)] - 1] = True  # a new beginning
        if not risen.all():
            return "children that are not sorted"
        if self.suffix[0] != 0 or (self.suffix < 0).any() or (self.suffix[1:] >= np.minimum(nodes[1:], self.top)).any():
            return "an n-gram whose ending is none"
        if not (self.value[1:] <= 0).all() or not np.isfinite(self.backoff).all():
            return "numbers that are no logarithms of probabilities"
        return ""

    @classmethod
    def of(cls, path: str | Path, tokens: tuple[str, ...], sections: Iterable[arpa.Section]) -> NGram:
        """The model of tokens and, order by order, n-grams with their natural logarithms.

        Args:
            path: where they are from, for what is raised.

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
        return cls(tokens, order, top, whole, np.concatenate(value), inner, suffix, first)


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
