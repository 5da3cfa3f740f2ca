"""The contract of every decoder: certain matrices give certain texts, nothing outbids the sum over all paths."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recognizer.decoders import DECODERS, Beam, Decoder, Greedy, Hypothesis
from recognizer.errors import DecoderError

WAYS: dict[str, Callable[[int], Decoder]] = {
    "greedy": lambda labels: Greedy(),
    "beam": lambda labels: Beam(letters(labels), threads=1),
    "beam of 1": lambda labels: Beam(letters(labels), width=1, threads=1),
    "beam, 5 best": lambda labels: Beam(letters(labels), width=10, nbest=5, threads=2),
}
"""Every decoder in the ways it is used, made for so many labels, the blank among them."""
every = pytest.mark.parametrize("name", WAYS)


def letters(labels: int) -> list[str]:
    return ["", *"abcdefgh"[: max(labels, 1) - 1]]


def read(name: str, log_probs: Tensor, lengths: list[int] | None = None) -> list[list[Hypothesis]]:
    lengths = lengths if lengths is not None else [log_probs.shape[1]] * len(log_probs)
    return WAYS[name](log_probs.shape[-1]).decode(log_probs, torch.tensor(lengths, dtype=torch.long))


def test_every_decoder_is_tried() -> None:
    assert {type(make(3)) for make in WAYS.values()} == set(DECODERS.values())


def certain(path: list[int], labels: int = 4, sure: float = 0.97) -> Tensor:
    """[1, T, A]: each frame gives the path's label the probability `sure`, the others share the rest."""
    probs = torch.full((1, len(path), labels), (1 - sure) / (labels - 1))
    probs[0, torch.arange(len(path)), torch.tensor(path)] = sure
    return probs.log()


def chance(rows: int, frames: int, labels: int, seed: int, sharp: float = 2.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(rows, frames, labels, generator=generator) * sharp).log_softmax(-1)


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    """The map B of Graves et al. 2006: first repeats, then blanks are removed."""
    return tuple(label for label, _ in itertools.groupby(path) if label != 0)


def summed(matrix: Tensor) -> dict[tuple[int, ...], float]:
    """Every text that T frames can hold, and the sum over all of its paths."""
    totals: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(matrix.shape[1]), repeat=matrix.shape[0]):
        p = math.exp(sum(matrix[frame, label].item() for frame, label in enumerate(path)))
        totals[collapsed(path)] = totals.get(collapsed(path), 0.0) + p
    return totals


@every
@pytest.mark.parametrize(
    ("path", "labels"),
    [
        ([0, 0, 0], ()),
        ([1], (1,)),
        ([1, 1, 1], (1,)),
        ([1, 0, 1], (1, 1)),
        ([1, 1, 0, 0, 1, 2, 2], (1, 1, 2)),
        ([0, 3, 2, 1, 0], (3, 2, 1)),
    ],
)
def test_certain_matrices_give_certain_labels(name: str, path: list[int], labels: tuple[int, ...]) -> None:
    best = read(name, certain(path))[0][0]
    assert best.labels == labels
    for label, (first, stop) in zip(labels, best.spans, strict=True):
        assert set(path[first:stop]) == {label}
    assert all(0.9 < confidence <= 1 for confidence in best.confidences)


@every
@given(st.integers(1, 5), st.integers(2, 4), st.integers(0, 10_000))
def test_a_score_is_never_above_the_sum_over_all_paths(name: str, frames: int, labels: int, seed: int) -> None:
    matrix = chance(1, frames, labels, seed)
    totals = summed(matrix[0])
    for hypothesis in read(name, matrix)[0]:
        assert hypothesis.score <= math.log(totals[hypothesis.labels]) + 1e-5


@every
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 10_000))
def test_spans_are_in_order_and_confidences_are_probabilities(name: str, frames: int, labels: int, seed: int) -> None:
    for row in read(name, chance(3, frames, labels, seed)):
        assert row
        for hypothesis in row:
            assert len(hypothesis.labels) == len(hypothesis.spans) == len(hypothesis.confidences)
            assert 0 not in hypothesis.labels
            edges = [edge for span in hypothesis.spans for edge in span]
            assert edges == sorted(edges) and all(first < stop for first, stop in hypothesis.spans)
            assert not edges or (edges[0] >= 0 and edges[-1] <= frames)
            assert all(0 <= confidence <= 1 for confidence in hypothesis.confidences)
            assert hypothesis.score <= 0


