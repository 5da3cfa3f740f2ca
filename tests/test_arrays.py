"""A model kept as arrays is the same model, and one that could lead the search astray is refused."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tiny

from recognizer import lm
from recognizer.decoders.ngram import ARRAYS, NGram
from recognizer.errors import ConfigError, DecoderError

TEXT = "the house is big\nbig is the house\nthe big house\nlöwe, 獅子\n"


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with text.txt in it."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


def build(*arguments: str) -> int:
    return lm.main([*arguments])


def same(one: NGram, two: NGram, digits: float = 0.0) -> bool:
    plain = (one.tokens, one.order, one.top) == (two.tokens, two.order, two.top)
    return plain and all(np.allclose(getattr(one, name), getattr(two, name), digits, 0) for name in ARRAYS)


@pytest.mark.parametrize("order", ["1", "2", "4", "9"])
@pytest.mark.parametrize("kind", [(), ("--characters",)])
def test_arrays_are_the_model_of_the_arpa_file(texts: Path, order: str, kind: tuple[str, ...]) -> None:
    options = ("text.txt", "--order", order, *kind, "--output")
    assert build(*options, "lm.arpa.gz") == build(*options, "lm.npz") == build("lm.arpa.gz", "--output", "two.npz") == 0
    assert same(NGram.read("lm.arpa.gz"), NGram.read("two.npz"))
    assert same(NGram.read("lm.npz"), NGram.read("two.npz"), digits=1e-6)  # an ARPA file rounds
    assert build("lm.npz", "--output", "three.npz") == 0
    assert Path("lm.npz").read_bytes() == Path("three.npz").read_bytes()
    assert sorted(path.name for path in texts.iterdir()) == ["lm.arpa.gz", "lm.npz", "text.txt", "three.npz", "two.npz"]


def test_arrays_become_the_same_arpa_file(texts: Path) -> None:
    assert build("text.txt", "--prune", "1", "--output", "lm.arpa") == 0
    assert build("lm.arpa", "--output", "lm.npz") == build("lm.npz", "--output", "two.arpa") == 0
    assert Path("lm.arpa").read_bytes() == Path("two.arpa").read_bytes()


def test_a_binary_of_kenlm_becomes_arrays_too(texts: Path) -> None:
    Path("lm.binary").write_bytes((Path(__file__).parent / "binaries" / "trie.binary").read_bytes())
    assert build("lm.binary", "--output", "lm.npz") == 0
    assert same(NGram.read("lm.binary"), NGram.read("lm.npz"))


def test_what_cannot_be_turned(texts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build("text.txt", "--output", "lm.arpa") == 0
    for arguments, words in (
        (("lm.arpa", "text.txt", "--output", "lm.npz"), "lm.arpa: is a model, and there is more beside it"),
        (("text.txt", "--mix", "0.5", "text.txt", "lm.arpa", "--output", "lm.npz"), "is a model, and there is more"),
        (("lm.arpa", "--mix", "0.5", "gone.arpa", "--output", "lm.npz"), "cannot be opened"),
        (("gone.arpa", "--output", "lm.npz"), "cannot be opened"),
        (("text.txt", "--output", "text.txt/lm.npz"), "cannot be written"),
    ):
        capsys.readouterr()
        assert build(*arguments) == 2 and words in capsys.readouterr().err, arguments
    with pytest.raises(ConfigError, match="cannot be written"):
        NGram.read("lm.arpa").write(texts)


def test_other_zip_files_are_told_apart(texts: Path) -> None:
    made = tiny.checkpoint(Path("own.ckpt"), letters="abc")
    np.savez("other.npz", a=np.zeros(3))
    build("text.txt", "--output", "lm.npz")
    whole = Path("lm.npz").read_bytes()
    Path("bent.npz").write_bytes(whole[:300] + bytes(200) + whole[500:])
    with zipfile.ZipFile("lm.npz") as source, zipfile.ZipFile("text.npz", "w") as target:
        for name in source.namelist():
            target.writestr(name, b"no array" if name == "token.npy" else source.read(name))
    for path in (made, Path("other.npz"), Path("bent.npz")):
        with pytest.raises(DecoderError, match=f"{path.name}: is a zip archive"):
            NGram.read(path)
    with pytest.raises(DecoderError, match="contradicts itself"):
        NGram.read("text.npz")
    Path("cut.npz").write_bytes(whole[:-40])
    with pytest.raises(DecoderError, match="cut"):
        NGram.read("cut.npz")


def changed(name: str, place: int, value: float) -> dict[str, object]:
    def change(model: NGram) -> object:
        array = getattr(model, name).copy()
        array[place] = value
        return array

    return {name: change}


def swapped(model: NGram) -> object:
    token = model.token.copy()
    parent = 1 + int(np.argmax(np.diff(model.first[1:]) > 1))  # has at least two children
    child = int(model.first[parent])
    token[[child, child + 1]] = token[[child + 1, child]]
    return token


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed("token", 3, 99), "single tokens"),
        (changed("token", -1, 99), "does not list"),
        (changed("token", -1, -5), "does not list"),
        (changed("suffix", 5, 5), "whose ending"),
        (changed("suffix", -1, 10_000), "whose ending"),
        (changed("suffix", 4, -1), "whose ending"),
        (changed("first", 5, 3), "side by side"),
        (changed("first", -1, 10_000), "side by side"),
        (changed("first", 0, 0), "side by side"),
        (changed("value", 7, 0.5), "logarithms"),
        (changed("value", 7, np.nan), "logarithms"),
        (changed("backoff", 2, np.inf), "logarithms"),
        ({"value": lambda model: model.value[:-1]}, "value has"),
        ({"first": lambda model: model.first[:-1]}, "first has"),
        ({"token": lambda model: model.token.astype(np.int64)}, "int64"),
        ({"suffix": lambda model: model.suffix[None]}, "2 dimensions"),
        ({"backoff": lambda model: model.backoff[:0], "first": lambda model: model.first[:1]}, "0 that others follow"),
        ({"order": lambda model: 0}, "up to 0 tokens"),
        ({"order": lambda model: 3}, "do not have 3 tokens"),
        ({"order": lambda model: 5}, "do not have 5 tokens"),
        ({"tokens": lambda model: model.tokens[:-1]}, "single tokens"),
        ({"token": swapped}, "not sorted"),
    ],
)
def test_arrays_of_a_stranger_are_checked(texts: Path, change: dict[str, object], words: str) -> None:
    build("text.txt", "--output", "lm.npz")
    model = NGram.read("lm.npz")
    bent = dataclasses.replace(model, **{name: made(model) for name, made in change.items()})  # type: ignore
    bent.write(Path("bent.npz"))
    with pytest.raises(DecoderError, match=words) as caught:
        NGram.read("bent.npz")
    assert "bent.npz: contradicts itself" in str(caught.value)
