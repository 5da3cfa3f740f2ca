"""Contenders as processes -> their settings, texts, times and memory, for benchmarks/decoding.py."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import math
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from recognizer import manifest
from recognizer.metrics import Counts, bootstrap

WEIGHTS, BONUSES = (0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1.2), (-1.0, 0.0, 1.0, 2.0, 3.0)
"""In natural logarithms: first the weights are tried at a bonus of 1, then the bonuses at the best weight."""
TOKEN_FLOOR, BEAM_FLOOR = -7.0, -15.0
HERE = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table: which contender, how it prunes, and whether it takes over the LM weight of another row."""

    name: str
    contender: str
    options: dict[str, Any]
    like: str = ""


class Bench:
    """The contenders' processes, what they found, and how long they took for it."""

    def __init__(
        self,
        options: argparse.Namespace,
        job: Path,
        tune: list[int],
        test: list[int],
        seconds: list[float],
        references: list[str],
    ) -> None:
        self.options, self.job, self.rows, self.test = options, job, tune, test
        self.references, self.audio = references, sum(seconds[row] for row in test)
        self.tuned_on = f"{len(tune)} utterances, {sum(seconds[row] for row in tune):.0f} s"
        stored = np.load(json.loads(job.read_text("utf-8"))["matrices"])["log_probs"]
        self.tokens = math.ceil(np.percentile((stored > TOKEN_FLOOR).sum(1), 99))
        self.speakers: dict[int, str] = {}
        for row, utterance in enumerate(manifest.read(options.manifest)):
            self.speakers[row] = utterance.speaker or str(row)
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.loaded: dict[str, dict[str, Any]] = {}
        self.failed: dict[str, str] = {}
        self.settings: dict[str, tuple[float, float]] = {}
        self.measured = defaultdict[str, list[dict[str, Any]]](list)
        for name in ("greedy", "ours", "flashlight", "pyctcdecode"):
            self._start(name)

    def _start(self, name: str) -> None:
        try:
            python, environment = installed(name, self.options.peers)
        except subprocess.CalledProcessError as error:
            lines = (error.stderr or "").strip().splitlines() or ["no reason given"]
            self.failed[name] = f"cannot be installed: {lines[-1]}"
            return
        say(f"starting {name}")
        command = [str(python), str(HERE / "contender.py"), name, str(self.job)]
        threads = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        self.processes[name] = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **threads, **environment},
        )
        if answer := self._answer(name):
            self.loaded[name] = answer

    def _answer(self, name: str) -> dict[str, Any]:
        pipe = self.processes[name].stdout
        assert pipe
        if line := pipe.readline():
            return json.loads(line)
        self.failed[name] = f"ended with status {self.processes[name].wait()}"
        return {}

    def _ask(self, row: Row, weight: float, bonus: float, utterances: list[int]) -> dict[str, Any]:
        if row.contender in self.failed or row.name in self.failed:
            return {}
        pipe = self.processes[row.contender].stdin
        assert pipe
        request = {"weight": weight, "bonus": bonus, "options": row.options, "rows": utterances}
        print(json.dumps(request), file=pipe, flush=True)
        answer = self._answer(row.contender)
        if error := answer.pop("error", None):
            self.failed[row.name] = error
            return {}
        return answer

    def tune(self, row: Row) -> None:
        """Find a row's LM weight and word bonus, or look them up."""
        if row.contender == "greedy":
            self.settings[row.name] = 0.0, 0.0
            return
        if row.like:
            if row.like in self.settings:
                self.settings[row.name] = self.settings[row.like]
            return
        sources = sorted((HERE.parent / "recognizer" / "decoders").glob("*.py")) if row.contender == "ours" else []
        key = digest(self.job, HERE / "contender.py", *sources, row.options, self.rows, WEIGHTS, BONUSES)
        store = self.options.peers / f"tuned-{key}.json"
        if not store.exists():
            found = dict(self._tried(row, [(weight, 1.0) for weight in WEIGHTS]))
            weight = min(found, key=found.__getitem__, default=(0.0, 0.0))[0]
            found |= self._tried(row, [(weight, bonus) for bonus in BONUSES if bonus != 1.0])
            if {row.name, row.contender} & self.failed.keys():
                return
            store.write_text(json.dumps(min(found, key=found.__getitem__)), encoding="utf-8")
        weight, bonus = json.loads(store.read_text("utf-8"))
        self.settings[row.name] = weight, bonus

    def _tried(self, row: Row, settings: list[tuple[float, float]]) -> Iterator[tuple[tuple[float, float], Any]]:
        """For each setting its rate of wrong words and, to tell apart those that are alike in it, of characters."""
        for weight, bonus in settings:
            if answer := self._ask(row, weight, bonus, self.rows):
                counts = Counts.over([self.references[place] for place in self.rows], answer["texts"])
                say(f"{row.name}: {weight}, {bonus}: WER {counts.wer:.2%}, {answer['processor']:.2f} s")
                yield (weight, bonus), (counts.wer, counts.cer)

    def measure(self, row: Row) -> None:
        """One round over the speakers who are reported."""
        if row.name in self.settings and (answer := self._ask(row, *self.settings[row.name], self.test)):
            say(f"{row.name}: {answer['processor']:.2f} s of processor, {answer['wall']:.2f} s")
            self.measured[row.name].append(answer)

    def counts(self, row: Row) -> tuple[Counts, tuple[float, float]]:
        """The errors of a row, and the 95 % interval of its WER over the speakers."""
        people = defaultdict[str, Counts](Counts)
        for place, text in zip(self.test, self.measured[row.name][0]["texts"], strict=True):
            people[self.speakers[place]] += Counts.of(self.references[place], text)
        return sum(people.values(), Counts()), bootstrap(list(people.values()))

    def close(self) -> None:
        """Let the contenders end."""
        for process in self.processes.values():
            if process.stdin:
                process.stdin.close()
            process.wait()


def installed(name: str, folder: Path) -> tuple[Path, dict[str, str]]:
    """The Python that runs a contender and what its environment needs; installed into `folder` if it is not there."""
    python = Path(sys.executable)
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if name == "flashlight":  # beside this project's torch and torchaudio
        target = folder / name
        if not (target / "flashlight").exists():
            run(python, *pip, "--no-deps", "--target", str(target), "flashlight-text==0.0.7")
        others = filter(None, [os.getenv("PYTHONPATH")])
        return python, {"PYTHONPATH": os.pathsep.join([str(target.resolve()), *others])}
    if name == "pyctcdecode":  # it asks for a NumPy that this project no longer uses
        python = folder / name / "bin" / "python"
        if not python.exists():
            run(Path(sys.executable), "-m", "venv", str(folder / name))
        if subprocess.run([python, "-c", "import kenlm, pyctcdecode"], capture_output=True).returncode:
            run(python, *pip, "pyctcdecode==0.5.0", "kenlm==0.3.0", "numpy<2")
    return python, {}


def run(python: Path, *command: str) -> None:
    """Run Python; what it says is kept for the row that says why a peer is missing."""
    say(f"installing: {' '.join(command)}")
    subprocess.run([str(python), *command], check=True, capture_output=True, text=True)


def digest(*parts: object) -> str:
    """A name for what goes into a file: paths by their content."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part.read_bytes() if isinstance(part, Path) else repr(part).encode())
    return found.hexdigest()[:12]


def spread(utterances: list[manifest.Utterance], most: int) -> list[manifest.Utterance]:
    """`most` of them, evenly spaced, so that many people are among them; 0 takes all."""
    return utterances[:: max(1, len(utterances) // most)][:most] if most else utterances


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)
