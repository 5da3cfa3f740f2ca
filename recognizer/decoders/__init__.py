"""Decoders by name: log-probabilities -> Hypotheses."""

from __future__ import annotations

from recognizer.decoders.base import Decoder, Hypothesis
from recognizer.decoders.greedy import Greedy

DECODERS: dict[str, type[Decoder]] = {"greedy": Greedy}

__all__ = ["DECODERS", "Decoder", "Greedy", "Hypothesis"]
