"""The tasks of 1997 and 2000 keep their definitions, and the compiled nets that learn them agree with torch."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recognizer.layers.lstm import LSTM97, Forget
from recognizer.layers.rnn import RNN

FOLDER = Path(__file__).parent.parent / "benchmarks"
if str(FOLDER) not in sys.path:
    sys.path.insert(0, str(FOLDER))
cells, experiments, grammar, running, streams, tasks, training = (
    importlib.import_module(f"lags.{name}")
    for name in ("cells", "experiments", "grammar", "running", "streams", "tasks", "training")
)

INNER = re.compile(r"B(TS*X(XT*V(PXT*V)*(V|PS)|S)|PT*V(PXT*V)*(V|PS))E")
"""The grammar of Reber 1967, written a second time: from its figure, as a regular expression."""


@pytest.fixture
def chance() -> np.random.Generator:
    return np.random.default_rng(5)


def spelt(symbols: Any) -> str:
    return "".join(grammar.SYMBOLS[symbol] for symbol in symbols)


def embedded(text: str) -> bool:
    return text[0] == "B" and text[-1] == "E" and text[1] == text[-2] in "TP" and bool(INNER.fullmatch(text[2:-2]))


@pytest.mark.parametrize("text", ["BTBTXSETE", "BPBPVVEPE", "BTBTSSXXTVPXVPSETE", "BPBTXXVPSEPE"])
def test_published_strings_are_in_the_grammar(text: str) -> None:
    assert embedded(text)


def test_reber_strings_obey_the_grammar(chance: np.random.Generator) -> None:
    drawn = [spelt(symbols) for symbols, _ in grammar.strings(chance, 300)]
    assert len(drawn) == 300 and all(embedded(text) for text in drawn)
    assert min(map(len, drawn)) == 9
    assert {text[1] for text in drawn} == {"T", "P"}


def test_reber_names_all_that_may_follow(chance: np.random.Generator) -> None:
    """What is said to be possible behind a beginning is what is seen behind it; and it is one symbol or two."""
    seen: dict[str, set[str]] = {}
    said: dict[str, set[str]] = {}
    for symbols, choices in grammar.strings(chance, 3000):
        text = spelt(symbols)
        for place in range(len(text)):
            seen.setdefault(text[:place], set()).add(text[place])
            said.setdefault(text[:place], set()).update(spelt(choices[place]))
    often = [begin for begin in seen if len(begin) <= 6]
    assert len(often) > 20 and all(seen[begin] == said[begin] for begin in often)
    assert max(map(len, said.values())) == 2


def test_reber_asks_for_each_next_symbol(chance: np.random.Generator) -> None:
    drawn = tasks.reber(chance, 20)
    for lines, length, targets, truths in zip(drawn.lines, drawn.lengths, drawn.targets, drawn.truths, strict=True):
        text = spelt(lines[:length, 0])
        goal = targets[:length].argmax(1)
        assert embedded(text + "E") and spelt(goal) == text[1:] + "E"
        assert (truths[np.arange(length), goal] == 1).all()
        assert truths[length - 2].sum() == 1  # the symbol that must be remembered


def test_2a_repeats_all_and_2b_only_its_ends(chance: np.random.Generator) -> None:
    for drawn, regular in ((tasks.regular(chance, 50), True), (tasks.irregular(chance, 50), False)):
        assert drawn.lines.shape == (50, 100, 1) and set(drawn.lines[:, 0, 0]) == {99, 100}
        between = drawn.lines[:, 1:, 0]
        assert (between < 99).all() and (between == np.arange(99)).all() == regular
        assert (drawn.targets[:, -1].argmax(1) == drawn.lines[:, 0, 0]).all()
        assert drawn.targets.shape[1] == (100 if regular else 1)
    assert (tasks.regular(chance, 5).targets[:, :-1].argmax(2) == np.arange(99)).all()


def test_2c_hides_one_symbol_behind_a_thousand(chance: np.random.Generator) -> None:
    drawn = tasks.distant(chance, 400, 1000, 50)
    assert drawn.lengths.min() == 1003 and abs(drawn.lengths.mean() - 1012) < 2  # and one symbol to be foretold
    for lines, length, target in zip(drawn.lines[:, :, 0], drawn.lengths, drawn.targets[:, 0], strict=True):
        assert lines[0] == 51 and lines[length - 1] == 50 and target[lines[1] - 52] == 1 == target.sum()
        assert lines[2 : length - 1].max() < 50
    assert (drawn.firsts == drawn.lengths - 1).all()


@pytest.mark.parametrize(("inputs", "goals"), [(False, False), (True, False), (False, True)])
def test_3_tells_the_class_first(chance: np.random.Generator, inputs: bool, goals: bool) -> None:
    drawn = tasks.twofold(chance, 4000, 100, 3, inputs, goals)
    assert drawn.lengths.min() == 100 and drawn.lengths.max() == 110
    first = drawn.truths[:, 0, 0] == (0.2 if goals else 1.0)
    told = drawn.values[:, :3, 0] * np.where(first, 1, -1)[:, None]
    assert told.mean() == pytest.approx(1, abs=0.02) and told.var() == pytest.approx(0.2 * inputs, abs=0.02)
    assert drawn.values[:, 3:].var() == pytest.approx(0.2, rel=0.02) and 0.45 < first.mean() < 0.55
    assert (drawn.targets - drawn.truths).var() == pytest.approx(0.1 * goals, abs=0.01)


@pytest.mark.parametrize("draw", [tasks.addition, tasks.product])
def test_4_and_5_mark_two_values(chance: np.random.Generator, draw: Any) -> None:
    drawn, summed = draw(chance, 3000, 100), draw is tasks.addition
    for values, length, target in zip(drawn.values, drawn.lengths, drawn.targets[:, 0, 0], strict=True):
        one, other = (place for place in range(length) if values[place, 1] == 1.0)
        first, second = (values[place, 0] if place else 1.0 - summed for place in (one, other))
        assert one < 10 and other < 50 and 100 <= length <= 110
        assert values[length - 1, 1] == -1 and (one == 0 or values[0, 1] == -1)
        assert target == pytest.approx(0.5 + (first + second) / 4 if summed else first * second)
    assert drawn.values[:, :100, 0].min() < (-0.99 if summed else 0.01) and drawn.values[:, :, 0].max() > 0.99


@pytest.mark.parametrize("places", [(10, 50), (10, 33, 66)])
def test_6_asks_for_the_order(chance: np.random.Generator, places: tuple[int, ...]) -> None:
    drawn = tasks.order(chance, 500, places)
    for lines, length, target in zip(drawn.lines[:, :, 0], drawn.lengths, drawn.targets[:, 0], strict=True):
        text = "".join("abcdXYEB"[line] for line in lines[:length])
        assert 100 <= length <= 110 and re.fullmatch("E[abcdXY]+B", text)
        told = [match.start() for match in re.finditer("[XY]", text)]
        assert all(place <= found <= place + 10 for place, found in zip(places, told, strict=True))
        assert target.argmax() == int("".join(str("XY".index(text[place])) for place in told), 2)


def test_judges() -> None:
    one, zero = np.ones(2, np.int64), np.zeros(2, np.int64)
    truths = np.array([[[1.0, 0.0, 1.0]], [[0.0, 1.0, 0.0]]])
    drawn = training.Sequences(np.zeros((2, 1, 1), np.int64), np.ones((2, 1, 1)), one, zero, truths, zero, truths)
    outputs = np.array([[[0.4, 0.3, 0.5]], [[0.5, 0.5, 0.1]]])
    right, errors = np.zeros(2, np.bool_), np.zeros(2)
    training.ranked(drawn, outputs, right, errors)
    assert right.tolist() == [True, False] and errors.tolist() == [0.0, 1.0]
    training.within(0.55, drawn, outputs, right, errors)
    assert right.tolist() == [False, True] and errors.tolist() == pytest.approx([1.4 / 3, 1.1 / 3])
    mark = experiments.Mark(wrong=1, error=0.5)
    assert running.meets(mark, [[(True, 0.4), (False, 0.5)]])
    assert not running.meets(mark, [[(False, 0.4), (False, 0.5)]]) and not running.meets(mark, [[(True, 0.5)]])


def gradient(net: Any, vector: Any, drawn: Any) -> tuple[float, Any]:
    """Loss and its gradient as the compiled net sees them."""
    slopes, loss = np.zeros(vector.size), 0.0
    tape = cells.tape(net, drawn.lines.shape[1])
    for n, steps in enumerate(drawn.lengths):
        outputs, goal = np.zeros(drawn.targets[n].shape), drawn.targets[n]
        case = (cells.split(net, vector), drawn.lines[n], drawn.values[n], steps, drawn.firsts[n], tape, outputs)
        cells.forward(net, *case)
        cells.backward(net, *case, goal, cells.split(net, slopes))
        outputs, goal = outputs[: steps - drawn.firsts[n]], goal[: steps - drawn.firsts[n]]
        if net.squared:
            loss += float(((outputs - goal) ** 2).sum() / 2)
        else:
            loss -= float((goal * np.log(outputs) + (1 - goal) * np.log1p(-outputs)).sum())
    return loss, slopes


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("cell", ["LSTM97", "truncated", "Forget", "RNN"])
def test_gradients_equal_those_of_the_layers(chance: np.random.Generator, cell: str, squared: bool) -> None:
    """Blocks of one cell, gates that see cells alone: the program's own cells, and torch's autograd through them."""
    drawn, width = tasks.reber(chance, 4), 3
    layer = {"LSTM97": LSTM97, "Forget": Forget, "RNN": RNN}.get(cell, LSTM97)(7, width).double()
    gates = {"RNN": 0, "Forget": 3}.get(cell, 2)
    steep = {"stretch": 1.0, "slope": 1.0} if cell == "Forget" else {}
    net = cells.Net(7, width, 1, 7, width, gates, squared=squared, truncated=cell == "truncated", **steep)
    if cell == "truncated":
        layer.truncate = True
    vector = chance.uniform(-1, 1, cells.count(net))
    loss, slopes = gradient(net, vector, drawn)

    # Columns here are cells, input, output, forget gates; rows there input, (forget), cells, output.
    blocks = {0: [0], 2: [1, 0, 2], 3: [1, 3, 0, 2]}[gates]
    parts = [torch.tensor(part, requires_grad=True) for part in cells.split(net, vector)]
    enter, again, bias = (torch.cat([part.split(width, -1)[block] for block in blocks], -1).t() for part in parts[:3])
    weights = {"weight_ih_l0": enter, "weight_hh_l0": again, "bias_ih_l0": bias, "bias_hh_l0": 0 * bias}
    total = torch.zeros((), dtype=torch.double)
    for lines, length, goal in zip(drawn.lines, drawn.lengths, drawn.targets, strict=True):
        frames = torch.nn.functional.one_hot(torch.tensor(lines[None, :length, 0]), 7).double()
        passed, _ = torch.func.functional_call(layer, weights, frames)
        outputs = (passed[0] @ parts[3] + parts[5]).sigmoid()
        wanted = torch.tensor(goal[:length])
        if squared:
            total = total + ((outputs - wanted) ** 2).sum() / 2
        else:
            total = total + torch.nn.functional.binary_cross_entropy(outputs, wanted, reduction="sum")
    total.backward()
    expected = np.concatenate([np.zeros(part.numel()) if part.grad is None else part.grad.flatten() for part in parts])
    assert loss == pytest.approx(total.item(), rel=1e-10)
    np.testing.assert_allclose(slopes, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("gates", [0, 1, 2, 3])
def test_gradients_of_shared_gates_equal_differences(chance: np.random.Generator, gates: int) -> None:
    """What the layers do not have: blocks of two cells, gates that see gates, inputs wired to outputs."""
    net = cells.Net(7, 2, 2 if gates else 1, 7, 0, gates, direct=True, squared=gates == 1)
    net = net._replace(fed=cells.hidden(net))
    drawn, vector = tasks.reber(chance, 2), chance.uniform(-0.5, 0.5, cells.count(net))
    _, slopes = gradient(net, vector, drawn)
    for place in range(0, vector.size, 5):
        step = np.zeros(vector.size)
        step[place] = 1e-5
        ahead, behind = (gradient(net, vector + sign * step, drawn)[0] for sign in (1, -1))
        assert slopes[place] == pytest.approx((ahead - behind) / 2e-5, rel=1e-4, abs=1e-7)


def test_adam_steps_like_torch(chance: np.random.Generator) -> None:
    net = cells.Net(7, 1, 1, 7, 3)
    vector = chance.uniform(-1, 1, cells.count(net))
    learner = training.learner(net, vector.copy(), np.ones(vector.size))
    weights = torch.tensor(vector, requires_grad=True)
    adam = torch.optim.Adam([weights], 0.1)
    for _ in range(5):
        slope = chance.normal(0, 1, vector.size)
        learner.gradient[:] = 2 * slope
        training.update(learner, 2, training.Pace(0.1, clip=math.inf), 1.0)
        weights.grad = torch.tensor(slope)
        adam.step()
    np.testing.assert_allclose(learner.vector, weights.detach().numpy(), atol=1e-5)
    assert not learner.gradient.any()


@pytest.mark.parametrize("experiment", experiments.EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_nets_have_the_weights_of_the_paper(experiment: Any) -> None:
    learner = experiment.begin("lstm", np.random.default_rng(0))
    if experiment.name[:2] in ("2a", "2b"):  # an output gate more, what feeds it, and biases of outputs
        assert learner.learnt.sum() == 10_504 + 101 + 3 + 2 + 101
    else:  # in 2c, the biases of two input and two output gates more
        assert learner.learnt.sum() == experiment.weights + 4 * (experiment.name[:2] == "2c")


def test_the_net_of_2000_has_the_weights_of_the_paper() -> None:
    result = streams.run(streams.CONTINUAL[1], seed=0, share=1e-6)
    assert result["weights"] == 424 and result["seen"] == 1


def test_a_short_lag_is_learnt_by_the_lstm() -> None:
    (easy,) = (experiment for experiment in experiments.EXPERIMENTS if experiment.name == "2c q=50 p=50")
    result = running.run(easy, "lstm", seed=0, share=0.1)
    assert result["marks"] and result["wrong"] == 0
    assert result == running.run(easy, "lstm", seed=0, share=0.1)


@pytest.mark.parametrize(("name", "alone"), [("1 Reber", 0), ("2a p=100", 100)])
def test_a_stuck_net_begins_anew(monkeypatch: pytest.MonkeyPatch, name: str, alone: int) -> None:
    (hard,) = (experiment for experiment in experiments.EXPERIMENTS if experiment.name == name)
    hard = dataclasses.replace(hard, anew=200, alone=alone, limit=500, exam=100)
    begun, beginning = [], running.beginning
    monkeypatch.setattr(running, "beginning", lambda *what: begun.append(beginning(*what)) or begun[-1])
    result = running.run(hard, "lstm", seed=0)
    assert result["marks"] == [] and result["seen"] == 500 and len(begun) == 3
    firsts = [learner.vector[:50].tolist() for learner, _ in begun]
    assert firsts[0] != firsts[1] != firsts[2]
    assert result["weights"] == begun[0][1].sum()  # all of them, also where the end came while some were still alone


@pytest.fixture
def script() -> Any:
    """benchmarks/lags.py, which has the name of the folder beside it."""
    spec = importlib.util.spec_from_file_location("lags_script", FOLDER / "lags.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_table_shows_the_runs_that_are_finished(script: Any) -> None:
    row, other = script.ROWS[0], script.ROWS[1]
    result = {"task": row.name, "marks": [], "seen": 300, "seconds": 1.0, "weights": 276}
    done = {script.key(row, "lstm", 100, 1.0): result, script.key(row, "lstm", 101, 1.0): result | {"marks": [1400]}}
    text = script.document([(row, "lstm", seed) for seed in (100, 101, 102)] + [(other, "lstm", 100)], 1.0, done, 2)
    assert "| 1 Reber | LSTM 1997 | 1 of 2 | 1,400 | 1,400 - 1,400 | 276 | 100 % | 8,440 | 276 |" in text
    assert other.name not in text.partition("|---")[2].partition("\n- ")[0]


def test_a_cut_line_of_results_is_left_out(script: Any, tmp_path: Path) -> None:
    runs = tmp_path / "runs.jsonl"
    runs.write_text(json.dumps({"key": "one", "marks": [1]}) + '\n{"key": "tw', encoding="utf-8")
    assert script.read(runs) == {"one": {"key": "one", "marks": [1]}}
    assert script.read(tmp_path / "none.jsonl") == {}
    keys = [script.key(row, cell, 0, 1.0) for row in script.ROWS for cell in row.cells]
    assert len(set(keys)) == len(keys)
