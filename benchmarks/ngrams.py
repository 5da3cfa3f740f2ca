"""A text -> building, loading, size, speed, scores and perplexity of our n-gram model beside KenLM's.

    python benchmarks/ngrams.py TEXT [--order 4] [--kenlm FOLDER] [--output benchmarks/results/ngrams.md]

The first nine tenths of the lines are learnt, the rest is held out. What is not installed is said so: `kenlm` (the
Python module: scores, loading, speed), and in FOLDER its programs `lmplz` (perplexity of its own estimate) and
`build_binary` (sizes). Times are seconds of the processor, of one process and one thread.
"""

from __future__ import annotations

import argparse
import importlib
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from origin import origin
from rss import MOST, mebibytes

from recognizer import lm
from recognizer.decoders.ngram import NGram

MISSING = "not installed"
Answer = TypeVar("Answer")


def main() -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", metavar="TEXT")
    parser.add_argument("--order", type=int, default=4)
    parser.add_argument("--kenlm", type=Path, metavar="FOLDER", help="where KenLM's programs are")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/ngrams.md"))
    options = parser.parse_args()
    lines = list(lm.sentences([options.text]))
    learnt, held = lines[: len(lines) * 9 // 10], lines[len(lines) * 9 // 10 :]
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(Path(folder), learnt, held, options.order, options.kenlm)
    sums = f"{sum(map(len, learnt))} words are learnt, {sum(map(len, held))} held out, order {options.order}"
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(document(rows, sums), encoding="utf-8")
    print(options.output.read_text(encoding="utf-8"))
    return 0


def measured(
    folder: Path, learnt: Sequence[list[str]], held: Sequence[list[str]], order: int, programs: Path | None
) -> list[tuple[str, str, str]]:
    """What is measured, ours, KenLM's."""
    source, file = folder / "text.txt", folder / "ours.arpa"
    source.write_text("".join(" ".join(line) + "\n" for line in learnt), encoding="utf-8")
    building = spent(lambda: lm.main([str(source), "--order", str(order), "--output", str(file)]))[0]
    other = KenLM(programs)
    found = other.build(source, folder / "theirs.arpa", order)
    rows = [("building, s", f"{building:.1f}", MISSING if found is None else f"{found:.1f}")]
    NGram.read(file)  # compiles what is not yet compiled
    loading, model = spent(lambda: NGram.read(file))
    theirs, judge = other.load(file)
    rows.append(("loading the ARPA file, s", f"{loading:.1f}", MISSING if judge is None else f"{theirs:.1f}"))
    arrays = sum(getattr(model, name).nbytes for name in ("token", "value", "backoff", "suffix", "first"))
    words = sum(map(sys.getsizeof, model.tokens)) + sys.getsizeof(model.tokens) + sys.getsizeof(model.index)
    sizes = [(kind, other.size(file, folder / "binary", kind)) for kind in ("probing", "trie")]
    shown = ", ".join(f"{size / 1e6:.1f} ({kind})" for kind, size in sizes if size) or MISSING
    rows.append(("memory, MB", f"{arrays / 1e6:.1f} + {words / 1e6:.1f} for the words as text", shown))
    if sizes[0][1]:
        rows.append(("memory, times KenLM's probing", f"{(arrays + words) / sizes[0][1]:.2f}", "1"))
    asking, ours = spent(lambda: [model.sentence(line) for line in held])
    values = np.array([value for line in ours for value in line])
    scoring = MISSING
    if judge is not None:
        seconds, answers = spent(lambda: [[p for p, _, _ in judge.full_scores(" ".join(line))] for line in held])
        natural = np.array([p for line in answers for p in line]) * math.log(10)
        scoring = f"{len(values) / seconds:,.0f}"
        rows.append(("largest difference of a score, ln", f"{np.abs(values - natural).max():.1e}", "0"))
    rows.append(("scores a second (from Python)", f"{len(values) / asking:,.0f}", scoring))
    perplexity = other.perplexity(folder / "theirs.arpa", held)
    rows.append(
        (
            "perplexity of the held-out text, each estimated by its own program",
            f"{math.exp(-values.mean()):.4f}",
            MISSING if perplexity is None else f"{perplexity:.4f}",
        )
    )
    return [*rows, ("peak of this process, all of the above, MiB", f"{mebibytes(MOST):.0f}", "-")]


class KenLM:
    """What there is of KenLM."""

    def __init__(self, programs: Path | None) -> None:
        self.programs = programs
        try:
            self.module: Any = importlib.import_module("kenlm")
        except ModuleNotFoundError:
            self.module = None

    def build(self, source: Path, file: Path, order: int) -> float | None:
        """Processor seconds that lmplz takes."""
        if self.programs is None:
            return None
        began = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [self.programs / "lmplz", "-o", str(order), "-S", "1G", "-T", f"{file.parent}/"]
        subprocess.run([*command, "--text", source, "--arpa", file], check=True, capture_output=True)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime

    def load(self, file: Path) -> tuple[float, Any]:
        """Seconds, and the model."""
        return spent(lambda: self.module.Model(str(file))) if self.module is not None else (0.0, None)

    def size(self, file: Path, binary: Path, kind: str) -> int:
        """Bytes of a binary, which is what KenLM maps into memory."""
        if self.programs is None:
            return 0
        subprocess.run([self.programs / "build_binary", kind, file, binary], check=True, capture_output=True)
        return binary.stat().st_size

    def perplexity(self, file: Path, held: Sequence[list[str]]) -> float | None:
        """Of KenLM's own estimate, asked by KenLM."""
        if self.module is None or not file.exists():
            return None
        judge = self.module.Model(str(file))
        values = [p for line in held for p, _, _ in judge.full_scores(" ".join(line))]
        return 10 ** (-sum(values) / len(values))


def spent(work: Callable[[], Answer]) -> tuple[float, Answer]:
    """Processor seconds, and the answer."""
    began = time.process_time()
    answer = work()
    return time.process_time() - began, answer


def document(rows: Sequence[tuple[str, str, str]], sums: str) -> str:
    """The table with what is needed to make it again."""
    lines = [
        "# n-gram models beside KenLM",
        "",
        *origin("numpy"),
        f"- {sums}; seconds are those of the processor",
        "",
        "| | ours | KenLM |",
        "|---|---|---|",
        *(f"| {what} | {ours} | {theirs} |" for what, ours, theirs in rows),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
