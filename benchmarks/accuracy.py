"""Checkpoints and manifests -> error rates of the greedy reading, with speed, command, commit, machine and date.

    python benchmarks/accuracy.py NAME=CHECKPOINT:MANIFEST... [--output benchmarks/results/accuracy.md]

Rows of names that differ only behind a `-` (fsdd-george, fsdd-jackson) are also added up to one row (fsdd).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path

import recognizer  # noqa: F401  # before torch: it says how threads wait

# isort: split
import torch
from origin import origin, table

from recognizer import Recognizer, manifest, reading
from recognizer.errors import RecognizerError
from recognizer.metrics import Counts, bootstrap

HEAD = "| set | texts | people | WER % | 95 % | CER % | S / D / I (words) | weights | s of processor a text |"


def main() -> int:
    """Measure every pair and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="NAME=CHECKPOINT:MANIFEST")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/accuracy.md"))
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows, sums = [], defaultdict[str, list[tuple[list[Counts], int, int, float]]](list)
    for pair in options.pairs:
        name, _, rest = pair.partition("=")
        checkpoint, _, table = rest.rpartition(":")
        found = measured(Path(checkpoint), Path(table))
        rows.append(row(name, *found))
        sums[name.partition("-")[0]].append(found)
        print(rows[-1], flush=True)
    for name, parts in sums.items():
        if len(parts) > 1:
            counts = [count for part in parts for count in part[0]]
            rows.append(row(name, counts, sum(part[1] for part in parts), parts[0][2], sum(part[3] for part in parts)))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(document(rows, options.threads), encoding="utf-8")
    print(options.output.read_text(encoding="utf-8"))
    return 0


def measured(checkpoint: Path, table: Path) -> tuple[list[Counts], int, int, float]:
    """Counts of every utterance, number of people, weights of the model, and processor seconds for reading."""
    model = Recognizer.load(checkpoint)
    utterances = manifest.read(table)
    began = time.process_time()
    counts = []
    for utterance, answer in zip(utterances, reading.transcripts(model, utterances, model.greedy, 24_000), strict=True):
        text = "" if isinstance(answer, RecognizerError) else answer.text
        counts.append(Counts.of(model.alphabet.normalise(utterance.text or ""), text))
    seconds = time.process_time() - began
    people = len({utterance.speaker for utterance in utterances if utterance.speaker})
    return counts, people, sum(weight.numel() for weight in model.parameters()), seconds


def row(name: str, counts: list[Counts], people: int, weights: int, seconds: float) -> str:
    """One line of the table."""
    total = sum(counts, Counts())
    low, high = bootstrap(counts)
    edits = f"{total.words.substitutions} / {total.words.deletions} / {total.words.insertions}"
    return (
        f"| {name} | {len(counts)} | {people or '?'} | {100 * total.wer:.1f} | {100 * low:.1f}-{100 * high:.1f} |"
        f" {100 * total.cer:.2f} | {edits} | {weights / 1e6:.2f} M | {seconds / len(counts):.3f} |"
    )


def document(rows: list[str], threads: int) -> str:
    """The table with what is needed to make it again."""
    lines = [
        "# Greedy reading of validation sets",
        "",
        *origin("torch", processes=threads),
        "- 95 %: bootstrap over texts",
        "",
        *table(HEAD, rows),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
