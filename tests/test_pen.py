"""Frames of pen strokes: the same for the same hand, whatever the device; finite for any ink at all."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from recognizer.errors import ConfigError, InputError
from recognizer.frontends.pen import Pen
from recognizer.ink import Ink

PEN = Pen()


def hand(letters: int = 8, lean: float = 0.0, slope: float = 0.0, rate: int = 40) -> Ink:
    """A line of loops, every third with an ascender, every fourth with a descender, and a dot after the fifth."""
    strokes = []
    for letter in range(letters):
        time = np.linspace(0, 2 * np.pi, rate * 2)
        tall = 2.2 if letter % 3 == 1 else 1.0
        deep = 1.1 if letter % 4 == 3 else 0.0
        y = np.where(np.cos(time) < 0, 0.5 - 0.5 * np.cos(time) * (2 * tall - 1), 0.5 - 0.5 * np.cos(time))
        y = y - deep * np.exp(-((time - 5.8) ** 2) * 8)
        strokes.append(np.stack([1.3 * letter + 0.4 * np.sin(time) + 0.08 * time, y], 1))
    strokes.insert(5, np.array([[5.0, 2.0]]))
    turn = np.array([[np.cos(slope), np.sin(slope)], [-np.sin(slope), np.cos(slope)]])
    return Ink(
        tuple(
            ((points + np.stack([lean * points[:, 1], 0 * points[:, 1]], 1)) @ turn * 100).astype(np.float32)
            for points in strokes
        )
    )


def moved(ink: Ink, scale: float, x: float, y: float) -> Ink:
    return Ink(tuple((points * scale + np.float32([x, y])).astype(np.float32) for points in ink.strokes))


def denser(ink: Ink, times: int) -> Ink:
    def one(points: np.ndarray) -> np.ndarray:
        at = np.linspace(0, len(points) - 1, (len(points) - 1) * times + 1)
        return np.stack([np.interp(at, np.arange(len(points)), points[:, axis]) for axis in (0, 1)], 1)

    return Ink(tuple(one(points).astype(np.float32) for points in ink.strokes))


def test_same_ink_same_frames() -> None:
    one, other = PEN.frames(hand()), Pen().frames(hand())
    assert one.shape[1] == PEN.size and one.equal(other)
    assert 6 * 8 < len(one) < 16 * 8


@pytest.mark.parametrize(("scale", "x", "y"), [(7.3, 0, 0), (1, 300, -70), (7.3, 1234, -777), (0.01, 0, 0)])
def test_size_and_place_do_not_matter(scale: float, x: float, y: float) -> None:
    np.testing.assert_allclose(PEN.frames(moved(hand(), scale, x, y)), PEN.frames(hand()), atol=1e-3)


@pytest.mark.parametrize("times", [2, 5])
def test_more_points_on_the_same_way_do_not_matter(times: int) -> None:
    np.testing.assert_allclose(PEN.frames(denser(hand(), times)), PEN.frames(hand()), atol=1e-3)


def test_another_rate_hardly_matters() -> None:
    slow, fast = PEN.frames(hand(rate=15)).numpy(), PEN.frames(hand(rate=80)).numpy()
    assert abs(len(slow) - len(fast)) <= 3
    distance = np.abs(slow[:, None] - fast[None]).mean(2).min(1)
    assert np.median(distance) < 0.06


@pytest.mark.parametrize(("lean", "slope"), [(0.5, 0.0), (-0.4, 0.0), (0.0, 0.15), (0.0, -0.15), (0.4, 0.1)])
def test_slant_and_slope_are_undone(lean: float, slope: float) -> None:
    def far(pen: Pen) -> float:
        straight, other = pen.frames(hand(16)).numpy(), pen.frames(hand(16, lean, slope)).numpy()
        return float(np.median(np.abs(straight[:, None] - other[None]).mean(2).min(0)))

    assert far(PEN) < 0.6 * far(Pen(level=False, deslant=False))


def test_a_slash_stays_one() -> None:
    def lean(strokes: list[list[list[float]]]) -> float:
        return float(PEN.frames(Ink(tuple(np.float32(stroke) for stroke in strokes)))[1, 7])

    assert lean([[[0, 0], [5, 10]]]) > 0.3 > abs(lean([[[0, 0], [0, 10]]]))


def test_pen_up_frames_carry_the_move() -> None:
    frames = PEN.frames(Ink((np.float32([[0, 0], [0, 10]]), np.float32([[9, 0], [9, 10]])))).numpy()
    up = frames[frames[:, 0] == 1]
    assert len(up) >= 1 and (up[:, 3] > 0).all() and (up[:, 4] < 0).all()
    assert frames[:, 1].sum() == frames[:, 2].sum() == 2
    assert not frames[frames[:, 0] == 0][:, 3:5].any()


def test_a_delayed_stroke_lies_to_the_left() -> None:
    bar = np.float32([[20, 150], [120, 150]])
    frames = PEN.frames(Ink((*hand().strokes, bar))).numpy()
    last = frames[np.flatnonzero(frames[:, 1])[-1] :]
    assert (last[:, 16] < -0.5).all()
    assert last[:, 19:].max() > 0  # and there is other ink around it


@pytest.mark.parametrize(
    "strokes",
    [
        [[[5, 5]]],
        [[[5, 5], [5, 5]]],
        [[[5, 5], [5, 5]], [[5, 5]]],
        [[[0, 0], [9, 0]]],
        [[[0, 0], [0, 1e-20]]],
        [[[0, 0]], [[1e29, -1e29]]],
        [[[1e-30, 0], [0, 1e-30]]],
        [[[0, 0], [1e20, 1e-20], [0, 0]]],
        [[[k % 2, 0] for k in range(50)]],
        [[[0, 0], [1, 1]], [[0, 0], [1e9, 0]]],
    ],
)
def test_odd_inks_give_finite_frames(strokes: list[list[list[float]]]) -> None:
    frames = PEN.frames(Ink(tuple(np.float32(stroke) for stroke in strokes)))
    assert len(frames) >= 1 and frames.isfinite().all() and frames.abs().max() < 2000


point = some.tuples(some.floats(-1e6, 1e6, width=32), some.floats(-1e6, 1e6, width=32))


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(some.lists(some.lists(point, min_size=1, max_size=12), min_size=1, max_size=6))
def test_any_ink_gives_finite_frames(strokes: list[list[tuple[float, float]]]) -> None:
    ink = Ink(tuple(np.array(stroke, dtype=np.float32) for stroke in strokes))
    frames = PEN.frames(ink)
    assert frames.shape[1] == PEN.size and len(frames) >= 1 and frames.isfinite().all()


@pytest.fixture
def file(tmp_path: Path) -> str:
    lines = [{"strokes": [points.tolist() for points in hand(count).strokes]} for count in (3, 6)]
    (tmp_path / "two.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return str(tmp_path / "two.jsonl")


def test_items_and_lengths(file: str) -> None:
    assert PEN.items(file) == [f"{file}#0", f"{file}#1"]
    for item in PEN.items(file):
        assert PEN.length(item) == len(PEN.frames(PEN.read(item)))


def test_parts_make_the_whole(file: str) -> None:
    whole = np.concatenate(PEN.read(f"{file}#1").strokes)
    cuts: list[Any] = [0, 30, 31, 200, None]
    parts = [PEN.read(f"{file}#1", start, end) for start, end in itertools.pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate([np.concatenate(part.strokes) for part in parts]), whole)
    with pytest.raises(InputError, match=r"two\.jsonl#1.*9000"):
        PEN.read(f"{file}#1", 9000, 9001)


def test_places_are_points_as_recorded(file: str) -> None:
    for item in PEN.items(file):
        whole = PEN.read(item)
        sizes = [len(points) for points in whole.strokes]
        frames = PEN.frames(whole)
        places = PEN.places(item, whole, len(frames))
        assert len(places) == len(frames) + 1 and (places[0], places[-1]) == (0, sum(sizes))
        assert (np.diff(places) >= 0).all()
        first = np.flatnonzero(frames[:, 1].numpy())  # of each stroke
        np.testing.assert_allclose(places[first], np.cumsum([0, *sizes[:-1]]), atol=1e-6)
        up = frames[:, 0].numpy() == 1  # between the last point of a stroke and the first of the next
        assert all(any(end - 1 < place < end for end in np.cumsum(sizes)) for place in places[:-1][up])
        part = PEN.read(item, 9.6, 20.2)
        assert sum(map(len, part.strokes)) == 10
        inner = PEN.places(item, part, len(PEN.frames(part)), 9.6, 20.2)
        assert (inner[0], inner[-1]) == (10, 20)
    assert sum(map(len, PEN.read(item, 7.2, 7.4).strokes)) == 1
    rest = Ink((np.concatenate([np.zeros((300, 2)), hand().strokes[0][1:]]).astype(np.float32),))
    places = PEN.places("", rest, len(PEN.frames(rest)))
    assert places[0] == 0 and places[1] >= 299 and places[-1] == len(rest.strokes[0])  # the pen rests first


def test_settings() -> None:
    assert PEN.config() == {"name": "pen", "step": 0.46, "level": True, "deslant": True}
    assert len(Pen(step=0.2).frames(hand())) > 1.5 * len(PEN.frames(hand()))
    bad: Any = (0, -1, 9, float("nan"))
    for step in bad:
        with pytest.raises(ConfigError, match="step"):
            Pen(step=step)
