"""Manifests of line images -> error rates, speed and memory of this project and of kraken, trained for as many minutes.

    python benchmarks/lines.py [--minutes 10] [--peers runs/lines] [--threads 2] [--lines N]

Both learn from nothing, from the same lines, on the same cores, and read the same validation lines greedily. kraken is
installed into an environment of its own in the folder of --peers. Each recogniser is a process of its own
(benchmarks/lines_contender.py); the trainings follow each other, the readings take turns. Flags that are not known here
are for train.py.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import HERE, run, say, spread
from origin import origin, table

from recognizer import manifest
from recognizer.manifest import Utterance
from recognizer.metrics import Counts

KRAKEN = "kraken==7.1.1"
WIDTH = 248
"""Units of each direction with which configs/froc.yaml has about as many weights as kraken's default network."""
START, TURN = 900.0, 3600.0
"""Seconds after which a process that has not begun, or not read all lines, is given up."""
HEAD = (
    "| recogniser | weights | training: s | steps | lines | lines/s | lines / s of processor | CER % | WER % |"
    " reading: lines/s | lines / s of processor | line by line: lines/s | lines / s of processor | MiB at most |"
)


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table; one with `model` is not trained."""

    name: str
    contender: str
    folder: str
    flags: tuple[str, ...] = ()
    model: str = ""


ROWS = [
    Row("kraken, its default network", "kraken", "theirs"),
    Row("ours, of like size", "ours", "alike", (f"--model.width={WIDTH}",)),
    Row("ours, configs/froc.yaml", "ours", "froc"),
    Row('ours, `recognizer.load("line")`, trained long before', "ours", "line", model="line"),
]


class Course:
    """What the rows need, and what was found."""

    def __init__(self, options: argparse.Namespace, flags: list[str]) -> None:
        self.options, self.flags = options, flags
        self.lines = {name: chosen(getattr(options, name), options.lines) for name in ("train", "val")}
        self.trained: dict[str, dict[str, Any]] = {}
        self.about: dict[str, dict[str, Any]] = {}
        self.read = defaultdict[tuple[str, bool], list[dict[str, Any]]](list)
        self.failed: dict[str, str] = {}
        self.python = {"ours": Path(sys.executable)}
        for name, lines in self.lines.items():
            manifest.write(options.peers / f"{name}.tsv", lines)

    def job(self, row: Row) -> Path:
        """The file that tells a row's processes what to do."""
        folder = self.options.peers.resolve() / row.folder
        folder.mkdir(parents=True, exist_ok=True)
        model = row.model or str(folder / ("last.safetensors" if row.contender == "kraken" else "weights.ckpt"))
        told = {
            "pairs": {name: [(line.path, line.text) for line in lines] for name, lines in self.lines.items()},
            "tables": {name: str(self.options.peers.resolve() / f"{name}.tsv") for name in self.lines},
            "seconds": 60 * self.options.minutes,
            "threads": self.options.threads,
            "model": model,
            "flags": [*row.flags, *self.flags],
        }
        path: Path = folder / "job.json"
        path.write_text(json.dumps(told), encoding="utf-8")
        return path

    @contextlib.contextmanager
    def process(self, what: str, row: Row) -> Iterator[subprocess.Popen[str]]:
        """A process and all that it starts; none of them is left over. What they say is kept in a log."""
        job = self.job(row)
        command = [str(self.python[row.contender]), str(HERE / "lines_contender.py"), what, row.contender, str(job)]
        with job.with_name(f"{what}.log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": str(self.options.threads)},
                start_new_session=True,
            )
            try:
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def answer(self, process: subprocess.Popen[str], row: Row, what: str, seconds: float) -> dict[str, Any]:
        """Its next answer; none, and the reason noted, if it ends or takes too long."""
        pipe = process.stdout
        assert pipe
        with alarm(seconds, process):
            line = pipe.readline()
        if line:
            return json.loads(line)
        status = process.wait()
        log = (self.options.peers / row.folder / f"{what}.log").read_text("utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(log) if line.strip()), "")
        reason = f"took more than {seconds:.0f} s" if status == -signal.SIGALRM else f"status {status}: {last[:200]}"
        self.failed[row.name] = f"cannot {what}: {reason.replace('|', '/')}"
        say(f"{row.name}: {self.failed[row.name]}")
        return {}

    def train(self, row: Row) -> None:
        """From nothing, for the minutes."""
        if row.contender not in self.python:
            return
        say(f"{row.name}: training for {self.options.minutes:g} min")
        with self.process("train", row) as process:
            if found := self.answer(process, row, "train", START + 60 * self.options.minutes):
                self.trained[row.name] = found
                say(f"{row.name}: {found['lines']} lines in {found['wall']:.0f} s")

    def turns(self, rows: list[Row]) -> None:
        """All readings, round by round."""
        with contextlib.ExitStack() as stack:
            readers = {}
            for row in rows:
                process = stack.enter_context(self.process("read", row))
                if about := self.answer(process, row, "read", START):
                    readers[row], self.about[row.name] = process, about
            for _ in range(self.options.rounds):
                for row, process in readers.items():
                    for alone in (True,) if row.contender == "kraken" else (False, True):
                        self.turn(row, process, alone)

    def turn(self, row: Row, process: subprocess.Popen[str], alone: bool) -> None:
        """One reading of all validation lines."""
        if row.name in self.failed:
            return
        assert process.stdin
        print(json.dumps({"alone": alone}), file=process.stdin, flush=True)
        if found := self.answer(process, row, "read", TURN):
            self.read[row.name, alone].append(found)
            say(f"{row.name}: {found['wall']:.2f} s, {found['processor']:.2f} s of processor")


@contextlib.contextmanager
def alarm(seconds: float, process: subprocess.Popen[str]) -> Iterator[None]:
    """End `process` with SIGALRM if what is done meanwhile takes longer."""

    def ring(_number: int, _frame: object) -> None:
        process.send_signal(signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def plain(text: str) -> str:
    """The form in which texts are learnt and compared: NFD, white space folded."""
    return " ".join(unicodedata.normalize("NFD", text).split())


def chosen(path: Path, most: int) -> list[Utterance]:
    """The manifest's lines, or `most` of them, evenly spaced."""
    lines = [dataclasses.replace(line, text=plain(line.text or "")) for line in manifest.read(path)]
    lines = [line for line in lines if line.text]
    return spread(lines, most)


def installed(folder: Path) -> Path:
    """The Python of kraken's environment, which is made if it is not there."""
    python = (folder / "kraken" / "bin" / "python").absolute()
    if not python.exists():
        run(Path(sys.executable), "-m", "venv", str(folder / "kraken"))
    if subprocess.run([python, "-c", "import kraken"], capture_output=True).returncode:
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", KRAKEN)
    return python


def main() -> int:
    """Train, read, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="of each training")
    parser.add_argument("--peers", type=Path, default=Path("runs/lines"), metavar="DIR")
    parser.add_argument("--train", type=Path, default=Path("corpora/froc/train.tsv"))
    parser.add_argument("--val", type=Path, default=Path("corpora/froc/val.tsv"))
    parser.add_argument("--threads", type=int, default=2, help="and cores")
    parser.add_argument("--lines", type=int, default=0, help="at most, to learn from and to read; 0: all")
    parser.add_argument("--rounds", type=int, default=3, help="of reading; the fastest counts")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "lines.md")
    options, flags = parser.parse_known_args()
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))  # and so end what was started, too
    options.peers.mkdir(parents=True, exist_ok=True)
    course = Course(options, flags)
    try:
        course.python["kraken"] = installed(options.peers)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines() or ["no reason given"]
        course.failed[ROWS[0].name] = f"cannot be installed: {said[-1]}"
        say(f"kraken {course.failed[ROWS[0].name]}")
    for row in ROWS:
        if not row.model:
            course.train(row)
    course.turns([row for row in ROWS if row.model or row.name in course.trained])
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(document(course), encoding="utf-8")
    print(options.output.read_text(encoding="utf-8"))
    return 0


def document(course: Course) -> str:
    """The table with what is needed to make it again."""
    options = course.options
    theirs = course.about.get(ROWS[0].name, {}).get("versions", {})
    versions = ", ".join(f"{name} {version}" for name, version in theirs.items()) or KRAKEN
    lines = [
        "# Lines, beside kraken",
        "",
        *origin("torch", "pytorch-lightning", processes=options.threads),
        f"- in kraken's environment: {versions}",
        f"- {len(course.lines['train'])} lines to learn from, {len(course.lines['val'])} to read, NFD for both",
        f"- each training: from nothing, {options.threads} cores and threads, {options.minutes:g} min from the first"
        " batch on (Lightning's `max_time`), no validation within them; the step under way is finished;"
        " the weights at the end",
        "- kraken: its default network and settings for line images with texts beside them (batches of 1 line, AdamW"
        " with a constant rate of 1e-3, no augmentation, a process that reads images); only time ends its training,"
        f" it gets {options.threads} threads where it would use 1",
        f"- ours: configs/froc.yaml, with variation and augmentation; of like size: {WIDTH} units in each direction;"
        " the learning rate's cosine runs over the time instead of over steps"
        + (f"; beside it {' '.join(course.flags)}" if course.flags else ""),
        f"- reading: image files to texts, greedily, all in one process that has its weights; the fastest of"
        f" {options.rounds} rounds in turns; ours in batches of like length, then line by line; kraken puts only lines"
        " of one image into a batch, so it reads line by line",
        "- seconds of processor include those of processes that a recogniser starts (kraken: two that cut lines out);"
        " MiB: of the reading process alone",
        "",
        *table(HEAD, [line(course, row) for row in ROWS]),
    ]
    return "\n".join(lines) + "\n"


def line(course: Course, row: Row) -> str:
    """One row of the table."""
    if row.name in course.failed:
        return f"| {row.name} | {course.failed[row.name]} |" + " |" * (HEAD.count("|") - 3)
    lines = course.lines["val"]
    learnt = " | | | | "
    if found := course.trained.get(row.name):
        learnt = (
            f"{found['wall']:.0f} | {found['steps']} | {found['lines']} | {found['lines'] / found['wall']:.2f} |"
            f" {found['lines'] / found['processor']:.2f}"
        )
    alone = course.read[row.name, True]
    shared = course.read[row.name, False] or alone
    counts = Counts.over([one.text or "" for one in lines], map(plain, shared[0]["texts"]))
    speeds = " | ".join(
        f"{len(lines) / min(one[clock] for one in rounds):.2f}"
        for rounds in (shared, alone)
        for clock in ("wall", "processor")
    )
    memory = max(one["memory"] for one in [*shared, *alone])
    weights = course.about[row.name]["weights"] / 1e6
    return (
        f"| {row.name} | {weights:.2f} M | {learnt} | {100 * counts.cer:.2f} | {100 * counts.wer:.1f} | {speeds} |"
        f" {memory:.0f} |"
    )


if __name__ == "__main__":
    sys.exit(main())
