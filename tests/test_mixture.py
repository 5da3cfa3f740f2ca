"""A mixture of two models says what both say, each by its share, and its probabilities sum to 1."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from recognizer import kneserney, lm
from recognizer.arrays import STEP
from recognizer.decoders.ngram import NGram
from recognizer.mixture import mixed

WORDS = tuple(f"w{number}" for number in range(9))


def lines(seed: int, count: int, step: int) -> list[list[str]]:
    """Lines in which words depend on those before them, otherwise for each step."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        line = [int(random.zipf(1.7)) % 9]
        for _ in range(int(random.integers(0, 7))):
            line.append((line[-1] * step + int(random.zipf(1.9))) % 9)
        made.append([WORDS[word] for word in line])
    return made


def alike(seed: int, count: int) -> list[list[str]]:
    """Lines of two kinds."""
    return [*lines(seed, count // 2, 7), *lines(seed + 10, count // 2, 4)]


def models(orders: tuple[int, int], prune: int = 0) -> tuple[NGram, NGram]:
    one = kneserney.built(lines(1, 80, 4), orders[0], prune, WORDS)
    return one, kneserney.built(lines(2, 15, 7), orders[1], 0, WORDS)


def p(model: NGram, *tokens: str) -> float:
    """p(last | those before)."""
    state = 0
    for place, token in enumerate(tokens[:-1]):
        state = model.start if place == 0 and token == "<s>" else model.ask(state, token)[1]
    return math.exp(model.ask(state, tokens[-1])[0])


def same(one: NGram, two: NGram) -> bool:
    names = ("token", "value", "backoff", "suffix", "first")
    return one.tokens == two.tokens and all(np.array_equal(getattr(one, name), getattr(two, name)) for name in names)


def listed(model: NGram) -> set[tuple[str, ...]]:
    return {tuple(model.tokens[token] for token in gram) for grams, _ in model.sections() for gram in grams.tolist()}


CASES = [((1, 1), 0), ((2, 2), 0), ((3, 3), 0), ((4, 2), 0), ((2, 4), 0), ((4, 4), 1), ((3, 4), 2)]


@pytest.mark.parametrize(("orders", "prune"), CASES)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_what_either_lists_has_the_weighted_mean(orders: tuple[int, int], prune: int, share: float) -> None:
    one, two = models(orders, prune)
    both = mixed(one, two, share)
    assert (both.tokens, both.order) == (one.tokens, max(orders))
    assert listed(both) == listed(one) | listed(two)
    for gram in sorted(listed(both)):
        if gram[-1] != "<s>":
            wanted = (1 - share) * p(one, *gram) + share * p(two, *gram)
            assert p(both, *gram) == pytest.approx(wanted, rel=1e-5), gram


@pytest.mark.parametrize(("orders", "prune"), CASES)
def test_probabilities_sum_to_one_after_every_context(orders: tuple[int, int], prune: int) -> None:
    both = mixed(*models(orders, prune), 0.3)
    words = [token for token in both.tokens if token != "<s>"]
    contexts = {gram[:-1] for gram in listed(both)} | set(itertools.product(WORDS[:4], repeat=3))
    for context in sorted(contexts):
        assert sum(p(both, *context, word) for word in words) == pytest.approx(1, abs=1e-5), context


@pytest.mark.parametrize(("orders", "prune"), CASES)
def test_a_model_mixed_with_itself_stays_the_same(orders: tuple[int, int], prune: int) -> None:
    one, _ = models(orders, prune)
    both = mixed(one, one, 0.4)
    assert listed(both) == listed(one)
    for context in sorted({gram[:-1] for gram in listed(one)}):
        for word in WORDS:
            assert p(both, *context, word) == pytest.approx(p(one, *context, word), rel=1e-4)


@pytest.mark.parametrize(("orders", "prune"), CASES)
def test_models_of_other_words_have_all_words_of_both(orders: tuple[int, int], prune: int) -> None:
    one = kneserney.built(lines(1, 80, 4), orders[0], prune)
    other = [[{"w1": "new", "w2": "w0"}.get(word, word) for word in line] for line in lines(2, 15, 7)]
    two = kneserney.built(other, orders[1])
    assert {*one.tokens} - {*two.tokens} and {*two.tokens} - {*one.tokens}
    both = mixed(one, two, 0.3)
    assert {*both.tokens} == {*one.tokens, *two.tokens} and listed(both) == listed(one) | listed(two)

    def chance(model: NGram, *gram: str) -> float:
        return p(model, *gram) if gram[-1] in model.index else 0.0

    known = {*one.tokens} & {*two.tokens}  # what stands in a context that a model does not know is <unk> to it
    for gram in sorted(gram for gram in listed(both) if {*gram[:-1]} <= known and gram[-1] != "<s>"):
        assert p(both, *gram) == pytest.approx(0.7 * chance(one, *gram) + 0.3 * chance(two, *gram), rel=1e-5), gram
    words = [token for token in both.tokens if token != "<s>"]
    for context in sorted({gram[:-1] for gram in listed(both)}):
        assert sum(p(both, *context, word) for word in words) == pytest.approx(1, abs=1e-5), context


def test_a_token_for_what_is_not_listed_has_one_name() -> None:
    one, two = models((2, 2))
    named = dataclasses.replace(two, tokens=tuple("<UNK>" if token == "<unk>" else token for token in two.tokens))
    assert "<UNK>" in named.tokens and same(mixed(one, named, 0.3), mixed(one, two, 0.3))


@pytest.mark.parametrize("kind", ["arpa", "arpa.gz", "npz"])
def test_a_model_can_stand_in_place_of_texts(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, made in (("many", lines(1, 60, 4)), ("mine", [*lines(2, 10, 7), ["new"]])):
        Path(f"{name}.txt").write_text("".join(" ".join(line) + "\n" for line in made))
        assert lm.main([f"{name}.txt", "--order", "3", "--output", f"{name}.{kind}"]) == 0
    for number, (many, mine) in enumerate(
        itertools.product(("many.txt", f"many.{kind}"), ("mine.txt", f"mine.{kind}"))
    ):
        assert lm.main([many, "--mix", "0.4", mine, "--order", "3", "--output", f"{number}.npz"]) == 0
        model = NGram.read(f"{number}.npz")
        assert "new" in model.index
        words = [token for token in model.tokens if token != "<s>"]
        for context in ((), ("<s>",), ("w1",), ("new",), ("w1", "w4")):
            assert sum(p(model, *context, word) for word in words) == pytest.approx(1, abs=STEP / 2), (
                "arrays are rounded"
            )
    mixed(NGram.read(f"many.{kind}"), NGram.read(f"mine.{kind}"), 0.4).write(Path("both.npz"))
    assert same(NGram.read("3.npz"), NGram.read("both.npz"))


def test_a_little_text_of_ones_own_helps_with_more_of_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, made in (("many", lines(1, 400, 4)), ("mine", alike(2, 20))):
        Path(f"{name}.txt").write_text("".join(" ".join(line) + "\n" for line in made))

    def perplexity(*arguments: str) -> float:
        assert lm.main([*arguments, "--order", "3", "--output", "lm.npz"]) == 0
        values = [value for line in alike(3, 100) for value in NGram.read("lm.npz").sentence(line)]
        return math.exp(-sum(values) / len(values))

    both = perplexity("many.txt", "--mix", "0.5", "mine.txt")
    assert both < 0.95 * min(perplexity("many.txt"), perplexity("mine.txt"))
    assert lm.main(["many.txt", "--mix", "0.5", "mine.txt", "--order", "3", "--output", "lm.arpa"]) == 0
    one, two = NGram.read("lm.arpa"), lines(3, 5, 7)
    assert lm.main(["many.txt", "--mix", "0.5", "mine.txt", "--order", "3", "--output", "lm.npz"]) == 0
    assert [one.sentence(line) for line in two] == [
        pytest.approx(NGram.read("lm.npz").sentence(line), abs=STEP) for line in two
    ]
    capsys.readouterr()
    for wrong in (("0.5",), ("many.txt",), ("1.5", "mine.txt"), ("0", "mine.txt"), ("nan", "mine.txt")):
        assert lm.main(["many.txt", "--output", "lm.npz", "--mix", *wrong]) == 2
        assert f"--mix: is {' '.join(wrong)}; give a share" in capsys.readouterr().err
    assert lm.main(["many.txt", "--output", "lm.npz", "--mix", "0.5", "gone.txt"]) == 2
    assert "gone.txt" in capsys.readouterr().err
