"""What texts earn, told in plain words: every text that a small matrix can hold, scored one by one."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from recognizer.decoders.ngram import NGram


def summed(matrix: Tensor, blank: int = 0) -> dict[tuple[int, ...], float]:
    """Every text that the frames can hold, and ln of the sum over all of its paths."""
    totals: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(matrix.shape[1]), repeat=matrix.shape[0]):
        labels = tuple(label for label, _ in itertools.groupby(path) if label != blank)
        totals[labels] = totals.get(labels, 0.0) + math.exp(
            sum(matrix[t, label].item() for t, label in enumerate(path))
        )
    return {labels: math.log(total) for labels, total in totals.items()}


@dataclasses.dataclass
class Judge:
    """The settings of a beam; labels are single characters, words are parted by spaces if one of them is a space."""

    labels: Sequence[str]
    model: NGram | None = None
    kind: str = "none"
    weight: float = 0.5
    bonus: float = 1.0
    unknown: float = -10.0
    lexicon: Mapping[str, Sequence[str]] | None = None
    hotwords: Sequence[str] = ()
    hotword_bonus: float = 0.0

    def verdict(self, labels: tuple[int, ...]) -> tuple[float, tuple[str, ...] | None] | None:
        """What is added to a text, and its words; None if it may not be written."""
        text = "".join(self.labels[label] for label in labels)
        groups = text.split(" ") if text else []
        if self.lexicon is not None:
            if groups and not groups[-1]:
                del groups[-1]  # a last word that has not begun
            if any(not self._words(group) for group in groups) or (" " not in self.labels and len(groups) > 1):
                return None
        groups = [group for group in groups if group]
        gain, words = self._language(text, groups)
        return gain + self._hot(text), tuple(words) if self.lexicon is not None else None

    def _words(self, group: str) -> list[str]:
        assert self.lexicon is not None
        return [word for word, spellings in self.lexicon.items() if group in (spellings or [word])]

    def _language(self, text: str, groups: list[str]) -> tuple[float, list[str]]:
        if self.kind == "words":
            return self._fused(groups)
        words = [self._words(group)[0] for group in groups] if self.lexicon is not None else groups
        if self.kind == "characters":
            assert self.model is not None
            tokens = ["<space>" if character == " " else character for character in text]
            lost = sum(token not in self.model.index for token in tokens)
            value = sum(self.model.sentence(tokens)) + self.unknown * lost
            return self.weight * value + self.bonus * len(tokens), words
        return (self.bonus * len(groups) if self.lexicon is not None else 0.0), words

    def _fused(self, groups: list[str]) -> tuple[float, list[str]]:
        assert self.model is not None
        found = []
        for words in itertools.product(
            *(self._words(group) if self.lexicon is not None else [group] for group in groups)
        ):
            lost = sum(word not in self.model.index for word in words)
            value = sum(self.model.sentence(words)) + self.unknown * lost
            found.append((self.weight * value + self.bonus * len(words), [*words]))
        return max(found, key=lambda one: one[0])

    def _hot(self, text: str) -> float:
        """What hotwords earn that stand there: as words of their own where there are spaces."""
        edge = " " if " " in self.labels else ""
        field = f"{edge}{text}{edge}".lower()
        wanted: dict[str, float] = {}
        for phrase in self.hotwords:
            worth = self.hotword_bonus
            if self.kind == "words" and self.model is not None:
                lost = sum(not {word, word.lower()} & self.model.index.keys() for word in phrase.split())
                worth -= self.weight * self.unknown * lost
            for way in self._ways(phrase):
                written = f"{edge}{way}{edge}".lower()
                wanted[written] = max(worth, wanted.get(written, 0.0))
        places = range(len(field))
        return sum(worth for way, worth in wanted.items() for place in places if field.startswith(way, place))

    def _ways(self, phrase: str) -> list[str]:
        """How a hotword may be spelt: as it stands, or as the lexicon spells its words."""
        listed: dict[str, list[str]] = {}
        for word, spellings in (self.lexicon or {}).items():
            listed.setdefault(word.lower(), []).extend(spellings or [word])
        each = [listed.get(word.lower(), [word]) for word in phrase.split()]
        return [" ".join(way) for way in itertools.product(*each)]
