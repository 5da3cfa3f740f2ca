"""Weights in eight bits: how far they may be off, and that whoever opens the file gets floats."""

from pathlib import Path

import pytest
import tiny
import torch

from recognizer import blend, release
from recognizer.compact import SCALES, STEPS, halved, restored, rounded
from recognizer.errors import CheckpointError
from recognizer.model import Recognizer
from recognizer.network import ROUNDED, VERSION, Network, opened


def test_no_weight_moves_by_more_than_half_a_step():
    weights = {
        "a": torch.randn(5, 7),
        "b": torch.randn(3, 2, 4) * 1e3,
        "zeros": torch.zeros(2, 3),
        "bias": torch.randn(6),
    }
    made = rounded(weights, ("kept",))
    assert {name for name, one in made["state_dict"].items() if one.dtype == torch.int8} == {"a", "b", "zeros"}
    back = restored(made)
    for name in ("a", "b", "zeros"):
        largest = weights[name].flatten(1).abs().amax(1)
        off = (back[name] - weights[name]).flatten(1).abs().amax(1)
        assert back[name].shape == weights[name].shape and bool((off <= 0.5001 * largest / STEPS).all()), name
    torch.testing.assert_close(back["bias"].float(), weights["bias"], atol=1e-3, rtol=1e-3)
    again = rounded(back)
    assert all(torch.equal(again["state_dict"][name], one) for name, one in made["state_dict"].items())


@pytest.mark.parametrize("way", [halved, rounded])
@pytest.mark.parametrize("strange", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(way, strange):
    with pytest.raises(CheckpointError, match="not finite"):
        way({"a": torch.tensor([[1.0, strange]])})


def test_names_that_are_to_stay_whole_do():
    weights = {"kept.a": torch.randn(3, 3), "b": torch.randn(3, 3)}
    for way in (halved, rounded):
        assert torch.equal(restored(way(weights, ("kept",)))["kept.a"], weights["kept.a"])


@pytest.fixture
def pressed(tmp_path: Path) -> tuple[Path, Path]:
    """A checkpoint, and the same with eight bits."""
    whole = tiny.checkpoint(tmp_path / "whole.ckpt")
    torch.save(release.kept(opened(whole), None, bits=8), tmp_path / "eight.ckpt")
    return whole, tmp_path / "eight.ckpt"


def test_an_older_program_would_refuse_it_by_its_version(pressed):
    assert [opened(path)["recognizer_version"] for path in pressed] == [VERSION, ROUNDED]


def test_the_network_is_nearly_the_same(pressed):
    frames, lengths = torch.randn(2, 30, 20), torch.tensor([30, 20])
    whole, eight = (Network.load(path)(frames, lengths)[0] for path in pressed)
    assert not torch.equal(whole, eight)
    torch.testing.assert_close(whole, eight, atol=0.03, rtol=0.03)


def test_training_begins_with_it_and_means_are_of_floats(pressed):
    whole, eight = pressed
    wanted = restored(opened(eight))
    model = Recognizer.load(whole)
    model.adopt(eight)
    mean = blend.blend([eight, eight])
    assert mean["recognizer_version"] == VERSION and SCALES not in mean
    for name, weight in wanted.items():
        torch.testing.assert_close(model.state_dict()[name], weight.float())
        torch.testing.assert_close(mean["state_dict"][name], weight)
