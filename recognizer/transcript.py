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
        confidence: in [0, 1], for the whole text: the geometric mean over its characters.
        words: in order, each inside what was read; their texts, joined by spaces, are `text`.
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
        characters: what each label writes and where, in order; a grapheme may be several code points.
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
            sure = mean([mark.confidence for mark in group])
            yield Word(normalise(text), group[0].start, group[-1].end, sure, group)
            found += 1
        first = place + 1


def mean(confidences: Sequence[float]) -> float:
    """The geometric mean of probabilities: one certain mistake is not hidden by many certain hits. 1 for none."""
    if not confidences:
        return 1.0
    least = 1e-12  # so that a probability that rounding made 0 still has a logarithm
    return math.exp(math.fsum(math.log(max(least, value)) for value in confidences) / len(confidences))
