"""ARPA files are read as they are meant, and what is no ARPA file is told apart."""

from __future__ import annotations

import gzip
import itertools
import math
import pickle
from pathlib import Path

import numpy as np
import pytest

from recognizer import arpa, lm
from recognizer.decoders.ngram import NGram
from recognizer.decoders.spellings import Rows, Spellings
from recognizer.errors import DecoderError

ARPA = r"""
written by hand

\data\
ngram 1=5
ngram 2=4
ngram 3=2

\1-grams:
-1.0	<unk>
-99	<s>	-0.5
-0.8	</s>
-0.6	big	-0.4
-0.7 house -0.3

\2-grams:
-0.2	<s> big	-0.1
-0.3	big house	-0.25
-0.9	house </s>
-1.1	big big

\3-grams:
-0.05	<s> big house
-0.15	big house </s>

\end\
"""
UNPACKED = ARPA.encode()


def file(folder: Path, content: bytes, name: str = "lm.arpa") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def ten(values: list[float]) -> list[float]:
    return [value / math.log(10) for value in values]


@pytest.mark.parametrize("packed", [False, True])
def test_scores_are_those_of_the_file(tmp_path: Path, packed: bool) -> None:
    model = NGram.read(file(tmp_path, gzip.compress(UNPACKED) if packed else UNPACKED))
    assert (model.order, model.tokens) == (3, ("<unk>", "<s>", "</s>", "big", "house"))
    assert ten(model.sentence(["big", "house"])) == pytest.approx([-0.2, -0.05, -0.15], abs=1e-5)
    # house after <s>: weight of <s>; </s> after "<s> house": "house </s>" is listed, "<s> house" is no context
    assert ten(model.sentence(["house"])) == pytest.approx([-0.5 - 0.7, -0.9], abs=1e-5)
    # big big big: "<s> big" hands over; then "big big" is listed without a weight, so "big" hands over again
    assert ten(model.sentence(["big", "big", "big"])) == pytest.approx([-0.2, -0.1 - 1.1, -1.1, -0.4 - 0.8], abs=1e-5)
    assert ten(model.sentence(["tiny", "house"])) == pytest.approx([-0.5 - 1.0, -0.7, -0.9], abs=1e-5)
    assert ten(model.sentence([])) == pytest.approx([-0.5 - 0.8], abs=1e-5)


PRUNED = (
    UNPACKED.replace(b"-0.3\tbig house\t-0.25\n", b"")
    .replace(b"ngram 2=4", b"ngram 2=3")
    .replace(b"-0.15\tbig house </s>\n", b"")
    .replace(b"ngram 3=2", b"ngram 3=1")
)
WITHOUT_OTHER = UNPACKED.replace(b"-1.0\t<unk>\n", b"").replace(b"ngram 1=5", b"ngram 1=4")
# log10 of each word and of the end, as KenLM 0.3.0 gave them for the same three files (as tries)
KENLM = [
    (UNPACKED, "big house house big big house", [-0.2, -0.05, -1.25, -0.9, -1.1, -0.3, -0.15]),
    (UNPACKED, "house tiny big house big", [-1.2, -1.3, -0.6, -0.3, -1.15, -1.2]),
    (UNPACKED, "tiny house", [-1.5, -0.7, -0.9]),
    (UNPACKED, "", [-1.3]),
    (PRUNED, "big house house big big house", [-0.2, -0.05, -1.0, -0.9, -1.1, -1.1, -0.9]),
    (PRUNED, "house tiny big house big", [-1.2, -1.3, -0.6, -1.1, -0.9, -1.2]),
    (WITHOUT_OTHER, "house tiny big house big", [-1.2, -100.3, -0.6, -0.3, -1.15, -1.2]),
    (WITHOUT_OTHER, "tiny house", [-100.5, -0.7, -0.9]),
]


@pytest.mark.parametrize(("content", "text", "values"), KENLM)
def test_scores_are_those_that_kenlm_gave(tmp_path: Path, content: bytes, text: str, values: list[float]) -> None:
    model = NGram.read(file(tmp_path, content))
    assert ten(model.sentence(text.split())) == pytest.approx(values, abs=1e-4)


