"""Decoders by name: log-probabilities -> Hypotheses."""

from __future__ import annotations

from recognizer.decoders.align import aligned
from recognizer.decoders.base import Decoder, Hypothesis
from recognizer.decoders.beam import Beam
from recognizer.decoders.greedy import Greedy

DECODERS: dict[str, type[Decoder]] = {"greedy": Greedy, "beam": Beam}

__all__ = ["DECODERS", "Beam", "Decoder", "Greedy", "Hypothesis", "aligned"]
