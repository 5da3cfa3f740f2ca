"""What is known of a packed model -> the measured part of its card, in Markdown, below what people say of it."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from recognizer import manifest
from recognizer.errors import CheckpointError, ConfigError
from recognizer.frontends import Frontend
from recognizer.metrics import Counts

BITS = {16: "In half precision", 8: "With matrices in eight bits"}
MARK = "<!-- below: measured and written by python -m recognizer.release -->"
SHOWN = 12
"""Epochs of the log that a card shows, about evenly spread, the last among them."""
TOLD = ("train", "val", "weights", "batch_frames", "augment", "vary", "noise", "room", "lower", "nothing")
"""Settings of the data that a card shows, where they are kept and say something."""


@dataclasses.dataclass(frozen=True)
class Page:
    """A card: where it lies, and what people say in it."""

    path: Path
    said: str


@dataclasses.dataclass(frozen=True)
class Row:
    """How well a validation manifest is read: greedily by the checkpoint and as packed, and with the language model."""

    name: str
    texts: int
    people: int
    differ: int
    before: Counts
    after: Counts
    fused: Counts | None

    def __str__(self) -> str:
        shown = f"{self.name}: {self.texts} texts, greedy WER {self.after.wer:.2%} CER {self.after.cer:.2%}"
        shown += f" ({self.differ} texts differ, CER before {self.before.cer:.2%})"
        return shown + (
            f", with the language model WER {self.fused.wer:.2%} CER {self.fused.cer:.2%}" if self.fused else ""
        )


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run keeps of itself: epochs and steps done, its seed and how it was begun, error rates by epoch."""

    epochs: int | None
    steps: int | None
    seed: str | None
    begun: str | None
    settings: Mapping[str, Any]
    log: Sequence[Sequence[str]]
    day: str
    blended: Sequence[str]


def opened(path: Path) -> Page:
    """The card at `path`, what was measured before left out.

    Raises:
        CheckpointError: there is none, or it has no mark.
    """
    try:
        said, mark, _ = path.read_text(encoding="utf-8").partition(MARK)
    except OSError as error:
        what = f"there is no model card ({error.strerror})"
        raise CheckpointError(
            path, what, f"say there whose data it learnt from, licences, limits; then: {MARK}"
        ) from error
    if not mark:
        raise CheckpointError(path, "does not say where the measured part begins", f"end it with the line {MARK}")
    return Page(path, said)


def short(table: str) -> str:
    """`corpora/an4/val.tsv` -> `an4/val.tsv`: where a corpus lies is its user's matter."""
    return "/".join(Path(table).parts[-2:])


def learnt(whole: Mapping[str, Any], tables: Sequence[str] | None, frontend: Frontend[Any]) -> list[list[str]]:
    """A row for each training manifest: its name, how many texts and people, and hours, where time is what passes.

    Raises:
        ConfigError: it is not known which.
        RecognizerError: one cannot be read.
    """
    known = whole.get("datamodule_hyper_parameters", {}).get("train")
    named = tables or ([known] if isinstance(known, str) else known)
    if not named:
        raise ConfigError("--train", "the checkpoint does not say what it learnt from", "name the manifests")
    rows = []
    for table in named:
        utterances = manifest.read(table)
        people = len({utterance.speaker for utterance in utterances} - {None})
        hours = ""
        if frontend.unit == "seconds":
            frames = sum(frontend.length(one.path, one.start, one.end) for one in utterances)
            hours = f"{frames * frontend.step / 3600:.2f}"
        rows.append([short(table), f"{len(utterances):,}", str(people or ""), hours])
    return rows


