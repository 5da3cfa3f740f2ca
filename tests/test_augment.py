"""Chance changes are drawn from the generator alone and keep frames finite."""

import numpy
import pytest
import torch

from recognizer.augment import Augment
from recognizer.errors import ConfigError

SETTINGS = [
    {},
    {"time_masks": 0, "stretch": 0.2},
    {"time_masks": 0, "warp": 0.3},
    {"time_masks": 4, "time_width": 50, "feature_masks": 3, "feature_width": 90, "noise": 0.1, "stretch": 0.3},
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("size", [1, 2, 60])
def test_same_chance_same_frames_and_the_given_ones_stay(settings, size):
    frames = torch.randn(size, 9)
    before = frames.clone()
    once = Augment(**settings)(frames, numpy.random.default_rng(5))
    again = Augment(**settings)(frames, numpy.random.default_rng(5))
    assert torch.equal(once, again) and torch.equal(frames, before)
    assert once.isfinite().all() and once.shape[1] == 9 and len(once) >= 1


def test_without_settings_nothing_changes():
    frames = torch.randn(30, 4)
    assert torch.equal(Augment(time_masks=0)(frames, numpy.random.default_rng(0)), frames)


def test_masks_hide_at_most_their_share():
    frames = torch.ones(100, 10)
    for seed in range(50):
        out = Augment(2, 20, 1, 3)(frames, numpy.random.default_rng(seed))
        assert (out == 0).all(1).sum() <= 40 and (out == 0).all(0).sum() <= 3
        assert ((out == 0) | (out == 1)).all()


def test_stretch_keeps_within_its_share():
    sizes = {len(Augment(0, stretch=0.1)(torch.ones(100, 2), numpy.random.default_rng(seed))) for seed in range(80)}
    assert min(sizes) in range(90, 94) and max(sizes) in range(107, 111)


def test_warped_features_keep_their_order_and_stay_within_the_share():
    ramp = torch.arange(80.0).expand(3, 80)
    seen = [Augment(0, warp=0.2)(ramp, numpy.random.default_rng(seed))[0] for seed in range(40)]
    factors = [float(row[40] / 40) for row in seen]
    assert 0.8 <= min(factors) < 0.85 and 1.15 < max(factors) <= 1.2
    for row, factor in zip(seen, factors, strict=True):
        torch.testing.assert_close(row, (torch.arange(80) * factor).clamp_max(79), rtol=1e-4, atol=1e-3)


def test_values_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="stretch 1"):
        Augment(stretch=1.5)
    with pytest.raises(ConfigError, match="warp 1"):
        Augment(warp=1)


def test_views_differ_in_nothing_but_masks_and_noise():
    frames = torch.randn(90, 12)
    augment = Augment(4, 20, 2, 4, stretch=0.3, warp=0.2)
    one, other = augment.views(frames, numpy.random.default_rng(3), 2)
    assert torch.equal(one, augment(frames, numpy.random.default_rng(3)))
    assert one.shape == other.shape and not torch.equal(one, other)
    seen = (one != 0) & (other != 0)
    assert seen.float().mean() > 0.2 and torch.equal(one[seen], other[seen])


def test_longer_utterances_get_more_masks():
    """As many frames hidden in each span, on the average: 2.5 masks of 5 frames in 100, some of which meet."""
    augment = Augment(5, 10, time_span=100)
    for size in (100, 1600):
        hidden = [
            (augment(torch.ones(size, 1), numpy.random.default_rng(seed)) == 0).float().mean() for seed in range(200)
        ]
        assert 0.09 < sum(hidden) / 200 < 0.13
