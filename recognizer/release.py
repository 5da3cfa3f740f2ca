"""A checkpoint -> a model of the package: in few bytes, with its language model and the measured part of its card.

    python -m recognizer.release runs/mine/version_1/checkpoints/best.ckpt speech --val corpora/mine/val.tsv \\
        --lm words.arpa.gz --lm-weight 0.8 --word-bonus 1

What people have to say of a model (whose data it is, under which licence, what it reads badly) stands in NAME.md before
it is packed. Figures and settings are written below the mark in it, from what is measured here and kept in the run.
"""

from __future__ import annotations

import argparse
import json
import logging
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from recognizer import card, frontends, manifest, pretrained, reading
from recognizer.compact import halved, restored, rounded
from recognizer.console import bar
from recognizer.decoders.ngram import NGram
from recognizer.errors import ConfigError, RecognizerError
from recognizer.manifest import Utterance
from recognizer.metrics import Counts
from recognizer.network import FOUND, ROUNDED, VERSION, Network, language, opened, spoken
from recognizer.pronunciations import Pronunciations
from recognizer.tune import Readings

log = logging.getLogger(__name__)

LIMIT = 20_000_000
"""Bytes of a model in the package, at most: its weights, its language model and its dictionary together."""


USUAL = {"weight": 0.5, "bonus": 1.0, "prior_weight": 0.2}
"""How a model is read with its language model where nothing else is said."""


def main(argv: Sequence[str] | None = None) -> int:
    """Pack what the command line names; 0 it is done, 2 it cannot be done."""
    given = list(sys.argv[1:] if argv is None else argv)
    options = parser().parse_args(given)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        told = {"weight": options.lm_weight, "bonus": options.word_bonus, "prior_weight": options.prior_weight}
        told |= {"width": options.beam}
        beam = {name: value for name, value in told.items() if value is not None}
        if options.lm is None and (beam or options.dictionary):
            what = "is not given, and the dictionary and the settings of the beam are for reading with it"
            raise ConfigError("--lm", what, "name one, or leave them out")
        command = shlex.join(["python", "-m", "recognizer.release", *given])
        more = (options.train, options.lm, options.dictionary, beam, command, options.bits, dict(options.frontend))
        pack(options.checkpoint, options.name, options.val, *more)
    except RecognizerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m recognizer.release", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("checkpoint", metavar="CHECKPOINT", type=Path, help="the best.ckpt of a run")
    made.add_argument("name", metavar="NAME", help="speech, pen, line, or a path without an ending")
    made.add_argument("--val", metavar="MANIFEST", nargs="+", required=True, help="what it is measured on")
    made.add_argument("--train", metavar="MANIFEST", nargs="+", help="what it learnt from, if that has been moved")
    made.add_argument("--lm", metavar="FILE", type=Path, help="its language model; see recognizer.lm")
    made.add_argument(
        "--dictionary", metavar="FILE", type=Path, help="how its words are spoken, if phones were learnt, too"
    )
    made.add_argument("--lm-weight", metavar="X", type=float, help="see transcribe.py --tune (0.5)")
    made.add_argument("--word-bonus", metavar="X", type=float, help="likewise (1)")
    made.add_argument("--prior-weight", metavar="X", type=float, help="likewise (0.2)")
    made.add_argument("--beam", metavar="N", type=int, help="prefixes that it is read with, if not the usual number")
    made.add_argument(
        "--frontend", metavar="NAME=VALUE", nargs="+", type=_setting, default=[],
        help="settings of its front end that differ from those of the training, such as step=0.009 for speech",
    )  # fmt: skip
    made.add_argument("--bits", metavar="N", type=int, default=16, choices=(8, 16), help="of a weight (%(default)s)")
    return made


