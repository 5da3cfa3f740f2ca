"""Every cell is what its equations say: those of torch, each other's limits, and the paper's constant error flow."""

import math

import pytest
import torch
from torch import nn

from recognizer.alphabet import Alphabet
from recognizer.layers import CELLS, LAYERS
from recognizer.layers.cell import Cell
from recognizer.layers.fast import FastLSTM
from recognizer.layers.gru import GRU
from recognizer.layers.lstm import LSTM97, Forget, Peephole, g, h
from recognizer.layers.rnn import RNN
from recognizer.model import Recognizer

WRITTEN = [name for name, cell in CELLS.items() if isinstance(cell(1, 1), Cell)]
MEMORIES = [LSTM97, Forget, Peephole]
INPUTS, WIDTH, FRAMES = 5, 7, 11


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(1)


def stirred(net):
    """With other weights than at the start, none of them 0 or 1."""
    for weight in net.parameters():
        weight.data = torch.randn_like(weight) * 0.4
    return net


def gradients(net, frames, outputs, weights):
    inputs = [*dict(sorted(net.named_parameters())).values(), frames]
    return torch.autograd.grad((outputs * weights).sum(), inputs)


def same(one, other):
    """Outputs and every gradient within 1e-6 of each other, from the same weights."""
    other.load_state_dict(one.state_dict())
    frames, weights = torch.randn(4, FRAMES, INPUTS, requires_grad=True), torch.randn(4, FRAMES, WIDTH) / FRAMES
    here, there = one(frames)[0], other(frames)[0]
    torch.testing.assert_close(here, there, atol=1e-6, rtol=0)
    for mine, theirs in zip(
        gradients(one, frames, here, weights), gradients(other, frames, there, weights), strict=True
    ):
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "ours, theirs",
    [(Forget, nn.LSTM), (GRU, nn.GRU), (RNN, nn.RNN), (Forget, lambda *sizes, **_: FastLSTM(*sizes))],
    ids=["lstm", "gru", "rnn", "fast"],
)
def test_what_torch_has_is_the_same_with_its_weights(ours, theirs):
    same(stirred(ours(INPUTS, WIDTH)), theirs(INPUTS, WIDTH, batch_first=True))


