"""The law of streams: fed in any bits, a net gives what it gives of the whole, as soon as nothing can change it."""

import itertools
import random

import pytest
import torch

from recognizer.alphabet import Alphabet
from recognizer.errors import ConfigError
from recognizer.layers import LAYERS, SIBLINGS, STEMS
from recognizer.model import Recognizer
from recognizer.stream import Stream

FEATURES = 8
MADE = {
    **{name: lambda kind=kind: kind(FEATURES) for name, kind in STEMS.items()},
    "conv2d, by threes": lambda: STEMS["conv2d"](FEATURES, (4, 6), ((3, 2), (1, 2)), 5, 7),
    "conv1d, by threes": lambda: STEMS["conv1d"](FEATURES, (4, 6), (3, 1), 3),
    "conv1d, stride above kernel": lambda: STEMS["conv1d"](FEATURES, (4, 6), (2, 4), 1),
    "stack, by five": lambda: STEMS["stack"](FEATURES, 5),
    "lcblstm": lambda: LAYERS["lcblstm"](FEATURES, 6, chunk=4, ahead=3),
    "lcblstm, projected": lambda: LAYERS["lcblstm"](FEATURES, 6, 5, False, chunk=3, ahead=3),
    "lcblstm, far ahead": lambda: LAYERS["lcblstm"](FEATURES, 6, chunk=2, ahead=7),
    "lcblstm, frame by frame": lambda: LAYERS["lcblstm"](FEATURES, 6, chunk=1, ahead=0),
    "lcblstm, longer than all": lambda: LAYERS["lcblstm"](FEATURES, 6, chunk=30, ahead=9),
    "lookahead": lambda: LAYERS["lookahead"](FEATURES, 6, ahead=3),
    "lookahead, projected": lambda: LAYERS["lookahead"](FEATURES, 6, 5, False, ahead=1),
    "lookahead, causal": lambda: LAYERS["lookahead"](FEATURES, 6, ahead=0),
}
LENGTHS = (1, 2, 5, 12, 23)


def stirred(net):
    """With weights of chance in all places, so that each of them matters."""
    for weight in net.parameters():
        weight.data = torch.randn_like(weight) * 0.4
    return net.eval()


@pytest.fixture(params=MADE)
def layer(request):
    return stirred(MADE[request.param]())


def cuts(total, kind):
    """[0, ..., total]: where the bits end; some are empty."""
    if kind == "one by one":
        return list(range(total + 1))
    if kind == "at once":
        return [0, total]
    if kind == "the end by itself":
        return [0, total, total]
    return [0, *sorted(random.choices(range(total + 1), k=4)), total]


WAYS = ("one by one", "at once", "the end by itself", "by chance")


def fed(layer, frames, kind):
    state, given = (), []
    places = cuts(frames.shape[1], kind)
    for begin, end in itertools.pairwise(places):
        out, state = layer.feed(frames[:, begin:end], state, last=len(given) == len(places) - 2)
        given.append(out)
    return torch.cat(given, 1)


