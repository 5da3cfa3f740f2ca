"""What was read in one file: the text, how sure the model is, and where each word stands."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Word:
    """A word and its place, in the unit of the transcript; `confidence` lies in [0, 1]."""

    text: str
    start: float
    end: float
    confidence: float


@dataclasses.dataclass(frozen=True)
class Transcript:
    """The answer for one file; what every writer reads.

    Attributes:
        path: the file, or the item of a file (`file#3`), as the user named it.
        text: in the alphabet's normal form; empty for silence.
        score: natural logarithm of the probability of the best path.
        confidence: in [0, 1], for the whole text.
        words: in order, each inside the file.
        unit: of the words' places: "seconds", "points" or "pixels".
        duration: the length of the file in that unit.
    """

    path: str
    text: str
    score: float
    confidence: float
    words: tuple[Word, ...]
    unit: str
    duration: float