def _setting(given: str) -> tuple[str, Any]:
    name, sign, value = given.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{given!r} is no NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def pack(
    checkpoint: Path,
    name: str,
    val: Sequence[str],
    train: Sequence[str] | None = None,
    lm: Path | None = None,
    dictionary: Path | None = None,
    beam: Mapping[str, float] | None = None,
    command: str = "",
    bits: int = 16,
    frontend: Mapping[str, Any] | None = None,
) -> None:
    """Write NAME.ckpt, NAME.npz and NAME.dict.gz if there are a language model and a dictionary, and below the mark in
    NAME.md what is measured.

    Args:
        val: manifests, each measured by itself.
        train: manifests that it learnt from; None: those that the checkpoint names.
        dictionary: how words are spoken; those of the language model are kept.
        beam: weights and bonus that suit the language model.
        command: how this was called, for the card.
        bits: 16, or 8 for matrices in whole numbers, see `compact`.
        frontend: settings of the front end that differ from those of the training; features stay as many.

    Raises:
        RecognizerError: a file cannot be read or written, is too large, or there is no card to complete.
    """
    home = Path(name) if Path(name).name != name else pretrained.WEIGHTS / name
    output = home.with_name(home.name + ".ckpt")
    page = card.opened(home.with_name(home.name + ".md"))
    whole = opened(checkpoint)
    trained = Network.load(checkpoint)
    settings = trained.frontend.config() | dict(frontend or {})
    if (found := frontends.build(settings)).size != trained.frontend.size:
        what = f"would give {found.size} features, and the network reads {trained.frontend.size}"
        raise ConfigError("--frontend", what, "change what leaves them as many")
    trained.frontend = found
    whole["hyper_parameters"]["frontend"] = settings
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".") as scratch:
        made = Path(scratch) / output.name
        torch.save(kept(whole, beam or {} if lm else None, bits), made)
        if lm is not None:
            model = NGram.read(lm)
            model.write(language(made))
            if dictionary is not None:
                Pronunciations.read(dictionary).only(model.tokens).write(spoken(made))
        size = sum(path.stat().st_size for path in Path(scratch).iterdir())
        if size > LIMIT:
            what = f"would have {size:,} bytes, and {LIMIT:,} are allowed"
            raise ConfigError(name, what, "give --bits 8, train a smaller network, or prune the language model")
        rows = [measured(table, trained, Network.load(made)) for table in val]
        learnt = card.learnt(whole, train, Network.load(made).frontend)
        text = card.written(page, rows, learnt, card.run(checkpoint, whole), made.stat().st_size, command, bits)
        for old in (language(output), spoken(output)):
            old.unlink(missing_ok=True)
        for path in Path(scratch).iterdir():
            path.replace(output.parent / path.name)
    page.path.write_text(text, encoding="utf-8")
    for row in rows:
        log.info("%s", row)
    log.info("%s: %d bytes; the card is %s", output, output.stat().st_size, page.path)


def kept(whole: Mapping[str, Any], beam: Mapping[str, float] | None, bits: int = 16) -> dict[str, Any]:
    """Of a checkpoint what use and fine-tuning need, the weights in so many bits."""
    settings = {key: value for key, value in whole["hyper_parameters"].items() if key[0] != "_"}
    version, pressed = (ROUNDED, rounded) if bits == 8 else (VERSION, halved)
    made = {"recognizer_version": version, "hyper_parameters": settings, **pressed(restored(whole), FOUND)}
    return made | ({"beam": {**USUAL, **beam}} if beam is not None else {})


def measured(table: str, before: Network, after: Network) -> card.Row:
    """How both read the texts of a manifest.

    Raises:
        RecognizerError: a file of it cannot be read, or there are no texts.
    """
    utterances = manifest.labelled(table)
    people = len({utterance.speaker for utterance in utterances} - {None})

    def counts(texts: Sequence[str]) -> Counts:
        return Counts.over(packed.references, texts)

    packed, greedy = readings(after, utterances), after.greedy
    old, new = readings(before, utterances).texts(greedy), packed.texts(greedy)
    usual, other = after.usual
    best = (packed if usual is after else readings(usual, utterances)).texts(other) if after.advice else None
    return card.Row(
        card.short(table), len(utterances), people,
        sum(one != two for one, two in zip(old, new, strict=True)),
        counts(old), counts(new), None if best is None else counts(best),
    )  # fmt: skip


def readings(model: reading.Model, utterances: Sequence[Utterance]) -> Readings:
    """What the network makes of all files, to be read by one decoder after the other.

    Raises:
        RecognizerError: one cannot be read.
    """
    files = []
    with bar(len(utterances), "file") as done:
        for answer in reading.matrices(model, utterances, 24_000):
            if isinstance(answer, RecognizerError):
                raise answer
            done.update()
            files.append(answer)
    return Readings(model.alphabet, files, [utterance.text or "" for utterance in utterances])


if __name__ == "__main__":
    sys.exit(main())
