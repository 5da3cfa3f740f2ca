"""Every output format: golden files with a quote, a tab and a right-to-left text, word by word, too."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from recognizer import manifest
from recognizer.errors import ConfigError
from recognizer.transcript import Mark, Transcript, Word, product, words
from recognizer.writers import WORDS, WRITERS


def transcript(text: str, path: str = "talk.wav", pace: float = 0.5, **given: object) -> Transcript:
    """Words of 0.4 s, one every `pace` seconds."""
    spoken = tuple(
        Word(word, index * pace, index * pace + 0.4 * pace / 0.5, 0.9) for index, word in enumerate(text.split())
    )
    values = {"score": -1.25, "confidence": 0.9, "unit": "seconds", "duration": pace * len(spoken) + 1.0, **given}
    return Transcript(path=path, text=text, words=spoken, **values)  # type: ignore[arg-type]


QUOTE = transcript('say "hi" & <go> --> now', "a\tb.wav")
HEBREW = transcript("שלום, עולם")
EMPTY = transcript("")

GOLDEN = {
    ("txt", "quote"): 'say "hi" & <go> --> now\n',
    ("txt", "hebrew"): "שלום, עולם\n",
    ("txt", "empty"): "\n",
    ("tsv", "quote"): 'path\ttext\tstart\tend\tduration\na b.wav\tsay "hi" & <go> --> now\t\t\t4\n',
    ("tsv", "hebrew"): "path\ttext\tstart\tend\tduration\ntalk.wav\tשלום, עולם\t\t\t2\n",
    ("tsv", "empty"): "path\ttext\tstart\tend\tduration\ntalk.wav\t\t\t\t1\n",
    ("json", "hebrew"): (
        '{"path": "talk.wav", "text": "שלום, עולם", "confidence": 0.9, "score": -1.25, "unit": "seconds", "start": 0.0,'
        ' "duration": 2.0, "words": [{"text": "שלום,", "start": 0.0, "end": 0.4, "confidence": 0.9},'
        ' {"text": "עולם", "start": 0.5, "end": 0.9, "confidence": 0.9}]}\n'
    ),
    ("srt", "quote"): '1\n00:00:00,000 --> 00:00:02,900\nsay "hi" & <go> -- > now\n',
    ("srt", "hebrew"): "1\n00:00:00,000 --> 00:00:01,000\nשלום, עולם\n",
    ("srt", "empty"): "",
    ("vtt", "quote"): ('WEBVTT\n\n00:00:00.000 --> 00:00:02.900\nsay "hi" &amp; &lt;go&gt; --&gt; now\n'),
    ("vtt", "hebrew"): "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nשלום, עולם\n",
    ("vtt", "empty"): "WEBVTT\n",
}


SPELT = dataclasses.replace(
    transcript("so it", "a\tb.wav", start=1.0, duration=1300.0),
    words=(
        Word("so", 1.5, 1.75, 0.875, (Mark("s", 1.5, 1.625, 0.75), Mark("o", 1.625, 1.75, 1.0))),
        Word("\u05d0\t", 1234.5678, 1235.0, 0.25, ()),
    ),
)
GOLDEN_WORDS = {
    ("txt", "spelt"): "1.5\t1.75\t0.8750\tso\n1234.568\t1235\t0.2500\t\u05d0\n",
    ("txt", "empty"): "",
    ("tsv", "spelt"): (
        "path\ttext\tstart\tend\tduration\na b.wav\tso\t1.5\t1.75\t0.25\na b.wav\t\u05d0\t1234.568\t1235\t0.432\n"
    ),
    ("tsv", "empty"): "path\ttext\tstart\tend\tduration\n",
    ("json", "spelt"): (
        '{"path": "a\\tb.wav", "text": "so it", "confidence": 0.9, "score": -1.25, "unit": "seconds", "start": 1.0,'
        ' "duration": 1300.0, "words": [{"text": "so", "start": 1.5, "end": 1.75, "confidence": 0.875, "characters":'
        ' [{"text": "s", "start": 1.5, "end": 1.625, "confidence": 0.75},'
        ' {"text": "o", "start": 1.625, "end": 1.75, "confidence": 1.0}]},'
        ' {"text": "\u05d0\\t", "start": 1234.568, "end": 1235.0, "confidence": 0.25, "characters": []}]}\n'
    ),
    ("srt", "spelt"): ("1\n00:00:01,500 --> 00:00:01,750\nso\n\n2\n00:20:34,568 --> 00:20:35,000\n\u05d0\t\n"),
    ("vtt", "spelt"): ("WEBVTT\n\n00:00:01.500 --> 00:00:01.750\nso\n\n00:20:34.568 --> 00:20:35.000\n\u05d0\t\n"),
}


@pytest.mark.parametrize(("format", "case"), GOLDEN)
def test_golden(format: str, case: str) -> None:
    given = {"quote": QUOTE, "hebrew": HEBREW, "empty": EMPTY}[case]
    assert WRITERS[format].document(given) == GOLDEN[format, case]


@pytest.mark.parametrize(("format", "case"), GOLDEN_WORDS)
def test_golden_word_by_word(format: str, case: str) -> None:
    given = {"spelt": SPELT, "empty": EMPTY}[case]
    assert WORDS[format].document(given) == GOLDEN_WORDS[format, case]


def test_word_by_word_in_one_stream() -> None:
    assert WORDS.keys() == WRITERS.keys()
    assert WORDS["srt"].shared is WORDS["vtt"].shared is None
    shared = WORDS["txt"].shared
    assert shared is not None
    assert shared(SPELT) == "a b.wav\t1.5\t1.75\t0.8750\tso\na b.wav\t1234.568\t1235\t0.2500\t\u05d0\n"
    assert shared(EMPTY) == ""


def test_the_table_of_words_is_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "words.tsv").write_text(WORDS["tsv"].document(SPELT), encoding="utf-8")
    first, second = manifest.read(tmp_path / "words.tsv")
    assert (first.text, first.start, first.end) == ("so", 1.5, 1.75)
    assert (second.text, second.start, second.end) == ("\u05d0", 1234.568, 1235.0)


@pytest.mark.parametrize("format", WRITERS)
def test_several_in_one_stream(format: str) -> None:
    shared = WRITERS[format].shared
    if format in ("srt", "vtt"):
        assert shared is None
        return
    assert shared is not None
    assert all(shared(given).endswith("\n") and shared(given).count("\n") == 1 for given in (QUOTE, HEBREW, EMPTY))
    assert WRITERS["txt"].shared is not None and WRITERS["txt"].shared(QUOTE) == 'a b.wav\tsay "hi" & <go> --> now\n'


@pytest.mark.parametrize("given", [QUOTE, HEBREW, EMPTY])
def test_json_gives_everything_back(given: Transcript) -> None:
    row = json.loads(WRITERS["json"].document(given))
    found = Transcript(**{**row, "words": tuple(Word(**word) for word in row["words"])})
    assert found.path == given.path and found.text == given.text and len(found.words) == len(given.words)
    assert [word.start for word in found.words] == pytest.approx([word.start for word in given.words])


def test_the_table_is_a_manifest(tmp_path: Path) -> None:
    part = transcript("in the middle", start=12.5, part=True, duration=2.0)
    table = WRITERS["tsv"].head + "".join(WRITERS["tsv"].entry(given) for given in (HEBREW, part, EMPTY))
    (tmp_path / "read.tsv").write_text(table, encoding="utf-8")
    first, second, third = manifest.read(tmp_path / "read.tsv")
    assert (first.text, first.start, first.duration) == ("שלום, עולם", None, 2.0)
    assert (second.text, second.start, second.end) == ("in the middle", 12.5, 14.5)
    assert third.text == ""


@pytest.mark.parametrize("format", ["srt", "vtt"])
def test_subtitles_need_seconds(format: str) -> None:
    with pytest.raises(ConfigError, match=r"a\.png: is measured in pixels.*txt, tsv or json"):
        WRITERS[format].document(transcript("a b", "a.png", unit="pixels"))


def test_words_stand_where_their_characters_do() -> None:
    marks = [
        Mark("a", 10.02, 10.04, 0.5),
        Mark("b", 10.04, 10.08, 0.5),
        Mark(" ", 10.08, 10.1, 1.0),
        Mark("c", 10.14, 10.17, 0.25),
    ]
    found = list(words(marks, str))
    assert [(word.text, word.start, word.end) for word in found] == [("ab", 10.02, 10.08), ("c", 10.14, 10.17)]
    assert [word.confidence for word in found] == pytest.approx([0.25, 0.25])  # as sure as all characters together
    assert [word.characters for word in found] == [tuple(marks[:2]), tuple(marks[3:])]
    assert [word.text for word in words(marks, str.upper, ["one", "two"])] == ["ONE", "TWO"]
    assert list(words([], str)) == list(words([Mark(" ", 0.0, 0.1, 1.0)], str)) == []


def test_what_is_independent_is_multiplied() -> None:
    assert (product([0.25, 0.5]), product([]), product([0.0, 1.0])) == (0.125, 1.0, 0.0)
