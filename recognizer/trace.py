"""Strokes -> a trace: points of even spacing, level and upright, in core heights.

N points [N, 2], each with the number of its stroke [N], in order. A core height is about the height of an x.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

CLOSE = 0.15
"""Core heights between the points that are smoothed, turned and sheared."""


def normal(strokes: Sequence[np.ndarray], level: bool = True, deslant: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Strokes [n, 2] in any unit -> points [N, 2] in core heights, smooth, level, upright, and their strokes [N]."""
    points, stroke = joined(strokes)
    points, stroke = even(points / core(points, stroke), stroke, CLOSE)
    points = smooth(points, stroke)
    if level:
        points = levelled(points, stroke)
    for _ in range(2 if deslant else 0):
        points = upright(points, stroke)
    return points / core(points, stroke), stroke


def joined(strokes: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All points [N, 2] in one array that begins at 0, 0, and their stroke numbers [N]."""
    points = np.concatenate(strokes).astype(np.float64)
    return points - points[0], np.repeat(np.arange(len(strokes)), [len(points) for points in strokes])


def swings(points: np.ndarray, stroke: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last index of each run of points in one stroke that goes only up, or only down.

    Level is also what rises so little that it may be a rounding error.
    """
    inside = stroke[1:] == stroke[:-1]
    rise = np.where(inside, points[1:, 1] - points[:-1, 1], 0.0)
    moving = np.flatnonzero(np.abs(rise) > 1e-4 * np.abs(rise).max(initial=0.0))
    up = rise[moving] > 0
    fresh = np.ones(len(moving), dtype=bool)
    fresh[1:] = (up[1:] != up[:-1]) | (stroke[moving[1:]] != stroke[moving[:-1]])
    first = moving[fresh]
    last = moving[np.append(np.flatnonzero(fresh)[1:] - 1, len(moving) - 1)] + 1 if len(moving) else first
    return first, last


def core(points: np.ndarray, stroke: np.ndarray) -> float:
    """The core height: 3/4 of the geometric mean of all swings, weighed by their size, so that tremor hardly counts.

    On real lines this varied least, against the ink that a letter takes, of the means and quantiles that were tried.
    Never 0: ink without swings (a dot, a dash) counts as if its width were the height, and no ink is more than 1000
    core heights wide, whatever line is drawn through it.
    """
    first, last = swings(points, stroke)
    size = np.abs(points[last] - points[first])
    size = np.maximum(size[:, 1], 0.5 * size[:, 0])
    widest = float((points.max(0) - points.min(0)).max())
    if not size.sum() > 1e-3 * widest:
        return widest if widest > 0 else 1.0
    size = size[size > 0]
    return max(0.75 * float(np.exp((size * np.log(size)).sum() / size.sum())), 1e-3 * widest)


def even(points: np.ndarray, stroke: np.ndarray, step: float, fine: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The strokes in equal pieces of about `step` along their arc, `fine` points each, ends kept."""
    arc, at, number = _paced(points, stroke, step, fine)
    out = np.empty((len(at), 2))
    out[:, 0], out[:, 1] = np.interp(at, arc, points[:, 0]), np.interp(at, arc, points[:, 1])
    return out, number


def origins(points: np.ndarray, stroke: np.ndarray, step: float, fine: int = 1) -> np.ndarray:
    """Where among the points those stand that `even` makes of them: a number with a fraction for each."""
    arc, at, _ = _paced(points, stroke, step, fine)
    return np.interp(at, arc, np.arange(len(points)))


def _paced(points: np.ndarray, stroke: np.ndarray, step: float, fine: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far along all strokes the points [N] lie, and those that `even` makes [M]; the strokes [M] of the latter."""
    way = points[1:] - points[:-1]
    inside = stroke[1:] == stroke[:-1]
    arc = np.zeros(len(points))
    np.cumsum(np.where(inside, np.hypot(way[:, 0], way[:, 1]), 1.0), out=arc[1:])
    border = np.flatnonzero(~inside)
    begin, finish = np.append(0, border + 1), np.append(border, len(points) - 1)
    length = arc[finish] - arc[begin]
    pieces = fine * np.where(length > 1e-6, np.maximum(1, np.rint(length / step)), 0).astype(int)
    number = np.repeat(np.arange(len(begin)), pieces + 1)
    within = np.arange(len(number)) - (np.cumsum(pieces + 1) - pieces - 1)[number]
    return arc, arc[begin][number] + (length / np.maximum(pieces, 1))[number] * within, number


def smooth(points: np.ndarray, stroke: np.ndarray) -> np.ndarray:
    """Twice the binomial filter 1 2 1 along each stroke, ends kept: takes the stairs of coarse devices away."""
    inner = 1 + np.flatnonzero(stroke[2:] == stroke[:-2])
    points = points.copy()
    for _ in range(2):
        points[inner] = 0.5 * points[inner] + 0.25 * (points[inner - 1] + points[inner + 1])
    return points


def levelled(points: np.ndarray, stroke: np.ndarray) -> np.ndarray:
    """Turned by the median slope between feet (or between tops) 2 to 12 core heights apart, at most 20 degrees.

    Pairs of near ends follow each line of several, and a median outvotes descenders and capitals. A level pair is
    thrown in, so that a single letter is not turned.
    """
    slopes, weights = [np.zeros(1)], [np.full(1, 10.0)]
    for ends in feet(points, stroke):
        spots = points[ends]
        pairs = np.arange(len(spots))[:, None] + np.arange(1, 11)
        one, other = np.nonzero(pairs < len(spots))
        way = spots[pairs[one, other]] - spots[one]
        far = np.abs(way[:, 0])
        good = (far > 2) & (far < 12) & (np.abs(way[:, 1]) < 0.6 * far)
        slopes.append(way[good, 1] / way[good, 0])
        weights.append(far[good])
    slope, weight = np.concatenate(slopes), np.concatenate(weights)
    order = np.argsort(slope, kind="stable")
    total = np.cumsum(weight[order])
    middle = np.interp(0.5 * total[-1], total - 0.5 * weight[order], slope[order])
    angle = np.clip(np.arctan(middle), -0.35, 0.35)
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, -sin], [sin, cos]])


