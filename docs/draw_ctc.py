"""A small matrix of probabilities -> docs/ctc.svg: the trellis of a word, with what forward-backward computes on it.

Run as: python docs/draw_ctc.py docs/ctc.svg
"""

from __future__ import annotations

import sys

import matplotlib
import numpy
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import FancyArrowPatch, Rectangle
from numpy.typing import NDArray

Matrix = NDArray[numpy.float64]

BLANK = 0
CHARACTERS = "–es"
"""Rows of the matrix; the dash stands for the blank."""
WORD = [2, 1, 1]
"""see: it needs four frames, because only a blank keeps the two e apart."""
PROBABILITIES: Matrix = numpy.array(
    [
        [0.70, 0.20, 0.15, 0.10, 0.55, 0.40, 0.10, 0.45, 0.85],
        [0.05, 0.05, 0.20, 0.80, 0.40, 0.50, 0.85, 0.50, 0.10],
        [0.25, 0.75, 0.65, 0.10, 0.05, 0.10, 0.05, 0.05, 0.05],
    ]
)
"""p(character | frame), [characters, frames]; every column adds up to 1."""

INK, PALE, BLUE, RED = "#1d2733", "#c9d1da", "#1f5f99", "#d1495b"
SHADES = LinearSegmentedColormap.from_list("shades", ["#ffffff", "#d6e6f4", "#6fa8d6", BLUE, "#0d3358"])


def states(labels: list[int]) -> list[int]:
    """The labels with a blank before, between and after them: the 2S + 1 rows of the trellis."""
    return [BLANK, *(symbol for label in labels for symbol in (label, BLANK))]


def sources(row: list[int], s: int) -> list[int]:
    """Where a path may come from into state s: itself, the one before, or over a blank between unlike labels."""
    skip = s >= 2 and row[s] != BLANK and row[s] != row[s - 2]
    return [s] + [s - 1] * (s >= 1) + [s - 2] * skip


def forward(probabilities: Matrix, row: list[int]) -> Matrix:
    """alpha [states, frames]: the summed probability of all beginnings of paths that stand in state s at frame t."""
    alpha = numpy.zeros((len(row), probabilities.shape[1]))
    alpha[:2, 0] = probabilities[row[:2], 0]
    for t in range(1, alpha.shape[1]):
        for s, symbol in enumerate(row):
            alpha[s, t] = probabilities[symbol, t] * sum(alpha[source, t - 1] for source in sources(row, s))
    return alpha


def backward(probabilities: Matrix, row: list[int]) -> Matrix:
    """beta [states, frames]: the summed probability of all that may still follow state s after frame t."""
    beta = numpy.zeros((len(row), probabilities.shape[1]))
    beta[-2:, -1] = 1.0
    for t in range(beta.shape[1] - 1, 0, -1):
        for s, symbol in enumerate(row):
            for source in sources(row, s):
                beta[source, t - 1] += probabilities[symbol, t] * beta[s, t]
    return beta


def best(probabilities: Matrix, row: list[int]) -> list[int]:
    """The states of the single most probable path (Viterbi)."""
    score = numpy.zeros((len(row), probabilities.shape[1]))
    score[:2, 0] = probabilities[row[:2], 0]
    came = numpy.zeros(score.shape, dtype=int)
    for t in range(1, score.shape[1]):
        for s, symbol in enumerate(row):
            came[s, t] = max(sources(row, s), key=lambda source: score[source, t - 1])
            score[s, t] = score[came[s, t], t - 1] * probabilities[symbol, t]
    path = [len(row) - 2 + int(score[-1, -1] > score[-2, -1])]
    for t in range(score.shape[1] - 1, 0, -1):
        path.append(int(came[path[-1], t]))
    return path[::-1]


def draw(out: str) -> None:
    """Both panels, to a file of the kind that its ending names."""
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "ctc", "text.color": INK})
    figure, (above, below) = pyplot.subplots(
        2, 1, figsize=(9.6, 8.4), height_ratios=[3, 8.2], layout=ConstrainedLayoutEngine(hspace=0.06), facecolor="white"
    )
    heat(above)
    trellis(below)
    figure.savefig(out, dpi=110, metadata={"Date": None} if out.endswith("svg") else None)
    pyplot.close(figure)


