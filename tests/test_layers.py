"""One law for every stem and layer: padding never changes an answer, and every weight learns."""

import pytest
import torch

from recognizer.build import build
from recognizer.errors import ConfigError
from recognizer.layers import LAYERS, STEMS
from recognizer.layers.base import reverse, silence

FEATURES = 8
MADE = {
    **{name: lambda kind=kind: kind(FEATURES) for name, kind in STEMS.items()},
    **{name: lambda kind=kind: kind(FEATURES, 6) for name, kind in LAYERS.items()},
    "blstm, projected": lambda: LAYERS["blstm"](FEATURES, 6, projection=5, norm=False),
    "conv2d, by threes": lambda: STEMS["conv2d"](FEATURES, (4, 6), ((3, 2), (1, 2)), 5, 7),
    "conv1d, by threes": lambda: STEMS["conv1d"](FEATURES, (4, 6), (3, 1), 3),
    "stack, by five": lambda: STEMS["stack"](FEATURES, 5),
}


@pytest.fixture(params=MADE)
def layer(request):
    return MADE[request.param]().eval()


def test_padding_never_changes_an_answer(layer):
    lengths = torch.tensor([13, 1, 6, 12, 7])
    frames = torch.randn(5, 13, FEATURES)
    frames[torch.arange(13)[None] >= lengths[:, None]] = float("nan")  # whatever stands there
    together, told = layer(frames, lengths)
    assert together.isfinite().all()
    for row, length in enumerate(lengths.tolist()):
        alone, alone_told = layer(frames[row : row + 1, :length], lengths[row : row + 1])
        assert told[row] == alone_told[0] == alone.shape[1]
        torch.testing.assert_close(together[row : row + 1, : told[row]], alone, atol=1e-5, rtol=0)
        assert not together[row, told[row] :].any()


def test_size_and_reduction_are_as_told(layer):
    out, lengths = layer(torch.randn(2, 13, FEATURES), torch.tensor([13, 11]))
    assert out.shape == (2, int(lengths.max()), layer.size)
    assert lengths.tolist() == [-(-13 // layer.reduction), -(-11 // layer.reduction)]


def test_gradients_reach_every_weight(layer):
    frames = torch.randn(3, 13, FEATURES, requires_grad=True)
    out, _ = layer.train()(frames, torch.tensor([13, 5, 9]))
    (out * torch.randn_like(out)).sum().backward()
    for name, weight in layer.named_parameters():
        assert weight.grad is not None and weight.grad.isfinite().all() and weight.grad.any(), name
    assert frames.grad is not None and frames.grad[0].any() and not frames.grad[1, 5:].any()


def test_blstm_equals_the_packed_lstm_of_torch():
    ours = LAYERS["blstm"](5, 7, norm=False)
    theirs = torch.nn.LSTM(5, 7, batch_first=True, bidirectional=True)
    for mine, end in ((ours.ahead, ""), (ours.back, "_reverse")):
        for name, weight in mine.named_parameters():
            getattr(theirs, name + end).data.copy_(weight.data)
    frames, lengths = torch.randn(4, 9, 5), torch.tensor([9, 4, 1, 6])
    packed = torch.nn.utils.rnn.pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)
    torch.testing.assert_close(ours(frames, lengths)[0], expected, atol=1e-6, rtol=0)


def test_reverse_undoes_itself_within_each_row():
    frames, lengths = torch.randn(3, 6, 2), torch.tensor([6, 2, 4])
    assert torch.equal(reverse(reverse(frames, lengths), lengths), frames)
    assert torch.equal(reverse(frames, lengths)[1, :2], frames[1, :2].flip(0))


def test_silence_reaches_gradients_too():
    frames = torch.full((1, 3, 2), float("nan"), requires_grad=True)
    silence(frames, torch.tensor([0])).sum().backward()
    assert frames.grad is not None and not frames.grad.any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "conv1d", "strides": [1, 2, 2]}, {"name": "conv1d", "channels": [8, 16, 32]},
        {"name": "conv1d", "channels": [], "strides": []}, {"name": "conv1d", "kernel": 4},
        {"name": "conv1d", "strides": [1, 0]}, {"name": "conv2d", "strides": [[2, 2]]},
        {"name": "conv2d", "width": 0}, {"name": "conv2d", "kernel": 2},
        {"name": "conv2d", "channels": [], "strides": []}, {"name": "conv2d", "channels": [8, 0, 8]},
        {"name": "stack", "reduction": 0},
    ],
)  # fmt: skip
def test_stems_that_cannot_be_are_refused(wrong):
    with pytest.raises(ConfigError, match=r"stem: \{.*does not build \("):
        build(STEMS, "stem", wrong, inputs=16)
