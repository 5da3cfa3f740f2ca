"""Models built from texts: probabilities sum to 1, and equal a plain implementation of the same equations."""

from __future__ import annotations

import gzip
import itertools
import lzma
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from recognizer import lm
from recognizer.decoders.ngram import NGram

Gram = tuple[str, ...]


def text(seed: int = 3, lines: int = 120) -> list[list[str]]:
    """Lines in which words depend on those before them."""
    random = np.random.default_rng(seed)
    words = [f"w{number}" for number in range(12)]
    made = []
    for _ in range(lines):
        line = [int(random.zipf(1.6)) % 12]
        for _ in range(int(random.integers(0, 8))):
            line.append((line[-1] * 5 + int(random.zipf(1.8))) % 12)
        made.append([words[word] for word in line])
    return made


def built(path: Path, lines: list[list[str]], *options: str) -> NGram:
    source = path / "text.txt"
    source.write_text("".join(" ".join(line) + "\n" for line in lines), encoding="utf-8")
    assert lm.main([str(source), "--output", str(path / "lm.arpa.gz"), *options]) == 0
    return NGram.read(path / "lm.arpa.gz")


class Plain:
    """Interpolated modified Kneser-Ney by dictionaries, straight from the equations."""

    def __init__(self, lines: list[list[str]], order: int) -> None:
        padded = [("<s>", *line, "</s>") for line in lines]
        raw: Counter[Gram] = Counter(
            line[i : i + n] for line in padded for n in range(1, order + 1) for i in range(len(line) - n + 1)
        )
        self.vocabulary = {word for line in padded for word in line if word != "<s>"} | {"<unk>"}
        self.counts: dict[Gram, int] = {}
        for gram, count in raw.items():
            if len(gram) < order and gram[0] != "<s>":
                count = sum(1 for longer in raw if len(longer) == len(gram) + 1 and longer[1:] == gram)
            self.counts[gram] = count
        self.counts[("<s>",)] = 0
        self.discounts = {}
        for n in range(1, order + 1):
            n1, n2, n3, n4 = (
                sum(len(gram) == n and count == k for gram, count in self.counts.items()) for k in (1, 2, 3, 4)
            )
            found = (0.5, 1.0, 1.5)
            if n1 and n2 and n3:
                share = n1 / (n1 + 2 * n2)
                tried = (1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3)
                if all(0 < discount <= k for k, discount in enumerate(tried, start=1)):
                    found = tried
            self.discounts[n] = found

    def p(self, word: str, context: Gram) -> float:
        followers = {g: c for g, c in self.counts.items() if g[:-1] == context and len(g) == len(context) + 1 and c}
        lower = self.p(word, context[1:]) if context else 1 / len(self.vocabulary)
        if not followers:
            return lower
        discount = {gram: self.discounts[len(gram)][min(count, 3) - 1] for gram, count in followers.items()}
        total = sum(followers.values())
        gram = (*context, word)
        own = (followers[gram] - discount[gram]) / total if gram in followers else 0.0
        return own + sum(discount.values()) / total * lower


def contexts(lines: list[list[str]], order: int) -> list[Gram]:
    padded = [("<s>", *line) for line in lines]
    found = {line[i : i + n] for line in padded for n in range(order) for i in range(len(line) - n + 1)}
    return sorted(found | {("w1", "never"), ("never",)})


def state(model: NGram, context: Gram) -> int:
    at = 0
    for place, word in enumerate(context):
        at = model.start if place == 0 and word == "<s>" else model.ask(at, word)[1]
    return at


@pytest.mark.parametrize(("order", "prune"), [(1, 0), (2, 0), (4, 0), (4, 1)])
def test_probabilities_sum_to_one_after_every_context(tmp_path: Path, order: int, prune: int) -> None:
    lines = text()
    model = built(tmp_path, lines, "--order", str(order), "--prune", str(prune))
    assert model.order == order
    vocabulary = [word for word in model.tokens if word != "<s>"]
    for context in contexts(lines, order):
        at = state(model, context)
        assert sum(math.exp(model.ask(at, word)[0]) for word in vocabulary) == pytest.approx(1, abs=1e-5), context


@pytest.mark.parametrize("order", [1, 2, 3])
def test_every_probability_is_that_of_the_equations(tmp_path: Path, order: int) -> None:
    lines = text(seed=5, lines=40)
    model, plain = built(tmp_path, lines, "--order", str(order)), Plain(lines, order)
    assert set(model.tokens) == plain.vocabulary | {"<s>"}
    for context in contexts(lines, order)[::7]:
        at = state(model, context)
        seen = tuple("<unk>" if word == "never" else word for word in context)
        for word in sorted(plain.vocabulary):
            assert math.exp(model.ask(at, word)[0]) == pytest.approx(plain.p(word, seen), rel=1e-5), (context, word)


