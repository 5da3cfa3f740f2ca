"""Ink -> frames that hardly depend on the device, the size, the slope and the slant of the hand."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from recognizer import ink
from recognizer.frontends.base import Frontend
from recognizer.ink import Ink

SIZE = 26
EPSILON = 1e-9


class Pen(Frontend[Ink]):
    """Ink -> frames.

    Args:
        step: distance of neighbouring frames on a stroke, in core heights (about the height of an x).
        deslant, level: whether to make leaning letters upright, and sloping lines level.
    """

    name: ClassVar[str] = "pen"
    suffixes: ClassVar[frozenset[str]] = ink.SUFFIXES
    unit: ClassVar[str] = "points"

    def __init__(self, step: float = 0.3, deslant: bool = True, level: bool = True) -> None:
        super().__init__(step=step, deslant=deslant, level=level)
        self._step, self.deslant, self.level = step, deslant, level

    @property
    def size(self) -> int:
        """F, see the class."""
        return SIZE

    @property
    def step(self) -> float:
        """A frame is a point."""
        return 1.0

    def items(self, path: str) -> list[str]:
        """The file itself, or `file#0`, `file#1`, ... where it holds several inks."""
        return [item.path for item in ink.items(path)]

    def read(self, path: str, start: float | None = None, end: float | None = None) -> Ink:
        """The ink of a file or of its item."""
        return ink.read(path)

    def length(self, path: str, start: float | None = None, end: float | None = None) -> int:
        """Frames of the item."""
        return len(self.frames(self.read(path, start, end)))

    def frames(self, signal: Ink) -> Tensor:
        """float32 [T, F], finite, T >= 1."""
        points, pen = self.trace(signal)
        return torch.from_numpy(features(points, pen, self._step))

    def trace(self, signal: Ink) -> tuple[np.ndarray, np.ndarray]:
        """Normalised points [N, 2] at even distances, in core heights, and the stroke number [N] of each."""
        points, stroke = joined(signal.strokes)
        height = core(points, stroke)
        points = points / height
        points, stroke = even(points, stroke, 0.12)
        points = smooth(points, stroke)
        height = core(points, stroke)
        points = points / height
        for _ in range(2):
            if self.level:
                points = levelled(points, stroke)
            if self.deslant:
                points = upright(points, stroke)
        height = core(points, stroke)
        points = points / height
        return even(points, stroke, self._step)


def joined(strokes: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    """All points [N, 2] in one array from the origin, and their stroke numbers [N]; repeated points left out."""
    points = np.concatenate(strokes).astype(np.float64)
    stroke = np.repeat(np.arange(len(strokes)), [len(s) for s in strokes])
    fresh = np.ones(len(points), dtype=bool)
    fresh[1:] = (stroke[1:] != stroke[:-1]) | (points[1:] != points[:-1]).any(1)
    return points[fresh] - points[0], stroke[fresh]


def swings(points: np.ndarray, stroke: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last index of each run of points in one stroke that goes only up, or only down."""
    rising = np.sign(np.diff(points[:, 1]))
    last = np.maximum.accumulate(np.where(rising != 0, np.arange(len(rising)), 0)) if len(rising) else rising
    rising = rising[last] if len(rising) else rising
    inside = stroke[1:] == stroke[:-1]
    turn = np.zeros(len(points), dtype=bool)
    turn[1:-1] = (rising[1:] != rising[:-1]) & inside[1:] & inside[:-1]
    begin, finish = np.ones(len(points), dtype=bool), np.ones(len(points), dtype=bool)
    begin[1:], finish[:-1] = ~inside, ~inside
    return np.flatnonzero((begin | turn) & ~finish), np.flatnonzero((finish | turn) & ~begin)


def core(points: np.ndarray, stroke: np.ndarray) -> float:
    """The height of small letters: what half of all swings, weighed by size, exceed."""
    first, last = swings(points, stroke)
    way = np.abs(points[last] - points[first])
    size = np.maximum(way[:, 1], 0.5 * way[:, 0])
    size = size[size > 0]
    if not len(size):
        spread = float(np.ptp(points, axis=0).max())
        return spread if spread > 0 else 1.0
    return median(size, size)


def median(values: np.ndarray, weights: np.ndarray) -> float:
    """The weighted median, interpolated so that it moves smoothly with the values."""
    order = np.argsort(values, kind="stable")
    values, weights = values[order], weights[order]
    total = np.cumsum(weights) - 0.5 * weights
    return float(np.interp(0.5 * weights.sum(), total, values))


