"""What docs/lstm.md shows: gradients vanish and stay in the order it tells, and its cell is the one that is drawn."""

import re
import runpy
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def bench():
    return runpy.run_path(str(ROOT / "benchmarks" / "gradients.py"))


@pytest.fixture(scope="module")
def flows(bench):
    """Of every sibling, at initialisation: norms at lags 0 to 100."""
    frames, _ = bench["recall"](2, torch.Generator().manual_seed(1))
    found = {}
    for name, kind in bench["SIBLINGS"].items():
        torch.manual_seed(1)
        found[name] = bench["flow"](kind(bench["SYMBOLS"], 5), frames)
    return found


def test_the_gradient_of_the_plain_net_vanishes_and_that_of_the_memory_stays(flows):
    plain = flows["tanh RNN"].outputs[100]
    assert plain < 1e-6
    for name in ("LSTM, forget gates", "LSTM, peepholes", "LSTM 1997"):
        assert flows[name].memories[100] > 1e4 * plain, name
        assert flows[name].outputs[100] > 1e3 * plain, name
    assert flows["LSTM 1997"].memories[100] > flows["LSTM, forget gates"].memories[100]


def test_the_truncated_one_is_constant_in_memory_and_nothing_elsewhere(flows):
    assert flows["LSTM 1997, truncated"].memories == pytest.approx([1] * 101, abs=1e-12)
    assert flows["LSTM 1997, truncated"].outputs[1:] == [0] * 100


def test_jacobians_are_those_of_a_product(bench):
    """x, A x, B A x: the first lag gives B, the second B A."""
    one, two = torch.randn(2, 3, 3, dtype=torch.float64)
    start = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    states = [start, start @ one.T]
    states.append(states[-1] @ two.T)
    found = bench["jacobians"](states)
    for row in range(4):
        torch.testing.assert_close(found[:, row], torch.stack([two @ one, two, torch.eye(3, dtype=torch.float64)]))


def test_it_trains_draws_and_writes(bench, tmp_path):
    frames, targets = bench["recall"](3, torch.Generator().manual_seed(1))
    assert frames.shape == (3, 101, 6) and torch.equal(frames[:, 0].argmax(1), targets)
    torch.manual_seed(1)
    cell = bench["SIBLINGS"]["tanh RNN"](bench["SYMBOLS"], bench["WIDTH"])
    sequences, right = bench["train"](cell, steps=2, rows=4)
    assert sequences == 8 and 0 <= right <= 1
    found = bench["Found"]([1.0] * 101, [0.5] * 101)
    answers = dict.fromkeys(bench["SIBLINGS"], (found, found, sequences, right))
    bench["draw"](answers, tmp_path / "gradients.png")
    assert (tmp_path / "gradients.png").read_bytes().startswith(b"\x89PNG")
    written = bench["document"](answers, 1)
    assert all(f"| {name}, trained | 0.5 |" in written for name in answers)


def test_the_cell_is_drawn_and_is_the_one_that_is_kept(tmp_path):
    """Other releases of matplotlib draw other curves; the texts must be the same."""
    runpy.run_path(str(ROOT / "docs" / "draw_lstm.py"))["draw"](str(tmp_path / "lstm.svg"))
    files = (tmp_path / "lstm.svg", ROOT / "docs" / "lstm.svg")
    texts = [re.findall(r">([^<>]+)</text>", file.read_text(encoding="utf-8")) for file in files]
    assert texts[0]
    assert texts[0] == texts[1]
