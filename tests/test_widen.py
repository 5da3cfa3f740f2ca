"""A wider network with the weights of a narrower one reads as that did."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from recognizer import Alphabet, Recognizer
from recognizer.layers import LAYERS
from recognizer.widen import widened, width


def network(width: int, **settings: Any) -> Recognizer:
    torch.manual_seed(width)
    return Recognizer(
        alphabet=Alphabet(list(" abc")).config(),
        frontend={"name": "speech", "bands": 13},
        stem={"name": "stack", "reduction": 2},
        depth=3,
        width=width,
        **settings,
    ).eval()


def answers(model: Recognizer) -> torch.Tensor:
    frames = torch.randn(3, 40, 13, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model(frames, torch.tensor([40, 31, 12]))[0]


BOTH_WAYS = [name for name in LAYERS if width(network(5, layer=name).state_dict())]


@pytest.mark.parametrize("layer", BOTH_WAYS)
@pytest.mark.parametrize(("wide", "projection"), [(5, 0), (7, 6), (10, 0), (23, 6)])
def test_without_norm_the_answers_stay(layer, wide, projection):
    narrow, grown = (network(size, layer=layer, norm=False, projection=projection) for size in (5, wide))
    grown.load_state_dict(widened(narrow.state_dict(), wide))
    assert torch.allclose(answers(grown), answers(narrow), atol=1e-5)


def test_with_norm_they_nearly_stay():
    narrow, grown = network(64), network(80)
    chance = answers(grown)
    grown.load_state_dict(widened(narrow.state_dict(), 80))
    assert (answers(grown) - answers(narrow)).abs().max() < 0.1 * (chance - answers(narrow)).abs().max()


def test_copies_part_and_what_was_given_stays():
    narrow = network(5).state_dict()
    before = {name: value.clone() for name, value in narrow.items()}
    grown = widened(narrow, 10)
    assert all(torch.equal(narrow[name], value) for name, value in before.items())
    columns = grown["linear.weight"].T
    assert len(columns.unique(dim=0)) == len(columns)


def test_a_layer_of_one_direction_has_no_width():
    assert {"blstm", "peephole", "gru"} <= set(BOTH_WAYS)
    assert width(network(5, layer="lookahead").state_dict()) is None


def test_a_wider_network_adopts_a_narrower_one(tmp_path, caplog):
    narrow, grown = network(5, norm=False), network(8, norm=False)
    torch.save(
        {"hyper_parameters": dict(narrow.hparams), "state_dict": narrow.state_dict(), "recognizer_version": 1},
        tmp_path / "narrow.ckpt",
    )
    with caplog.at_level("INFO"):
        grown.adopt(tmp_path / "narrow.ckpt")
    assert torch.allclose(answers(grown), answers(narrow), atol=1e-5)
    assert "5 units of each direction become 8" in caplog.text
