"""A Transcript -> subtitles that can be read: two short lines, broken at pauses and ends of sentences."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import unicodedata
from collections.abc import Iterator, Sequence

from recognizer.errors import ConfigError
from recognizer.transcript import Mark, Transcript, Word

# What is customary on television and on the web, as in the BBC's and Netflix's guides for their makers of subtitles.
WIDTH, LINES = 42, 2  # characters and lines of a subtitle
LONGEST, SHORTEST = 7.0, 1.0  # seconds that a subtitle stands
PACE = 17.0  # characters a second that a viewer reads
PAUSE = 0.7  # seconds of silence that end a subtitle

SENTENCE, CLAUSE = tuple(".!?…。！？؟।"), tuple(",;:—–،؛，、；：")
WORTH = {"cue": 1.0, "pause": 1.0, "sentence": 0.8, "clause": 0.3, "haste": 1.0, "room": 1.0}
"""What one subtitle more costs; what a break gains at a pause of nearly `PAUSE`, behind a sentence and behind a part of
one; what each second costs that is missing for reading, and what an empty subtitle would."""

Cost = tuple[int, float]
"""Words that stand alone, which weigh more than all else, and the rest."""


@dataclasses.dataclass(frozen=True)
class _Piece(Mark):
    """What a break may stand between: a word or, of a word that no line can hold, a character."""

    gap: str = " "


def cues(transcript: Transcript) -> list[Mark]:
    """Its words in order as subtitles, none over another, each shown long enough to be read if there is time.

    Raises:
        ConfigError: the transcript is measured in points or pixels.
    """
    runs = list[list[_Piece]]()
    for piece in itertools.chain.from_iterable(map(_pieces, _timed(transcript).words)):
        if runs and piece.start - runs[-1][-1].end <= PAUSE:
            runs[-1].append(piece)
        else:
            runs.append([piece])
    end = transcript.start + transcript.duration
    starts = [*(run[0].start for run in runs), end][1:]
    groups = [group for run, following in zip(runs, starts, strict=True) for group in _parted(run, following)]
    shown = [("\n".join(_lines(group)), group) for group in groups]
    return _laid([Mark(text, group[0].start, group[-1].end, _least(group)) for text, group in shown], end)


def singles(transcript: Transcript) -> list[Mark]:
    """A subtitle for each word, as `cues` else; a word that no line can hold is not broken.

    Raises:
        ConfigError: as `cues`.
    """
    return [Mark(word.text, word.start, word.end, word.confidence) for word in _timed(transcript).words]


def _timed(transcript: Transcript) -> Transcript:
    if transcript.unit != "seconds":
        what = f"is measured in {transcript.unit}, not in seconds"
        raise ConfigError(transcript.path, what, "write txt, tsv or json")
    return transcript


def _laid(found: Sequence[Mark], end: float) -> list[Mark]:
    """Each stands until it can have been read, but not into the next one."""
    starts = [*(cue.start for cue in found), end][1:]
    laid = []
    for cue, following in zip(found, starts, strict=True):
        wanted = cue.start + max(SHORTEST, width(cue.text) / PACE)
        stop = min(max(cue.end, min(wanted, following)), cue.start + LONGEST)
        laid.append(dataclasses.replace(cue, end=stop))
    return laid


def _least(group: Sequence[Mark]) -> float:
    return min(piece.confidence for piece in group)


def _parted(run: Sequence[_Piece], following: float) -> list[Sequence[_Piece]]:
    """Words without a long pause among them -> the cheapest groups that fit, by dynamic programming over the breaks.

    Among the groups that are as cheap in words that stand alone, each costs something, and the time that its readers
    lack, and the square of the room that it leaves empty, so that they come out alike (as Knuth and Plass 1981 break
    paragraphs); a good place for a break is worth something.
    """
    starts = [*(piece.start for piece in run), following]
    ends = [0, *itertools.accumulate(len(piece.gap) + width(piece.text) for piece in run)]
    begins = [end + len(piece.gap) for end, piece in zip(ends, run, strict=False)]
    # How far a line reaches that begins with each word, and from there the next line.
    reach = [max(first + 1, bisect.bisect_right(ends, begin + WIDTH) - 1) for first, begin in enumerate(begins)]
    both = [reach[stop] if stop < len(run) else stop for stop in reach]
    best: list[tuple[Cost, int]] = [((0, 0.0), 0)]
    for stop in range(1, len(run) + 1):
        gain = _gain(run[stop - 1], starts[stop]) if stop < len(run) else 0.0
        choices = []
        for first in range(stop - 1, -1, -1):
            if stop - first > 1 and (stop > both[first] or run[stop - 1].end - starts[first] > LONGEST):
                break
            alone, rest = best[first][0]
            price = _price(ends[stop] - begins[first], starts[stop] - starts[first])
            choices.append(((alone + (stop - first == 1), rest + price - gain), first))
        best.append(min(choices))
    groups, stop = list[Sequence[_Piece]](), len(run)
    while stop:
        first = best[stop][1]
        groups.append(run[first:stop])
        stop = first
    return groups[::-1]


def _price(size: int, time: float) -> float:
    haste = max(0.0, max(SHORTEST, size / PACE) - min(time, LONGEST))
    empty = max(0.0, 1 - size / (WIDTH * LINES))
    return WORTH["cue"] + WORTH["haste"] * haste + WORTH["room"] * empty**2


def _gain(last: _Piece, following: float) -> float:
    pause = max(0.0, min(following - last.end, PAUSE)) / PAUSE
    return WORTH["pause"] * pause + _ending(last.text)


def _ending(text: str) -> float:
    bare = text.rstrip("\"'”’»)]")
    return WORTH["sentence"] if bare.endswith(SENTENCE) else WORTH["clause"] if bare.endswith(CLAUSE) else 0.0


def _joined(group: Sequence[_Piece]) -> str:
    return group[0].text + "".join(piece.gap + piece.text for piece in group[1:])


def _lines(group: Sequence[_Piece]) -> list[str]:
    """One line, or the two that are most alike, rather broken behind a sentence or a part of one."""
    whole = _joined(group)
    if width(whole) <= WIDTH:
        return [whole]
    pairs = [(group[:place], group[place:]) for place in range(1, len(group))]
    halves = [(_joined(upper), _joined(lower)) for upper, lower in pairs]
    fitting = [(upper, lower) for upper, lower in halves if max(width(upper), width(lower)) <= WIDTH]
    assert fitting
    best = min(fitting, key=lambda two: abs(width(two[0]) - width(two[1])) - WIDTH * _ending(two[0]))
    return list(best)


def _pieces(word: Word) -> Iterator[_Piece]:
    """A word that no line can hold, as in scripts without spaces, may be broken behind each of its characters."""
    if width(word.text) <= WIDTH:
        yield _Piece(word.text, word.start, word.end, word.confidence)
        return
    marks = word.characters
    if "".join(mark.text for mark in marks) != word.text:  # a lexicon's word, or one whose characters are not known
        pace = (word.end - word.start) / len(word.text)
        times = [word.start + pace * place for place in range(len(word.text))] + [word.end]
        marks = tuple(
            Mark(text, *place, word.confidence)
            for text, place in zip(word.text, itertools.pairwise(times), strict=True)
        )
    held = list[Mark]()
    gap = " "
    for mark, following in itertools.zip_longest(marks, marks[1:]):
        held.append(mark)
        if following is None or not _combining(following.text[0]):
            text = "".join(one.text for one in held)
            yield _Piece(text, held[0].start, held[-1].end, _least(held), gap)
            held, gap = [], ""


def width(text: str) -> int:
    """The room that it takes: combining marks none, the characters of East Asia (UAX #11) two places, others one."""
    return sum(
        0 if _combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
        if character != "\n"
    )


def _combining(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me")
