"""Ink -> the same text as another hand, or another device, would have put it down."""

from __future__ import annotations

import numpy as np

from recognizer.ink import Ink
from recognizer.trace import core, joined
from recognizer.variations.base import Variation, check


class Pen(Variation[Ink]):
    """Variants of ink, with the same strokes in the same order. Lengths are in core heights.

    What the front end would undo, such as one slant for all or one rotation, is varied little, for it is undone
    imperfectly; what it cannot undo wavers smoothly with the place, so that crossing strokes still cross.

    Args:
        slant: standard deviation of the shear of all the ink, x for each y.
        rotation: standard deviation of its angle, in radians.
        scale: standard deviation of the logarithm of its width against its height.
        waver: standard deviation of slant, baseline and pace along the line; the size wavers half as much.
        ripple: standard deviation of what bends the strokes, in waves of about two core heights.
        shake: standard deviation of each stroke's shift against the others.
        jitter: standard deviation of each point's shift, the tremor and the grain of the device.
        dropped: points of which up to this share is lost, as by a slower device; ends of strokes are kept.

    Raises:
        ConfigError: a value out of range.
    """

    name = "pen"
    kinds = ("slant", "rotation", "scale", "waver", "ripple", "shake", "jitter", "dropped")

    def __init__(
        self,
        slant: float = 0.15,
        rotation: float = 0.0,
        scale: float = 0.12,
        waver: float = 0.12,
        ripple: float = 0.05,
        shake: float = 0.0,
        jitter: float = 0.0,
        dropped: float = 0.0,
    ) -> None:
        amounts = {"slant": slant, "rotation": rotation, "scale": scale, "waver": waver, "ripple": ripple}
        check({name: (value, 1.0) for name, value in (amounts | {"shake": shake, "jitter": jitter}).items()})
        check({"dropped": (dropped, 0.95)})
        self.slant, self.rotation, self.scale, self.waver = slant, rotation, scale, waver
        self.ripple, self.shake, self.jitter, self.dropped = ripple, shake, jitter, dropped

    def __call__(self, signal: Ink, chance: np.random.Generator) -> Ink:
        """Ink with as many strokes; with as many points, too, unless some are `dropped`."""
        strokes = list(signal.strokes)
        if any((self.slant, self.rotation, self.scale, self.waver, self.ripple, self.shake, self.jitter)):
            strokes = self._moved(strokes, chance)
        if self.dropped:
            share = chance.uniform(0, self.dropped)
            strokes = [_thinned(points, share, chance) for points in strokes]
        return Ink(tuple(strokes))

    def _moved(self, strokes: list[np.ndarray], chance: np.random.Generator) -> list[np.ndarray]:
        points, stroke = joined(strokes)
        height = core(points, stroke)
        x, y = points.T / height
        lean = grow = lift = pace = np.zeros(1)
        if self.waver:
            waves = np.sin(chance.uniform(0.3, 1.2, (4, 1)) * x + chance.uniform(0, 2 * np.pi, (4, 1)))
            lean, grow, lift, pace = chance.normal(0, self.waver * np.array([1, 0.5, 1, 1]))[:, None] * waves
        slant, turn, wide = chance.normal(0, [self.slant, self.rotation, self.scale])
        across = x * np.exp(wide) + (slant + lean) * y + pace
        up = y * (1 + grow) + lift
        moved = np.stack([across * np.cos(turn) - up * np.sin(turn), across * np.sin(turn) + up * np.cos(turn)], 1)
        if self.ripple:
            rate, more, phase = (chance.uniform(low, high, (2, 1)) for low, high in ((1.5, 3.5), (1.5, 3.5), (0, 6)))
            moved += (chance.normal(0, self.ripple, (2, 1)) * np.sin(rate * x + more * y + phase)).T
        if self.shake:
            moved += chance.normal(0, self.shake, (len(strokes), 2))[stroke]
        if self.jitter:
            moved += chance.normal(0, self.jitter, moved.shape)
        moved = (moved * height).astype(np.float32)
        return [moved[stroke == number] for number in range(len(strokes))]


def _thinned(points: np.ndarray, share: float, chance: np.random.Generator) -> np.ndarray:
    """The points [n, 2] without about that share of them, but with the first and the last."""
    keep = chance.random(len(points)) >= share
    keep[[0, -1]] = True
    return points[keep]
