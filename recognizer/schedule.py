"""The name of a course and an optimiser -> how its learning rate goes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR, LinearLR, LRScheduler

from recognizer.errors import ConfigError

ENDLESS = 500.0
"""Steps over which the rate rises in a run that has no end."""
BEGIN, END = 1 / 25, 1 / 25e4
"""The first and the last share of a one-cycle run, those of torch's `OneCycleLR`."""
PATIENCE = 3
"""Validations without a better one, after which the rate is halved."""


def cosine(step: int, total: float, warmup: float) -> float:
    """Up in a line for `warmup` of all steps, then down to zero along a cosine (Loshchilov & Hutter 2017)."""
    rise = _rise(total, warmup)
    if step < rise or not math.isfinite(total):
        return constant(step, total, warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1.0, total - rise))))


def onecycle(step: int, total: float, warmup: float) -> float:
    """Up along a cosine from a 25th, then down along one to almost nothing (Smith & Topin 2019), beta untouched.

    Raises:
        ConfigError: a run without an end.
    """
    if not math.isfinite(total):
        raise ConfigError("model.schedule", "onecycle needs to know the end", "set trainer.max_epochs or max_steps")
    top = warmup * total - 1
    if step <= top:
        return _between(BEGIN, 1.0, step / top if top > 0 else 1.0)
    return _between(1.0, END, min(1.0, (step - max(top, 0.0)) / max(1.0, total - 1 - max(top, 0.0))))


def constant(step: int, total: float, warmup: float) -> float:
    """Up in a line for `warmup` of all steps, then level."""
    rise = _rise(total, warmup)
    return (step + 1) / (rise + 1) if step < rise else 1.0


class Halving(LRScheduler):
    """The rate halved whenever PATIENCE validations in a row were no better than the best before them.

    It is asked after each validation, before checkpoints are written, and not after each epoch, as Lightning asks
    torch's `ReduceLROnPlateau`: of epochs there may be more, or fewer, and what is kept would lack the last answer.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.best, self.worse = math.inf, 0
        super().__init__(optimizer)

    def get_lr(self) -> list[float | torch.Tensor]:
        """The rates as they are: steps and epochs change nothing."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def heed(self, rate: float) -> None:
        """Take note of a validation's error rate."""
        self.best, self.worse = (rate, 0) if rate < self.best else (self.best, self.worse + 1)
        if self.worse == PATIENCE:
            self.worse = 0
            for group in self.optimizer.param_groups:
                group["lr"] /= 2


SHARES: dict[str, Callable[[int, float, float], float]] = {"constant": constant, "cosine": cosine, "onecycle": onecycle}
"""Step, all steps, the share of them that rises -> share of the highest rate."""
SCHEDULES = (*SHARES, "plateau")


def schedules(name: str, optimizer: torch.optim.Optimizer, total: float, warmup: float) -> list[dict[str, Any]]:
    """What Lightning asks of `configure_optimizers`, for one of `SCHEDULES`.

    "plateau" rises as "constant" does; then the rate is halved whenever `val_cer` has not fallen for three validations.
    It is the only one to look at how the run goes, and needs no end.

    Raises:
        ConfigError: a schedule that needs to know the end of a run that has none.
    """
    if name == "plateau":
        rise = round(_rise(total, warmup))
        up = LinearLR(optimizer, 1 / (rise + 1), 1.0, rise)  # only multiplies, so that the halving lasts
        return [{"scheduler": up, "interval": "step"}, {"scheduler": Halving(optimizer), "interval": "epoch"}]
    share = SHARES[name]
    return [{"scheduler": LambdaLR(optimizer, lambda step: share(step, total, warmup)), "interval": "step"}]


def _rise(total: float, warmup: float) -> float:
    return max(1.0, warmup * total) if math.isfinite(total) else ENDLESS


def _between(start: float, end: float, part: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * part)) / 2
