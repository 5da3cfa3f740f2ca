"""The command line of transcribing -> its options, refused where nothing would heed them."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

from recognizer.errors import ConfigError
from recognizer.writers import WRITERS

BEAM = {
    "beam": "width",
    "lm": "lm",
    "lm_weight": "weight",
    "word_bonus": "bonus",
    "prior_weight": "prior_weight",
    "lexicon": "lexicon",
    "dictionary": "dictionary",
    "hotwords": "hotwords",
    "hotword_bonus": "hotword_bonus",
    "nbest": "nbest",
}
"""Options for the beam, and what it calls them itself."""
IDLE = {
    "align": ("decoder", *BEAM, "errors"),
    "tune": ("lm_weight", "word_bonus", "prior_weight", "nbest", "errors", "words", "output_dir"),
}
"""What nothing would heed beside `--align` and `--tune`."""
NONE = "none"
"""How `--lm` says that the language model that comes with a model shall not be asked."""
SUBTITLES = ("srt", "vtt")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        description="Write down what sound files say, and what pen strokes and line images read.",
        epilog="Texts go to standard output (or into --output-dir), all else to standard error: errors, one line each;"
        " and, for files with a reference, WER, CER, MER and WIL with substitutions S, deletions D and insertions I."
        " Exit status: 0 all was read, 1 some files could not be read, 2 nothing could be done.",
    )
    made.add_argument(
        "inputs", nargs="+", metavar="INPUT",
        help="files, folders, quoted globs, manifests (.tsv), or - for a file on standard input",
    )  # fmt: skip
    made.add_argument(
        "--model", metavar="NAME|PATH",
        help="speech, pen or line, which come with the program, or a checkpoint; without it each file is read by the"
        " one for its ending or, if there is none, by the newest checkpoint under runs/ for such files, the best of its"
        " run",
    )  # fmt: skip
    made.add_argument(
        "--reference", metavar="TEXT|FILE|MANIFEST",
        help="what should be read: a text, a file with a line for each input, or a manifest; without it the texts of"
        " manifests and the .gt.txt or .txt files beside the inputs are taken",
    )  # fmt: skip
    made.add_argument(
        "--per-speaker", action="store_true",
        help="get accustomed to each speaker first: every file is read once more, and what a speaker's files have in"
        " common, the microphone and the voice, is taken away; better for short words. Speakers are those that a"
        " manifest names; where none is named, all files of a folder are one speaker's",
    )  # fmt: skip
    made.add_argument("--errors", action="store_true", help="show reference and text word by word where they differ")
    made.add_argument("--device", default="auto", help="auto (default: cuda if there is one), cpu, cuda, cuda:1, ...")
    made.add_argument(
        "--batch-frames", metavar="N", type=_positive, default=24_000,
        help="frames read at once, padding counted in (default 24000); fewer need less memory",
    )  # fmt: skip
    made.add_argument("--threads", metavar="N", type=_positive, help="processor cores to use (default: all)")
    _output(made.add_argument_group("output"))
    _decoding(made.add_argument_group("decoding"))
    _tasks(made.add_argument_group("other tasks").add_mutually_exclusive_group())
    return made


def _output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--format", choices=list(WRITERS), default="txt",
        help="txt (default; for several files path<TAB>text), tsv (a manifest), json (one line a file), srt, vtt",
    )  # fmt: skip
    group.add_argument(
        "--words", action="store_true",
        help="each word by itself: txt has a line start<TAB>end<TAB>confidence<TAB>word for it (for several files the"
        " path before), tsv a row, srt and vtt a subtitle; json shows the characters of each word. Places are seconds,"
        " points of ink as recorded, or pixels of the image",
    )  # fmt: skip
    group.add_argument("--nbest", metavar="N", type=_positive, help="readings of each file that json shows (default 1)")
    group.add_argument("--output-dir", metavar="FOLDER", type=Path, help="one file for each input, named after it")


def _decoding(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--decoder", choices=["greedy", "beam"],
        help="greedy: the likeliest label of each frame; beam: prefix beam search; default: beam if there is an option"
        " for it, or a language model beside the checkpoint, else greedy",
    )  # fmt: skip
    group.add_argument(
        "--beam", metavar="N", type=_positive, help="prefixes that the beam keeps (default 100, or what suits)"
    )
    group.add_argument(
        "--lm", metavar="FILE|none",
        help="an n-gram model of words or characters for the beam: .npz of recognizer.lm, ARPA (.gz, too), a binary of"
        " KenLM or CMU Sphinx; without it the one that comes with the model, if there is one",
    )  # fmt: skip
    group.add_argument(
        "--lm-weight", metavar="X", type=float,
        help="weight of its logarithms (default 0.5, or what suits the model that it comes with)",
    )  # fmt: skip
    group.add_argument(
        "--word-bonus", metavar="X", type=float, help="added for each of its tokens (default 1.0, or what suits)"
    )
    group.add_argument(
        "--prior-weight", metavar="X", type=float,
        help="how much of what the network thinks of labels before it hears anything is taken away, for the language"
        " model knows better (default 0.2, with --dictionary 0.6, or what suits)",
    )  # fmt: skip
    group.add_argument(
        "--lexicon", metavar="FILE",
        help="only its words are written: one a line, alone or word<TAB>spelling, with as many spellings as it has",
    )  # fmt: skip
    group.add_argument(
        "--dictionary", metavar="FILE",
        help="how words are spoken, for a model that has learnt phones: it writes these words alone, by their sounds; a"
        " line WORD PHONE PHONE ... for each, as CMUdict and Kaldi have it",
    )  # fmt: skip
    group.add_argument(
        "--hotwords", metavar="WORDS|FILE",
        help="words and phrases to expect: parted by commas, or a file with one a line",
    )  # fmt: skip
    group.add_argument(
        "--hotword-bonus", metavar="X", type=float, help="added for each of them that is written (default 4.0)"
    )


def _tasks(group: argparse._MutuallyExclusiveGroup) -> None:
    group.add_argument(
        "--align", action="store_true",
        help="read nothing, but tell where the words of each file's reference stand: as --words does, and as subtitles"
        " of the known text",
    )  # fmt: skip
    group.add_argument(
        "--tune", action="store_true",
        help="read files with references with many values of --lm-weight, --word-bonus and --prior-weight, and show the"
        " error rates and the best",
    )  # fmt: skip


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number above 0")
    return number


def refuse_idle(options: argparse.Namespace) -> None:
    """Options that nothing would heed are mistakes.

    Raises:
        ConfigError: naming them.
    """
    given = functools.partial(_given, options)
    for task, others in IDLE.items():
        if getattr(options, task) and (idle := given(*others)):
            raise ConfigError(flag(task), f"does not heed {idle}", "leave the one or the other out")
    if options.tune and (options.decoder == "greedy" or options.format != "txt"):
        raise ConfigError("--tune", "prints a grid of the beam's error rates", "leave --decoder and --format out")
    if options.decoder == "greedy" and (idle := given(*BEAM)):
        raise ConfigError("--decoder", f"greedy does not heed {idle}", "give --decoder beam, or leave them out")
    if not options.hotwords and options.hotword_bonus is not None:
        raise ConfigError("--hotword-bonus", "given without words", "name some with --hotwords")
    if options.nbest and options.format != "json":
        raise ConfigError("--nbest", f"{options.format} has no room for other readings", "give --format json")


def refuse_unled(options: argparse.Namespace) -> None:
    """As `refuse_idle`, of what needs a language model, where it turns out that there is none.

    Raises:
        ConfigError: naming the options.
    """
    if options.tune:
        raise ConfigError("--tune", "there is no language model to tune", "name one with --lm")
    if idle := _given(options, "lm_weight", "word_bonus", "prior_weight"):
        raise ConfigError(idle, "given without a language model", "name one with --lm")


def _given(options: argparse.Namespace, *names: str) -> str:
    values = {name: getattr(options, name) for name in names}  # a bonus of 0 is given, too
    return ", ".join(flag(name) for name, value in values.items() if value is not None and value is not False)


def flag(name: str) -> str:
    """How an option is written: `lm_weight` -> `--lm-weight`."""
    return "--" + name.replace("_", "-")
