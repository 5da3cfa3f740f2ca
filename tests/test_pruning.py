"""A pruned model lacks the n-grams without which it changes least, and its probabilities still sum to 1."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from recognizer import kneserney, lm
from recognizer.decoders.ngram import NGram
from recognizer.pruning import pruned, worths

WORDS = tuple(f"w{number}" for number in range(7))


def lines(seed: int, count: int) -> list[list[str]]:
    """Lines in which words depend on the two before them."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        line = [0, int(random.zipf(1.7)) % 7]
        for _ in range(int(random.integers(0, 7))):
            line.append((line[-1] * 3 + line[-2] + int(random.zipf(2.2))) % 7)
        made.append([WORDS[word] for word in line[1:]])
    return made


def model(order: int = 3, prune: int = 0) -> NGram:
    return kneserney.built(lines(1, 60), order, prune)


def p(model: NGram, *tokens: str) -> float:
    """p(last | those before)."""
    state = 0
    for place, token in enumerate(tokens[:-1]):
        state = model.start if place == 0 and token == "<s>" else model.ask(state, token)[1]
    return math.exp(model.ask(state, tokens[-1])[0])


def listed(model: NGram) -> list[tuple[str, ...]]:
    """All n-grams, as the nodes are numbered, without node 0."""
    return [tuple(model.tokens[token] for token in gram) for grams, _ in model.sections() for gram in grams.tolist()]


def words(model: NGram) -> list[str]:
    return [token for token in model.tokens if token != "<s>"]


@pytest.mark.parametrize("order", [2, 3, 4])
def test_worth_is_the_relative_entropy_of_the_model_without_the_ngram(order: int) -> None:
    whole = model(order)
    found = worths(whole)
    assert len(found) == len(whole.token) and not found[: 1 + len(whole.tokens)].any()
    every = listed(whole)
    for node, gram in enumerate(every, start=1):
        if len(gram) < 2:
            continue
        context, last = gram[:-1], gram[-1]
        others = {other[-1] for other in every if other[:-1] == context} - {last}
        rest = sum(p(whole, *context, word) for word in others)
        below = sum(p(whole, *context[1:], word) for word in others)
        weight = (1 - rest) / (1 - below)
        lost = 0.0
        for word in words(whole):
            one = p(whole, *context, word)
            two = one if word in others else weight * p(whole, *context[1:], word)
            lost += one * math.log(one / two)
        joint = 1.0
        for place, token in enumerate(context):
            joint *= p(whole, "</s>" if token == "<s>" else token) if place == 0 else p(whole, *context[:place], token)
        assert found[node] == pytest.approx(joint * lost, rel=1e-3, abs=1e-8), gram


@pytest.mark.parametrize(("order", "prune"), [(1, 0), (2, 0), (3, 0), (4, 0), (4, 1)])
@pytest.mark.parametrize("most", [0, 1, 9, 40, 100_000])
def test_what_is_left(order: int, prune: int, most: int) -> None:
    whole = model(order, prune)
    less = pruned(whole, most)
    before, after = listed(whole), listed(less)
    assert less.tokens == whole.tokens and {*after} <= {*before}
    assert len(after) == min(len(before), len(less.tokens) + most)
    assert all(gram[:-1] in {*after} for gram in after if len(gram) > 1)
    for gram in after:
        if gram[-1] != "<s>":
            assert p(less, *gram) == pytest.approx(p(whole, *gram), rel=1e-5), "what is kept keeps its probability"
    for context in {gram[:-1] for gram in before} | set(itertools.product(WORDS[:3], repeat=2)):
        assert sum(p(less, *context, word) for word in words(less)) == pytest.approx(1, abs=1e-5), context
    if len(after) == len(before):
        for line in lines(2, 9):
            assert less.sentence(line) == pytest.approx(whole.sentence(line), abs=1e-4)


def test_the_worthless_go_first() -> None:
    whole = model(3)
    worth, every = worths(whole), listed(whole)
    for most in (5, 20, 60):
        kept = {*listed(pruned(whole, most))}
        needed = {gram[:length] for gram in kept for length in (2, 3) if len(gram) >= length}
        assert needed <= kept
        gone = [worth[node] for node, gram in enumerate(every, start=1) if gram not in kept]
        # what is kept is worth as much itself, or something that begins with it is
        best = {gram: max(worth[n] for n, other in enumerate(every, 1) if other[: len(gram)] == gram) for gram in kept}
        assert min(best[gram] for gram in kept if len(gram) > 1) >= max(gone)


def test_by_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("texts.txt").write_text("".join(" ".join(line) + "\n" for line in lines(1, 300)))
    assert lm.main(["texts.txt", "--order", "4", "--output", "all.npz"]) == 0
    size = len(NGram.read("all.npz").token)

    def perplexity(name: str) -> float:
        values = [value for line in lines(3, 100) for value in NGram.read(name).sentence(line)]
        return math.exp(-sum(values) / len(values))

    found = []
    for most in (size // 2, size // 4, size // 8, 0):
        assert lm.main(["all.npz", "--keep", str(most), "--output", "some.npz"]) == 0
        kept = NGram.read("some.npz")
        assert len(kept.token) == 1 + len(kept.tokens) + most
        found.append(perplexity("some.npz"))
    assert found[0] < 1.1 * perplexity("all.npz") and found == sorted(found) and found[1] < (found[0] + found[3]) / 2
    assert lm.main(["texts.txt", "--mix", "0.3", "texts.txt", "--keep", "30", "--output", "mixed.arpa"]) == 0
    assert len(NGram.read("mixed.arpa").token) == 1 + len(NGram.read("mixed.arpa").tokens) + 30
    capsys.readouterr()
    assert lm.main(["all.npz", "--keep", "-1", "--output", "some.npz"]) == 2
    assert "--keep: is -1; give at least 0" in capsys.readouterr().err
