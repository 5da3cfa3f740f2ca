"""A lexicon lets through its words alone; what is no list of words is explained."""

from __future__ import annotations

import gzip
import logging
import math
import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor

from recognizer import lm
from recognizer.alphabet import Alphabet
from recognizer.decoders import Beam
from recognizer.decoders.lexicon import read
from recognizer.errors import DecoderError

LABELS = ["", *"abc "]


def sure(path: str, labels: list[str], confidence: float = 0.9) -> Tensor:
    """[1, T, A]: each frame gives the path's label, `.` for the blank, this probability; the others share the rest."""
    places = [0 if character == "." else labels.index(character) for character in path]
    matrix = torch.full((1, len(path), len(labels)), (1 - confidence) / (len(labels) - 1))
    matrix[0, range(len(path)), places] = confidence
    return matrix.log()


def read_by(beam: Beam, matrix: Tensor) -> str:
    return beam.text(beam.decode(matrix, torch.tensor([matrix.shape[1]]))[0][0])


def test_only_listed_words_are_written(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("cab\nbac\tba\tbbc\ncab\tac\n", encoding="utf-8")
    beam = Beam(LABELS, lexicon=tmp_path / "words")
    assert read_by(Beam(LABELS), sure("c.a.c. .b.a", LABELS)) == "cac ba"
    assert read_by(beam, sure("c.a.c. .b.a", LABELS)) == "cab bac"
    assert read_by(beam, sure("a.c. .b.b.c", LABELS)) == "cab bac"


def test_a_word_that_is_not_finished_is_taken_back() -> None:
    """A narrow beam that holds no whole text still answers with what it knows, and with that text's own score."""
    beam = Beam(LABELS, lexicon={"ab": [], "cbbbb": []}, width=1)
    matrix = sure("aab c", LABELS, 0.99)
    (best,) = beam.decode(matrix, torch.tensor([5]))[0]
    assert beam.text(best) == "ab" and best.words == ("ab",)
    assert best.labels[:2] == (1, 2) and best.spans[:2] == ((0, 2), (2, 3)) and len(best.spans) == len(best.labels)
    logits, target = matrix.transpose(0, 1), torch.tensor([best.labels])
    loss = torch.nn.functional.ctc_loss(logits, target, torch.tensor([5]), torch.tensor([len(best.labels)]))
    assert best.score == pytest.approx(-loss.item() * len(best.labels), rel=1e-4)


def test_impossible_matrices_give_the_empty_text() -> None:
    matrix = torch.full((1, 3, 5), -torch.inf)
    (best,) = Beam(LABELS, lexicon={"ab": []}).decode(matrix, torch.tensor([3]))[0]
    assert (best.labels, best.words, best.score) == ((), (), -math.inf)


def test_without_a_label_for_the_space_a_text_is_one_word() -> None:
    beam = Beam(LABELS[:-1], lexicon={"one": ["ab"], "two": ["cb"]})
    assert read_by(beam, sure("a.b.c.b", LABELS[:-1])) in {"one", "two"}


def test_the_language_model_picks_among_words_that_are_spelt_alike(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("x lead\n" * 3 + "y led\n" * 4, encoding="utf-8")
    assert lm.main([str(tmp_path / "text"), "--output", str(tmp_path / "lm"), "--order", "2"]) == 0
    lexicon = {"lead": ["ab"], "led": ["ab"], "x": ["b"], "y": ["c"]}
    beam = Beam(LABELS, lm=tmp_path / "lm", lexicon=lexicon)
    assert read_by(beam, sure("b. .a.b", LABELS)) == "x lead"
    assert read_by(beam, sure("c. .a.b", LABELS)) == "y led"
    assert read_by(Beam(LABELS, lexicon=lexicon), sure("c. .a.b", LABELS)) == "y lead"


def test_words_that_follow_tell_which_was_meant(tmp_path: Path) -> None:
    """Of four words that are spelt alike the rarest is written before the only word that ever follows it."""
    lines = ["led c"] + [f"{word} b" for word in ("lead", "lad", "lode") for _ in range(5)]
    (tmp_path / "text").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    assert lm.main([str(tmp_path / "text"), "--output", str(tmp_path / "lm"), "--order", "2"]) == 0
    lexicon = {word: ["ab"] for word in ("lead", "lad", "lode", "led")} | {"b": [], "c": []}
    beam = Beam(LABELS, lm=tmp_path / "lm", lexicon=lexicon)
    assert read_by(beam, sure("a.b", LABELS)) != "led"
    assert read_by(beam, sure("a.b. .b", LABELS)) in {"lead b", "lad b", "lode b"}
    assert read_by(beam, sure("a.b. .c", LABELS)) == "led c"


def test_words_may_be_written_as_the_labels_never_could() -> None:
    alphabet = Alphabet(["a", "b", " "])
    assert read_by(Beam(alphabet, lexicon={"Ж": ["ab"]}), sure("a.b", ["", *alphabet.characters])) == "Ж"


def test_what_cannot_be_spelt_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Beam(LABELS, lexicon={"ab": [], "xyz": [], "b": ["zzz", "c"]})
    assert "2 of 3 words" in caplog.text and "1 words cannot be spelt with the labels: xyz" in caplog.text
    with pytest.raises(DecoderError, match="none of its 2 words") as caught:
        Beam(LABELS, lexicon={"AB": [], "BA": []})
    assert "lower case" in str(caught.value)


def test_a_language_model_of_other_words_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("ab ba\n", encoding="utf-8")
    assert lm.main([str(tmp_path / "text"), "--output", str(tmp_path / "lm"), "--order", "2"]) == 0
    with pytest.raises(DecoderError, match="lists none of the 1 words"):
        Beam(LABELS, lm=tmp_path / "lm", lexicon={"AB": ["ab"]})


def test_files_are_plain_or_packed_and_lines_add_up(tmp_path: Path) -> None:
    content = "\ufeffone\n\ntwo\ttoo\t to \r\none\twon\n two\ttwo"
    (tmp_path / "plain").write_text(content, encoding="utf-8", newline="")
    (tmp_path / "packed.gz").write_bytes(gzip.compress(content.encode()))
    for name in ("plain", "packed.gz"):
        assert read(tmp_path / name) == {"one": ["one", "won"], "two": ["too", "to", "two"]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["lists no words"]),
        (b"\n \n", ["lists no words"]),
        (b"one\ntwo words\n", ["line 2", "two words", "tab"]),
        (b"one\tw o n\n", ["line 1", "w o n"]),
        (b"one\n\ttwo\n", ["line 2", "empty field"]),
        (b"one\t\n", ["line 1", "empty field"]),
        (b"one\nt\xf6o\n", ["line 2", "UTF-8"]),
        (gzip.compress(b"one\n")[:12], ["cannot be unpacked"]),
    ],
)
def test_what_is_no_list_of_words_is_explained(tmp_path: Path, content: bytes, words: list[str]) -> None:
    (tmp_path / "words").write_bytes(content)
    with pytest.raises(DecoderError) as caught:
        Beam(LABELS, lexicon=tmp_path / "words")
    assert all(word in str(caught.value) for word in [str(tmp_path / "words"), *words]), str(caught.value)


def test_folders_and_missing_files_are_explained(tmp_path: Path) -> None:
    for path, words in ((tmp_path, "Is a directory"), (tmp_path / "none", "cannot be opened")):
        with pytest.raises(DecoderError, match=words):
            Beam(LABELS, lexicon=str(path))


def test_it_goes_with_the_beam() -> None:
    beam = pickle.loads(pickle.dumps(Beam(LABELS, lexicon={"X": ["ab"]}, hotwords=["x"])))
    assert read_by(beam, sure("a.b", LABELS)) == "X"
