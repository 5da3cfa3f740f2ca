"""Three papers -> docs/lstm.svg: one memory cell, each part in the colour of the paper that added it.

Run as: python docs/draw_lstm.py docs/lstm.svg
"""

from __future__ import annotations

import itertools
import sys

import matplotlib
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

Point = tuple[float, float]

INK, BLUE, GREEN, PALE = "#1d2733", "#1f5f99", "#2f8f63", "#f3f6f9"
"""1997, forget gates, peepholes, the cell's ground."""
LINE = 3.0
"""The height at which the signal runs from left to right."""
PLACES: dict[str, Point] = {
    "g": (2.6, LINE),
    "write": (4.4, LINE),
    "s": (6.6, LINE),
    "h": (8.8, LINE),
    "read": (10.6, LINE),
    "keep": (6.6, 4.75),
    "y_in": (4.4, 1.05),
    "y_out": (10.6, 1.05),
    "y_forget": (6.6, 6.35),
}
RADII = {"write": 0.27, "read": 0.27, "keep": 0.27, "s": 0.52}
"""Of the circles that are not of the common size."""
UNIT = 57.6
"""Points of one unit of the picture."""


def draw(out: str) -> None:
    """The picture, to a file of the kind that its ending names."""
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lstm", "text.color": INK})
    figure, axes = pyplot.subplots(figsize=(10.4, 7.2), facecolor="white")
    axes.set_xlim(0, 13)
    axes.set_ylim(-1.75, 7.25)
    axes.set_aspect("equal")
    axes.axis("off")
    ground = FancyBboxPatch(
        (1.6, 0.25), 9.9, 6.85, "round,pad=0,rounding_size=0.3", facecolor=PALE, edgecolor="#d5dce4"
    )
    axes.add_patch(ground)
    wires(axes)
    nodes(axes)
    words(axes)
    figure.subplots_adjust(0, 0, 1, 1)
    figure.savefig(out, dpi=110, metadata={"Date": None} if out.endswith("svg") else None)
    pyplot.close(figure)


def wires(axes: Axes) -> None:
    """What leads where."""
    main = [(0.95, LINE), *(PLACES[name] for name in ("g", "write", "s", "h", "read")), (12.2, LINE)]
    for start, end in itertools.pairwise(main):
        wire(axes, start, end)
    for gate, gated in (("y_in", "write"), ("y_out", "read")):
        wire(axes, PLACES[gate], PLACES[gated])
        x, y = PLACES[gate]
        wire(axes, (x, y - 1.45), (x, y))
    wire(axes, PLACES["s"], PLACES["keep"], bend=0.55)
    wire(axes, PLACES["keep"], PLACES["s"], bend=0.55)
    wire(axes, PLACES["y_forget"], PLACES["keep"], BLUE)
    wire(axes, (4.15, 6.35), PLACES["y_forget"], BLUE)
    wire(axes, PLACES["s"], PLACES["y_in"], GREEN, bend=-0.2, dashed=True)
    wire(axes, PLACES["s"], PLACES["y_out"], GREEN, bend=0.2, dashed=True)
    wire(axes, PLACES["s"], PLACES["y_forget"], GREEN, bend=0.62, dashed=True)


def wire(axes: Axes, start: Point, end: Point, colour: str = INK, bend: float = 0.0, dashed: bool = False) -> None:
    """An arrow from one place to another; bent to the right of its way by `bend` of its length."""
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=13,
            shrinkA=edge(start) + 1,
            shrinkB=edge(end) + 3,
            connectionstyle=f"arc3,rad={bend}",
            linewidth=1.7,
            linestyle=(0, (4, 2.5)) if dashed else "-",
            color=colour,
            zorder=2,
        )
    )


def edge(place: Point) -> float:
    """How far from a place its circle ends, in points; 0 where there is none."""
    return next((UNIT * RADII.get(name, 0.42) for name, there in PLACES.items() if there == place), 0.0)


def nodes(axes: Axes) -> None:
    """Squashing functions and gates round, products small, the memory in the middle."""
    for name, colour, label in (
        ("g", INK, "g"),
        ("h", INK, "h"),
        ("y_in", INK, "f"),
        ("y_out", INK, "f"),
        ("y_forget", BLUE, "f"),
        ("write", INK, "×"),
        ("read", INK, "×"),
        ("keep", BLUE, "×"),
        ("s", INK, "s"),
    ):
        product = label == "×"
        face = "white" if name != "s" else "#fdf3d8"
        axes.add_patch(
            Circle(PLACES[name], RADII.get(name, 0.42), facecolor=face, edgecolor=colour, linewidth=1.9, zorder=3)
        )
        size = 15 if product else 17
        style = "normal" if product else "italic"
        x, y = PLACES[name]
        axes.text(x, y - 0.02, label, ha="center", va="center", fontsize=size, style=style, color=colour, zorder=4)


def words(axes: Axes) -> None:
    """Names of the signals, and which paper each colour stands for."""
    for x, y, text, colour, side in (
        (0.8, LINE + 0.35, "x(t), y(t−1)", INK, "center"),
        (4.4, -0.62, "x(t), y(t−1)", INK, "center"),
        (10.6, -0.62, "x(t), y(t−1)", INK, "center"),
        (3.35, 6.35, "x(t), y(t−1)", BLUE, "center"),
        (12.5, LINE, "y(t)", INK, "center"),
        (4.0, 1.75, "input gate", INK, "right"),
        (10.2, 1.75, "output gate", INK, "right"),
        (6.0, 6.75, "forget gate", BLUE, "right"),
        (5.55, 4.72, "1.0 in 1997", INK, "right"),
        (5.95, 1.45, "s(t−1)", GREEN, "center"),
        (7.9, 1.2, "s(t)", GREEN, "center"),
        (7.85, 4.75, "s(t−1)", GREEN, "left"),
        (6.75, 2.2, "memory", INK, "center"),
    ):
        axes.text(x, y, text, ha=side, va="center", fontsize=11.5, color=colour, zorder=5)
    for x, text, colour in (
        (1.6, "1997: a memory of weight 1, two gates", INK),
        (6.6, "2000: forget gates", BLUE),
        (9.0, "2000, 2002: peepholes", GREEN),
    ):
        axes.text(x, -1.4, text, ha="left", va="center", fontsize=11.5, color=colour, fontweight="bold")


if __name__ == "__main__":
    draw(sys.argv[1])
