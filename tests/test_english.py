"""English words that no dictionary lists are said by eSpeak NG, so that hotwords are read by their phones."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from recognizer import lm
from recognizer.decoders import Beam
from recognizer.english import PHONES, Speaker
from recognizer.model import Recognizer
from recognizer.network import VERSION, Network, language, spoken
from recognizer.pronunciations import Pronunciations

CMUDICT = {
    "water": "W AO T ER",
    "kathryn": "K AE TH R IH N",
    "judge": "JH AH JH",
    "measure": "M EH ZH ER",
    "singing": "S IH NG IH NG",
    "boyhood": "B OY HH UH D",
    "yesterday": "Y EH S T ER D EY",
}
"""As that dictionary has them, without stress."""


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    return Speaker()


@pytest.mark.parametrize("word", CMUDICT)
def test_words_are_said_as_cmudict_has_them(speaker: Speaker, word: str) -> None:
    assert speaker.phones(word) == [PHONES[phone] for phone in CMUDICT[word].split()]


@pytest.mark.parametrize("word", ["Zbigniew", "o'reilly", "nguyen", "x", "rhythm", "42", ""])
def test_there_are_no_phones_but_those(speaker: Speaker, word: str) -> None:
    said = speaker.phones(word)
    assert set(said) <= set(PHONES.values()) and bool(said) == bool(word)


def test_hotwords_that_are_not_listed_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = tmp_path / "english.ckpt"
    letters = {"characters": [*" abcdefghijklmnopqrstuvwxyz"], "form": "NFC", "split": "character"}
    torch.manual_seed(1)
    given = {"depth": 1, "width": 6, "phones": sorted(PHONES.values())}
    model = Recognizer(letters, {"name": "speech", "bands": 16}, {"name": "stack", "reduction": 2}, **given)
    kept = {"recognizer_version": VERSION, "hyper_parameters": dict(model.hparams), "state_dict": model.state_dict()}
    torch.save(kept, made)
    (tmp_path / "text.txt").write_text("see the sea\n", encoding="utf-8")
    assert lm.main([str(tmp_path / "text.txt"), "--output", str(language(made)), "--order", "2"]) == 0
    Pronunciations({"see": ["s i"], "sea": ["s i"], "the": ["ð ə"]}).write(spoken(made))
    network = Network.load(made)
    with caplog.at_level(logging.INFO):
        heard, beam = network.beam(hotwords=["Kathryn", "see"])
    assert isinstance(beam, Beam) and beam.lexicon is not None
    assert heard is not network and "kathryn k æ θ ɹ ɪ n" in caplog.text
    assert set(beam.lexicon.words) == {"see", "sea", "the", "kathryn"}
