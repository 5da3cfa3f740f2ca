"""Every output format: golden files with a quote, a tab and a right-to-left text, and the laws of subtitles."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer import manifest
from recognizer.errors import ConfigError
from recognizer.transcript import Transcript, Word, mean, words
from recognizer.writers import LINES, LONGEST, WIDTH, WRITERS


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


@pytest.mark.parametrize(("format", "case"), GOLDEN)
def test_golden(format: str, case: str) -> None:
    given = {"quote": QUOTE, "hebrew": HEBREW, "empty": EMPTY}[case]
    assert WRITERS[format].document(given) == GOLDEN[format, case]


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


CUE = re.compile(r"(\d\d):(\d\d):(\d\d)\.(\d{3}) --> (\d\d):(\d\d):(\d\d)\.(\d{3})\n((?:.+\n)+)")


def cues(given: Transcript) -> list[tuple[float, float, list[str]]]:
    document = WRITERS["vtt"].document(given)
    found = []
    for match in CUE.findall(document):
        hours, minutes, seconds, thousandths = zip(map(int, match[:4]), map(int, match[4:8]), strict=True)
        times = [
            h * 3600 + m * 60 + s + t / 1000 for h, m, s, t in zip(hours, minutes, seconds, thousandths, strict=True)
        ]
        found.append((times[0], times[1], match[8].splitlines()))
    return found


@given(
    st.lists(
        st.tuples(st.text(st.sampled_from("abc\u0301ש字"), min_size=1, max_size=120), st.floats(0, 3), st.floats(0, 9)),
        max_size=30,
    )
)
def test_subtitles_are_readable(spoken: list[tuple[str, float, float]]) -> None:
    """Lines of at most 42 characters, two of them, at most 7 s, in order, none over another, and no word is lost."""
    clock, told = 0.0, []
    for text, pause, length in spoken:
        told.append(Word(text, clock + pause, clock + pause + length, 0.5))
        clock += pause + length
    text = " ".join(word.text for word in told)
    given = Transcript("a.wav", text, -1.0, 0.5, tuple(told), "seconds", clock + 0.5)
    found = cues(given)
    assert "".join(line for _, _, lines in found for line in lines).replace(" ", "") == text.replace(" ", "")
    before = 0.0
    for start, end, lines in found:
        assert before - 0.0011 <= start <= end <= start + LONGEST + 0.0011
        assert len(lines) <= LINES
        assert all(len(line.replace("\u0301", "")) <= WIDTH for line in lines)
        before = end


def test_subtitles_break_at_pauses() -> None:
    told = (Word("before", 0.0, 0.5, 1.0), Word("the", 0.6, 0.7, 1.0), Word("after", 1.6, 1.9, 1.0))
    given = Transcript("a.wav", "before the after", 0.0, 1.0, told, "seconds", 3661.0)
    assert cues(given) == [(0.0, 1.0, ["before the"]), (1.6, 2.6, ["after"])]
    late = Transcript("a.wav", "x", 0.0, 1.0, (Word("x", 3659.9995, 3660.5, 1.0),), "seconds", 3661.0)
    assert "01:01:00,000 --> 01:01:01,000" in WRITERS["srt"].document(late)


def test_words_stand_where_their_characters_do() -> None:
    spans = [(1, 2), (2, 4), (4, 5), (7, 9)]
    found = list(words("ab c", spans, [0.5, 0.5, 1.0, 0.25], str, step=0.02, start=10.0, end=10.17))
    assert [word.text for word in found] == ["ab", "c"]
    assert [(word.start, word.end) for word in found] == [
        pytest.approx((10.02, 10.08)),
        pytest.approx((10.14, 10.17)),  # the last step reaches beyond the signal, the word does not
    ]
    assert [word.confidence for word in found] == pytest.approx([0.5, 0.25])
    assert list(words([], [], [], str, 0.02, 0.0, 1.0)) == []
    assert list(words(" ", [(0, 1)], [1.0], str, 0.02, 0.0, 1.0)) == []


def test_a_mean_of_probabilities() -> None:
    assert mean([0.25, 1.0]) == pytest.approx(0.5)
    assert mean([]) == 1.0
    assert 0 < mean([0.0, 1.0]) < 1e-5