def heat(axes: Axes) -> None:
    """The network's matrix, every column's greatest value framed."""
    for (k, t), value in numpy.ndenumerate(PROBABILITIES):
        axes.add_patch(Rectangle((t - 0.47, k - 0.45), 0.94, 0.9, facecolor=SHADES(value * 0.9), edgecolor="none"))
        colour = "white" if value > 0.6 else INK
        axes.text(t, k, f"{value:.2f}".lstrip("0"), ha="center", va="center", fontsize=11, color=colour)
    for t, k in enumerate(PROBABILITIES.argmax(0)):
        axes.add_patch(Rectangle((t - 0.47, k - 0.45), 0.94, 0.9, fill=False, edgecolor=RED, linewidth=2))
    heading(axes, "What the network says of each frame; the greatest value is framed")
    frame(axes, list(CHARACTERS), above=0.62)


def trellis(axes: Axes) -> None:
    """Every state that a path of the word can stand in; shade and width are what share of all paths passes there."""
    row = states(WORD)
    alpha, beta = forward(PROBABILITIES, row), backward(PROBABILITIES, row)
    total = float(alpha[-2:, -1].sum())
    path = best(PROBABILITIES, row)
    for t in range(1, alpha.shape[1]):
        for s, symbol in enumerate(row):
            for source in sources(row, s):
                share = alpha[source, t - 1] * PROBABILITIES[symbol, t] * beta[s, t] / total
                if share > 0:
                    on = path[t - 1] == source and path[t] == s
                    arrow(axes, (t - 1, source), (t, s), share, RED if on else BLUE)
    for (s, t), share in numpy.ndenumerate(alpha * beta / total):
        live = share > 0
        axes.scatter(
            t,
            s,
            s=560,
            color=SHADES(0.9 * share**0.7) if live else "white",
            edgecolors=(RED if path[t] == s else BLUE) if live else PALE,
            linewidths=2 if live and path[t] == s else 1 if live else 0.8,
            zorder=3,
        )
        if share >= 0.005:
            colour = "white" if share > 0.5 else INK
            axes.text(t, s, f"{100 * share:.0f}", ha="center", va="center", fontsize=10, zorder=4, color=colour)
    alone = float(numpy.prod([PROBABILITIES[row[s], t] for t, s in enumerate(path)]))
    count = round(float(forward(numpy.ones_like(PROBABILITIES), row)[-2:, -1].sum()))
    word = "".join(CHARACTERS[label] for label in WORD)
    heading(axes, f"All {count} ways to spell “{word}” in {alpha.shape[1]} frames; numbers: per cent that pass there")
    written = " ".join(CHARACTERS[row[s]] for s in path)
    single = f"best single path (red)   {written}   p = {alone:.4f}"
    every = f"all paths together   p = {total:.4f},  loss = −ln p = {-numpy.log(total):.3f}"
    axes.set_xlabel(f"{single}          {every}", fontsize=11, labelpad=10, color=INK)
    frame(axes, [CHARACTERS[symbol] for symbol in row], above=0.55)


def heading(axes: Axes, text: str) -> None:
    """What a panel shows, above it on the left."""
    axes.set_title(text, loc="left", fontsize=12.5, fontweight="bold", pad=10)


def arrow(axes: Axes, start: tuple[int, int], end: tuple[int, int], share: float, colour: str) -> None:
    """One step of the trellis, the wider the more probability it carries."""
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-",
            shrinkA=12,
            shrinkB=12,
            linewidth=0.7 + 4.5 * share,
            color=colour,
            alpha=min(1.0, 0.25 + share),
            zorder=2,
        )
    )


def frame(axes: Axes, names: list[str], above: float) -> None:
    """Rows named on the left, frames counted below, nothing else."""
    axes.set_xlim(-0.6, PROBABILITIES.shape[1] - 0.4)
    axes.set_ylim(len(names) - 1 + above, -above)
    axes.set_yticks(range(len(names)), names, fontsize=13)
    axes.set_xticks(range(PROBABILITIES.shape[1]), [str(t + 1) for t in range(PROBABILITIES.shape[1])], fontsize=10)
    axes.tick_params(length=0, colors=INK)
    axes.spines[:].set_visible(False)


if __name__ == "__main__":
    draw(sys.argv[1])