def feet(points: np.ndarray, stroke: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the lower and of the upper ends of all swings of at least half a core height."""
    first, last = swings(points, stroke)
    way = points[last, 1] - points[first, 1]
    large = np.abs(way) > 0.5
    low, high = np.where(way < 0, last, first)[large], np.where(way < 0, first, last)[large]
    return np.unique(low), np.unique(high)


def upright(points: np.ndarray, stroke: np.ndarray) -> np.ndarray:
    """Sheared by the mean lean of all steep pieces, weighed by their height, at most 39 degrees.

    The fewer there are, the less: a slash alone must stay one.
    """
    way = (points[1:] - points[:-1])[stroke[1:] == stroke[:-1]]
    way = way[np.abs(way[:, 0]) < 1.2 * np.abs(way[:, 1])]
    weight = np.abs(way[:, 1])
    lean = (np.arctan(way[:, 0] / way[:, 1]) * weight).sum() / (weight.sum() + 8.0)
    sheared = points.copy()
    sheared[:, 0] -= np.tan(np.clip(lean, -0.68, 0.68)) * points[:, 1]
    return sheared


def baseline(points: np.ndarray, stroke: np.ndarray) -> np.ndarray:
    """[N] the line under each point: the running median of the 15 nearest feet, in the order of writing."""
    low, _ = feet(points, stroke)
    if not len(low):
        return np.full(len(points), points[:, 1].min())
    reach = min(7, (len(low) - 1) // 2)
    windows = sliding_window_view(points[low, 1], 2 * reach + 1)
    middle = np.partition(windows, reach, axis=1)[:, reach]
    return np.interp(np.arange(len(points)), low[reach : len(low) - reach], middle)