@pytest.mark.parametrize("order", [2, 3, 5])
@pytest.mark.parametrize("characters", [False, True])
def test_scores_are_those_of_kenlm(tmp_path: Path, order: int, characters: bool) -> None:
    kenlm = pytest.importorskip("kenlm")
    random = np.random.default_rng(order)
    lines = [[f"w{word}" for word in random.zipf(1.4, size) % 40] for size in random.integers(1, 12, 300)]
    (tmp_path / "text.txt").write_text("".join(" ".join(line) + "\n" for line in lines[:250]), encoding="utf-8")
    options = ["--order", str(order), *(["--characters"] if characters else [])]
    assert lm.main([str(tmp_path / "text.txt"), "--output", str(tmp_path / "lm.arpa"), *options]) == 0
    model, other = NGram.read(tmp_path / "lm.arpa"), kenlm.Model(str(tmp_path / "lm.arpa"))
    for line in [*lines[250:], ["never", "w1", "w2", "heard"], []]:
        tokens = ["<space>" if letter == " " else letter for letter in " ".join(line)] if characters else line
        theirs = [value for value, _, _ in other.full_scores(" ".join(tokens))]
        assert ten(model.sentence(tokens)) == pytest.approx(theirs, abs=1e-4)
        assert model.sentence(tokens) == pytest.approx([value * math.log(10) for value in theirs], abs=1e-4)


def test_numbers_may_be_written_in_any_way(tmp_path: Path) -> None:
    ways = ["-0.25", "-.25", "-2.5e-1", "-25E-02", "-0.2500000000000000000000000000", "-0.250"]
    rows = "".join(f"{way}\t<s> w{number}\t{way}\n" for number, way in enumerate(ways))
    words = "".join(f"-1\tw{number}\n" for number in range(len(ways)))
    odd = "-inf\t<s> </s>\n+0\tw0 w1\n0.0005 w1 w2\n\n-2 w2 w3 0.5\r\n"
    counts = f"ngram 1={len(ways) + 3}\nngram 2={len(ways) + 4}\n"
    text = f"\\data\\\n{counts}\\1-grams:\n-99\t<s>\n-1\t</s>\n-1\t<unk>\n{words}\\2-grams:\n{rows}{odd}\\end\\"
    model = NGram.read(file(tmp_path, text.encode()))
    assert ten([model.ask(model.start, f"w{number}")[0] for number in range(6)]) == pytest.approx([-0.25] * 6)
    assert model.ask(model.start, "</s>")[0] < -1e29
    assert ten([model.ask(model.ask(0, f"w{n}")[1], f"w{n + 1}")[0] for n in range(3)]) == pytest.approx([0, 0, -2])


def test_a_file_may_be_longer_than_what_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = NGram.read(file(tmp_path, UNPACKED))
    for size, end in itertools.product((1, 7, 64), (b"", b"\r")):
        monkeypatch.setattr(arpa, "BLOCK", size)
        parts = NGram.read(file(tmp_path, UNPACKED.replace(b"\n", end + b"\n")))
        assert parts.tokens == whole.tokens
        for name in ("token", "value", "backoff", "suffix", "first"):
            np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


def test_memory_is_what_is_promised(tmp_path: Path) -> None:
    model = NGram.read(file(tmp_path, UNPACKED))
    size = sum(getattr(model, name).nbytes for name in ("token", "value", "backoff", "suffix", "first"))
    assert size == 20 * model.top + 4 + 12 * (len(model.token) - model.top)


def test_a_unigram_model_and_one_without_marks(tmp_path: Path) -> None:
    text = b"\\data\\\nngram 1=2\n\\1-grams:\n-0.3\ta\n-0.3\tb\n\\end\\\n"
    model = NGram.read(file(tmp_path, text))
    assert (model.order, model.start, model.other) == (1, 0, -1)
    assert ten(model.sentence(["a", "b"])) == pytest.approx([-0.3, -0.3])
    assert model.ask(0, "c") == (-100 * math.log(10), 0)  # as KenLM


def test_a_text_begins_a_unigram_model_with_nothing_behind_it(tmp_path: Path) -> None:
    text = b"\\data\\\nngram 1=3\n\\1-grams:\n-99\t<s>\n-0.5\t</s>\n-0.3\ta\n\\end\\\n"
    model = NGram.read(file(tmp_path, text))
    assert model.start == 0 and ten(model.sentence(["a"])) == pytest.approx([-0.3, -0.5])


