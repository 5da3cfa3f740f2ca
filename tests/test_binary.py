"""KenLM's binaries give the scores that KenLM gives; what is no sound one is explained.

The files under `binaries` were made by KenLM 0.3.0's `build_binary` from `source.arpa`, a model of 60 random sentences
which lacks some endings of its n-grams, and, the bare ones, from the ARPA file without `<unk>` of test_ngram:

    build_binary trie source.arpa trie.binary           build_binary -a 22 trie source.arpa array.binary
    build_binary -q 5 -b 3 trie source.arpa quantised.binary
    build_binary -q 6 -b 4 -a 8 trie source.arpa both.binary
    build_binary probing source.arpa table.binary
"""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import numpy as np
import pytest

from recognizer import binary
from recognizer.bits import fields
from recognizer.decoders.beam import Beam
from recognizer.decoders.ngram import NGram
from recognizer.errors import DecoderError

HERE = Path(__file__).parent / "binaries"
EXACT, QUANTISED, BARE = ("trie", "array", "table"), ("quantised", "both"), ("bare-trie", "bare-table")
# log10 of each word and of the end, as KenLM 0.3.0 gave them for these very files
LINES = ("the bird is in the tree", "a dog was of a", "red zebra sun to the", "", "the the big house an a an")
PLAIN = [
    [-2.1554, -0.9148, -1.9029, -1.7307, -1.8834, -0.575, -1.5782],
    [-1.6876, -1.7313, -2.0999, -2.0661, -2.0661, -1.2709],
    [-2.1554, -2.2155, -1.6228, -1.9551, -1.8668, -1.3047],
    [-1.5595],
    [-2.1554, -1.9007, -1.3473, -1.6519, -1.2174, -2.186, -1.1966, -1.3907],
]
COARSE = [
    [-2.1554, -0.901, -1.9029, -1.7307, -1.8834, -0.5689, -1.5952],
    [-1.7134, -1.7313, -2.0999, -2.0661, -2.0661, -1.2709],
    [-2.1554, -2.2155, -1.6228, -1.9551, -1.8668, -1.3047],
    [-1.5595],
    [-2.1554, -1.9007, -1.3473, -1.6519, -1.2174, -2.186, -1.1966, -1.3906],
]
FINER = [
    [-2.1554, -0.9123, -1.9029, -1.7307, -1.8834, -0.575, -1.5782],
    [-1.6872, -1.7313, -2.0999, -2.0661, -2.0661, -1.2709],
    [-2.1554, -2.2155, -1.6228, -1.9551, -1.8668, -1.3047],
    [-1.5595],
    [-2.1554, -1.9007, -1.3473, -1.6519, -1.2174, -2.186, -1.1966, -1.3931],
]
KENLM = [*((name, PLAIN) for name in EXACT), ("quantised", COARSE), ("both", FINER)]


def file(name: str) -> Path:
    return HERE / f"{name}.binary"


def ten(values: list[float]) -> list[float]:
    return [value / math.log(10) for value in values]


@pytest.mark.parametrize(("name", "scores"), KENLM)
def test_scores_are_those_that_kenlm_gave(name: str, scores: list[list[float]]) -> None:
    model = NGram.read(file(name))
    assert (model.order, model.tokens[model.other]) == (4, "<unk>")
    for line, values in zip(LINES, scores, strict=True):
        assert ten(model.sentence(line.split())) == pytest.approx(values, abs=1e-4)


@pytest.mark.parametrize("name", BARE)
def test_a_model_without_a_word_for_others_stays_so(name: str) -> None:
    model = NGram.read(file(name))
    assert (model.order, model.other, set(model.tokens)) == (3, -1, {"<s>", "</s>", "big", "house"})
    values = [-1.2, -100.3, -0.6, -0.3, -1.15, -1.2]  # KenLM's
    assert ten(model.sentence(["house", "tiny", "big", "house", "big"])) == pytest.approx(values, abs=1e-4)


@pytest.mark.parametrize("name", [*EXACT, *QUANTISED, *BARE])
def test_scores_are_those_of_kenlm(name: str) -> None:
    kenlm = pytest.importorskip("kenlm")
    model, other, random = NGram.read(file(name)), kenlm.Model(str(file(name))), np.random.default_rng(3)
    words = [*sorted(set(model.tokens) - {"<s>", "</s>", "<unk>"}), "zebra"]
    for size in random.integers(0, 12, 100):
        line = [words[place] for place in random.integers(0, len(words), size)]
        theirs = [value for value, _, _ in other.full_scores(" ".join(line))]
        assert ten(model.sentence(line)) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("name", EXACT)
