"""Frames -> frames as they might have been: masks, stretched time and noise, for every modality; training only."""

from __future__ import annotations

import numpy
import torch
from torch import Tensor

from recognizer.errors import ConfigError


class Augment:
    """Chance changes of frames [T, F], drawn from the generator that is handed in.

    Args:
        time_masks: most stretches of time set to zero (Park et al. 2019, SpecAugment).
        time_width: frames of the longest; never more than a fifth of the utterance.
        feature_masks: most bands of features set to zero.
        feature_width: features of the widest.
        stretch: time is stretched or squeezed by up to this share, by linear interpolation.
        noise: deviation of the normal noise added to every value.
    """

    def __init__(
        self,
        time_masks: int = 2,
        time_width: int = 20,
        feature_masks: int = 0,
        feature_width: int = 12,
        stretch: float = 0.0,
        noise: float = 0.0,
    ) -> None:
        if not 0 <= stretch < 1 or min(time_masks, time_width, feature_masks, feature_width) < 0 or noise < 0:
            raise ConfigError("augment", f"stretch {stretch}, noise {noise} or a mask is out of range", "use >= 0, < 1")
        self.time_masks, self.time_width = time_masks, time_width
        self.feature_masks, self.feature_width = feature_masks, feature_width
        self.stretch, self.noise = stretch, noise

    def __call__(self, frames: Tensor, chance: numpy.random.Generator) -> Tensor:
        """A new [T', F]; the frames given stay as they are."""
        if self.stretch:
            count = max(1, round(len(frames) * chance.uniform(1 - self.stretch, 1 + self.stretch)))
            frames = torch.nn.functional.interpolate(frames.T[None], count, mode="linear", align_corners=False)[0].T
        frames = frames.clone()
        if self.noise:
            frames += self.noise * torch.from_numpy(chance.standard_normal(tuple(frames.shape), dtype=numpy.float32))
        for _ in range(int(chance.integers(self.time_masks + 1))):
            begin, stop = _piece(len(frames), min(self.time_width, len(frames) // 5), chance)
            frames[begin:stop] = 0.0
        for _ in range(int(chance.integers(self.feature_masks + 1))):
            begin, stop = _piece(frames.shape[1], min(self.feature_width, frames.shape[1] // 2), chance)
            frames[:, begin:stop] = 0.0
        return frames


def _piece(length: int, widest: int, chance: numpy.random.Generator) -> tuple[int, int]:
    width = int(chance.integers(widest + 1))
    begin = int(chance.integers(length - width + 1))
    return begin, begin + width