def test_perplexity_of_other_text_is_that_of_the_equations(tmp_path: Path) -> None:
    lines, others = text(lines=60), text(seed=9, lines=10)
    model, plain = built(tmp_path, lines, "--order", "3"), Plain(lines, 3)
    ours = [value for line in others for value in model.sentence(line)]
    theirs = []
    for line in others:
        padded = ["<s>", *(word if word in plain.vocabulary else "<unk>" for word in line), "</s>"]
        theirs += [math.log(plain.p(padded[i], tuple(padded[max(0, i - 2) : i]))) for i in range(1, len(padded))]
    assert ours == pytest.approx(theirs, abs=1e-5)


# Perplexity of the 40 lines below by KenLM's own lmplz 0.3.0 (--discount_fallback, --prune 0 0 N) and query
LMPLZ = [
    (120, 2, 0, 7.056875023224932),
    (120, 3, 0, 7.2609596581540075),
    (120, 4, 0, 7.60682957288526),
    (120, 4, 1, 7.2481267575561485),
    (120, 4, 2, 7.189257193787678),
    (2000, 2, 0, 6.4576809696142625),
    (2000, 3, 0, 6.49123126382536),
    (2000, 4, 0, 6.920488056294966),
    (2000, 4, 1, 6.775918349586911),
    (2000, 4, 2, 6.733735057338662),
]


@pytest.mark.parametrize(("lines", "order", "prune", "perplexity"), LMPLZ)
def test_perplexity_is_that_of_lmplz(tmp_path: Path, lines: int, order: int, prune: int, perplexity: float) -> None:
    model = built(tmp_path, text(lines=lines), "--order", str(order), "--prune", str(prune))
    others = text(seed=9, lines=40)
    others[0].append("never")
    values = [value for line in others for value in model.sentence(line)]
    assert math.exp(-sum(values) / len(values)) == pytest.approx(perplexity, rel=1e-6)


def test_pruning_leaves_out_what_is_seen_once(tmp_path: Path) -> None:
    lines = text()
    whole, pruned = built(tmp_path, lines, "--order", "3"), built(tmp_path, lines, "--order", "3", "--prune", "1")
    seen = Counter(gram for line in lines for gram in itertools.pairwise(["<s>", *line, "</s>"]))
    assert pruned.top == whole.top == 1 + len(whole.tokens) + len(seen)  # shorter ones stay
    padded = [["<s>", *line, "</s>"] for line in lines]
    threes = Counter(tuple(line[i : i + 3]) for line in padded for i in range(len(line) - 2))
    assert len(pruned.token) - pruned.top == sum(count > 1 for count in threes.values())
    assert len(whole.token) - whole.top == len(threes)


def test_texts_come_from_files_of_any_kind(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\ufeffone two\n\n two  three\n", encoding="utf-8")
    with gzip.open(tmp_path / "b.txt.gz", "wt", encoding="utf-8") as file:
        file.write("four\n")
    with lzma.open(tmp_path / "c.txt.xz", "wt", encoding="utf-8") as file:
        file.write("fu\u0308nf\n")
    (tmp_path / "d.TSV").write_text("path\ttext\nx.wav\tsix\ny.wav\t\n", encoding="utf-8")
    paths = [tmp_path / name for name in ("a.txt", "b.txt.gz", "c.txt.xz", "d.TSV")]
    assert list(lm.sentences(paths)) == [["one", "two"], ["two", "three"], ["four"], ["f\u00fcnf"], ["six"]]
    assert next(lm.sentences(paths[:1], characters=True)) == ["o", "n", "e", "<space>", "t", "w", "o"]
    assert next(lm.sentences(paths[2:3], True, "NFD")) == ["f", "u", "\u0308", "n", "f"]
    assert next(lm.sentences(paths[2:3], True, "NFD", "grapheme")) == ["f", "u\u0308", "n", "f"]


def test_a_model_of_characters(tmp_path: Path) -> None:
    model = built(tmp_path, text(lines=20), "--order", "3", "--characters")
    assert {"w", "1", "<space>"} <= set(model.tokens) and "w1" not in model.tokens


def test_very_little_text_will_do(tmp_path: Path) -> None:
    model = built(tmp_path, [["one"]], "--order", "5")
    assert model.order == 3  # <s> one </s>
    assert sum(math.exp(model.ask(model.start, word)[0]) for word in ("one", "</s>", "<unk>")) == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.txt", None, ["none.txt", "cannot be read"]),
        ("empty.txt", b"\n \n", ["there is none"]),
        ("latin.txt", b"caf\xe9\n", ["latin.txt", "UTF-8"]),
        ("torn.txt.gz", gzip.compress(b"one two three")[:-9], ["torn.txt.gz", "cannot be read"]),
        ("wrong.txt.xz", b"one two", ["wrong.txt.xz", "cannot be read"]),
        ("mark.txt", b"one\ntwo <s>\n", ["mark.txt, line 2", "<s>"]),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, words: list[str]
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert lm.main([str(tmp_path / name), "--output", str(tmp_path / "lm.arpa")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and all(word in said for word in words), said
    assert not list(tmp_path.glob("lm.arpa*"))


def test_settings_out_of_range_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("one\n", encoding="utf-8")
    assert lm.main([str(tmp_path / "a.txt"), "--output", str(tmp_path / "lm.arpa"), "--order", "0"]) == 2
    assert "--order" in capsys.readouterr().err