def even(points: np.ndarray, stroke: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """The strokes at even distances of about `step` along their arc, ends kept."""
    gap = np.hypot(*np.diff(points, axis=0).T)
    inside = stroke[1:] == stroke[:-1]
    arc = np.concatenate([[0.0], np.cumsum(np.where(inside, gap, 1.0))])
    begin = np.flatnonzero(np.concatenate([[True], ~inside]))
    finish = np.concatenate([begin[1:], [len(points)]]) - 1
    length = arc[finish] - arc[begin]
    pieces = np.where(length > 0, np.maximum(1, np.rint(length / step)), 0).astype(int)
    number = np.repeat(np.arange(len(begin)), pieces + 1)
    start = np.cumsum(pieces + 1) - pieces - 1
    within = np.arange(len(number)) - start[number]
    at = arc[begin][number] + length[number] * within / np.maximum(pieces, 1)[number]
    return np.stack([np.interp(at, arc, points[:, 0]), np.interp(at, arc, points[:, 1])], 1), number


def smooth(points: np.ndarray, stroke: np.ndarray) -> np.ndarray:
    """Twice the binomial filter 1 2 1 along each stroke, ends kept: takes the steps of coarse digitisers away."""
    if len(points) < 3:
        return points
    inner = (stroke[2:] == stroke[:-2])[:, None]
    for _ in range(2):
        mean = 0.25 * points[:-2] + 0.5 * points[1:-1] + 0.25 * points[2:]
        points = np.concatenate([points[:1], np.where(inner, mean, points[1:-1]), points[-1:]])
    return points


def feet(points: np.ndarray, stroke: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the lower and of the upper ends of all swings of at least half a core height."""
    first, last = swings(points, stroke)
    way = points[last, 1] - points[first, 1]
    low, high = np.where(way < 0, last, first), np.where(way < 0, first, last)
    large = np.abs(way) > 0.5
    return np.unique(low[large]), np.unique(high[large])


def levelled(points: np.ndarray, stroke: np.ndarray) -> np.ndarray:
    """Turned by the median slope between feet (and between tops) 2 to 12 core heights apart, at most 20 degrees."""
    slopes, weights = [np.zeros(1)], [np.full(1, 10.0)]
    for ends in feet(points, stroke):
        spots = points[ends]
        for lag in range(1, min(12, len(spots))):
            way = spots[lag:] - spots[:-lag]
            far = (np.abs(way[:, 0]) > 2) & (np.abs(way[:, 0]) < 12)
            slopes.append(way[far, 1] / way[far, 0])
            weights.append(np.abs(way[far, 0]))
    slope, weight = np.concatenate(slopes), np.concatenate(weights)
    near = np.abs(slope) < 0.6
    angle = np.clip(np.arctan(median(slope[near], weight[near])), -0.35, 0.35)
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, -sin], [sin, cos]])


def upright(points: np.ndarray, stroke: np.ndarray) -> np.ndarray:
    """Sheared by the mean lean of all steep pieces, weighed by their height; the fewer there are, the less."""
    way = np.diff(points, axis=0)[stroke[1:] == stroke[:-1]]
    steep = np.abs(way[:, 0]) < 1.2 * np.abs(way[:, 1])
    angle = np.arctan(way[steep, 0] / way[steep, 1])
    weight = np.abs(way[steep, 1])
    lean = (angle * weight).sum() / (weight.sum() + 8.0)
    return points - np.stack([points[:, 1] * np.tan(np.clip(lean, -0.8, 0.8)), np.zeros(len(points))], 1)


def baseline(points: np.ndarray, stroke: np.ndarray) -> np.ndarray:
    """[N] the height of the line under each point: the running median of the nearest 15 feet in writing order."""
    low, high = feet(points, stroke)
    if not len(low):
        return np.full(len(points), float(points[:, 1].min()))
    wide = np.concatenate([np.full(7, np.nan), points[low, 1], np.full(7, np.nan)])
    middle = np.nanmedian(sliding_window_view(wide, 15), axis=1)
    return np.interp(np.arange(len(points)), low, middle)


def features(points: np.ndarray, stroke: np.ndarray, step: float) -> np.ndarray:
    """float32 [T, F] of even points [N, 2]; T - N frames stand for the moves of the raised pen."""
    floor = baseline(points, stroke)
    local = points - np.stack([np.zeros(len(points)), floor], 1)
    border = np.flatnonzero(stroke[1:] != stroke[:-1])
    jump = points[border + 1] - points[border]
    moves = np.clip(np.ceil(np.hypot(*jump.T)), 1, 4).astype(int)
    count = np.zeros(len(points), dtype=int)
    count[border] = moves
    place = np.arange(len(points)) + np.cumsum(count) - count
    total = len(points) + int(moves.sum())
    down = np.zeros(total, dtype=bool)
    down[place] = True
    spots = np.stack([np.interp(np.arange(total), place, points[:, axis]) for axis in (0, 1)], 1)
    level = np.interp(np.arange(total), place, local[:, 1])

    frame = np.zeros((total, SIZE), dtype=np.float32)
    starts, ends = np.ones(len(points), dtype=bool), np.ones(len(points), dtype=bool)
    starts[1:], ends[:-1] = stroke[1:] != stroke[:-1], stroke[1:] != stroke[:-1]
    frame[:, 0] = ~down
    frame[place[starts], 1] = 1
    frame[place[ends], 2] = 1
    owner = np.repeat(np.arange(len(border)), moves)
    frame[~down, 3:5] = np.arcsinh(jump[owner])
    frame[:, 5] = level - 0.5
    wide = around(spots, 12)
    frame[:, 6:8] = np.tanh(0.5 * (spots - wide.mean(1)))
    furthest = np.maximum.accumulate(np.where(down, spots[:, 0], -np.inf))
    before = np.concatenate([spots[:1, 0], furthest[:-1]])
    frame[:, 8] = np.tanh(0.5 * (spots[:, 0] - before))

    near = around(spots, 1)
    way = unit(near[:, 2] - near[:, 0])
    frame[:, 9:11] = way
    far = around(spots, 2)
    back, ahead = unit(far[:, 2] - far[:, 0]), unit(far[:, 4] - far[:, 2])
    frame[:, 11] = (back * ahead).sum(1)
    frame[:, 12] = back[:, 0] * ahead[:, 1] - back[:, 1] * ahead[:, 0]
    span = around(spots, 4)
    box = span.max(1) - span.min(1)
    frame[:, 13] = (box[:, 1] - box[:, 0]) / (box.sum(1) + EPSILON)
    chord = span[:, -1] - span[:, 0]
    frame[:, 14:16] = unit(chord)
    path = np.hypot(*np.moveaxis(np.diff(span, axis=1), 2, 0)).sum(1)
    frame[:, 16] = np.hypot(*chord.T) / (path + EPSILON)
    frame[:, 17:26] = picture(points, spots, step)
    return frame


def around(values: np.ndarray, reach: int) -> np.ndarray:
    """[T, 2 reach + 1, 2]: each point with its neighbours in time; the ends repeat."""
    wide = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return np.moveaxis(sliding_window_view(wide, 2 * reach + 1, axis=0), 2, 1)


def unit(way: np.ndarray) -> np.ndarray:
    """Vectors [T, 2] brought to length 1, those of no length to 0."""
    return way / (np.hypot(*way.T) + EPSILON)[:, None]


def picture(points: np.ndarray, spots: np.ndarray, step: float) -> np.ndarray:
    """[T, 9] how much ink lies in the 3 x 3 cells around each spot, whenever it was written."""
    cell = 0.5
    low = points.min(0) - 2.5 * cell
    size = np.ceil((points.max(0) - low) / cell).astype(int) + 4
    ink = splat((points - low) / cell, size) * (step / cell)
    grid = (np.clip(spots, points.min(0), points.max(0)) - low) / cell
    corner = np.floor(grid).astype(int)
    share = grid - corner
    ink = ink.reshape(size)
    out = []
    for right in (-1, 0, 1):
        for up in (-1, 0, 1):
            x, y = corner[:, 0] + right, corner[:, 1] + up
            lower = ink[x, y] * (1 - share[:, 0]) + ink[x + 1, y] * share[:, 0]
            upper = ink[x, y + 1] * (1 - share[:, 0]) + ink[x + 1, y + 1] * share[:, 0]
            out.append(lower * (1 - share[:, 1]) + upper * share[:, 1])
    return np.tanh(np.stack(out, 1))


def splat(grid: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Points [N, 2] in cells -> how much of them each of size[0] x size[1] cells holds, shared bilinearly."""
    corner = np.floor(grid).astype(int)
    share = grid - corner
    index, weight = [], []
    for right in (0, 1):
        for up in (0, 1):
            index.append((corner[:, 0] + right) * size[1] + corner[:, 1] + up)
            weight.append(np.abs(1 - right - share[:, 0]) * np.abs(1 - up - share[:, 1]))
    return np.bincount(np.concatenate(index), np.concatenate(weight), minlength=int(size.prod()))
