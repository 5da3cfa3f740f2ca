"""Frames -> frames as they might have been: masks, stretched time and noise, for every modality; training only."""

from __future__ import annotations

import math

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
        warp: features are moved up or down by up to this share of their place, as if a vocal tract were shorter or
            longer (Jaitly & Hinton 2013); for features in order, such as bands, and not for pen or MFCC.
        noise: deviation of the normal noise added to every value.
        time_span: frames for which `time_masks` are meant, so that longer utterances get more of them (Park et al.
            2020, "SpecAugment on large scale datasets"); 0: each utterance, however long it is.
    """

    def __init__(
        self,
        time_masks: int = 2,
        time_width: int = 20,
        feature_masks: int = 0,
        feature_width: int = 12,
        stretch: float = 0.0,
        warp: float = 0.0,
        noise: float = 0.0,
        time_span: int = 0,
    ) -> None:
        shares = all(0 <= share < 1 for share in (stretch, warp))
        if not shares or min(time_masks, time_width, time_span, feature_masks, feature_width, noise) < 0:
            what = f"stretch {stretch}, warp {warp}, noise {noise} or a mask is out of range"
            raise ConfigError("augment", what, "use >= 0, < 1")
        self.time_masks, self.time_width, self.time_span = time_masks, time_width, time_span
        self.feature_masks, self.feature_width = feature_masks, feature_width
        self.stretch, self.warp, self.noise = stretch, warp, noise

    def __call__(self, frames: Tensor, chance: numpy.random.Generator) -> Tensor:
        """A new [T', F]; the frames given stay as they are."""
        return self.views(frames, chance, 1)[0]

    def views(self, frames: Tensor, chance: numpy.random.Generator, count: int) -> list[Tensor]:
        """So many [T', F], stretched and warped alike, each with noise and masks of its own."""
        frames = self._shaped(frames, chance)
        return [self._masked(frames.clone(), chance) for _ in range(count)]

    def _shaped(self, frames: Tensor, chance: numpy.random.Generator) -> Tensor:
        if self.stretch:
            count = max(1, round(len(frames) * chance.uniform(1 - self.stretch, 1 + self.stretch)))
            frames = torch.nn.functional.interpolate(frames.T[None], count, mode="linear", align_corners=False)[0].T
        return _warped(frames, chance.uniform(1 - self.warp, 1 + self.warp)) if self.warp else frames

    def _masked(self, frames: Tensor, chance: numpy.random.Generator) -> Tensor:
        if self.noise:
            frames += self.noise * torch.from_numpy(chance.standard_normal(tuple(frames.shape), dtype=numpy.float32))
        most = math.ceil(self.time_masks * len(frames) / self.time_span) if self.time_span else self.time_masks
        for _ in range(int(chance.integers(most + 1))):
            begin, stop = _piece(len(frames), min(self.time_width, len(frames) // 5), chance)
            frames[begin:stop] = 0.0
        for _ in range(int(chance.integers(self.feature_masks + 1))):
            begin, stop = _piece(frames.shape[1], min(self.feature_width, frames.shape[1] // 2), chance)
            frames[:, begin:stop] = 0.0
        return frames


def _warped(frames: Tensor, factor: float) -> Tensor:
    """Feature f becomes what stood at f * factor, between two features a mixture; at the end the last goes on."""
    last = frames.shape[1] - 1
    place = (torch.arange(last + 1) * factor).clamp_max(last)
    low = place.long()
    return torch.lerp(frames[:, low], frames[:, (low + 1).clamp_max(last)], place - low)


def _piece(length: int, widest: int, chance: numpy.random.Generator) -> tuple[int, int]:
    width = int(chance.integers(widest + 1))
    begin = int(chance.integers(length - width + 1))
    return begin, begin + width
