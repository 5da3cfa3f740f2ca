"""Frames as they come -> log-probabilities and text as soon as they are final, with a Recognizer that can stream.

The law: all that comes out, laid end to end, is what the Recognizer makes of the whole, however the frames were cut.
It begins with frames, not with sound: the front ends set each file's features off against the mean and spread of the
whole file, which a stream has not seen.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from recognizer.alphabet import BLANK
from recognizer.errors import ConfigError
from recognizer.layers import SIBLINGS, Streaming
from recognizer.layers.base import State
from recognizer.network import Network


class Stream:
    """One recording, ink or line on its way through a Recognizer.

    Args:
        model: its stem and layers can stream; it may serve many streams at once.

    Raises:
        ConfigError: one of them reads from the end.
    """

    def __init__(self, model: Network) -> None:
        self.model = model
        self.parts: list[Streaming] = []
        for name, part in (("stem", model.stem), *(("layer", layer) for layer in model.layers)):
            if not isinstance(part, Streaming):
                raise ConfigError(
                    f"model.{name}",
                    f"{model.names[name]!r} reads from the end of a file backwards, so it cannot stream",
                    f"train a model with --model.layer {' or '.join(SIBLINGS)}",
                )
            self.parts.append(part)
        self._states: list[State] = [()] * len(self.parts)
        self._labels: list[int] = []
        self._before = BLANK
        self._ended = False

    @property
    def latency(self) -> int:
        """The most frames behind the first of its own that a step of the output waits for; the `reduction` is in it."""

        def reach(t: int) -> int:
            for part in reversed(self.parts):
                t = part.reach(t)
            return t

        period = math.lcm(*(part.period for part in self.parts))
        return max(reach(t) - t * self.model.reduction for t in range(period))

    @property
    def delay(self) -> float:
        """The latency in seconds; of ink and lines, whose frames are no fixed stretch of the file, in frames."""
        return self.latency * self.model.frontend.step

    @property
    def text(self) -> str:
        """What the likeliest labels of all frames so far spell, as the greedy decoder reads them; it only grows."""
        return self.model.alphabet.normalise(self.model.alphabet.decode(self._labels))

    @torch.inference_mode()
    def feed(self, frames: Tensor, last: bool = False) -> Tensor:
        """The next frames [N, F] -> log-probabilities [M, A] of those steps of the output that are final now.

        Args:
            frames: any number of them, also none; on any device.
            last: no frames follow: all that was held back comes out, and the stream is over.
        """
        model = self.model
        wanted = model.frontend.size
        assert frames.dim() == 2 and frames.shape[1] == wanted, f"frames {list(frames.shape)}, wanted [N, {wanted}]"
        assert not self._ended, "the last frames have been fed: begin another stream"
        self._ended = last
        frames = frames.to(model.device)[None]
        for place, part in enumerate(self.parts):
            frames, self._states[place] = part.feed(frames, self._states[place], last)
        (log_probs,) = model.linear.log_probs(frames)
        for label in log_probs.argmax(-1).tolist():
            if label not in (BLANK, self._before):
                self._labels.append(label)
            self._before = label
        return log_probs
