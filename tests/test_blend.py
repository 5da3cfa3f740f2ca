"""The mean of like networks is a network; unlike ones are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch

from recognizer import blend
from recognizer.network import FOUND, Network, opened


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    """Two checkpoints of one shape; the second has other weights, and keeps what resuming needs."""
    paths = [tiny.checkpoint(tmp_path / name) for name in ("one.ckpt", "two.ckpt")]
    whole = torch.load(paths[1], weights_only=True)
    chance = torch.Generator().manual_seed(3)
    whole["state_dict"] = {
        name: weight + 0.1 * torch.randn(weight.shape, generator=chance) if weight.is_floating_point() else weight
        for name, weight in whole["state_dict"].items()
    }
    torch.save(whole | {"optimizer_states": [1], "learning": {"steps": 3}}, paths[1])
    return paths


def test_weights_are_the_mean_and_all_else_is_the_firsts(pair: list[Path]) -> None:
    one, two = (torch.load(path, weights_only=True)["state_dict"] for path in pair)
    assert blend.main([*map(str, pair[::-1]), "--output", str(pair[0].with_name("mean.ckpt"))]) == 0
    made = torch.load(pair[0].with_name("mean.ckpt"), weights_only=True)
    for name, weight in made["state_dict"].items():
        wanted = two[name] if name.startswith(FOUND) else (one[name] + two[name]) / 2
        torch.testing.assert_close(weight, wanted)
        assert weight.dtype == one[name].dtype
    assert not {"optimizer_states", "learning"} & made.keys() and made["blended"] == [str(path) for path in pair[::-1]]
    assert Network.load(pair[0].with_name("mean.ckpt")).infer([torch.zeros(30, 20)])[0].isfinite().all()


def test_the_mean_of_one_and_of_the_same_twice_is_itself(pair: list[Path]) -> None:
    kept = torch.load(pair[1], weights_only=True)["state_dict"]
    for paths in (pair[1:], pair[1:] * 2):
        made = blend.blend(paths)["state_dict"]
        assert all(torch.equal(made[name], weight) for name, weight in kept.items())


def test_a_front_end_of_which_less_was_said_is_the_same(pair: list[Path]) -> None:
    """Older checkpoints hold only what was given of it."""
    whole = torch.load(pair[0], weights_only=True)
    whole["hyper_parameters"]["frontend"] = {"name": "speech", "bands": 20}
    torch.save(whole, pair[0])
    assert opened(pair[0])["hyper_parameters"] == opened(pair[1])["hyper_parameters"]
    assert blend.blend(pair)["hyper_parameters"]["frontend"] == Network.load(pair[1]).frontend.config()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("alphabet", {"characters": ["x"]}, "has another alphabet than"),
        ("frontend", {"name": "pen"}, "has another frontend than"),
        ("weight", torch.zeros(3), "linear.weight is 3, and 5 x 16 in"),
        ("weight", None, "linear.weight is missing, and 5 x 16 in"),
    ],
)
def test_unlike_ones_are_named(pair: list[Path], capsys: pytest.CaptureFixture[str], key, value, message) -> None:
    whole = torch.load(pair[1], weights_only=True)
    if key == "weight":
        del whole["state_dict"]["linear.weight"]
        whole["state_dict"] |= {} if value is None else {"linear.weight": value}
    else:
        whole["hyper_parameters"][key] = value
    torch.save(whole, pair[1])
    assert blend.main([*map(str, pair), "--output", "never.ckpt"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {pair[1]}: ") and message in said and str(pair[0]) in said
    assert not Path("never.ckpt").exists()


def test_what_cannot_be_read_or_written_is_named(pair: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert blend.main([str(pair[0].with_name("none.ckpt")), "--output", "never.ckpt"]) == 2
    assert "none.ckpt: cannot be opened" in capsys.readouterr().err
    assert blend.main([str(pair[0]), "--output", str(pair[0] / "inside.ckpt")]) == 2
    assert "inside.ckpt: cannot be written" in capsys.readouterr().err