@every
@given(st.integers(0, 10_000))
def test_padding_and_neighbours_change_nothing(name: str, seed: int) -> None:
    lengths = [7, 0, 3, 5]
    matrix = chance(4, 9, 5, seed)
    together = read(name, matrix, lengths)
    for row, length in enumerate(lengths):
        alone = read(name, matrix[row : row + 1, :length], [length])[0]
        assert [h.labels for h in together[row]] == [h.labels for h in alone]
        assert [h.spans for h in together[row]] == [h.spans for h in alone]
        assert [h.score for h in together[row]] == pytest.approx([h.score for h in alone])
    padded = torch.cat([matrix, torch.full((4, 3, 5), torch.nan)], 1)
    assert read(name, padded, lengths) == together


@every
def test_nothing_reads_as_nothing(name: str) -> None:
    assert read(name, torch.zeros(0, 5, 3), []) == []
    for matrix, lengths in ((torch.zeros(2, 0, 3), [0, 0]), (chance(2, 4, 3, 1), [0, 0])):
        assert [[h.labels for h in row][:1] for row in read(name, matrix, lengths)] == [[()], [()]]


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_any_precision(name: str, dtype: torch.dtype) -> None:
    assert read(name, certain([1, 0, 2, 2]).to(dtype))[0][0].labels == (1, 2)


@every
def test_arrays_in_any_order(name: str) -> None:
    """As of toolkits whose blank is the last label, turned around."""
    given = numpy.log(numpy.random.default_rng(0).dirichlet(numpy.ones(4), (2, 9))[..., ::-1])
    decoder, lengths = WAYS[name](4), numpy.array([9, 7])
    assert decoder.decode(given, lengths) == decoder.decode(torch.tensor(given.copy()), torch.tensor(lengths))
    assert max(map(len, decoder.decode(given, lengths))) <= decoder.most


@every
def test_zero_probabilities_are_no_mistake(name: str) -> None:
    matrix = torch.full((1, 3, 3), -torch.inf)
    matrix[0, [0, 1, 2], [1, 0, 2]] = 0.0
    best = read(name, matrix)[0][0]
    assert (best.labels, best.score, best.confidences) == ((1, 2), 0.0, (1.0, 1.0))


@every
@pytest.mark.parametrize(
    ("log_probs", "lengths", "words"),
    [
        (torch.zeros(2, 3), [3, 3], ["log_probs", "(2, 3)", "[B, T, A]"]),
        (torch.zeros(1, 3, 2, dtype=torch.long), [3], ["log_probs", "int64"]),
        (torch.zeros(1, 3, 2), [3, 3], ["lengths", "(2,)", "[1]"]),
        (torch.zeros(1, 3, 2), [3.0], ["lengths", "float"]),
        (torch.zeros(2, 3, 2), [3, 4], ["row 1", "4", "3 frames"]),
        (torch.zeros(2, 3, 2), [-1, 3], ["row 0", "-1"]),
        (torch.full((1, 3, 2), 0.5), [3], ["row 0, frame 0", "0.5", "log_softmax"]),
        (torch.full((1, 3, 2), torch.nan), [2], ["row 0, frame 0", "nan"]),
        (torch.full((1, 3, 2), torch.inf), [2], ["row 0, frame 0", "inf"]),
    ],
)
def test_what_is_no_matrix_of_log_probabilities_is_refused(
    name: str, log_probs: Tensor, lengths: list[int], words: list[str]
) -> None:
    with pytest.raises(DecoderError) as caught:
        WAYS[name](log_probs.shape[-1]).decode(log_probs, torch.tensor(lengths))
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_greedy_is_the_best_path() -> None:
    matrix = torch.tensor([[[0.1, 0.9], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]]]).log()
    (best,) = read("greedy", matrix)[0]
    assert best.labels == (1, 1) and best.spans == ((0, 2), (3, 4))
    assert best.confidences == pytest.approx((0.9, 0.7))
    assert best.score == pytest.approx(math.log(0.9 * 0.8 * 0.6 * 0.7))