def test_scores_are_those_of_the_arpa_file(name: str) -> None:
    model, plain = NGram.read(file(name)), NGram.read(HERE / "source.arpa")
    assert sorted(model.tokens) == sorted(plain.tokens)
    random = np.random.default_rng(5)
    for size in random.integers(0, 12, 50):
        line = [plain.tokens[place] for place in random.integers(3, len(plain.tokens), size)]
        assert model.sentence(line) == pytest.approx(plain.sentence(line), abs=1e-4)


@pytest.mark.parametrize("name", EXACT)
def test_the_search_writes_what_it_writes_with_the_arpa_file(name: str) -> None:
    random = np.random.default_rng(11)
    labels = ["", " ", *"abcdefghinorstuw"]
    matrix = random.normal(0, 2, (40, len(labels)))
    log_probs = (matrix - np.log(np.exp(matrix).sum(1, keepdims=True)))[None]
    ours, theirs = (
        Beam(labels, lm=path, width=20).decode(log_probs.astype(np.float32), np.array([40]))[0][0]
        for path in (file(name), HERE / "source.arpa")
    )
    assert ours.labels == theirs.labels
    assert ours.score + ours.gain == pytest.approx(theirs.score + theirs.gain, abs=1e-3)


def test_numbers_of_any_width_are_unpacked() -> None:
    random = np.random.default_rng(2)
    for bits, gap in ((1, 0), (3, 5), (7, 1), (31, 32), (32, 25)):
        values = random.integers(0, 1 << bits, 50)
        whole = sum(int(value) << (place * (bits + gap) + gap) for place, value in enumerate(values))
        part = np.frombuffer(whole.to_bytes(50 * (bits + gap) // 8 + 9, "little"), np.uint8)
        _, field = fields(part, 50, [gap, bits])
        np.testing.assert_array_equal(field, values)


def test_it_can_be_sent_to_another_process() -> None:
    model = NGram.read(file("trie"))
    assert pickle.loads(pickle.dumps(model)).sentence(["big"]) == model.sentence(["big"])


def changed(place: int, new: bytes, name: str = "trie") -> bytes:
    whole = file(name).read_bytes()
    return whole[:place] + new + whole[place + len(new) :]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (changed(0, b"mmap lm http://kheafield.com/code format version 4"), ["version 4", "version 5", "ARPA"]),
        (changed(0, b"mmap lm http://kheafield.com/code incomplete\n"), ["not built to its end"]),
        (changed(80, bytes(7) + b"\1"), ["another machine"]),
        (changed(96, b"\1"), ["rest costs", "ARPA"]),
        (changed(96, b"\7"), ["kind 7"]),
        (changed(100, b"\0"), ["without its words", "ARPA"]),
        (changed(88, b"\1"), ["of 1 lengths"]),
        (changed(108, b"\0"), ["claims to hold"]),
        (changed(120, b"\xff"), ["ARPA"]),
        (changed(92, bytes(4), "table"), ["claims to hold"]),
        (changed(148, b"\x63", "table"), ["words"]),
        (file("trie").read_bytes()[:60], ["cut off: byte 88 of 60"]),
        (file("trie").read_bytes()[:1000], ["cut off", "of 1000"]),
        (file("trie").read_bytes()[:-20], ["words where 24 should be"]),
        (file("table").read_bytes()[:-1], ["words where 24 should be"]),
        (file("trie").read_bytes().replace(b"\0house\0", b"\0h\xf6use\0"), ["UTF-8"]),
    ],
)
def test_what_is_no_sound_binary_is_explained(tmp_path: Path, content: bytes, words: list[str]) -> None:
    (tmp_path / "lm.binary").write_bytes(content)
    with pytest.raises(DecoderError) as caught:
        NGram.read(tmp_path / "lm.binary")
    assert all(word in str(caught.value) for word in ["lm.binary", *words]), str(caught.value)


def test_a_hash_table_of_too_many_words_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary, "TRIALS", 400)
    with pytest.raises(DecoderError, match="build_binary trie"):
        NGram.read(file("table"))


@pytest.mark.parametrize("name", ["trie", "both", "table"])
def test_wherever_it_is_cut_off_or_broken_it_is_refused_or_read(tmp_path: Path, name: str) -> None:
    whole, random = file(name).read_bytes(), np.random.default_rng(1)
    for size in random.integers(40, len(whole), 60):
        (tmp_path / "cut").write_bytes(whole[:size])
        with pytest.raises(DecoderError):
            NGram.read(tmp_path / "cut")
    for _ in range(150):
        broken = bytearray(whole)
        for place in random.integers(53, len(whole), 3):
            broken[place] = random.integers(256)
        (tmp_path / "broken").write_bytes(broken)
        try:
            NGram.read(tmp_path / "broken").sentence(["big", "house"])
        except DecoderError as error:
            assert "broken" in str(error)