def test_the_last_state_is_that_of_torch():
    ours, theirs = stirred(Forget(INPUTS, WIDTH)), nn.LSTM(INPUTS, WIDTH, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    frames = torch.randn(3, FRAMES, INPUTS)
    for mine, other in zip(ours(frames)[1], theirs(frames)[1], strict=True):
        torch.testing.assert_close(mine, other[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", [FastLSTM, Forget, Peephole])
def test_cells_begin_with_open_forget_gates_and_orthogonal_memories(kind):
    weights = kind(INPUTS, WIDTH).state_dict()
    assert (weights["bias_ih_l0"] + weights["bias_hh_l0"]).view(4, WIDTH).mean(1).tolist() == [0, 1, 0, 0]
    for block in weights["weight_hh_l0"].split(WIDTH):
        torch.testing.assert_close(block @ block.T, torch.eye(WIDTH), atol=1e-5, rtol=0)


def test_a_checkpoint_of_the_fast_layer_opens_in_the_written_one():
    fast, written = LAYERS["blstm"](INPUTS, WIDTH, projection=3), LAYERS["forget"](INPUTS, WIDTH, projection=3)
    written.load_state_dict(fast.state_dict())
    frames, lengths = torch.randn(2, FRAMES, INPUTS), torch.tensor([FRAMES, 4])
    torch.testing.assert_close(written(frames, lengths)[0], fast(frames, lengths)[0], atol=1e-6, rtol=0)
    assert {name.split(".")[0] for name in fast.state_dict()} == {"ahead", "back", "norm", "projection"}


def test_without_peepholes_it_is_the_cell_with_forget_gates():
    peephole, forget = stirred(Peephole(INPUTS, WIDTH)), Forget(INPUTS, WIDTH)
    peephole.peepholes.data.zero_()
    forget.load_state_dict({name: weight for name, weight in peephole.state_dict().items() if name != "peepholes"})
    frames = torch.randn(3, FRAMES, INPUTS)
    torch.testing.assert_close(peephole(frames)[0], forget(frames)[0], atol=1e-6, rtol=0)


def test_with_open_forget_gates_it_is_the_cell_of_1997(monkeypatch):
    """A gate of 1 and the paper's squashing functions in place of tanh are all the difference."""
    old, new = stirred(LSTM97(INPUTS, WIDTH)), Forget(INPUTS, WIDTH)
    for name, weight in old.state_dict().items():
        gate, memory, out = weight.chunk(3)
        certain = torch.full_like(gate, 1e4) if name == "bias_ih_l0" else torch.zeros_like(gate)
        new.state_dict()[name].copy_(torch.cat([gate, certain, memory, out]))
    frames = torch.randn(3, FRAMES, INPUTS)
    expected = old(frames)[0]
    order = iter([g, h] * FRAMES)
    monkeypatch.setattr(torch.Tensor, "tanh", lambda value: next(order)(value))
    torch.testing.assert_close(new(frames)[0], expected, atol=1e-6, rtol=0)


def test_the_squashing_functions_keep_the_papers_ranges():
    points = torch.linspace(-100, 100, 2001, dtype=torch.float64)
    torch.testing.assert_close(g(points), 2 * (points / 2).tanh())
    torch.testing.assert_close(h(points), (points / 2).tanh())
    assert g(points).aminmax() == (-2, 2) and h(points).aminmax() == (-1, 1)


def test_one_step_of_1997_by_hand():
    """Two frames of a single cell, from the equations of appendix A.1 with numbers put in."""
    cell = LSTM97(1, 1)
    cell.weight_ih_l0.data = torch.tensor([[0.5], [1.5], [-1.0]])  # input gate, cell, output gate
    cell.weight_hh_l0.data = torch.tensor([[2.0], [-1.0], [3.0]])
    cell.bias_ih_l0.data, cell.bias_hh_l0.data = torch.tensor([0.1, 0.2, 0.3]), torch.zeros(3)
    with torch.no_grad():
        passed = cell.trace(torch.tensor([[[1.0], [-0.5]]]))
    s1 = logistic(0.6) * (4 * logistic(1.7) - 2)
    y1 = logistic(-0.7) * (2 * logistic(s1) - 1)
    s2 = s1 + logistic(-0.15 + 2 * y1) * (4 * logistic(-0.55 - y1) - 2)
    y2 = logistic(0.8 + 3 * y1) * (2 * logistic(s2) - 1)
    assert (round(y1, 5), round(s1, 5), round(y2, 5), round(s2, 5)) == (0.13895, 0.89239, 0.2033, 0.53975)
    assert [float(part) for state in passed for part in state] == pytest.approx([y1, s1, y2, s2], abs=1e-6)


def logistic(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("name", sorted(set(WRITTEN) - {"truncated"}))
def test_gradients_are_those_of_small_differences(name):
    """All but those of the truncated one, which leaves a part out on purpose."""
    cell = stirred(CELLS[name](3, 2)).double()
    frames = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    # gradcheck moves what it is given in place, so the weights need not be handed on.
    assert torch.autograd.gradcheck(lambda *_: cell(frames)[0], (frames, *cell.parameters()))


@pytest.mark.parametrize("name", WRITTEN)
def test_what_comes_later_changes_nothing(name):
    cell, frames = stirred(CELLS[name](INPUTS, WIDTH)), torch.randn(2, FRAMES, INPUTS)
    other = frames.clone()
    other[:, 6:] = torch.randn(2, FRAMES - 6, INPUTS)
    assert torch.equal(cell(frames)[0][:, :6], cell(other)[0][:, :6])
    assert not torch.equal(cell(frames)[0][:, 6:], cell(other)[0][:, 6:])


def flow(states, part, start=1):
    """d part(T) / d part(start) of the only row: [W, W]."""
    last, first = states[-1][part][0], states[start][part]
    return torch.stack([torch.autograd.grad(one, first, retain_graph=True)[0][0] for one in last])


def test_truncated_error_flow_is_constant_to_the_last_bit():
    """Appendix A.2 of the paper: over 300 frames an error in the memory of 1997 is neither scaled nor spread."""
    cell = stirred(LSTM97(INPUTS, WIDTH, truncate=True))
    assert torch.equal(flow(cell.trace(torch.randn(1, 300, INPUTS)), part=1), torch.eye(WIDTH))
    whole = stirred(LSTM97(INPUTS, WIDTH))
    assert not torch.equal(flow(whole.trace(torch.randn(1, 30, INPUTS)), part=1), torch.eye(WIDTH))


@pytest.mark.parametrize("kind", [Forget, Peephole])
def test_truncated_error_is_scaled_by_forget_gates_alone(kind):
    jacobian = flow(stirred(kind(INPUTS, WIDTH, truncate=True)).trace(torch.randn(1, 4, INPUTS)), part=1)
    kept = jacobian.diagonal()
    assert torch.equal(jacobian, torch.diag(kept)) and (kept > 0).all() and (kept < 1).all()


@pytest.mark.parametrize("kind", MEMORIES)
def test_truncation_changes_gradients_and_nothing_else(kind):
    whole, cut = stirred(kind(INPUTS, WIDTH)), kind(INPUTS, WIDTH, truncate=True)
    cut.load_state_dict(whole.state_dict())
    frames = torch.randn(2, FRAMES, INPUTS, requires_grad=True)
    assert torch.equal(whole(frames)[0], cut(frames)[0])
    weights = torch.ones(2, FRAMES, WIDTH)
    pairs = zip(
        gradients(whole, frames, whole(frames)[0], weights),
        gradients(cut, frames, cut(frames)[0], weights),
        strict=True,
    )
    assert all(other.any() and not torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("name", WRITTEN)
def test_memory_keeps_its_digits_under_autocast(name):
    cell = CELLS[name](INPUTS, WIDTH)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, last = cell(torch.randn(2, FRAMES, INPUTS))
    if len(last) > 1:
        assert last[1].dtype == torch.float32
    assert all(part.isfinite().all() for part in last)


@pytest.mark.parametrize("name", LAYERS)
def test_each_trains_in_the_recognizer(name):
    alphabet = Alphabet.of(["ab"])
    model = Recognizer(alphabet.config(), {"name": "pen"}, {"name": "stack"}, layer=name, depth=2, width=4)
    rows = [torch.randn(20, model.frontend.size), torch.randn(13, model.frontend.size)]
    log_probs, lengths = model(torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.tensor([20, 13]))
    labels = torch.tensor([[1, 2], [2, 1]])
    nn.functional.ctc_loss(log_probs.transpose(0, 1), labels, lengths, torch.tensor([2, 2])).backward()
    gone = [key for key, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not gone