def run(checkpoint: Path, whole: Mapping[str, Any]) -> Run:
    """What the checkpoint, and the run's folder above it, if it is still there, tell of the training."""
    folder = checkpoint.absolute().parent.parent
    config = whole.get("config") or (_text(folder / "config.yaml"))
    seed, begun = (re.search(rf"^{key}: (.+)$", config, re.MULTILINE) for key in ("seed", "from"))
    data = whole.get("datamodule_hyper_parameters", {})
    told = {key: data[key] for key in TOLD if data.get(key)}
    for key in ("train", "val"):
        if key in told:
            named = [told[key]] if isinstance(told[key], str) else told[key]
            told[key] = [short(table) for table in named]
    settings = {key: value for key, value in whole["hyper_parameters"].items() if key[0] != "_" and key != "alphabet"}
    epoch = whole.get("epoch")
    day = datetime.date.fromtimestamp(checkpoint.stat().st_mtime).isoformat()
    return Run(
        None if epoch is None else epoch + 1,
        whole.get("global_step"),
        seed[1] if seed else None,
        None if begun is None or begun[1] == "null" else begun[1],
        {"data": told, "model": settings},
        _log(_text(folder / "metrics.csv")),
        day,
        whole.get("blended", ()),
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _log(text: str) -> list[list[str]]:
    """Epoch, training loss, validation CER and WER in percent, for some of the epochs."""
    found: dict[str, dict[str, str]] = {}
    for row in csv.DictReader(text.splitlines()):
        found.setdefault(row["epoch"], {}).update({key: value for key, value in row.items() if value})
    rows = [
        [str(int(epoch) + 1), f"{float(row['train_loss_epoch']):.3f}" if "train_loss_epoch" in row else "",
         *(f"{100 * float(row[key]):.2f}" for key in ("val_cer", "val_wer"))]
        for epoch, row in found.items() if epoch and "val_cer" in row and "val_wer" in row
    ]  # fmt: skip
    each = -(-len(rows) // SHOWN) or 1
    return rows[::-1][::each][::-1]


def written(
    page: Page, rows: Sequence[Row], learnt: Sequence[Sequence[str]], run: Run, size: int, command: str, bits: int = 16
) -> str:
    """The whole card."""
    fused = any(row.fused for row in rows)
    head = [
        "corpus",
        "texts",
        "people",
        "WER %",
        "CER %",
        *(["WER % with its language model", "CER %"] if fused else []),
    ]
    figures = [
        [
            row.name,
            f"{row.texts:,}",
            str(row.people or ""),
            *_rates(row.after),
            *(_rates(row.fused) if row.fused else []),
        ]
        for row in rows
    ]
    differ = sum(row.differ for row in rows)
    worst = max(100 * (row.after.cer - row.before.cer) for row in rows)
    commit = _git("rev-parse", "--short", "HEAD")
    lines = [
        page.said.rstrip(), "", MARK, "", "## How well it reads", "",
        "Validation texts, which training did not see; where the best epoch was chosen by them, that flatters a little."
        " Greedy reading first.", "",
        *_table(head, figures), "",
        f"{BITS[bits]} {differ} of {sum(row.texts for row in rows):,} texts are read differently than before; the"
        f" CER rises by {max(0.0, worst):.2f} points at most.", "",
        "## What it learnt from", "",
        *_table(["corpus", "texts", "people", "hours"], learnt), "",
        f"Epochs: {run.epochs or 'not kept'}; steps: {run.steps or 'not kept'}; seed: {run.seed or 'not kept'};"
        f" begun with: {Path(run.begun).name if run.begun else 'weights of chance'}; checkpoint of {run.day}.", "",
        *([f"The weights are the mean of {len(run.blended)} checkpoints (`python -m recognizer.blend`), of which this"
           " run's is the first.", ""] if run.blended else []),
        "Command: `python train.py --config FILE`, in which FILE says, beside the defaults:", "",
        "```json", json.dumps(run.settings, indent=1, ensure_ascii=False), "```", "",
    ]  # fmt: skip
    if run.log:
        lines += ["Log:", "", *_table(["epoch", "training loss", "validation CER %", "WER %"], run.log), ""]
    lines += [
        f"Packed on {datetime.date.today().isoformat()} at commit {commit or 'unknown'} with torch {torch.__version__}:"
        f" {size:,} bytes.", "", "```bash", command, "```", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _rates(counts: Counts) -> list[str]:
    return [f"{100 * counts.wer:.1f}", f"{100 * counts.cer:.2f}"]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    used = [place for place, _ in enumerate(head) if any(row[place] for row in rows if place < len(row))]
    cells = [[row[place] if place < len(row) else "" for place in used] for row in [head, *rows]]
    shown = [f"| {' | '.join(row)} |" for row in cells]
    return [shown[0], f"|{'---|' * len(used)}", *shown[1:]]


def _git(*arguments: str) -> str:
    try:
        ran = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return ran.stdout.strip()
