"""Words, and how labels write them -> the labels of each spelling, and the words that stand behind it."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recognizer import lines
from recognizer.alphabet import Alphabet
from recognizer.decoders.spellings import Rows, Spellings
from recognizer.errors import DecoderError

WORD, TOKEN, NEXT = range(3)
"""A row of `Lexicon.entries`: the number of the word, its token in a language model, the next entry spelt alike."""


class Speller:
    """What each label writes, so that words can be taken apart into labels; the longest first where labels begin alike.

    Args:
        labels: what each label writes.
        blank: the label that writes nothing.
        space: what parts words.
        alphabet: whose normal form words are brought to.

    Attributes:
        space: the label that parts words, or -1.
        folds: for each label the first label that is the same but for its case.
    """

    def __init__(self, labels: Sequence[str], blank: int, space: str, alphabet: Alphabet | None = None) -> None:
        self.numbers = {label: place for place, label in enumerate(labels) if place != blank}
        self.space = self.numbers.get(space, -1)
        self._alphabet = alphabet
        self._folded: dict[str, int] = {}
        for label, place in self.numbers.items():
            self._folded.setdefault(label.casefold(), place)
        self._written, self._bent = self._pattern(self.numbers), self._pattern(self._folded)
        places = enumerate(labels)
        self.folds = tuple(-1 if place == blank else self._folded[label.casefold()] for place, label in places)

    def spell(self, word: str | tuple[str, ...]) -> list[int]:
        """The labels of a word, or of what its labels write one by one; none if it cannot be written."""
        if isinstance(word, tuple):
            try:
                return [*map(self.numbers.__getitem__, word)]
            except KeyError:
                return []
        return _cut(self._normal(word), self._written, self.numbers)

    def fold(self, word: str) -> list[int]:
        """The labels of a word, as `folds` has them, whatever its case; none if it cannot be written."""
        if found := self.spell(word):
            return [self.folds[label] for label in found]
        return _cut(self._normal(self._normal(word).casefold()), self._bent, self._folded)

    def remedy(self, words: Iterable[str], otherwise: str) -> str:
        """The way out where none of these `words` can be written: another case, or else what is said otherwise."""
        words = list(itertools.islice(words, 100))
        for case, change in (("lower", str.lower), ("upper", str.upper)):
            if any(self.spell(change(word)) for word in words):
                return f"the labels write {case} case: bring its words to {case} case"
        return otherwise

    def _normal(self, word: str) -> str:
        return word if self._alphabet is None else self._alphabet.normalise(word)

    def _pattern(self, table: Mapping[str, int]) -> re.Pattern[str]:
        """What one label of the table writes, the longest first; none of them parts words."""
        listed = [label for label, place in table.items() if label and place != self.space]
        return re.compile("|".join(map(re.escape, sorted(listed, key=len, reverse=True))) or r"(?!)", re.DOTALL)


def _cut(text: str, pattern: re.Pattern[str], table: Mapping[str, int]) -> list[int]:
    """The labels that write a text, from its beginning on; none if that leaves something out."""
    found = pattern.findall(text)
    return [table[piece] for piece in found] if sum(map(len, found)) == len(text) else []


Given = str | Path | Mapping[str, Sequence[str]] | Mapping[str, Sequence[tuple[str, ...]]]
"""Of a `Lexicon`."""


@dataclasses.dataclass(frozen=True, eq=False)
class Lexicon:
    """The only words that may be written, and their spellings.

    Attributes:
        name: of the file, for messages.
        words: those of which at least one spelling can be written.
        missing: those that cannot be written.
        word: int32 [S], of each spelling the number of its word.
        rows: the labels of each spelling.
    """

    name: str
    words: tuple[str, ...]
    missing: tuple[str, ...]
    word: NDArray[np.int32]
    rows: Rows

    @classmethod
    def of(cls, given: Given, speller: Speller) -> Lexicon:
        """The lexicon of words and how they are spelt.

        Args:
            given: a file, or for each word its spellings: in one piece, or as a tuple of what its labels write; none:
                as it is written. In a file, plain or gzipped, in UTF-8, stands one word a line, followed, if it is
                spelt otherwise than it is written, by its spellings, all parted by tabs. The spellings of several lines
                with the same word add up.
            speller: takes the spellings apart.

        Raises:
            DecoderError: it cannot be read, with the line; or none of its words can be written.
        """
        name = "the lexicon" if isinstance(given, Mapping) else str(given)
        listed = given if isinstance(given, Mapping) else read(Path(given))
        words, missing, owners, spelt = list[str](), list[str](), list[int](), list[tuple[int, ...]]()
        for word, spellings in listed.items():
            each = [spellings] if isinstance(spellings, str) else spellings or [word]
            found = {tuple(labels) for spelling in each if (labels := speller.spell(spelling))}
            if not found:
                missing.append(word)
                continue
            owners += [len(words)] * len(found)
            spelt += sorted(found)
            words.append(word)
        if not words:
            begin = " ".join(list(listed)[:5])
            what = f"none of its {len(listed)} words can be spelt with the labels (it begins: {begin})"
            remedy = speller.remedy(listed, "list words, and behind a tab how the labels write them")
            raise DecoderError(name, what, remedy)
        return cls(name, tuple(words), tuple(missing), np.array(owners, np.int32), Rows.of(spelt))

    def entries(self, tree: Spellings, tokens: Sequence[int]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Rows of WORD, TOKEN, NEXT, given the tree of `rows` and each word's token; and of each node the first row."""
        order = np.argsort(tree.node, kind="stable")
        node, word = tree.node[order], self.word[order]
        following = np.arange(1, len(node) + 1, dtype=np.int32)
        following[np.append(node[1:] != node[:-1], True)] = -1  # the last one that is spelt so
        first = np.full(len(tree.spelt), -1, np.int32)
        first[node[::-1]] = np.arange(len(node), dtype=np.int32)[::-1]
        return np.column_stack([word, np.array(tokens, np.int32)[word], following]), first

    def spelt(self, words: Iterable[str]) -> Iterator[tuple[str, list[int]]]:
        """Those of these words that it lists, in whatever case, with the labels of each of their spellings."""
        wanted = {word.casefold() for word in words}
        listed = [number for number, word in enumerate(self.words) if word.casefold() in wanted]
        end = np.cumsum(self.rows.size)
        start = end - self.rows.size
        for place in np.flatnonzero(np.isin(self.word, listed)):
            yield self.words[self.word[place]], self.rows.labels[start[place] : end[place]].tolist()


def read(path: Path) -> dict[str, list[str]]:
    """The words of a file and their spellings.

    Raises:
        DecoderError: it cannot be read; with the line, where there is one.
    """
    found: dict[str, list[str]] = {}
    for number, line in enumerate(lines.read(path, DecoderError, "one word a line"), start=1):
        where = f"{path}, line {number}"
        word, *spellings = (field.strip() for field in line.split("\t"))
        if not word and not any(spellings):
            continue
        for field in (word, *spellings):
            if not field:
                raise DecoderError(where, f"{line[:40]!r} has an empty field", "write: word TAB spelling")
            if len(field.split()) > 1:
                remedy = "one word a line; a tab parts it from its spellings, which are written without spaces"
                raise DecoderError(where, f"{field[:40]!r} holds a space", remedy)
        found.setdefault(word, []).extend(spellings or [word])
    if not found:
        raise DecoderError(path, "lists no words", "write one a line")
    return found
