"""Files -> their texts on standard output or in a folder, and their error rates on standard error."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recognizer.errors import CheckpointError, ConfigError, RecognizerError
from recognizer.writers import WRITERS

# Torch takes seconds to load: everything that needs it is imported once the arguments are known to be right.
if TYPE_CHECKING:
    from recognizer.alphabet import Alphabet
    from recognizer.decoders import Decoder
    from recognizer.inputs import Request
    from recognizer.metrics import Counts
    from recognizer.model import Recognizer
    from recognizer.transcript import Transcript

RUNS = Path("runs")
ENOUGH = 10  # speakers: drawing from fewer says little about how others would fare


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
        "--model", metavar="PATH",
        help="a checkpoint; without it the newest one under runs/ that reads such files, the best of its run",
    )  # fmt: skip
    made.add_argument(
        "--format", choices=list(WRITERS), default="txt",
        help="txt (default; for several files path<TAB>text), tsv (a manifest), json (one line a file), srt, vtt",
    )  # fmt: skip
    made.add_argument("--output-dir", metavar="FOLDER", type=Path, help="one file for each input, named after it")
    made.add_argument(
        "--reference", metavar="TEXT|FILE|MANIFEST",
        help="what should be read: a text, a file with a line for each input, or a manifest; without it the texts of"
        " manifests and the .gt.txt or .txt files beside the inputs are taken",
    )  # fmt: skip
    _decoding(made.add_argument_group("decoding"))
    made.add_argument("--errors", action="store_true", help="show reference and text word by word where they differ")
    made.add_argument("--device", default="auto", help="auto (default: cuda if there is one), cpu, cuda, cuda:1, ...")
    made.add_argument(
        "--batch-frames", metavar="N", type=_positive, default=24_000,
        help="frames read at once, padding counted in (default 24000); fewer need less memory",
    )  # fmt: skip
    made.add_argument("--threads", metavar="N", type=_positive, help="processor cores to use (default: all)")
    return made


def _decoding(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--decoder", choices=["greedy", "beam"],
        help="greedy: the likeliest label of each frame; beam: prefix beam search; default: beam if there is an option"
        " for it, else greedy",
    )  # fmt: skip
    group.add_argument("--beam", metavar="N", type=_positive, help="prefixes that the beam keeps (default 100)")
    group.add_argument("--lm", metavar="FILE", help="an n-gram model of words or characters for the beam: ARPA, .gz")
    group.add_argument("--lm-weight", metavar="X", type=float, help="weight of its logarithms (default 0.5)")
    group.add_argument("--word-bonus", metavar="X", type=float, help="added for each of its tokens (default 1.0)")
    group.add_argument("--nbest", metavar="N", type=_positive, help="readings of each file that json shows (default 1)")


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number above 0")
    return number


def main(argv: Sequence[str] | None = None) -> int:
    """Transcribe what the command line names; 0 all was read, 1 some could not be read, 2 nothing could be done."""
    options = parser().parse_intermixed_args(argv)  # files may stand among the flags
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if hasattr(sys.stdout, "reconfigure"):  # file names that are not UTF-8 come out as they are
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        return _transcribe(options)
    except RecognizerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _transcribe(options: argparse.Namespace) -> int:
    import torch

    from recognizer import inputs, reading

    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as scratch:
        _refuse_idle(options)
        found = inputs.requests(options.inputs, sys.stdin.buffer.read, Path(scratch))
        model = _model(options, {inputs.kind(request.utterance.path) for request in found if not request.error})
        requests = list(inputs.fitting(found, model.frontend))
        references = inputs.References(options.reference, len(requests))
        output = _Output(options, requests)
        scores = _Scores(model.alphabet, options.errors)
        utterances = (request.utterance for request in requests if not request.error)
        answers = reading.transcripts(model, utterances, _decoder(options, model), options.batch_frames)
        failed = False
        bar = _bar(len(requests))
        try:
            for place, request in enumerate(requests):
                answer = request.error or next(answers)
                bar.update()
                if isinstance(answer, RecognizerError):
                    failed = True
                    _say(f"error: {_renamed(answer, request)}")
                    continue
                output.write(place, dataclasses.replace(answer, path=request.name))
                try:
                    reference = references.of(place, request)
                except ConfigError as error:
                    failed = True
                    _say(f"error: {error}")
                    continue
                if reference is not None:
                    scores.add(request, reference, answer.text)
        except torch.OutOfMemoryError as error:
            what = f"a batch of {options.batch_frames} frames does not fit into the memory of {model.device}"
            raise ConfigError("--batch-frames", what, "give a smaller number") from error
        finally:
            bar.close()
        scores.total()
    return int(failed)


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """What the options say to the beam: its own names for what was given."""
    names = {"beam": "width", "lm": "lm", "lm_weight": "weight", "word_bonus": "bonus", "nbest": "nbest"}
    return {to: value for name, to in names.items() if (value := getattr(options, name)) is not None}


def _refuse_idle(options: argparse.Namespace) -> None:
    """Options that nothing would heed are mistakes."""
    given = _settings(options)
    if options.decoder == "greedy" and given:
        raise ConfigError("--decoder", "greedy has no options of the beam", "give --decoder beam, or leave them out")
    if not options.lm and given.keys() & {"weight", "bonus"}:
        raise ConfigError("--lm-weight, --word-bonus", "are given without a model", "name one with --lm")
    if options.nbest and options.format != "json":
        raise ConfigError("--nbest", f"{options.format} has no room for other readings", "give --format json")


def _decoder(options: argparse.Namespace, model: Recognizer) -> Decoder:
    from recognizer.decoders import Beam

    given = _settings(options)
    wanted = options.decoder == "beam" or given
    return Beam(model.alphabet, threads=options.threads, **given) if wanted else model.greedy


def _renamed(error: RecognizerError, request: Request) -> RecognizerError:
    """Errors of standard input name it, not the file in which it was laid."""
    laid = error.where == request.utterance.path
    return type(error)(request.name, error.what, error.remedy) if laid else error


def _model(options: argparse.Namespace, kinds: set[str | None]) -> Recognizer:
    import torch

    from recognizer.model import Recognizer

    device = options.device if options.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError("--device", f"{device!r} cannot be used ({reason})", "give auto or cpu") from error
    if options.model:
        return Recognizer.load(options.model, device)
    seen = []
    for path in checkpoints(RUNS):
        model = Recognizer.load(path, device)
        if model.frontend.name in kinds or kinds <= {None}:
            _say(f"model {path}")
            return model
        seen.append(f"{path} reads {model.frontend.name!r}")
    wanted = " or ".join(sorted(repr(kind) for kind in kinds if kind))
    what = f"no model for {wanted} files ({'; '.join(seen)})" if seen else "no model has been trained yet"
    raise CheckpointError(f"{RUNS}/", what, "train one with train.py, or name one with --model")


def checkpoints(runs: Path) -> Iterator[Path]:
    """The checkpoints to choose from: of each run the best, if it is kept, else its newest; newest run first."""
    newest: dict[Path, Path] = {}
    for path in sorted(runs.rglob("*.ckpt"), key=lambda path: path.stat().st_mtime, reverse=True):
        newest.setdefault(path.parent, path)
    for folder, path in newest.items():
        yield folder / "best.ckpt" if (folder / "best.ckpt").exists() else path


class _Output:
    """Writes transcripts where the options say, in the format they name."""

    def __init__(self, options: argparse.Namespace, requests: Sequence[Request]) -> None:
        from recognizer.inputs import beside, targets

        self.writer = WRITERS[options.format]
        self.entry = self.writer.entry if len(requests) == 1 else self.writer.shared
        self.head = self.writer.head
        self.targets = targets(requests, options.output_dir, options.format) if options.output_dir else None
        if self.targets is None and self.entry is None:
            what = f"{options.format} of {len(requests)} files cannot share standard output"
            raise ConfigError("--format", what, "give --output-dir")
        for request, target in zip(requests, self.targets or [], strict=False):
            if target.exists() and target.absolute() in [path.absolute() for path in beside(request)]:
                raise ConfigError(target, f"would be overwritten, and is taken for the reference of {request.name}",
                                  "give another --output-dir")  # fmt: skip

    def write(self, place: int, transcript: Transcript) -> None:
        if self.targets is None:
            assert self.entry is not None
            _say(self.head + self.entry(transcript), sys.stdout, end="")
            self.head = ""
            return
        target = self.targets[place]
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(self.writer.document(transcript), encoding="utf-8", newline="\n")
        except OSError as error:
            raise ConfigError(target, f"cannot be written ({error.strerror})", "give another --output-dir") from error


class _Scores:
    """Compares texts with their references, in the alphabet's normal form, and says what it finds."""

    def __init__(self, alphabet: Alphabet, listed: bool) -> None:
        self.alphabet, self.listed = alphabet, listed
        self.counts: list[Counts] = []
        self.people: list[str | None] = []
        self.missing: Counter[str] = Counter()

    def add(self, request: Request, reference: str, text: str) -> None:
        from recognizer.metrics import Counts, alignment

        reference = self.alphabet.normalise(reference)
        self.counts.append(Counts.of(reference, text))
        self.people.append(request.utterance.speaker)
        self.missing += self.alphabet.missing(reference)
        _say(f"{request.name}: {_rates(self.counts[-1])}")
        if self.listed and reference != text:
            _say(alignment(reference, text))

    def total(self) -> None:
        """All files together. The interval draws speakers, where many are known: files of one go together."""
        from recognizer.metrics import Counts, bootstrap

        if self.missing:
            most = ", ".join(f"{character!r} x {count}" for character, count in self.missing.most_common(8))
            _say(f"{self.missing.total()} characters of the references are not in the model's alphabet ({most})")
        if len(self.counts) < 2:
            return
        people = set(self.people)
        parts, drawn = self.counts, "files"
        if None not in people and len(people) >= ENOUGH:
            spoken = zip(self.people, self.counts, strict=True)
            sums: dict[str | None, Counts] = {}
            for person, counts in spoken:
                sums[person] = sums.get(person, Counts()) + counts
            parts, drawn = list(sums.values()), "speakers"
        low, high = bootstrap(parts)
        _say(f"all {len(self.counts)} files: {_rates(sum(self.counts, Counts()))}")
        _say(f"WER lies within {low:.1%} and {high:.1%} (95 %, bootstrap over {len(parts)} {drawn})")


def _rates(counts: Counts) -> str:
    rates = "  ".join(f"{name.upper()} {rate:.1%}" for name, rate in counts.rates().items())
    words, characters = (
        f"S {edits.substitutions} D {edits.deletions} I {edits.insertions} of {edits.reference}"
        for edits in (counts.words, counts.characters)
    )
    return f"{rates}  words {words}, characters {characters}"


def _bar(total: int) -> Any:
    """A progress bar, where someone watches, once the work has taken some seconds."""
    import tqdm

    return tqdm.tqdm(total=total, unit="file", delay=3, disable=not sys.stderr.isatty(), leave=False)


def _say(text: str, file: Any = None, end: str = "\n") -> None:
    """Write at once, above the progress bar if there is one."""
    import tqdm

    tqdm.tqdm.write(text, file=file or sys.stderr, end=end)
    (file or sys.stderr).flush()


if __name__ == "__main__":
    sys.exit(main())
