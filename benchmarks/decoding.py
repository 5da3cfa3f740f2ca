"""A model, a manifest and texts -> error rates, time and memory of decoders, this project's and those of others.

    python benchmarks/decoding.py MODEL MANIFEST --text FILE... [--width 100] [--peers DIR]

All decoders read the same log-probabilities with the same 4-gram of words, built from the texts. flashlight-text (used
through torchaudio) and pyctcdecode (in an environment of its own) are installed into DIR. Each decoder is a process of
its own (benchmarks/contender.py). LM weight and word bonus of each are found on a third of the speakers, for all by the
same search in the same unit, and the figures are those of the other speakers. The rounds that are timed take turns.

DIR also keeps what a second run need not make again: log-probabilities, language model, the settings found.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import json
import math
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import document

from recognizer import Recognizer, lm, manifest
from recognizer.arpa import BEGIN, END, OTHER
from recognizer.decoders.ngram import NGram
from recognizer.manifest import Utterance
from recognizer.metrics import Counts, bootstrap

WEIGHTS, BONUSES = (0.2, 0.35, 0.5, 0.7, 0.9, 1.2), (-1.0, 0.0, 1.0, 2.0, 3.0)
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


def rows(tokens: int) -> list[Row]:
    """What is compared. flashlight-text prunes to a number of labels in a frame, the others by a floor."""
    near = {"beam_size_token": tokens, "beam_threshold": -BEAM_FLOOR}
    floors = {"token_floor": TOKEN_FLOOR, "beam_floor": BEAM_FLOOR}
    ours, flashlight, pyctc = "Beam, one thread", "flashlight-text, pruned alike", "pyctcdecode, pruned alike"
    return [
        Row("greedy", "greedy", {}),
        Row(ours, "ours", {"threads": 1, **floors}),
        Row("Beam, all cores", "ours", {"threads": 0, **floors}, ours),
        Row(flashlight, "flashlight", near),
        Row("flashlight-text, pruned alike, adding paths up", "flashlight", {**near, "log_add": True}),
        Row("flashlight-text, its own pruning", "flashlight", {}, flashlight),
        Row(pyctc, "pyctcdecode", {"token_min_logp": TOKEN_FLOOR, "beam_prune_logp": BEAM_FLOOR}),
        Row("pyctcdecode, its own pruning", "pyctcdecode", {}, pyctc),
    ]


def main() -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--text", nargs="+", required=True, type=Path, help="texts and manifests for the 4-gram")
    parser.add_argument("--width", type=int, default=100)
    parser.add_argument("--peers", type=Path, default=Path("runs/decoding"), metavar="DIR")
    parser.add_argument("--tune-seconds", type=float, default=100.0, help="of audio at most, to find the settings on")
    parser.add_argument("--rounds", type=int, default=3, help="that are timed; the fastest counts (pyctcdecode: one)")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "decoding.md")
    options = parser.parse_args()
    options.peers.mkdir(parents=True, exist_ok=True)
    utterances = manifest.read(options.manifest)
    job, seconds, references = prepared(options, utterances)
    tune, test = shares(utterances, seconds, options.tune_seconds)
    bench = Bench(options, job, tune, test, seconds, references)
    with contextlib.closing(bench):
        found = {row.name: row for row in rows(bench.tokens)}
        for row in found.values():
            bench.tune(row)
        for turn in range(options.rounds):
            for row in found.values():
                if turn == 0 or row.contender != "pyctcdecode":
                    bench.measure(row)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(document(bench, list(found.values())), encoding="utf-8")
    print(options.output.read_text(encoding="utf-8"))
    return 0


def prepared(options: argparse.Namespace, utterances: Sequence[Utterance]) -> tuple[Path, list[float], list[str]]:
    """What the contenders read, in files named after their content; seconds and reference of each utterance."""
    model = Recognizer.load(options.model)
    labels = ["", *model.alphabet.characters]
    matrices = options.peers / f"matrices-{digest(options.model, options.manifest)}.npz"
    if not matrices.exists():
        say(f"reading {len(utterances)} utterances")
        found = []
        with torch.inference_mode():
            for utterance in utterances:
                signal = model.frontend.read(utterance.path, utterance.start, utterance.end)
                log_probs, lengths = model.infer([model.frontend.frames(signal)])
                found.append(log_probs[0, : int(lengths[0])].float().numpy())
        part = matrices.with_suffix(".part.npz")
        np.savez(part, log_probs=np.concatenate(found), lengths=[len(one) for one in found])
        part.replace(matrices)
    arpa = options.peers / f"words-{digest(*options.text, Path(lm.__file__))}.arpa"
    if not arpa.exists():
        say("building the language model")
        if lm.main([*map(str, options.text), "--order", "4", "--output", str(arpa)]):
            sys.exit(2)
    lexicon = options.peers / f"lexicon-{digest(arpa.name, labels)}.txt"
    if not lexicon.exists():
        words = [word for word in NGram.read(arpa).tokens if word not in (BEGIN, END, *OTHER)]
        spelt = {word: model.alphabet.encode(word) for word in words if not model.alphabet.missing(word)}
        lines = [f"{word}\t{' '.join(labels[label] for label in found)} <space>\n" for word, found in spelt.items()]
        lexicon.write_text("".join(lines), encoding="utf-8")
    job = options.peers / "job.json"
    paths = {"matrices": str(matrices), "arpa": str(arpa), "lexicon": str(lexicon)}
    job.write_text(json.dumps({**paths, "labels": labels, "width": options.width}), encoding="utf-8")
    step = model.frontend.step * model.reduction
    seconds = [int(length) * step for length in np.load(matrices)["lengths"]]
    return job, seconds, [model.alphabet.normalise(utterance.text or "") for utterance in utterances]


def shares(utterances: Sequence[Utterance], seconds: Sequence[float], most: float) -> tuple[list[int], list[int]]:
    """Utterances of every third speaker, in turns and up to `most` seconds, and all those of the other speakers."""
    spoken = defaultdict[str, list[int]](list)
    for row, utterance in enumerate(utterances):
        spoken[utterance.speaker or str(row)].append(row)
    people = sorted(spoken)
    waiting = [list(spoken[person]) for person in people[::3]]
    tune = list[int]()
    while any(waiting) and sum(seconds[row] for row in tune) < most:
        tune += [rows.pop(0) for rows in waiting if rows]
    return tune, [row for number, person in enumerate(people) if number % 3 for row in spoken[person]]


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
        if row.contender in self.failed:
            return {}
        pipe = self.processes[row.contender].stdin
        assert pipe
        request = {"weight": weight, "bonus": bonus, "options": row.options, "rows": utterances}
        print(json.dumps(request), file=pipe, flush=True)
        return self._answer(row.contender)

    def tune(self, row: Row) -> None:
        """Find a row's LM weight and word bonus, or look them up."""
        if row.like or row.contender == "greedy":
            self.settings[row.name] = self.settings.get(row.like, (0.0, 0.0))
            return
        sources = sorted((HERE.parent / "recognizer" / "decoders").glob("*.py")) if row.contender == "ours" else []
        key = digest(self.job, HERE / "contender.py", *sources, row.options, self.rows, WEIGHTS, BONUSES)
        store = self.options.peers / f"tuned-{key}.json"
        if not store.exists():
            found = dict(self._tried(row, [(weight, 1.0) for weight in WEIGHTS]))
            weight = min(found, key=found.__getitem__, default=(0.0, 0.0))[0]
            found |= self._tried(row, [(weight, bonus) for bonus in BONUSES if bonus != 1.0])
            if row.contender in self.failed:
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
        if answer := self._ask(row, *self.settings.get(row.name, (0.0, 0.0)), self.test):
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
        return python, {
            "PYTHONPATH": os.pathsep.join([str(target.resolve()), *filter(None, [os.getenv("PYTHONPATH")])])
        }
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


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
