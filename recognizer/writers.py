"""Transcripts -> plain text, tables, JSON and subtitles."""

from __future__ import annotations

import dataclasses
import itertools
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from recognizer.errors import ConfigError
from recognizer.transcript import Transcript, Word

WIDTH, LINES = 42, 2  # characters and lines of a subtitle: what is customary on television and on the web
LONGEST, SHORTEST = 7.0, 1.0  # seconds that a subtitle stands
PAUSE = 0.7  # seconds of silence that end a subtitle


@dataclasses.dataclass(frozen=True)
class Writer:
    """One output format.

    Attributes:
        entry: what is written for one file.
        head: what stands once before the entries.
        shared: what is written for one of several files in one stream; None: they cannot share one.
    """

    entry: Callable[[Transcript], str]
    head: str = ""
    shared: Callable[[Transcript], str] | None = None

    def document(self, transcript: Transcript) -> str:
        """The whole of a file that holds this transcript alone.

        Raises:
            ConfigError: the format needs seconds, and the transcript is measured in points or pixels.
        """
        return self.head + self.entry(transcript)


def _text(transcript: Transcript) -> str:
    return _field(transcript.text) + "\n"


def _named(transcript: Transcript) -> str:
    return f"{_field(transcript.path)}\t{_text(transcript)}"


def _row(transcript: Transcript) -> str:
    """A row of a manifest, so that a corrected table can be trained on; start and end only where a part was read."""
    end = transcript.start + transcript.duration
    part = (f"{transcript.start:.6g}", f"{end:.6g}") if transcript.part else ("", "")
    fields = (_field(transcript.path), _field(transcript.text), *part, f"{transcript.duration:.6g}")
    return "\t".join(fields) + "\n"


def _json(transcript: Transcript) -> str:
    """One line: several files make JSON Lines."""
    row = {
        "path": transcript.path,
        "text": transcript.text,
        "confidence": round(transcript.confidence, 4),
        "score": round(transcript.score, 4),
        "unit": transcript.unit,
        "start": round(transcript.start, 3),
        "duration": round(transcript.duration, 3),
        "words": [
            {
                "text": word.text,
                "start": round(word.start, 3),
                "end": round(word.end, 3),
                "confidence": round(word.confidence, 4),
            }
            for word in transcript.words
        ],
    }
    if transcript.alternatives:
        row["alternatives"] = [{"text": text, "score": round(score, 4)} for text, score in transcript.alternatives]
    return json.dumps(row, ensure_ascii=False) + "\n"


def _srt(transcript: Transcript) -> str:
    """SubRip. It knows no escapes; only its arrow must not stand in a text."""
    return "\n".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{cue.text.replace('-->', '-- >')}\n"
        for number, cue in enumerate(_cues(transcript), start=1)
    )


def _vtt(transcript: Transcript) -> str:
    """WebVTT (W3C 2019); `&`, `<` and `>` are escaped as section 4.2.2 wants."""
    return "".join(
        f"\n{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_escaped(cue.text)}\n" for cue in _cues(transcript)
    )


WRITERS: dict[str, Writer] = {
    "txt": Writer(_text, shared=_named),
    "tsv": Writer(_row, "path\ttext\tstart\tend\tduration\n", shared=_row),
    "json": Writer(_json, shared=_json),
    "srt": Writer(_srt),
    "vtt": Writer(_vtt, "WEBVTT\n"),
}


def _field(text: str) -> str:
    """Tabs and line breaks, which part fields and rows, become spaces."""
    return " ".join(part for part in text.replace("\r", "\n").replace("\t", "\n").split("\n") if part)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"


def _cues(transcript: Transcript) -> Iterator[Word]:
    """Subtitles: words in groups that fit, parted at pauses, each shown long enough to be read."""
    if transcript.unit != "seconds":
        raise ConfigError(
            transcript.path, f"is measured in {transcript.unit}, not in seconds", "write txt, tsv or json"
        )
    groups: list[list[Word]] = []
    for word in itertools.chain.from_iterable(map(_pieces, transcript.words)):
        group = groups[-1] if groups else []
        if (
            group
            and word.start - group[-1].end <= PAUSE
            and word.end - group[0].start <= LONGEST
            and len(_lines([*group, word])) <= LINES
        ):
            group.append(word)
        else:
            groups.append([word])
    starts = [group[0].start for group in groups] + [transcript.start + transcript.duration]
    for group, following in zip(groups, starts[1:], strict=True):
        start, end = group[0].start, max(word.end for word in group)
        end = min(max(end, min(start + SHORTEST, following)), start + LONGEST)
        yield Word("\n".join(_lines(group)), start, end, min(word.confidence for word in group))


def _lines(words: Sequence[Word]) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and _width(lines[-1]) + 1 + _width(word.text) <= WIDTH:
            lines[-1] += " " + word.text
        else:
            lines.append(word.text)
    return lines


def _pieces(word: Word) -> Iterator[Word]:
    """A word that no line can hold, as in scripts without spaces, is cut; its time is shared out evenly."""
    cuts = [0]
    for place, character in enumerate(word.text):
        if not unicodedata.combining(character) and _width(word.text[cuts[-1] : place]) == WIDTH:
            cuts.append(place)
    cuts.append(len(word.text))
    pace = (word.end - word.start) / max(1, len(word.text))
    for begin, end in itertools.pairwise(cuts):
        times = word.start + pace * begin, word.start + pace * end
        yield dataclasses.replace(word, text=word.text[begin:end], start=times[0], end=times[1])


def _width(text: str) -> int:
    """Characters without combining marks, which take no room."""
    return sum(not unicodedata.combining(character) for character in text)