@pytest.mark.parametrize("kind", WAYS)
@torch.no_grad()
def test_fed_in_bits_it_is_the_whole(layer, kind):
    for rows, total in ((1, 1), *((3, length) for length in LENGTHS)):
        frames = torch.randn(rows, total, FEATURES)
        whole, _ = layer(frames, torch.full((rows,), total))
        torch.testing.assert_close(fed(layer, frames, kind), whole, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_state_is_a_place_to_return_to(layer):
    """Two ends after one beginning: feeding the first leaves the state to the second."""
    start, ends = torch.randn(2, 9, FEATURES), torch.randn(2, 2, 6, FEATURES)
    begun, state = layer.feed(start)
    for end in ends:
        out = torch.cat([begun, layer.feed(end, state, last=True)[0]], 1)
        whole, _ = layer(torch.cat([start, end], 1), torch.full((2,), 15))
        torch.testing.assert_close(out, whole, atol=1e-5, rtol=0)


@torch.no_grad()
def test_each_frame_comes_as_soon_as_it_is_told(layer):
    """After n frames those are out that reach no further, not one more and not one less."""
    state, out = (), 0
    for n in range(1, 40):
        out += (answer := layer.feed(torch.randn(1, 1, FEATURES), state))[0].shape[1]
        state = answer[1]
        assert out == sum(layer.reach(t) < n for t in range(n))


@pytest.mark.parametrize("name", [name for name in MADE if "above" not in name])
def test_the_reach_is_exact(name):
    """Outputs change with the frame at their reach, by calculus, and with no later one."""
    layer = stirred(MADE[name]()).double()
    total = 40 if "longer" in name else 24
    frames = torch.randn(1, total, FEATURES, dtype=torch.float64, requires_grad=True)
    out, _ = layer(frames, torch.tensor([total]))
    changed = []
    for t in range(0, out.shape[1], 1 if out.shape[1] < 16 else 3):
        if (reach := layer.reach(t)) < total:
            weights = torch.randn(out.shape[2], dtype=torch.float64)
            (slope,) = torch.autograd.grad(out[0, t] @ weights, frames, retain_graph=True)
            assert not slope[0, reach + 1 :].any()
            changed.append(bool(slope[0, reach].any()))
    assert sum(changed) > len(changed) / 2  # a rectifier may be shut on the only way


@pytest.mark.parametrize("settings", [{"chunk": 23}, {"chunk": 40, "ahead": 0}, {"chunk": 4, "ahead": 23}])
def test_where_all_is_seen_it_is_the_bidirectional_layer(settings):
    """Outputs and gradients, from one and the same state dict."""
    ours, theirs = (LAYERS[name](FEATURES, 6, 5, **more) for name, more in (("lcblstm", settings), ("blstm", {})))
    stirred(ours)
    theirs.load_state_dict(ours.state_dict())
    lengths, weights = torch.tensor([23, 1, 9, 16]), torch.randn(4, 23, 5)
    frames = torch.randn(4, 23, FEATURES)
    answers, slopes = [], []
    for net in (ours, theirs.eval()):
        out, _ = net(frames, lengths)
        answers.append(out)
        slopes.append(torch.autograd.grad((out * weights).sum(), list(net.parameters())))
    torch.testing.assert_close(*answers, atol=1e-5, rtol=0)
    for mine, other in zip(*slopes, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-4, rtol=1e-4)


def test_chunks_are_what_the_paper_says():
    """Against a loop that goes from chunk to chunk: state carried forwards, thrown away backwards."""
    chunk, ahead, total = 4, 3, 18
    layer = stirred(LAYERS["lcblstm"](FEATURES, 6, norm=False, chunk=chunk, ahead=ahead))
    frames = torch.randn(1, total, FEATURES)
    state, outputs = None, []
    for start in range(0, total, chunk):
        onwards, state = layer.ahead(frames[:, start : start + chunk], state)
        back = layer.back(frames[:, start : start + chunk + ahead].flip(1))[0].flip(1)
        outputs.append(torch.cat([onwards, back[:, : onwards.shape[1]]], -1))
    torch.testing.assert_close(layer(frames, torch.tensor([total]))[0], torch.cat(outputs, 1), atol=1e-6, rtol=0)


def test_the_lookahead_is_a_weighted_sum_of_what_follows():
    layer = stirred(LAYERS["lookahead"](FEATURES, 6, norm=False, ahead=2))
    frames = torch.randn(1, 5, FEATURES)
    y = torch.cat([layer.net(frames)[0][0], torch.zeros(2, 6)])
    expected = torch.stack([sum(layer.weight[:, j] * y[t + j] for j in range(3)) for t in range(5)])
    torch.testing.assert_close(layer(frames, torch.tensor([5]))[0][0], expected, atol=1e-6, rtol=0)


def test_a_new_lookahead_is_its_forward_net():
    layer = LAYERS["lookahead"](FEATURES, 6, norm=False)
    frames = torch.randn(1, 5, FEATURES)
    torch.testing.assert_close(layer(frames, torch.tensor([5]))[0], layer.net(frames)[0])


@pytest.mark.parametrize(
    "name, settings", [("lcblstm", {"chunk": 0}), ("lcblstm", {"ahead": -1}), ("lookahead", {"ahead": -1})]
)
def test_settings_out_of_range(name, settings):
    with pytest.raises(ValueError, match="at least"):
        LAYERS[name](FEATURES, 6, **settings)


SOON = {"lcblstm": {"chunk": 3, "ahead": 3}, "lookahead": {"ahead": 4}}


def model(layer, stem="stack"):
    letters = Alphabet.of(["ab c"]).config()
    return Recognizer(letters, {"name": "pen"}, {"name": stem}, layer=layer, depth=2, width=5)


def short(layer, stem="stack"):
    """A model that answers soon, so that short rows are enough to see it do so."""
    network = model(layer, stem)
    first, second = (SIBLINGS[layer](made.norm.normalized_shape[0], 5, **SOON[layer]) for made in network.layers)
    network.layers = torch.nn.ModuleList([first, second])
    return stirred(network)


@pytest.mark.parametrize("kind", WAYS)
@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("layer", SIBLINGS)
def test_a_recognizer_in_a_stream_says_what_it_says_of_the_whole(layer, stem, kind):
    network = short(layer, stem)
    for total in (1, 70):
        frames = torch.randn(total, network.frontend.size)
        whole, lengths = network.infer([frames])
        stream, given, texts = Stream(network), [], [""]
        places = cuts(total, kind)
        for begin, end in itertools.pairwise(places):
            given.append(stream.feed(frames[begin:end], last=len(given) == len(places) - 2))
            texts.append(stream.text)
        torch.testing.assert_close(torch.cat(given), whole[0], atol=1e-5, rtol=0)
        (greedy,) = network.greedy.decode(whole, lengths)[0]
        assert texts[-1] == network.alphabet.normalise(network.alphabet.decode(greedy.labels))
        assert all(later.startswith(sooner) for sooner, later in itertools.pairwise(texts))


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("layer", SIBLINGS)
def test_the_latency_is_what_it_takes(layer, stem):
    """Frame by frame: no step comes later than told, and one comes just as late."""
    network = short(layer, stem)
    stream, out, worst = Stream(network), 0, 0
    for n in range(90):
        for _ in stream.feed(torch.randn(1, network.frontend.size)):
            worst, out = max(worst, n - out * network.reduction), out + 1
    assert worst == stream.latency
    assert stream.delay == stream.latency * network.frontend.step


def test_latencies_by_hand():
    """Two layers behind a stem that makes three frames one, with chunks and look-aheads of 16."""
    assert Stream(model("lcblstm")).latency == 3 * 16 * 3 - 1  # the chunk and two more, in frames before the stem
    assert Stream(model("lookahead")).latency == (1 + 2 * 16) * 3 - 1


def test_streams_side_by_side_do_not_meet():
    network = short("lcblstm")
    rows = torch.randn(2, 60, network.frontend.size)
    streams = [Stream(network) for _ in rows]
    given = [[], []]
    for t in range(60):
        for stream, row, kept in zip(streams, rows, given, strict=True):
            kept.append(stream.feed(row[t : t + 1], last=t == 59))
    for row, kept in zip(rows, given, strict=True):
        torch.testing.assert_close(torch.cat(kept), network.infer([row])[0][0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("layer", sorted(LAYERS.keys() - SIBLINGS.keys()))
def test_layers_that_read_from_the_end_say_so(layer):
    with pytest.raises(ConfigError) as caught:
        Stream(model(layer))
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in ("model.layer", repr(layer), *SIBLINGS))


def test_a_stream_has_one_end_and_frames_of_one_size():
    stream = Stream(stirred(model("lookahead")))
    with pytest.raises(AssertionError, match="wanted"):
        stream.feed(torch.zeros(4, 3))
    assert stream.feed(torch.zeros(0, stream.model.frontend.size), last=True).shape == (0, 5)
    with pytest.raises(AssertionError, match="another stream"):
        stream.feed(torch.zeros(4, stream.model.frontend.size))
