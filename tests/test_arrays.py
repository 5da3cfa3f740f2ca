"""A model kept as arrays is the same model, and one that could lead the search astray is refused."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny

from recognizer import kneserney, lm
from recognizer.arrays import STEP
from recognizer.decoders.ngram import NGram
from recognizer.errors import ConfigError, DecoderError

MEMBERS = ("followers", "backoff")
TEXT = "the house is big\nbig is the house\nthe big house\nlöwe, 獅子\n"


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with text.txt in it."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


def build(*arguments: str) -> int:
    return lm.main([*arguments])


def same(one: NGram, two: NGram, slack: float = 0.0) -> bool:
    """Whether they are the same model, but for so much in their logarithms."""
    plain = (one.tokens, one.order, one.top) == (two.tokens, two.order, two.top)
    nodes = all(np.array_equal(getattr(one, name), getattr(two, name)) for name in ("token", "suffix", "first"))
    return plain and nodes and all(near(getattr(one, n), getattr(two, n), slack) for n in ("value", "backoff"))


def near(one: np.ndarray, two: np.ndarray, slack: float) -> bool:
    return one.dtype == two.dtype and bool((np.abs(one - two) <= slack * (1 + 1e-4)).all())


@pytest.mark.parametrize("order", ["1", "2", "4", "9"])
@pytest.mark.parametrize("kind", [(), ("--characters",)])
def test_arrays_are_the_model_of_the_arpa_file(texts: Path, order: str, kind: tuple[str, ...]) -> None:
    options = ("text.txt", "--order", order, *kind, "--output")
    assert build(*options, "lm.arpa.gz") == build(*options, "lm.npz") == build("lm.arpa.gz", "--output", "two.npz") == 0
    assert same(NGram.read("lm.arpa.gz"), NGram.read("two.npz"), STEP / 2)
    assert same(NGram.read("lm.npz"), NGram.read("two.npz"), STEP)  # an ARPA file rounds, too
    assert build("lm.npz", "--output", "three.npz") == 0
    assert Path("lm.npz").read_bytes() == Path("three.npz").read_bytes()
    assert sorted(path.name for path in texts.iterdir()) == ["lm.arpa.gz", "lm.npz", "text.txt", "three.npz", "two.npz"]


def test_arrays_become_an_arpa_file_and_stay_the_same(texts: Path) -> None:
    assert build("text.txt", "--prune", "1", "--output", "lm.npz") == 0
    assert build("lm.npz", "--output", "lm.arpa") == build("lm.arpa", "--output", "two.npz") == 0
    assert Path("lm.npz").read_bytes() == Path("two.npz").read_bytes()


@pytest.mark.parametrize("seed", range(4))
def test_any_model_comes_back(texts: Path, seed: int) -> None:
    """Tokens of one to three bytes, contexts with many and with no followers, and every ending."""
    random = np.random.default_rng(seed)
    words = [f"w{number}" for number in range((3, 40, 300, 70_000)[seed])]
    lines = [" ".join(random.choice(words, 5)) for _ in range(2_000)]
    Path("many.txt").write_text("\n".join([*lines, *words]))
    model = kneserney.built(lm.sentences(["many.txt"]), 3)
    model.write(Path("lm.npz"))
    assert same(NGram.read("lm.npz"), model, STEP / 2)
    assert NGram.read("lm.npz").value[1 + model.index["<s>"]] < -200, "what can never follow"


def test_a_binary_of_kenlm_becomes_arrays_too(texts: Path) -> None:
    Path("lm.binary").write_bytes((Path(__file__).parent / "binaries" / "trie.binary").read_bytes())
    assert build("lm.binary", "--output", "lm.npz") == 0
    assert same(NGram.read("lm.binary"), NGram.read("lm.npz"), STEP / 2)


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
    for path in (made, Path("other.npz"), Path("bent.npz"), Path("text.npz")):
        with pytest.raises(DecoderError, match=f"{path.name}: is a zip archive"):
            NGram.read(path)
    Path("cut.npz").write_bytes(whole[:-40])
    with pytest.raises(DecoderError, match="cut"):
        NGram.read("cut.npz")


def test_a_file_of_an_earlier_version_is_told_from_others(texts: Path) -> None:
    names = ("order", "tokens", "token", "value", "backoff", "suffix", "first")
    np.savez("old.npz", **{name: np.zeros(3) for name in names})
    with pytest.raises(DecoderError, match=r"old.npz: was written by an earlier version .*; build it again"):
        NGram.read("old.npz")


Members = dict[str, np.ndarray]


def changed(name: str, place: int, value: int) -> Callable[[Members], object]:
    """Another byte, the lowest of its number."""

    def change(members: Members) -> object:
        members[name][0, place] = value
        return None

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed("token", 3, 99), "does not list"),
        (changed("token", -1, 99), "does not list"),
        (changed("token", 3, 0), "not sorted"),
        (changed("followers", 4, 77), "n-grams, "),
        (lambda members: members.update(order=np.int32(0)), "up to 0 tokens"),
        (lambda members: members.update(order=np.int32(3)), "do not have 3 tokens"),
        (lambda members: members.update(order=np.int32(5)), "do not have 5 tokens"),
        (lambda members: members.update(tokens=members["tokens"][:-7]), "single tokens"),
        (lambda members: members.update(value=members["value"][:, :-1]), "n-grams, "),
        (lambda members: members.update(token=members["token"].astype(np.int64)), "token is int64"),
        (lambda members: members.update(backoff=members["backoff"][0]), "backoff is uint8 of shape"),
        (lambda members: members.update(value=np.zeros((5, 9), np.uint8)), "value is uint8 of shape"),
        (lambda members: members.update(followers=members["followers"][:, ::-1]), "single tokens"),
        (lambda members: members["followers"][0, 1:].sort(), "stand before|do not have"),
        (
            lambda members: members.update({name: np.zeros((1, 0), np.uint8) for name in (*MEMBERS, "token", "value")}),
            "0 that others follow",
        ),
    ],
)
def test_arrays_of_a_stranger_are_checked(texts: Path, change: Callable[[Members], object], words: str) -> None:
    build("text.txt", "--output", "lm.npz")
    with np.load("lm.npz") as file:
        members = {name: file[name] for name in file.files}
    change(members)
    np.savez("bent.npz", **members)
    with pytest.raises(DecoderError, match=words) as caught:
        NGram.read("bent.npz")
    assert "bent.npz: contradicts itself" in str(caught.value)


@pytest.mark.parametrize("seed", range(60))
def test_any_byte_may_be_wrong(texts: Path, seed: int) -> None:
    """What is read is refused or answers every question; it never leads out of its arrays."""
    random = np.random.default_rng(seed)
    build("text.txt", "--output", "lm.npz")
    with np.load("lm.npz") as file:
        members = {name: file[name] for name in file.files}
    for _ in range(3):
        name = str(random.choice(["token", "followers", "value", "backoff"]))
        part = members[name]
        part[random.integers(len(part)), random.integers(part.shape[1])] = random.integers(256)
    np.savez("bent.npz", **members)
    try:
        model = NGram.read("bent.npz")
    except DecoderError:
        return
    assert np.isfinite(model.sentence(["the", "house", "nowhere", "is", "big", "big"])).all()
    assert (model.suffix < model.top).all() and (model.token[1:] >= 0).all()
