"""What every room of variations does: a signal -> a likely variant of it, as another person or device had made it."""

from __future__ import annotations

import abc
import inspect
import math
from typing import Any, ClassVar, Generic, TypeVar

import numpy

from recognizer.errors import ConfigError

Signal = TypeVar("Signal")


class Variation(abc.ABC, Generic[Signal]):
    """Chance changes of the signals of one front end; for training only.

    Each kind of change is a setting of its own that says how much of it there may be, and 0 (or null) turns it off;
    with all of them off a signal stays as it is, bit for bit. Everything is drawn from the generator that is handed
    in, so the same seed gives the same signal. What is written or said is never lost.
    """

    name: ClassVar[str]
    """Its key in VARIATIONS, and that of the front end."""
    kinds: ClassVar[tuple[str, ...]]
    """The settings that turn a change on; the others only say how it is made."""

    @classmethod
    def off(cls) -> dict[str, Any]:
        """Settings with which nothing varies."""
        defaults = inspect.signature(cls).parameters
        return {kind: None if defaults[kind].default is None else 0.0 for kind in cls.kinds}

    @abc.abstractmethod
    def __call__(self, signal: Signal, chance: numpy.random.Generator) -> Signal:
        """Another signal of the same kind; the one given stays as it is."""

    def stretch(self, chance: numpy.random.Generator) -> float:
        """How many times as long, about, a call with this generator in its present state makes a signal."""
        return 1.0


def check(limits: dict[str, tuple[float, float]]) -> None:
    """Refuse amounts below 0, above their limit, or that are no numbers; `limits` has for each name both.

    Raises:
        ConfigError: naming the setting.
    """
    for name, (value, most) in limits.items():
        wrong = isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
        if wrong or not 0 <= value <= most:
            raise ConfigError(f"data.vary.{name}", f"is {value!r}", f"give a number from 0 (off) to {most:g}")
