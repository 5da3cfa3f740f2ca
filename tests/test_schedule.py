"""Learning rates rise, then fall as their names say; torch's own schedules are the outside truth."""

import math
import random

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from recognizer.errors import ConfigError
from recognizer.optimiser import adamw
from recognizer.schedule import PATIENCE, SCHEDULES, SHARES, Halving, schedules


def rates(name, total, warmup, steps):
    optimizer = adamw(nn.Linear(2, 2), 0.01, 0.1)
    plans = schedules(name, optimizer, total, warmup)
    out = []
    for _ in range(steps):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for plan in plans:
            if plan["interval"] == "step":
                plan["scheduler"].step()
    return out


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("total, warmup", [(100, 0.1), (30, 0.5), (3, 0.0)])
def test_rates_rise_to_the_highest_and_never_above(name, total, warmup):
    found = rates(name, total, warmup, total)
    top = found.index(max(found))
    assert max(found) == pytest.approx(0.01) and min(found) >= 0
    assert found[: top + 1] == sorted(found[: top + 1]) and top <= max(2, warmup * total + 1)
    assert found[top:] == sorted(found[top:], reverse=True)


def test_one_cycle_is_that_of_torch():
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), 1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=80, pct_start=0.3, cycle_momentum=False)
    for step in range(80):
        assert 0.01 * SHARES["onecycle"](step, 80, 0.3) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step() if step < 79 else None


def test_cosine_ends_at_nothing_and_without_an_end_stays():
    assert SHARES["cosine"](100, 100, 0.1) == pytest.approx(0, abs=1e-12)
    assert SHARES["cosine"](55, 100, 0.1) == pytest.approx(0.5)
    assert SHARES["cosine"](10_000, math.inf, 0.1) == 1.0


def test_a_plateau_halves_the_rate_for_good():
    optimizer = adamw(nn.Linear(2, 2), 0.01, 0.1)
    up, halve = (plan["scheduler"] for plan in schedules("plateau", optimizer, 100, 0.05))
    for epoch, rate in enumerate([0.5, 0.4, 0.4, 0.4, 0.4, 0.4]):
        for _ in range(10):
            optimizer.step()
            up.step()
        halve.step()  # an epoch without a validation
        halve.heed(rate)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01 if epoch < 4 else 0.005)


def test_the_halvings_are_those_of_torch():
    optimizer, other = (adamw(nn.Linear(2, 2), 0.01, 0.1) for _ in range(2))
    mine, theirs = Halving(optimizer), ReduceLROnPlateau(other, factor=0.5, patience=PATIENCE - 1, threshold=0)
    chance = random.Random(0)
    for _ in range(60):
        rate = chance.random()
        mine.heed(rate)
        theirs.step(rate)
        assert optimizer.param_groups[0]["lr"] == other.param_groups[0]["lr"]
    assert optimizer.param_groups[0]["lr"] < 1e-6


def test_one_cycle_needs_an_end():
    with pytest.raises(ConfigError, match="max_epochs"):
        SHARES["onecycle"](0, math.inf, 0.1)
