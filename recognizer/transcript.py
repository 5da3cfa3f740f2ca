"""What was read in one file: the text, how sure the model is, and where each word and character stands."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence


@dataclasses.dataclass(frozen=True)
class Mark:
    """A piece of text and its place, in the unit of the transcript; `confidence` lies in [0, 1]."""

    text: str
    start: float
    end: float
    confidence: float


@dataclasses.dataclass(frozen=True)
class Word(Mark):
    """A word and its place; `characters` are what it was written with: where a lexicon lists it, its spelling."""

    characters: tuple[Mark, ...] = ()


@dataclasses.dataclass(frozen=True)
class Transcript:
    """The answer for one file; what every writer reads.

    Attributes:
        path: the file, or the item of a file (`file#3`), as the user named it.
        text: in the alphabet's normal form; empty for silence.
        score: natural logarithm of the probability of the best path, or of the text with what a language model adds.
        confidence: the probability that the whole text is right, as the model was calibrated; long texts seldom are.
            The mean of its words' confidences is the share of them that is likely right.
        words: in order, each inside what was read, with the probability that it is right; their texts, joined by
            spaces, are `text`. The confidence of a character is the network's own.
        unit: of the words' places: "seconds", "points" or "pixels".
        duration: the length of what was read, in that unit.
        start: where in the file it begins; the words' places are counted from the file's beginning.
        part: only a part of the file was asked for.
        alternatives: other readings and their scores, best first; only those that were asked for.
    """

    path: str
    text: str
    score: float
    confidence: float
    words: tuple[Word, ...]
    unit: str
    duration: float
    start: float = 0.0
    part: bool = False
    alternatives: tuple[tuple[str, float], ...] = ()


def words(
    characters: Sequence[Mark], normalise: Callable[[str], str], listed: Sequence[str] | None = None
) -> Iterator[Word]:
    """The words that `characters` make: what stands between spaces; a script without spaces gives one.

    Args:
        characters: what each label writes and where, in order; a grapheme may be several code points. A word is as
            sure as all of its characters, and the spaces beside it, together.
        normalise: brings a text to the alphabet's normal form.
        listed: for each word what a lexicon writes for it.
    """
    first, found = 0, 0
    for place in range(len(characters) + 1):
        if place < len(characters) and not characters[place].text.isspace():
            continue
        if place > first:
            group = tuple(characters[first:place])
            text = "".join(mark.text for mark in group) if listed is None else listed[found]
            sure = product([mark.confidence for mark in characters[max(0, first - 1) : place + 1]])
            yield Word(normalise(text), group[0].start, group[-1].end, sure, group)
            found += 1
        first = place + 1


def agreed(readings: Sequence[Sequence[Word]], shares: Sequence[float], own: float) -> Iterator[Word]:
    """The words of the first reading, each as sure as the weighted geometric mean of what it is by itself and the share
    of the readings that have it too, at a place that overlaps (Wessel et al. 2001, "Confidence measures for LVCSR").

    Args:
        readings: of the same signal, best first.
        shares: the probability of each, of 1 in all.
        own: the weight of what a word is by itself, in [0, 1].
    """
    places: dict[str, list[tuple[int, Word]]] = {}
    for number, reading in enumerate(readings):
        for word in reading:
            places.setdefault(word.text, []).append((number, word))
    for word in readings[0]:
        there = {number for number, one in places[word.text] if one.start < word.end and word.start < one.end}
        share = math.fsum(shares[number] for number in {0, *there})
        yield dataclasses.replace(word, confidence=word.confidence**own * min(1.0, share) ** (1 - own))


def product(confidences: Sequence[float]) -> float:
    """The probability that all of several things are so, were they independent; 1 for none."""
    return math.prod(confidences)
