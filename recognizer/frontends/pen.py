"""Ink -> frames that hardly depend on the device, nor on the size, the slope and the slant of the hand.

N points, T frames, F features. Lengths are in core heights: about the height of an x.
"""

from __future__ import annotations

import json
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from recognizer import ink
from recognizer.errors import ConfigError, InputError
from recognizer.frontends.base import Frontend
from recognizer.ink import Ink
from recognizer.trace import CLOSE, baseline, core, even, joined, normal, origins

SIZE = 28
FINE = 4
"""Fine points in one step; directions are taken from these."""
CELL = 0.5
"""Width of a cell of the little picture around the pen."""
SHORT = 0.02
"""Core heights; at cusps the pen turns back upon itself, and what is left of a step points anywhere."""
EPSILON = 1e-9


class Pen(Frontend[Ink]):
    """Ink -> frames, one every `step` along a stroke, one to three for a move of the raised pen.

    Repeated points go; the ink is scaled by its core height, smoothed, turned until its lines are level, sheared until
    its down-strokes are upright, scaled again and sampled at even distances along each stroke, so that neither the
    device's rate and resolution nor the pen's speed matter. No picture of the whole line is ever made.

    Features (Graves et al. 2009, "A Novel Connectionist System for Unconstrained Handwriting Recognition", section
    II-B, and the raw input of Carbune et al. 2020, "Fast multi-language LSTM-based online handwriting recognition"):

    0      the pen is up
    1, 2   first and last frame of a stroke: tell dots and bars, and where letters may end
    3, 4   while up: arcsinh of the whole move; words are parted by long ones
    5, 6   while down: way from the frame before, in steps; shorter than 1 where the stroke bends
    7, 8   direction, cosine and sine, over one step (while up: of the move)
    9-12   cosine and sine of the turn at half a step and at a whole one: curvature
    13     height above the local baseline, less half a core height: a, d, p; commas and apostrophes
    14, 15 tanh of half the distance from the mean of the 25 nearest frames: x and y of Graves
    16     tanh of half the distance to the right of all ink so far: below 0 for delayed dots and bars
    17, 18 of the stroke within two steps: height against width, and straightness
    19-27  ink in 3 x 3 cells around the pen, whenever written: what a delayed stroke crosses, what is crossed later

    Places are points as recorded, counted through all strokes.

    Args:
        step: distance of neighbouring frames on a stroke, in core heights; 0.46 gives about ten frames a letter.
        level: turn sloping lines, by 20 degrees at most.
        deslant: make leaning letters upright, by 39 degrees at most.
    """

    name: ClassVar[str] = "pen"
    suffixes: ClassVar[frozenset[str]] = ink.SUFFIXES
    unit: ClassVar[str] = "points"

    def __init__(self, step: float = 0.46, level: bool = True, deslant: bool = True) -> None:
        if not 0.02 <= step <= 2:
            raise ConfigError("frontend", f"step is {step}", "give 0.02 to 2 core heights")
        super().__init__(step=step, level=level, deslant=deslant)
        self._known: tuple[Ink, tuple[np.ndarray, ...]] | None = None

    @property
    def size(self) -> int:
        """F, see the class."""
        return SIZE

    @property
    def step(self) -> float:
        """One, for how many recorded points make a frame differs from device to device."""
        return 1.0

    def items(self, path: str) -> list[str]:
        """The file itself, or `file#0`, `file#1`, ... where it holds several inks."""
        return ink.names(path)

    def read(self, path: str, start: float | None = None, end: float | None = None) -> Ink:
        """The ink of a file or item; of the points as recorded, those from `start` up to `end`, rounded, one at least.

        Raises:
            InputError: see `ink.read`; or no point lies in the part.
        """
        whole = ink.read(path)
        return whole if start is None and end is None else _part(path, whole, start or 0.0, end)

    def alone(
        self, path: str, start: float | None = None, end: float | None = None
    ) -> tuple[str, bytes, float | None, float | None]:
        """JSON ink, whatever it was: an item may share its file, and UNIPEN may need other files."""
        told = {key: value for key, value in ink.entry(path).items() if key in ("strokes", "xppi", "yppi", "y")}
        return ".ink.json", json.dumps(told, default=np.ndarray.tolist).encode(), start, end

    def length(self, path: str, start: float | None = None, end: float | None = None) -> int:
        """T; the ink must be read and sampled for it."""
        return len(self.frames(self.read(path, start, end)))

    def frames(self, signal: Ink) -> Tensor:
        """float32 [T, 28], see the class."""
        _, _, fine, owner = self._traced(signal)
        return torch.from_numpy(features(fine, owner, self.settings["step"]))

    def places(
        self, path: str, signal: Ink, frames: int, start: float | None = None, end: float | None = None
    ) -> np.ndarray:
        """Numbers of points, with fractions; moves of the raised pen lie between two of them."""
        points, stroke = joined(signal.strokes)
        recorded = origins(points / core(points, stroke), stroke, CLOSE)
        near, number, fine, owner = self._traced(signal)
        recorded = np.interp(origins(near, number, self.settings["step"], FINE), np.arange(len(near)), recorded)
        keep, place = laid(fine, owner)
        found = np.append(np.interp(np.arange(frames), place, recorded[keep]), len(points))
        found[0] = 0.0  # also where the pen rests before it sets out
        return round(start or 0.0) + found

    def _traced(self, signal: Ink) -> tuple[np.ndarray, ...]:
        """Points of the trace and their strokes, before and after it is cut into steps; of the last ink it is kept, for
        who has asked for its frames asks for their places next.
        """
        known = self._known
        if known is None or known[0] is not signal:
            near, number = normal(signal.strokes, self.settings["level"], self.settings["deslant"])
            known = self._known = signal, (near, number, *even(near, number, self.settings["step"], FINE))
        return known[1]


