"""Transcripts -> plain text, tables, JSON and subtitles, of whole texts or word by word."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from typing import Any

from recognizer import subtitles
from recognizer.transcript import Mark, Transcript


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


def _timed(transcript: Transcript) -> str:
    """A line for each word: start, end, confidence, word."""
    return "".join(
        f"{_number(word.start)}\t{_number(word.end)}\t{word.confidence:.4f}\t{_field(word.text)}\n"
        for word in transcript.words
    )


def _named_timed(transcript: Transcript) -> str:
    path = _field(transcript.path)
    return "".join(f"{path}\t{line}\n" for line in _timed(transcript).split("\n")[:-1])


def _row(transcript: Transcript) -> str:
    """A row of a manifest, so that a corrected table can be trained on; start and end only where a part was read."""
    end = transcript.start + transcript.duration
    part = (_number(transcript.start), _number(end)) if transcript.part else ("", "")
    fields = (_field(transcript.path), _field(transcript.text), *part, _number(transcript.duration))
    return "\t".join(fields) + "\n"


def _rows(transcript: Transcript) -> str:
    """A row of a manifest for each word, so that words can be cut out and trained on."""
    parts = [
        dataclasses.replace(transcript, text=word.text, start=word.start, duration=word.end - word.start, part=True)
        for word in transcript.words
    ]
    return "".join(map(_row, parts))


def _json(transcript: Transcript) -> str:
    """One line: several files make JSON Lines."""
    return _object(transcript, [_place(word) for word in transcript.words])


def _json_spelt(transcript: Transcript) -> str:
    """As `_json`, and each word with its characters."""
    words = [{**_place(word), "characters": [_place(mark) for mark in word.characters]} for word in transcript.words]
    return _object(transcript, words)


def _object(transcript: Transcript, words: list[dict[str, Any]]) -> str:
    row = {
        "path": transcript.path,
        "text": transcript.text,
        "confidence": round(transcript.confidence, 4),
        "score": round(transcript.score, 4),
        "unit": transcript.unit,
        "start": round(transcript.start, 3),
        "duration": round(transcript.duration, 3),
        "words": words,
    }
    if transcript.alternatives:
        row["alternatives"] = [{"text": text, "score": round(score, 4)} for text, score in transcript.alternatives]
    return json.dumps(row, ensure_ascii=False) + "\n"


def _place(mark: Mark) -> dict[str, Any]:
    places = {"start": round(mark.start, 3), "end": round(mark.end, 3)}
    return {"text": mark.text, **places, "confidence": round(mark.confidence, 4)}


def _srt(cues: Iterable[Mark]) -> str:
    """SubRip. It knows no escapes; only its arrow must not stand in a text."""
    return "\n".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{cue.text.replace('-->', '-- >')}\n"
        for number, cue in enumerate(cues, start=1)
    )


def _vtt(cues: Iterable[Mark]) -> str:
    """WebVTT (W3C 2019); `&`, `<` and `>` are escaped as section 4.2.2 wants."""
    return "".join(f"\n{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_escaped(cue.text)}\n" for cue in cues)


MANIFEST = "path\ttext\tstart\tend\tduration\n"
"""The columns of a table that is a manifest."""

WRITERS: dict[str, Writer] = {
    "txt": Writer(_text, shared=_named),
    "tsv": Writer(_row, MANIFEST, shared=_row),
    "json": Writer(_json, shared=_json),
    "srt": Writer(lambda transcript: _srt(subtitles.cues(transcript))),
    "vtt": Writer(lambda transcript: _vtt(subtitles.cues(transcript)), "WEBVTT\n"),
}
"""Whole texts."""

WORDS: dict[str, Writer] = {
    "txt": Writer(_timed, shared=_named_timed),
    "tsv": Writer(_rows, MANIFEST, shared=_rows),
    "json": Writer(_json_spelt, shared=_json_spelt),
    "srt": Writer(lambda transcript: _srt(subtitles.singles(transcript))),
    "vtt": Writer(lambda transcript: _vtt(subtitles.singles(transcript)), "WEBVTT\n"),
}
"""Word by word; the same names."""


def _field(text: str) -> str:
    """Tabs and line breaks, which part fields and rows, become spaces."""
    return " ".join(part for part in text.replace("\r", "\n").replace("\t", "\n").split("\n") if part)


def _number(units: float) -> str:
    """Thousandths, without zeros at the end."""
    return f"{units:.3f}".rstrip("0").rstrip(".")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{point}{rest % 1000:03d}"
