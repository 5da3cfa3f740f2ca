"""A binary model of CMU Sphinx gives the scores of the ARPA file that it was built from; a broken one is explained.

The files under `binaries` were made by the converter of sphinxbase 5prealpha from models of the same 60 random lines,
of 1 to 4 words (`sphinx_lm_convert -i sphinx4.arpa -o sphinx4.lm.bin; xz -9e sphinx4.lm.bin`).
"""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest

from recognizer import kneserney, lm, sphinx
from recognizer.arrays import STEP
from recognizer.decoders.ngram import NGram
from recognizer.errors import DecoderError

HERE = Path(__file__).parent / "binaries"
LINES = ("w1 w2 w3", "w5 w0 w1 w1 nope w2", "", "w0 w1 w2 w3 w4 w5 w6 w0", "nope")


def opened(order: int, folder: Path) -> Path:
    path = folder / f"order{order}.lm.bin"
    path.write_bytes(lzma.decompress((HERE / f"sphinx{order}.lm.bin.xz").read_bytes()))
    return path


@pytest.fixture(scope="module")
def source() -> NGram:
    return NGram.read(HERE / "sphinx4.arpa")


def test_scores_are_those_of_the_arpa_file(tmp_path: Path, source: NGram) -> None:
    model = NGram.read(opened(4, tmp_path))
    assert (model.tokens, model.order, len(model.token)) == (source.tokens, 4, len(source.token))
    for line in LINES:
        assert model.sentence(line.split()) == pytest.approx(source.sentence(line.split()), abs=1e-3)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_probabilities_sum_to_one(tmp_path: Path, order: int) -> None:
    model = NGram.read(opened(order, tmp_path))
    assert model.order == order
    words = [token for token in model.tokens if token != "<s>"]
    for context in ("", "w1", "w1 w2", "w3 w3", "w5 w0"):
        state = 0
        for token in context.split():
            state = model.ask(state, token)[1]
        assert sum(np.exp(model.ask(state, word)[0]) for word in words) == pytest.approx(1, abs=1e-3)


def test_it_becomes_arrays_and_mixes(tmp_path: Path, source: NGram) -> None:
    path, texts = opened(3, tmp_path), tmp_path / "mine.txt"
    texts.write_text("w1 w2 new\n")
    assert lm.main([str(path), "--output", str(tmp_path / "lm.npz")]) == 0
    kept, read = NGram.read(tmp_path / "lm.npz"), NGram.read(path)
    assert np.abs(kept.value - read.value).max() <= STEP * 0.51 and kept.tokens == read.tokens
    assert lm.main([str(path), "--mix", "0.2", str(texts), "--output", str(tmp_path / "both.npz")]) == 0
    assert {*NGram.read(tmp_path / "both.npz").tokens} == {*read.tokens, "new"}


def test_what_is_broken_is_explained(tmp_path: Path) -> None:
    path = opened(3, tmp_path)
    whole = path.read_bytes()
    tables, words = 20 + 3 * 4 + 4 + 3 * (4 << 16), whole.rindex(b"<unk>")
    for name, data, what in (
        ("cut", whole[: len(whole) // 2], "is cut off"),
        ("head", whole[:25], "is cut off"),
        ("none", whole[:19] + bytes(1) + whole[20:], "0 lengths"),
        ("many", whole[:20] + b"\xff\xff\xff\x7f" + whole[24:], "claims to hold"),
        ("next", whole[: tables + 8] + b"\xff\xff\0\0" + whole[tables + 12 :], "claims"),
        ("above", whole[:tables] + np.float32(3).tobytes() + whole[tables + 4 :], "no logarithms"),
        ("words", whole[: words + 5] + b"x" + whole[words + 6 :], "words where"),
        ("bytes", whole[:words] + b"\xff" + whole[words + 1 :], "not UTF-8"),
    ):
        bent = tmp_path / f"{name}.lm.bin"
        bent.write_bytes(data)
        with pytest.raises(DecoderError, match=what) as caught:
            NGram.read(bent)
        assert f"{name}.lm.bin: is a binary model of CMU Sphinx that" in str(caught.value)


@pytest.mark.parametrize("seed", range(40))
def test_any_byte_may_be_wrong(tmp_path: Path, seed: int) -> None:
    random, path = np.random.default_rng(seed), opened(2, tmp_path)
    data = bytearray(path.read_bytes())
    for place in (*random.integers(0, 40, seed % 2), *random.integers(262_180, len(data), 3)):
        data[place] = int(random.integers(256))
    path.write_bytes(data)
    try:
        model = NGram.read(path)
    except DecoderError:
        return
    assert np.isfinite(model.sentence(["w1", "w2", "nope"])).all()


def test_other_files_are_not_taken_for_one(tmp_path: Path) -> None:
    kneserney.built([["a"]], 2).write(tmp_path / "lm.npz")
    assert not any(sphinx.is_one(path) for path in (tmp_path / "lm.npz", tmp_path / "gone", tmp_path, __file__))
