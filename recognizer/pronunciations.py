"""A pronouncing dictionary -> the phones of texts, which a network can learn beside their characters.

English writes one sound in many ways, so a network that learns spellings from a few hours of speech learns them by
heart; phones it hears. A dictionary makes words of them again (Miao, Gowayyed & Metze 2015, "EESEN").
"""

from __future__ import annotations

import functools
import gzip
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from recognizer import lines
from recognizer.decoders.lexicon import Lexicon
from recognizer.decoders.spellings import Rows
from recognizer.errors import DictionaryError

SPACE = 1
"""The label that parts words; 0 is the blank."""
PHONES = 2
"""The label of the first phone."""
VARIANT = re.compile(r"(?<=.)\(\d+\)$")  # CMUdict's mark of a word's second pronunciation
NUMBER = re.compile(r"\d*\.?\d*")  # of a probability
COMMENT = (";;;", "#")


class Pronunciations:
    """How words are spoken.

    Args:
        listed: for each word its pronunciations, the usual one first; each the phones in their order, a space between.

    Attributes:
        phones: all that occur, sorted.
        labels: what each label writes: nothing for the blank, the space, then the phones.
    """

    def __init__(self, listed: Mapping[str, Sequence[str]]) -> None:
        self.listed = listed
        self._ways = [*itertools.chain.from_iterable(listed.values())]
        self._said = " ".join(self._ways).split(" ") if listed else []
        self.phones = tuple(sorted({*self._said}))
        self.labels = written(self.phones)

    @functools.cached_property
    def _labels(self) -> dict[str, list[int]]:
        """Of each word as it is usually spoken; only learning asks for them."""
        numbers = {phone: label for label, phone in enumerate(self.phones, start=PHONES)}
        return {word: [numbers[phone] for phone in ways[0].split()] for word, ways in self.listed.items()}

    def lexicon(self, name: str, labels: Sequence[str]) -> Lexicon:
        """Its words as these labels write them, all of its phones among them.

        Args:
            name: of the file, for messages.
        """
        numbers = {label: number for number, label in enumerate(labels)}
        said = np.fromiter(map(numbers.__getitem__, self._said), np.int32, len(self._said))
        size = np.fromiter((way.count(" ") for way in self._ways), np.int64, len(self._ways)) + 1
        ways = np.fromiter(map(len, self.listed.values()), np.int64, len(self.listed))
        word = np.repeat(np.arange(len(ways), dtype=np.int32), ways)
        return Lexicon(name, tuple(self.listed), (), word, Rows(said, size))

    @classmethod
    def read(cls, path: str | Path) -> Pronunciations:
        """A file, plain or gzipped, in UTF-8, as CMUdict, Kaldi and the Montreal Forced Aligner write theirs.

        A line has a word and its phones, parted by white space; numbers between the two are passed over, and so are
        lines that begin with ;;; or #. Another pronunciation is another line with the word, or with WORD(2).

        Raises:
            DictionaryError: it cannot be read, a line has a word without phones, or there is none.
        """
        listed: dict[str, list[str]] = {}
        wanted = "a line WORD PHONE PHONE ... for each word"
        for number, line in enumerate(lines.read(path, DictionaryError, wanted), start=1):
            fields = line.split()
            if not fields or line.startswith(COMMENT):
                continue
            word, *rest = fields
            while rest and rest[0][0] in "0123456789." and NUMBER.fullmatch(rest[0]):
                del rest[0]
            if not rest:
                raise DictionaryError(f"{path}, line {number}", f"{word!r} has no phones", "write: WORD PHONE ...")
            if word[-1] == ")":
                word = VARIANT.sub("", word)
            way = " ".join(rest)
            if word not in listed:
                listed[word] = [way]
            elif way not in listed[word]:
                listed[word].append(way)
        if not listed:
            raise DictionaryError(path, "lists no words", "write one a line: WORD PHONE PHONE ...")
        return cls(listed)

    def write(self, path: str | Path) -> None:
        """The same as a gzipped file, which `read` reads; the same bytes each time."""
        written = [f"{word}\t{way}\n" for word, ways in self.listed.items() for way in ways]
        Path(path).write_bytes(gzip.compress("".join(written).encode(), mtime=0))

    def only(self, words: Iterable[str]) -> Pronunciations:
        """Of these words those that are listed."""
        wanted = frozenset(words)
        return Pronunciations({word: ways for word, ways in self.listed.items() if word in wanted})

    def encode(self, text: str) -> list[int] | None:
        """The labels of a text, each word as it is usually spoken; None if a word is not listed."""
        labels: list[int] = []
        for word in text.split():
            spoken = self._labels.get(word) or self._labels.get(word.casefold())
            if spoken is None:
                return None
            labels += [SPACE, *spoken] if labels else spoken
        return labels

    def missing(self, texts: Iterable[str]) -> tuple[int, Counter[str]]:
        """How many of the texts have words that are not listed, and how often each such word occurs."""
        count, words = 0, Counter[str]()
        for text in texts:
            found = [word for word in text.split() if not {word, word.casefold()} & self.listed.keys()]
            words.update(found)
            count += bool(found)
        return count, words


def written(phones: Iterable[str]) -> tuple[str, ...]:
    """What each label of a network's second output writes."""
    return ("", " ", *phones)
