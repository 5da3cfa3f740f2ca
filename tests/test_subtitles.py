"""Subtitles can be read: no word is lost, short lines, enough time, breaks where speakers pause."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.errors import ConfigError
from recognizer.subtitles import LINES, LONGEST, PACE, PAUSE, SHORTEST, WIDTH, cues, singles, width
from recognizer.transcript import Mark, Transcript, Word


def told(spoken: Sequence[Word], end: float) -> Transcript:
    return Transcript("a.wav", " ".join(word.text for word in spoken), -1.0, 0.5, tuple(spoken), "seconds", end)


def steady(texts: Sequence[str], gaps: dict[int, float] | None = None, each: float = 0.3) -> Transcript:
    """Words of `each` seconds with 0.1 s between; `gaps` are those after some of the words."""
    clock, spoken = 0.0, []
    for place, text in enumerate(texts):
        spoken.append(Word(text, clock, clock + each, 0.9))
        clock += each + (gaps or {}).get(place, 0.1)
    return told(spoken, clock + 3.0)


def flat(found: Sequence[Mark]) -> list[list[str]]:
    return [cue.text.split() for cue in found]


@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from("abc.,\u0301ש字"), min_size=1, max_size=120), st.floats(0, 3), st.floats(0, 9)
        ),
        max_size=30,
    )
)
def test_laws(given_words: list[tuple[str, float, float]]) -> None:
    """Every word once, in order; two lines of 42; at most 7 s; none over another; a break at each long pause."""
    clock, spoken = 0.0, []
    for text, pause, length in given_words:
        start = clock + pause
        clock = start + length
        spoken.append(Word(text, start, clock, 0.5))
    transcript = told(spoken, clock + 0.5)
    found = cues(transcript)
    assert "".join(cue.text for cue in found).replace(" ", "").replace("\n", "") == transcript.text.replace(" ", "")
    before = 0.0
    for cue, following in itertools.zip_longest(found, found[1:]):
        assert before <= cue.start <= cue.end <= cue.start + LONGEST + 1e-9
        lines = cue.text.split("\n")
        assert len(lines) <= LINES and all(line and width(line) <= WIDTH for line in lines)
        wanted = cue.start + max(SHORTEST, width(cue.text) / PACE)
        limit = min(following.start if following else clock + 0.5, cue.start + LONGEST)
        assert cue.end >= min(wanted, limit) - 1e-9
        before = cue.end
    starts = {cue.start for cue in found}
    for one, other in itertools.pairwise(spoken):
        if other.start - one.end > PAUSE:
            assert other.start in starts


def test_a_long_pause_ends_a_subtitle() -> None:
    spoken = (Word("before", 0.0, 0.5, 1.0), Word("the", 0.6, 0.7, 1.0), Word("after", 1.6, 1.9, 1.0))
    shown = [(cue.start, cue.end, cue.text) for cue in cues(told(spoken, 3661.0))]
    assert shown == [(0.0, 1.0, "before the"), (1.6, 2.6, "after")]


def test_where_a_break_must_be_it_is_at_the_longest_pause() -> None:
    texts = ["seven"] * 20  # 119 characters: two subtitles at least
    for place in (7, 8, 9, 10, 11):
        found = cues(steady(texts, {place: 0.5}))
        assert [len(group) for group in flat(found)] == [place + 1, 19 - place]


def test_where_a_break_must_be_it_is_behind_a_sentence() -> None:
    texts = ["seven"] * 20
    texts[8] = "done."
    assert [len(group) for group in flat(cues(steady(texts)))] == [9, 11]


@pytest.mark.parametrize("count", range(2, 60))
def test_no_word_stands_alone_where_it_need_not(count: int) -> None:
    """Filling each subtitle up would leave a word alone for some of these numbers."""
    found = flat(cues(steady(["eleven"] * count)))
    assert sum(map(len, found)) == count
    assert min(map(len, found)) > 1
    assert max(map(len, found)) - min(map(len, found)) <= 3


def test_two_lines_are_alike() -> None:
    (cue,) = cues(steady(["one"] * 11))
    assert [len(line.split()) for line in cue.text.split("\n")] in ([5, 6], [6, 5])
    (cue,) = cues(steady([*["one"] * 3, "two,", *["six"] * 7]))
    assert cue.text.split("\n")[0].endswith("two,")


def test_quick_speech_has_time_to_be_read() -> None:
    """30 characters a second for 3 s, then silence: what is shown stays, until it can have been read."""
    found = cues(steady(["seven"] * 12, each=0.1, gaps=dict.fromkeys(range(12), 0.1)))
    for cue in found[-1:]:
        assert cue.end - cue.start >= width(cue.text) / PACE - 1e-9


def test_scripts_without_spaces_break_between_characters_at_pauses() -> None:
    times = [0.2 * place + (1.0 if place >= 25 else 0.0) for place in range(50)]
    marks = [Mark("字", time, time + 0.2, 0.9) for time in times]
    word = Word("字" * 50, 0.0, 11.0, 0.9, tuple(marks))
    found = cues(told([word], 12.0))
    assert "".join(cue.text for cue in found).replace("\n", "") == word.text and " " not in found[0].text
    assert 6.0 in [cue.start for cue in found]
    listed = cues(told([Word("ab" * 50, 0.0, 4.0, 0.9, tuple(marks))], 12.0))  # a lexicon's word, spelt otherwise
    assert "".join(cue.text for cue in listed).replace("\n", "") == "ab" * 50


def test_word_by_word() -> None:
    spoken = steady(["one", "two"])
    assert [(cue.text, cue.start, cue.end) for cue in singles(spoken)] == [
        (word.text, word.start, word.end) for word in spoken.words
    ]


@pytest.mark.parametrize("way", [cues, singles])
def test_pixels_are_no_seconds(way: object) -> None:
    with pytest.raises(ConfigError, match=r"a\.png: is measured in pixels"):
        way(Transcript("a.png", "", 0.0, 1.0, (), "pixels", 3.0))  # type: ignore[operator]


def test_width() -> None:
    assert [width(text) for text in ("ab", "a\u0301", "字a", "שלום", "")] == [2, 1, 3, 4, 0]
