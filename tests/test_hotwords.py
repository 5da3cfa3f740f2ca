"""Hotwords are found where they were said, and nowhere else."""

from __future__ import annotations

import itertools
import logging
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recognizer.alphabet import Alphabet
from recognizer.decoders import Beam
from recognizer.decoders.hotwords import BRANCH, LETTER, LINK, PART, RISE, WHOLE, Hotwords
from recognizer.errors import ConfigError

LABELS = ["", *"abcdefghijklmnopqrstuvwxyz "]
COMMON = [
    "the",
    "and",
    "with",
    "for",
    "from",
    "this",
    "that",
    "have",
    "been",
    "said",
    "they",
    "were",
    "will",
    "then",
    "when",
    "take",
    "give",
    "over",
    "under",
]
RARE = ["zubrowka", "quixote", "yvonne"]
PHRASE = "new jersey"


def noisy(text: str, noise: float, generator: torch.Generator) -> Tensor:
    """[T, A]: two frames of each character and one of the blank, with noise on the logarithms."""
    path = [place for character in text for place in (LABELS.index(character),) * 2 + (0,)]
    logits = torch.randn(len(path), len(LABELS), generator=generator) * noise
    logits[range(len(path)), path] += 6.0
    return logits.log_softmax(-1)


def said(hot: bool, count: int = 40) -> list[tuple[str, Tensor]]:
    """Sentences and their matrices; with `hot` each holds a rare word or the phrase."""
    chance, generator = random.Random(3), torch.Generator().manual_seed(5)
    made = []
    for _ in range(count):
        words = chance.choices(COMMON, k=4)
        if hot:
            words[chance.randrange(4)] = chance.choice([*RARE, PHRASE])
        text = " ".join(words)
        made.append((text, noisy(text, 1.3, generator)))
    return made


def texts(beam: Beam, pairs: list[tuple[str, Tensor]]) -> list[str]:
    return [beam.text(beam.decode(matrix[None], torch.tensor([len(matrix)]))[0][0]) for _, matrix in pairs]


def found(texts: list[str], words: list[str]) -> list[list[str]]:
    return [[word for word in words if f" {word} " in f" {text} "] for text in texts]


def test_given_words_are_found_more_often() -> None:
    pairs, hotwords = said(hot=True), [*RARE, PHRASE]
    truth = found([text for text, _ in pairs], hotwords)
    plain, helped = (found(texts(Beam(LABELS, hotwords=w, threads=1), pairs), hotwords) for w in ((), hotwords))

    def hits(answers: list[list[str]]) -> int:
        return sum(bool(set(said) & set(answer)) for said, answer in zip(truth, answers, strict=True))

    assert hits(helped) >= hits(plain) + 5, (hits(plain), hits(helped))
    assert all(set(answer) <= set(said) for said, answer in zip(truth, helped, strict=True))


def test_words_that_were_not_said_are_not_invented() -> None:
    pairs, hotwords = said(hot=False), [*RARE, PHRASE, "they are", "hence", "width"]
    plain, helped = (texts(Beam(LABELS, hotwords=words, threads=1), pairs) for words in ((), hotwords))
    assert not any(found(helped, hotwords)) and helped == plain


@pytest.mark.parametrize("hotword", ["Straße", "STRASSE", "straße"])
@pytest.mark.parametrize("labels", [Alphabet([*"ABCDERSTabcderst "]), Alphabet([*"aerstß "])])
def test_case_is_of_no_matter(labels: Alphabet, hotword: str) -> None:
    if "ß" in labels.characters and hotword.isupper():
        pytest.skip("ss is no way to write ß")
    beam = Beam(labels, hotwords=[hotword], hotword_bonus=3.0, width=5)
    for written in ("Strasse", "strasse", "STRASSE", "straße"):
        if not labels.missing(written) and ("ß" in labels.characters) == ("ß" in written):
            matrix = torch.full((1, 2 * len(written), len(labels)), 1e-3)
            matrix[0, range(0, 2 * len(written), 2), labels.encode(written)] = 0.9
            matrix[0, 1::2, 0] = 0.9
            (best,) = beam.decode(matrix.log(), torch.tensor([2 * len(written)]))[0]
            assert beam.text(best) == written and best.gain == pytest.approx(3.0)


def test_a_lexicon_says_how_a_hotword_is_spelt() -> None:
    beam = Beam(["", *"ab "], lexicon={"Name": ["ab"], "b": []}, hotwords=["name b"], hotword_bonus=2.0)
    matrix = torch.full((1, 4, 4), 1e-3)
    matrix[0, range(4), [1, 2, 3, 2]] = 0.99
    (best,) = beam.decode(matrix.log(), torch.tensor([4]))[0]
    assert best.words == ("Name", "b") and best.gain == pytest.approx(2.0)


def test_what_cannot_be_spelt_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Beam(["", *"ab"], hotwords=["ab", "xyz", "a b", " "])
    assert "3 cannot be spelt" in caplog.text and "xyz, a b" in caplog.text


@pytest.mark.parametrize("settings", [{"hotword_bonus": -1.0}, {"hotword_bonus": np.inf}, {"hotwords": "one"}])
def test_settings_out_of_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Beam(["", "a"], **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("space", [-1, 0])
@given(st.lists(st.lists(st.integers(1, 2), min_size=1, max_size=3), min_size=1, max_size=4), st.integers(0, 10_000))
def test_every_occurrence_is_paid_once_and_no_step_rises_further_than_announced(
    space: int, phrases: list[list[int]], seed: int
) -> None:
    worth = {tuple(phrase): 2.0 + place for place, phrase in enumerate(phrases)}
    hot = Hotwords.of(worth, 3, space)
    chance = random.Random(seed)
    text = [chance.randrange(0 if space == 0 else 1, 3) for _ in range(12)]
    node, paid = 0, 0.0
    for label in text:
        lent = hot.earned[node, PART]
        rise, before = hot.earned[node, RISE], paid
        paid += hot.earned[node, WHOLE] if label == space else 0.0
        node = step(hot, node, label, space)
        paid += hot.earned[node, WHOLE] if space < 0 else 0.0
        assert paid + hot.earned[node, PART] <= before + rise + 1e-9 and lent >= 0
    paid += hot.earned[node, WHOLE] if space == 0 else 0.0
    field = [0, *text, 0] if space == 0 else text
    wanted = {(0, *phrase, 0) if space == 0 else phrase: value for phrase, value in worth.items()}
    places = itertools.product(wanted.items(), range(len(field)))
    hits = [value for (phrase, value), place in places if tuple(field[place : place + len(phrase)]) == phrase]
    assert paid == sum(hits)


def step(hot: Hotwords, node: int, label: int, space: int) -> int:
    """The automaton, walked in plain words."""
    while node >= 0:
        for child in range(*hot.nodes[node : node + 2, BRANCH]):
            if hot.nodes[child, LETTER] == label:
                return child
        node = int(hot.nodes[node, LINK])
    return 0 if space < 0 or label == space else hot.dead
