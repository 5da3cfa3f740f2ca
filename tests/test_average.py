"""The average is the sum its definition says, and changes places with the weights without loss."""

import pytest
import torch

from recognizer.average import Average


def test_it_is_the_weighted_sum_of_all_steps():
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    average = Average({"weight": weight}, keep=0.9)
    expected = weight.detach().clone()
    for step in range(1, 200):
        with torch.no_grad():
            weight.add_(torch.randn(2))
        average.update()
        keep = min(0.9, step / (step + 9))
        expected = keep * expected + (1 - keep) * weight.detach()
    torch.testing.assert_close(average.kept["weight"], expected)
    averaged, learning = average.pair
    torch.testing.assert_close(averaged["weight"], expected)
    assert torch.equal(learning["weight"], weight)


def test_changing_places_twice_changes_nothing():
    weight = torch.nn.Parameter(torch.randn(3))
    average = Average({"weight": weight}, keep=0.5)
    with torch.no_grad():
        weight.add_(1)
    average.update()
    averaged, learning = ({name: one.clone() for name, one in part.items()} for part in average.pair)
    for now in (True, True, False, False, True):
        average.swap(now)
        assert torch.equal(weight, (averaged if now else learning)["weight"])
        assert all(torch.equal(average.pair[0][name], averaged[name]) for name in averaged)
        assert all(torch.equal(average.pair[1][name], learning[name]) for name in learning)
    with pytest.raises(AssertionError, match="in use"):
        average.update()
