"""Checkpoints and manifests -> how often words and texts are right that the model is so and so sure of: table and plot.

    python benchmarks/confidence.py NAME=CHECKPOINT:MANIFEST... [--greedy NAME...]

People (texts, where none are named) are drawn into two halves, the calibration is fitted to the greedy reading of one
half and judged on the other, and the other way round; all figures are means over `--splits` such draws. What a model
with a language model of its own usually reads is judged by a curve of that reading, as `recognizer.calibrate` makes it.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import recognizer  # noqa: F401  # before torch: it says how threads wait

# isort: split
import matplotlib
import numpy as np
import torch
from origin import origin, table

from recognizer import Recognizer, manifest, reading
from recognizer.calibration import BINS, Calibration, curve, error, fitted, reliability
from recognizer.decoders import Beam, Decoder
from recognizer.errors import RecognizerError
from recognizer.manifest import Utterance
from recognizer.metrics import hits

matplotlib.use("Agg")
from matplotlib import pyplot

USUAL = "usual"
HEAD = "| set | reading | of | number | right % | | ECE of a half | if it were perfect | ECE of both | Brier | AUC |"


class Answers(NamedTuple):
    """What was read, one entry for each word or text."""

    raw: np.ndarray  # confidence before any calibration
    mean: np.ndarray  # geometric mean over the characters
    right: np.ndarray  # 1 or 0
    person: np.ndarray  # number of the speaker or writer


class Row(NamedTuple):
    """One line of the table, and what the plot draws."""

    text: str
    name: str
    raw: np.ndarray
    judged: np.ndarray
    right: np.ndarray


class Replay:
    """The network's answers, batch by batch: computed for the first decoder, given again to the others."""

    def __init__(self, model: Recognizer) -> None:
        self.network, self.place = model.infer, 0
        self.answers: list[tuple[torch.Tensor, torch.Tensor]] = []
        model.infer = self  # type: ignore[assignment]

    def __call__(self, rows: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        if self.place == len(self.answers):
            self.answers.append(self.network(rows))
        self.place += 1
        return self.answers[self.place - 1]


def main() -> int:
    """Measure every pair with every decoder, write the table and draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="NAME=CHECKPOINT:MANIFEST")
    parser.add_argument("--greedy", nargs="*", default=[], metavar="NAME", help="sets that no beam reads")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/confidence"), help="without .md, .png")
    options = parser.parse_args()
    rows = list[Row]()
    for pair in options.pairs:
        name, _, rest = pair.partition("=")
        checkpoint, _, table = rest.rpartition(":")
        model, utterances = Recognizer.load(checkpoint), manifest.read(Path(table))
        readers: dict[str, tuple[reading.Model, Decoder]] = {"greedy": (model, model.greedy)}
        if name not in options.greedy:
            readers["beam"] = model, Beam(model.alphabet, nbest=reading.READINGS)
        if model.advice:
            readers[USUAL] = model.usual
        first: tuple[Answers, Answers] | None = None
        replay = Replay(model)
        for kind, (reader, decoder) in readers.items():
            replay.place = 0
            found = read(reader, utterances, decoder)
            first = first or found
            fits = found if kind == USUAL else first
            for of, fit, answers in zip(("words", "texts"), fits, found, strict=True):
                rows += measured((name, kind, of), fit, answers, options.splits)
                print(rows[-1].text, flush=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.with_suffix(".md").write_text(document(rows, options), encoding="utf-8")
    draw([row for row in rows if row.name], options.output.with_suffix(".png"))
    return 0


def read(model: reading.Model, utterances: list[Utterance], decoder: Decoder) -> tuple[Answers, Answers]:
    """Words and texts with their raw confidences."""
    model.calibration = Calibration()
    people: dict[str, int] = {}
    words, texts = list[tuple[float, ...]](), list[tuple[float, ...]]()
    answers = reading.transcripts(model, utterances, decoder, 24_000)
    for place, (utterance, answer) in enumerate(zip(utterances, answers, strict=True)):
        if isinstance(answer, RecognizerError):
            raise answer
        person = people.setdefault(utterance.speaker or f"text {place}", len(people))
        reference = model.alphabet.normalise(utterance.text or "")
        right = hits(reference, [word.text for word in answer.words])
        inner = [[mark.confidence for mark in word.characters] for word in answer.words]
        for word, hit, sure in zip(answer.words, right, inner, strict=True):
            words.append((word.confidence, mean(sure), hit, person))
        whole = " ".join(reference.split()) == answer.text
        texts.append((answer.confidence, mean(list(itertools.chain(*inner))), whole, person))
    return Answers(*np.array(words).T), Answers(*np.array(texts).T)


def mean(confidences: list[float]) -> float:
    """The geometric mean."""
    return math.exp(sum(math.log(max(1e-12, one)) for one in confidences) / max(1, len(confidences)))


def measured(title: tuple[str, str, str], fit: Answers, answers: Answers, splits: int) -> list[Row]:
    """Rows for the raw confidences and for those that a curve makes of them, fitted to the other half of `fit`."""
    chance = np.random.default_rng(0)
    people = np.unique(answers.person)
    draws = [chance.permutation(people)[: len(people) // 2] for _ in range(splits)]
    sides = [np.isin(answers.person, draw) for draw in draws]
    raised = [np.empty(len(answers.raw)) for _ in draws]
    for draw, side, judged in zip(draws, sides, raised, strict=True):
        for half in (True, False):
            learnt = np.isin(fit.person, draw) == half
            judged[side != half] = curve(fitted(fit.raw[learnt], fit.right[learnt]), answers.raw[side != half])
    head = *title, str(len(answers.right)), f"{100 * answers.right.mean():.1f}"
    rows = []
    for kind, sure in (("geometric mean", answers.mean), ("raw", answers.raw), ("**calibrated**", None)):
        drawn = raised if sure is None else [sure] * splits
        name = ", ".join(title) if sure is None else ""
        text = line((*head, kind), drawn, answers.right, sides, chance)
        rows.append(Row(text, name, answers.raw, drawn[0], answers.right))
    return rows


def line(
    title: tuple[str, ...],
    drawn: list[np.ndarray],
    right: np.ndarray,
    sides: list[np.ndarray],
    chance: np.random.Generator,
) -> str:
    """One row of the table: the means over all draws."""
    halves, perfect, whole, brier, areas = [], [], [], [], []
    for sure, side in zip(drawn, sides, strict=True):
        for half in (side, ~side):
            halves.append(error(sure[half], right[half]))
            perfect.append(error(sure[half], chance.random(half.sum()) < sure[half]))
        whole.append(error(sure, right))
        brier.append(np.square(sure - right).mean())
        areas.append(area(sure, right))
    figures = " | ".join(f"{np.mean(values):.3f}" for values in (halves, perfect, whole, brier, areas))
    return f"| {' | '.join(title)} | {figures} |"


def area(sure: np.ndarray, right: np.ndarray) -> float:
    """How often something right is surer than something wrong, ties counting half: the area under the ROC curve."""
    good, bad = np.sort(sure[right > 0]), sure[right == 0]
    if not len(good) or not len(bad):
        return math.nan
    above = len(good) - (np.searchsorted(good, bad, "left") + np.searchsorted(good, bad, "right")) / 2
    return float(above.mean() / len(good))


def draw(rows: list[Row], path: Path) -> None:
    """The reliability plots: a circle's area is the number of answers in its stretch."""
    across = 4
    down = -(-len(rows) // across)
    figure, axes = pyplot.subplots(down, across, figsize=(3.2 * across, 3.4 * down), squeeze=False)
    for axis in axes.flat[len(rows) :]:
        axis.axis("off")
    for axis, row in zip(axes.flat, rows, strict=False):
        axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        for sure, colour, label in ((row.raw, "tab:orange", "raw"), (row.judged, "tab:blue", "calibrated")):
            points = reliability(sure, row.right)
            x, y, count = (np.array(column) for column in zip(*points, strict=True))
            axis.plot(x, y, color=colour, linewidth=1)
            label = f"{label}, ECE {error(sure, row.right):.3f}"
            axis.scatter(x, y, 8 + 250 * count / len(row.right), color=colour, alpha=0.6, label=label)
        axis.set(title=row.name, xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share that is right")
        axis.title.set_fontsize(10)
        axis.legend(loc="upper left", fontsize=7, markerscale=0.5)
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def document(rows: list[Row], options: argparse.Namespace) -> str:
    """The table with what is needed to make it again."""
    lines = [
        "# Confidence of words and texts",
        "",
        *origin("torch", processes=os.cpu_count() or 1),
        f"- means over {options.splits} draws of people (texts, where no people are named) into two halves: the curve"
        " is fitted to the *greedy* reading of one half and judged on the other, both ways; *usual*: as the model is"
        " read if nothing else is said, with its language model (speech: by phones), the curve fitted to that reading",
        f"- ECE: expected calibration error (Guo et al. 2017), {BINS} bins; *of a half*: that of one half; *of both*:"
        " of the two halves together, each judged by the other's curve; *if it were perfect*: what chance alone gives"
        " in a half where every confidence is the true probability",
        "- Brier: mean squared difference of confidence and 1 (right) or 0; AUC: how often something right is surer"
        " than something wrong",
        "- *texts*: the whole text, right word for word; *geometric mean*: over the characters, which was the"
        f" confidence before; *raw*: before the curve; the beams give {reading.READINGS} readings",
        "",
        f"![Reliability]({options.output.name}.png)",
        "",
        "In the plot, the first draw.",
        "",
        *table(HEAD, (row.text for row in rows)),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