def test_a_pruned_model_backs_off_over_missing_endings(tmp_path: Path) -> None:
    model = NGram.read(file(tmp_path, PRUNED))  # "<s> big house" stays, "big house" has gone
    assert ten(model.sentence(["big", "house"])) == pytest.approx([-0.2, -0.05, -0.9], abs=1e-5)


def test_it_can_be_sent_to_another_process(tmp_path: Path) -> None:
    model = NGram.read(file(tmp_path, UNPACKED))
    assert pickle.loads(pickle.dumps(model)).sentence(["big"]) == model.sentence(["big"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is empty"]),
        (b"mmap lm http://kheafield.com/code format version 5\n\0", ["KenLM"]),
        (b"\xfd7zXZ\0\0", ["xz"]),
        (b"PK\x03\x04zip", ["zip"]),
        (b"\x00\x01\x02", ["binary"]),
        (b"once upon a time\n", [r"\data\ "[:-1], "no ARPA"]),
        (gzip.compress(UNPACKED)[:60], ["cannot be unpacked"]),
        (UNPACKED.replace(b"\\end\\\n", b""), ["ends after line", "cut off"]),
        (UNPACKED.partition(b"\\3-grams")[0], ["ends after line", "cut off"]),
        (UNPACKED.replace(b"ngram 2=4", b"ngram 2=5"), ["line 22", "where a logarithm"]),
        (UNPACKED.replace(b"ngram 2=4", b"ngram 2=3"), ["big big", "3-grams"]),
        (UNPACKED.replace(b"ngram 3=2", b"ngram 4=2"), ["line 7", "ngram 3="]),
        (UNPACKED.replace(b"-0.9\t", b"zero\t"), ["line 19", "zero"]),
        (UNPACKED.replace(b"-0.9\t", b"0.9\t"), ["line 19", "logarithm of a probability"]),
        (UNPACKED.replace(b"-0.9\t", b"nan\t"), ["line 19", "logarithm of a probability"]),
        (UNPACKED.replace(b"house </s>\n-1.1", b"mouse </s>\n-1.1"), ["line 19", "mouse"]),
        (UNPACKED.replace(b"-0.7 house", b"-0.7 big"), ["line 14", "listed above"]),
        (UNPACKED.replace(b"big big", b"big house"), ["'big house' twice"]),
        (UNPACKED.replace(b"-0.05\t<s> big house", b"-0.05\thouse big big"), ["'house big big' and not"]),
        (UNPACKED.replace(b"house", b"h\xf6use"), ["UTF-8"]),
    ],
)
def test_what_is_no_sound_arpa_file_is_explained(tmp_path: Path, content: bytes, words: list[str]) -> None:
    with pytest.raises(DecoderError) as caught:
        NGram.read(file(tmp_path, content))
    assert all(word in str(caught.value) for word in ["lm.arpa", *words]), str(caught.value)


def test_folders_and_missing_files_are_explained(tmp_path: Path) -> None:
    for path, words in ((tmp_path, "folder"), (tmp_path / "none", "cannot be opened")):
        with pytest.raises(DecoderError, match=words):
            NGram.read(path)


def test_the_tree_of_spellings_holds_each_word_once() -> None:
    tree = Spellings.of(Rows.of([(1, 2), (1, 2, 3), (2,), (1, 2)]), np.array([-3.0, -1.0, -2.0, -2.5]), 4)
    found = {}
    stack: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    while stack:
        node, spelling = stack.pop()
        if tree.spelt[node] >= 0:
            found[spelling] = (int(tree.spelt[node]), float(tree.best[node]))
        children = range(tree.branch[node], tree.branch[node + 1])
        assert list(tree.letter[children.start : children.stop]) == sorted(tree.letter[list(children)])
        stack += [(child, (*spelling, int(tree.letter[child]))) for child in children]
    assert found == {(1, 2): (3, -1.0), (1, 2, 3): (1, -1.0), (2,): (2, -2.0)}  # best: also of what lies below
    assert np.isclose(tree.best[0], -1.0)
    assert tree.spelt[tree.node].tolist() == [3, 1, 2, 3]
