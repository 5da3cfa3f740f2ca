"""Texts become labels and come back; what cannot be written is said."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.alphabet import BLANK, Alphabet
from recognizer.errors import AlphabetError

TEXTS = [
    "hello world",
    "naïve café",
    "ꝑ ⁊ cͤɑtuɼe",
    "שָׁלוֹם עוֹלָם",
    "السَّلَامُ عَلَيْكُم",
    "नमस्ते दुनिया",
    "각하 한국어",
    "👩‍👩‍👧 🇫🇷",
]


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("split", ["character", "grapheme"])
@pytest.mark.parametrize("text", TEXTS)
def test_texts_come_back_in_normal_form(text, split, form):
    alphabet = Alphabet.of([text], form, split)
    assert alphabet.decode(alphabet.encode(text)) == unicodedata.normalize(form, text)


@given(st.text(max_size=30))
def test_any_text_comes_back(text):
    alphabet = Alphabet.of([text, "a"])
    assert alphabet.decode(alphabet.encode(text)) == alphabet.normalise(text)


def test_the_same_letters_in_another_form_get_the_same_labels():
    alphabet = Alphabet.of(["é"], "NFC")
    assert alphabet.encode("e\u0301") == alphabet.encode("\u00e9")


def test_graphemes_keep_their_accents():
    assert Alphabet.of(["e\u0301\u0323x"], "NFD", "grapheme").characters == ("e\u0323\u0301", "x")


def test_blank_is_no_character():
    alphabet = Alphabet.of(["ba"])
    assert BLANK not in alphabet.encode("abba") and len(alphabet) == 3
    assert alphabet.encode("ab") == [1, 2]


def test_config_builds_an_equal_alphabet():
    alphabet = Alphabet.of(TEXTS, "NFD", "grapheme")
    assert Alphabet.from_config(alphabet.config()) == alphabet


def test_unknown_characters_are_counted_and_named_with_the_file():
    alphabet = Alphabet.of(["abc"])
    with pytest.raises(AlphabetError, match=r"^talk\.wav: 3 characters are not in the alphabet \('z' x 2, '!' x 1\)"):
        alphabet.encode("abzz!", "talk.wav")
    assert alphabet.missing("abzz!") == {"z": 2, "!": 1}


def test_unknown_characters_are_dropped_only_on_demand():
    assert Alphabet.of(["abc"]).encode("xaybz", drop=True) == [1, 2]


@pytest.mark.parametrize(
    "characters, message",
    [([], "no characters"), (["a", "a"], "2 times"), (["ab"], "not one character"), (["e\u0301"], "not one")],
)
def test_laws_are_checked_at_birth(characters, message):
    with pytest.raises(AlphabetError, match=message):
        Alphabet(characters, "NFC")


def test_misspelt_forms_are_refused():
    with pytest.raises(AlphabetError, match="NFX"):
        Alphabet(["a"], "NFX")
    with pytest.raises(AlphabetError, match="byte"):
        Alphabet(["a"], "NFC", "byte")
