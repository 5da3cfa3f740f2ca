"""Every written-out cell -> how far back its gradient reaches, before and after training, as a picture and a table.

    python benchmarks/gradients.py [--picture docs/gradients.png] [--output benchmarks/results/gradients.md]

The Jacobians of the state at the end with respect to the states before, by back-propagation: d y(T) / d y(t) over every
path but the memory that stands beside y(t), and d s(T) / d s(t), where the constant error flow of 1997 is seen. Their
spectral norm says by how much the end can answer to a change back then. The task is near to 2b of Hochreiter &
Schmidhuber 1997: X or Y, a hundred random symbols, and at the last of them to say which of the two it was.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import recognizer  # noqa: F401  # before torch: it says how threads wait

# isort: split
import torch
from origin import origin
from torch import Tensor, nn

from recognizer.layers.cell import Cell
from recognizer.layers.gru import GRU
from recognizer.layers.lstm import LSTM97, Forget, Peephole
from recognizer.layers.rnn import RNN

FRAMES, SYMBOLS, WIDTH = 101, 6, 16
"""A lag of 100 between the first and the last frame; symbols X, Y, a, b, c, d; units of each cell."""
LAGS = (1, 5, 10, 25, 50, 100)
"""The lags in the table."""


SIBLINGS: dict[str, Callable[[int, int], Cell]] = {
    "tanh RNN": RNN,
    "GRU": GRU,
    "LSTM, forget gates": Forget,
    "LSTM, peepholes": Peephole,
    "LSTM 1997": LSTM97,
    "LSTM 1997, truncated": partial(LSTM97, truncate=True),
}
COLOURS = dict(zip(SIBLINGS, ("#d1495b", "#e08e45", "#1f5f99", "#3f8f6b", "#1d2733", "#9a6fb0"), strict=True))


@dataclass
class Found:
    """Of one cell at one time: the norms at lags 0 to 100.

    Attributes:
        outputs: |d y(T) / d y(T - t)|.
        memories: |d s(T) / d s(T - t)|; of RNN and GRU, whose state is their output, the same as `outputs`.
    """

    outputs: list[float] = field(default_factory=list)
    memories: list[float] = field(default_factory=list)


def recall(rows: int, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """The task: one-hot symbols [B, T, 6], and which of X (0) and Y (1) came first [B]."""
    symbols = torch.randint(2, SYMBOLS, (rows, FRAMES), generator=chance)
    symbols[:, 0] = torch.randint(0, 2, (rows,), generator=chance)
    return nn.functional.one_hot(symbols, SYMBOLS).float(), symbols[:, 0]


def train(cell: Cell, steps: int, rows: int = 32, lr: float = 1e-2, seed: int = 2) -> tuple[int, float]:
    """Learn the task with a linear reading of y(T); sequences seen, and share of the latest 512 that were right.

    Adam, gradients cut at a norm of 1; it ends early once all of the latest 512 were right.
    """
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    reading = nn.Linear(WIDTH, 2)
    weights = [*cell.parameters(), *reading.parameters()]
    optimizer = torch.optim.Adam(weights, lr=lr)
    right: list[float] = []
    while len(right) < steps and (len(right) < 512 // rows or min(right[-512 // rows :]) < 1):
        frames, targets = recall(rows, chance)
        scores = reading(cell(frames)[0][:, -1])
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(scores, targets).backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        right.append(float((scores.argmax(1) == targets).float().mean()))
    latest = right[-512 // rows :]
    return len(right) * rows, sum(latest) / len(latest)


def jacobians(states: list[Tensor]) -> Tensor:
    """d last / d each, of states [B, W] that follow from each other: [T, B, W, W]; 0 where nothing reaches."""
    rows = []
    for unit in range(states[-1].shape[1]):
        found = torch.autograd.grad(states[-1][:, unit].sum(), states, retain_graph=True, allow_unused=True)
        rows.append(
            torch.stack(
                [torch.zeros_like(one) if back is None else back for one, back in zip(states, found, strict=True)]
            )
        )
    return torch.stack(rows, 2)


def flow(cell: Cell, frames: Tensor) -> Found:
    """The norms over lags 0, 1, ..., each the geometric mean over the rows; in double precision."""
    passed = cell.double().trace(frames.double())
    cell.float()
    found = []
    for part in range(cell.states):
        norms = torch.linalg.matrix_norm(jacobians([state[part] for state in passed]), ord=2)
        found.append(norms.log().mean(1).exp().flip(0).tolist())
    return Found(found[0], found[-1])


def measured(name: str, steps: int, rows: int = 8, seed: int = 1) -> tuple[Found, Found, int, float]:
    """Of one sibling: the flow at its beginning and after training, sequences learnt from, share of them right."""
    torch.set_num_threads(1)
    frames, _ = recall(rows, torch.Generator().manual_seed(seed))
    torch.manual_seed(seed)
    cell = SIBLINGS[name](SYMBOLS, WIDTH)
    before = flow(cell, frames)
    sequences, right = train(cell, steps)
    print(f"{name}: {sequences} sequences, {right:.1%} right", flush=True)
    return before, flow(cell, frames), sequences, right


def draw(answers: dict[str, tuple[Found, Found, int, float]], out: Path) -> None:
    """Four panels: outputs and memories, before and after."""
    import matplotlib
    from matplotlib import pyplot

    matplotlib.rcParams.update({"text.color": "#1d2733", "font.size": 10})
    figure, panels = pyplot.subplots(2, 2, figsize=(11, 8), sharex=True, sharey=True, layout="constrained")
    for column, when in enumerate(("at initialisation", "after training")):
        for row, (part, what) in enumerate(
            (("outputs", "outputs: |∂y(T) / ∂y(t)|"), ("memories", "memory: |∂s(T) / ∂s(t)|"))
        ):
            axes = panels[row, column]
            for name, answer in answers.items():
                norms = getattr(answer[column], part)
                places = [FRAMES - 1 - lag for lag, norm in enumerate(norms) if norm > 0]
                told = f"{name} ({answer[3]:.0%} right)" if column else name
                dashed = "--" if "truncated" in name else "-"
                values = [norm for norm in norms if norm > 0]
                axes.plot(places, values, dashed, color=COLOURS[name], linewidth=1.8, label=told)
            axes.set_title(f"{what}, {when}", loc="left", fontsize=11, fontweight="bold")
            axes.set_yscale("log")
            axes.set_ylim(1e-20, 1e4)
            axes.set_xlim(0, FRAMES - 1)
            axes.grid(color="#e3e8ee", linewidth=0.8)
            axes.spines[["top", "right"]].set_visible(False)
        panels[1, column].set_xlabel("frame t; the error starts at T = 100 and flows to the left")
        panels[1, column].legend(fontsize=8.5, loc="lower right", framealpha=0.9)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
    pyplot.close(figure)


def document(answers: dict[str, tuple[Found, Found, int, float]], workers: int) -> str:
    """The table with what is needed to make it again."""
    lines = [
        "# How far back a gradient reaches",
        "",
        *origin("torch", processes=workers),
        f"- {WIDTH} units, the first of {FRAMES} symbols to be told at the last; spectral norms, geometric mean of 8"
        " sequences, double precision",
        "- of RNN and GRU the state is the output, so both tables show the same; 0: cut off, by intent",
    ]
    for part, what in (("outputs", "Outputs: |dy(T) / dy(T - lag)|"), ("memories", "Memory: |ds(T) / ds(T - lag)|")):
        head = f"| cell | {' | '.join(f'lag {lag}' for lag in LAGS)} | sequences | right |"
        lines += ["", f"## {what}", "", head, "|" + "---|" * (head.count("|") - 1)]
        for name, (before, after, sequences, right) in answers.items():
            for when, found, seen in (("at first", before, " | "), ("trained", after, f"{sequences} | {right:.1%}")):
                norms = " | ".join(f"{getattr(found, part)[lag]:.2g}" for lag in LAGS)
                lines.append(f"| {name}, {when} | {norms} | {seen} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Train, measure, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, default=Path("docs/gradients.png"))
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/gradients.md"))
    parser.add_argument("--steps", type=int, default=300, help="training steps of each cell, 32 sequences a step")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    with ProcessPoolExecutor(options.workers) as pool:
        answers = dict(zip(SIBLINGS, pool.map(partial(measured, steps=options.steps), SIBLINGS), strict=True))
    draw(answers, options.picture)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(document(answers, options.workers), encoding="utf-8")
    print(options.output.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
