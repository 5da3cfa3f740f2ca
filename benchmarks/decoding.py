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
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import recognizer  # noqa: F401  # before torch: it says how threads wait

# isort: split
import numpy as np
import torch
from bench import BEAM_FLOOR, HERE, TOKEN_FLOOR, Bench, Row, digest, say
from report import document

from recognizer import Recognizer, lm, manifest
from recognizer.arpa import BEGIN, END, OTHER
from recognizer.decoders.ngram import NGram
from recognizer.manifest import Utterance


def rows(tokens: int) -> list[Row]:
    """What is compared. flashlight-text prunes to a number of labels in a frame, the others by a floor."""
    near = {"beam_size_token": tokens, "beam_threshold": -BEAM_FLOOR}
    floors = {"token_floor": TOKEN_FLOOR, "beam_floor": BEAM_FLOOR}
    ours, flashlight, pyctc = "Beam, one thread", "flashlight-text, pruned alike", "pyctcdecode, pruned alike"
    return [
        Row("greedy", "greedy", {}),
        Row(ours, "ours", {"threads": 1, **floors}),
        Row("Beam, all cores", "ours", {"threads": 0, **floors}, ours),
        Row("Beam, one thread, flashlight-text's lexicon", "ours", {"threads": 1, "closed": True, **floors}),
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


if __name__ == "__main__":
    sys.exit(main())