def _part(path: str, whole: Ink, start: float, end: float | None) -> Ink:
    last = np.cumsum([len(points) for points in whole.strokes])
    first = round(start)
    until = int(last[-1]) if end is None else max(first + 1, round(end))
    kept = [
        points[max(0, first - (at - len(points))) : max(0, until - (at - len(points)))]
        for points, at in zip(whole.strokes, last, strict=True)
    ]
    if not any(len(points) for points in kept):
        raise InputError(path, f"has no points from {start:g} to {until:g}", f"it has points 0 to {last[-1]}")
    return Ink(tuple(points for points in kept if len(points)))


def features(fine: np.ndarray, owner: np.ndarray, step: float) -> np.ndarray:
    """float32 [T, 28] of the fine points [N, 2] of strokes `owner` [N]; every `FINE`th of a stroke makes a frame."""
    keep, place = laid(fine, owner)
    border = np.flatnonzero(owner[1:] != owner[:-1])
    spots, stroke = fine[keep], owner[keep]
    lower, upper = np.append(0, border + 1)[stroke], np.append(border, len(fine) - 1)[stroke]
    floor = baseline(fine, owner)[keep]

    border = np.flatnonzero(stroke[1:] != stroke[:-1])
    jump = spots[border + 1] - spots[border]
    moves = place[border + 1] - place[border] - 1
    total = int(place[-1]) + 1
    up = np.ones(total, dtype=bool)
    up[place] = False
    which = np.repeat(np.arange(len(border)), moves)
    clock = np.arange(total)
    track = np.stack([np.interp(clock, place, spots[:, 0]), np.interp(clock, place, spots[:, 1])], 1)

    frame = np.zeros((total, SIZE), dtype=np.float32)
    frame[up, 0] = 1
    frame[place[keep == lower], 1] = 1
    frame[place[keep == upper], 2] = 1
    frame[up, 3:5] = np.arcsinh(jump)[which]
    reach = np.array([-2 * FINE, -FINE, -FINE // 2, 0, FINE // 2, FINE, 2 * FINE])
    near = fine[np.clip(keep[:, None] + reach, lower[:, None], upper[:, None])]
    way = near[:, 1:] - near[:, :-1]
    back, ahead = near[:, 3] - near[:, 1], near[:, 5] - near[:, 3]
    frame[place, 5:7] = back / step
    frame[place, 7:9] = unit(near[:, 4] - near[:, 2])
    frame[up, 7:9] = unit(jump)[which]
    frame[place, 9:11] = turn(way[:, 2], way[:, 3])
    frame[place, 11:13] = turn(back, ahead)
    frame[:, 13] = track[:, 1] - np.interp(clock, place, floor) - 0.5
    sums = np.cumsum(np.pad(track, ((13, 12), (0, 0)), mode="edge"), axis=0)
    frame[:, 14:16] = np.tanh(0.5 * (track - (sums[25:] - sums[:-25]) / 25))
    furthest = np.maximum.accumulate(np.where(up, -np.inf, track[:, 0]))
    frame[1:, 16] = np.tanh(0.5 * (track[1:, 0] - furthest[:-1]))
    box = near.max(1) - near.min(1)
    frame[place, 17] = (box[:, 1] - box[:, 0]) / (box.sum(1) + EPSILON)
    chord, path = near[:, -1] - near[:, 0], np.hypot(way[:, :, 0], way[:, :, 1]).sum(1)
    frame[place, 18] = np.hypot(chord[:, 0], chord[:, 1]) / (path + EPSILON)
    frame[:, 19:28] = picture(spots, track, step)
    return frame


def laid(fine: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the fine points make a frame, and which frame each of these is; those between are moves of the pen."""
    begin = np.append(0, np.flatnonzero(owner[1:] != owner[:-1]) + 1)
    keep = np.flatnonzero((np.arange(len(fine)) - begin[owner]) % FINE == 0)
    border = np.flatnonzero(owner[keep][1:] != owner[keep][:-1])
    jump = fine[keep[border + 1]] - fine[keep[border]]
    before = np.zeros(len(keep), dtype=int)
    before[border + 1] = np.clip(np.ceil(np.hypot(jump[:, 0], jump[:, 1]) / 1.5), 1, 3)
    return keep, np.arange(len(keep)) + np.cumsum(before)


def unit(way: np.ndarray) -> np.ndarray:
    """Vectors [n, 2] brought to length 1; much shorter ones than `SHORT` to 0, since their direction is mere chance."""
    return way / np.sqrt((way * way).sum(1) + SHORT**2)[:, None]


def turn(back: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Cosine and sine [n, 2] of the angle between vectors [n, 2]; 0, 0 where one has no length."""
    back, ahead = unit(back), unit(ahead)
    return np.stack([(back * ahead).sum(1), back[:, 0] * ahead[:, 1] - back[:, 1] * ahead[:, 0]], 1)


def picture(points: np.ndarray, spots: np.ndarray, step: float) -> np.ndarray:
    """[T, 9] the ink of all `points` in 3 x 3 cells around each spot, from -1 (none) to 1.

    Points are shared among cells, and cells among spots, bilinearly: nothing jumps when the ink moves a little.
    """
    low = points.min(0) - 2 * CELL
    wide, high = (np.ceil((points.max(0) - low) / CELL).astype(int) + 4).tolist()
    grid = (points - low) / CELL
    cell = grid.astype(int)
    share = grid - cell
    index = cell[:, 0] * high + cell[:, 1]
    right, above = share[:, 0], share[:, 1]
    weights = ((1 - right) * (1 - above), (1 - right) * above, right * (1 - above), right * above)
    corners = (0, 1, high, high + 1)
    ink = np.bincount(
        np.concatenate([index + corner for corner in corners]), np.concatenate(weights), minlength=wide * high
    )
    grid = (spots - low) / CELL
    cell = grid.astype(int)
    share = grid - cell
    around = (np.arange(-1, 3)[:, None] * high + np.arange(-1, 3)).ravel()
    patch = ink[(cell[:, 0] * high + cell[:, 1])[:, None] + around].reshape(-1, 4, 4)
    patch = patch[:, :-1] + (patch[:, 1:] - patch[:, :-1]) * share[:, :1, None]
    patch = patch[:, :, :-1] + (patch[:, :, 1:] - patch[:, :, :-1]) * share[:, 1:, None]
    return 2 * np.tanh(patch.reshape(-1, 9) * (step / CELL)) - 1
