"""Files -> their texts on standard output or in a folder, and their error rates on standard error."""

from __future__ import annotations

import argparse
import dataclasses
import gc
import logging
import os
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from recognizer.console import bar, say
from recognizer.errors import CheckpointError, ConfigError, RecognizerError
from recognizer.options import BEAM, NONE, flag, parser, refuse_idle, refuse_unled

# Torch takes seconds to load: everything that needs it is imported once the arguments are known to be right.
if TYPE_CHECKING:
    from recognizer.decoders import Beam, Decoder
    from recognizer.inputs import Request
    from recognizer.manifest import Utterance
    from recognizer.network import Network
    from recognizer.reading import Hearing, Model
    from recognizer.references import References
    from recognizer.scores import Scores
    from recognizer.transcript import Transcript
    from recognizer.tune import Readings

    Models = Mapping[str, Network]

RUNS = Path("runs")
SPARE = 4  # times as many readings are asked for as are shown, since some differ in their spaces alone


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


def run() -> int:
    """`main`, as the last thing that this process does."""
    status = main()
    gc.freeze()  # or Python looks through all of torch for garbage on its way out, for a second
    return status


def _transcribe(options: argparse.Namespace) -> int:
    import torch

    from recognizer import inputs
    from recognizer.references import References

    refuse_idle(options)
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as scratch:
        found = inputs.requests(options.inputs, lambda: sys.stdin.buffer.read() if sys.stdin else b"", Path(scratch))
        models = _models(options, inputs.kinds(found))
        requests = list(inputs.fitting(found, {name: model.frontend for name, model in models.items()}))
        if without := Counter(inputs.passed(found, models).values()):
            many = ", ".join(f"{count} for {name!r}" for name, count in sorted(without.items()))
            say(f"files in folders that are passed over: {many}")
        references = References(options.reference, requests)
        try:
            if options.tune:
                return _tune(options, models, list(references.told(requests)))
            if options.align:
                return _align(options, models, list(references.told(requests)))
            return _read(options, models, requests, references)
        except torch.OutOfMemoryError as error:
            what = f"a batch of {options.batch_frames} frames does not fit into the memory"
            raise ConfigError("--batch-frames", what, "give a smaller number") from error


def _read(options: argparse.Namespace, models: Models, requests: Sequence[Request], references: References) -> int:
    """Write what stands in the files, and compare it with what should."""
    from recognizer import reading
    from recognizer.targets import Output

    readers = {name: _reader(options, model) for name, model in models.items()}

    def read(name: str, utterances: Sequence[Utterance]) -> Iterator[Transcript | RecognizerError]:
        model, decoder = readers[name]
        return reading.transcripts(
            model, utterances, decoder, options.batch_frames, _hearing(options, model, utterances)
        )

    output = Output(options, requests)
    wanted = list(references.all(requests))  # before anything is written that could be taken for one
    scores: dict[str, Scores] = {}
    failed = False
    for place, request, answer in _answered(requests, _each(models, requests, read)):
        if isinstance(answer, RecognizerError):
            failed = True
            continue
        others = answer.alternatives[: (options.nbest or 1) - 1]
        if not output.write(place, dataclasses.replace(answer, alternatives=others)):
            failed = True
            continue
        reference = wanted[place]
        if isinstance(reference, RecognizerError):
            failed = True
            say(f"error: {reference}")
            continue
        if reference is not None:
            from recognizer.scores import Scores  # its libraries take a while, too

            name = _kind(request)
            if name not in scores:
                scores[name] = Scores(models[name].alphabet, options.errors)
            scores[name].add(request.name, request.utterance.speaker, reference, answer.text)
    for score in scores.values():
        score.total()
    return int(failed)


def _align(options: argparse.Namespace, models: Models, requests: Sequence[Request]) -> int:
    """Write where the words of the references stand."""
    from recognizer import reading
    from recognizer.targets import Output

    def place(name: str, utterances: Sequence[Utterance]) -> Iterator[Transcript | RecognizerError]:
        hearing = _hearing(options, models[name], utterances)
        return reading.alignments(models[name], utterances, options.batch_frames, hearing)

    output = Output(options, requests)
    failed = False
    for number, _, answer in _answered(requests, _each(models, requests, place)):
        if isinstance(answer, RecognizerError) or not output.write(number, answer):
            failed = True
    return int(failed)


def _tune(options: argparse.Namespace, models: Models, requests: Sequence[Request]) -> int:
    """Print the error rates for many weights, and the flags of the best."""
    from recognizer import reading, tune

    if len(models) != 1:
        what = f"the files are for {len(models)} models ({', '.join(models) or 'none'})"
        raise ConfigError("--tune", what, "name files of one kind")
    (model,) = models.values()
    read, beam = _beam(options, model)
    beam.nbest = 1  # no confidences are asked for
    files, texts, failed = [], [], False
    utterances = [request.utterance for request in requests if not request.error]
    answers = reading.matrices(read, utterances, options.batch_frames, _hearing(options, model, utterances))
    for _, request, answer in _answered(requests, answers):
        if isinstance(answer, RecognizerError):
            failed = True
        elif not model.alphabet.normalise(request.utterance.text or ""):
            failed = True
            say(f"error: {ConfigError(request.name, 'has no text to compare with', 'give one with --reference')}")
        else:
            files.append(answer)
            texts.append(request.utterance.text or "")
    if not files:
        raise ConfigError("--tune", "there is no file with a text to compare with", "give a validation manifest")
    readings = tune.Readings(model.alphabet, files, texts)
    with bar(None, "cell") as cells:

        def measure(*setting: float) -> tune.Cell:
            cells.update()
            return readings.cell(beam, *setting)

        found = tune.search(measure, beam.characters)
    best = found[0]
    say(f"WER/CER of {len(files)} files{_greedily(readings, read, model)}")
    given = {
        name: getattr(options, name) for name in ("beam", "lm", "lexicon", "dictionary", "hotwords", "hotword_bonus")
    }
    given |= {"lm_weight": f"{best.weight:g}", "word_bonus": f"{best.bonus:g}", "prior_weight": f"{best.prior:g}"}
    flags = " ".join(f"{flag(name)} {shlex.quote(str(value))}" for name, value in given.items() if value is not None)
    say(f"{tune.table(found)}{flags}", sys.stdout)
    return int(failed)


T = TypeVar("T")


def _answered(
    requests: Sequence[Request], answers: Iterator[T | RecognizerError]
) -> Iterator[tuple[int, Request, T | RecognizerError]]:
    """Each request with its place and its answer, which bears its name; the errors are said."""
    from recognizer.inputs import renamed

    with bar(len(requests), "file") as done:
        for place, request in enumerate(requests):
            answer = request.error or next(answers)
            done.update()
            if isinstance(answer, RecognizerError):
                say(f"error: {renamed(answer, request)}")
            yield place, request, answer


def _kind(request: Request) -> str:
    from recognizer import frontends

    return frontends.of(request.utterance.path)


def _each(
    models: Models, requests: Sequence[Request], work: Callable[[str, Sequence[Utterance]], Iterator[T]]
) -> Iterator[T]:
    """What each model makes of the files of its kind, in the order of all; `work` is told the model's name."""

    def of(name: str) -> Iterator[T]:
        return work(name, [one.utterance for one in requests if not one.error and _kind(one) == name])

    answers = {name: of(name) for name in models}
    return (next(answers[_kind(request)]) for request in requests if not request.error)


def _hearing(options: argparse.Namespace, model: Model, utterances: Sequence[Utterance]) -> Hearing | None:
    """Who speaks in the files, if it is asked for."""
    if not options.per_speaker:
        return None
    from recognizer.speakers import Speakers

    speakers = Speakers(model.frontend, utterances)
    say(f"accustomed to {len(speakers)} speaker(s)")
    return speakers


def _greedily(readings: Readings, read: Model, model: Network) -> str:
    """The error rates without a beam, where it reads what the greedy decoder reads."""
    if read is not model:
        return ", by the phones that are heard in them"
    counts = readings.counts(model.greedy)
    return f"; greedy: {counts.wer:.1%}/{counts.cer:.1%}"


def _reader(options: argparse.Namespace, model: Network) -> tuple[Model, Decoder]:
    """The decoder that is asked for, and what it reads."""
    asked = options.decoder == "beam" or any(getattr(options, name) is not None for name in BEAM)
    return _beam(options, model) if asked or (model.advice and options.decoder is None) else (model, model.greedy)


def _beam(options: argparse.Namespace, model: Network) -> tuple[Model, Beam]:
    from recognizer.reading import READINGS
    from recognizer.references import listed

    given = {to: value for name, to in BEAM.items() if (value := getattr(options, name)) is not None}
    if options.lm == NONE:
        given["lm"] = None
    if (given if "lm" in given else model.advice).get("lm") is None:
        refuse_unled(options)
    if "hotwords" in given:
        given["hotwords"] = listed(given["hotwords"])
    given |= {"nbest": max(READINGS, SPARE * (options.nbest or 1)), "threads": options.threads}
    return model.beam(**given)


def _models(options: argparse.Namespace, kinds: Sequence[str]) -> Models:
    """For each front end that is asked for the model that reads its files: the one that is named, or the usual one."""
    import torch

    from recognizer import pretrained
    from recognizer.network import Network

    device = options.device if options.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device).item()  # `meta` makes tensors, but nothing is in them
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError("--device", f"{device!r} cannot be used ({reason})", "give auto or cpu") from error
    if options.model:
        model = pretrained.load(options.model, device)
        return {model.frontend.name: model}
    models = {name: pretrained.load(name, device) for name in kinds if name in pretrained.names()}
    for name in models:
        say(f"model {name}, of the package")
    seen = []
    for path in checkpoints(RUNS) if set(kinds) - set(models) else ():
        model = Network.load(path, device)
        name = model.frontend.name
        if name in kinds and name not in models:
            say(f"model {path}")
            models[name] = model
        seen.append(f"{path} reads {name!r}")
        if set(kinds) == set(models):
            break
    if kinds and not models:
        wanted = " or ".join(map(repr, kinds))
        what = f"no model for {wanted} files ({'; '.join(seen)})" if seen else "no model has been trained yet"
        raise CheckpointError(f"{RUNS}/", what, "train one with train.py, or name one with --model")
    return models


def checkpoints(runs: Path) -> Iterator[Path]:
    """The checkpoints to choose from: of each run the best, if it is kept, else its newest; newest run first."""
    newest: dict[Path, Path] = {}
    for path in sorted(runs.rglob("*.ckpt"), key=lambda path: path.stat().st_mtime, reverse=True):
        newest.setdefault(path.parent, path)
    for folder, path in newest.items():
        yield folder / "best.ckpt" if (folder / "best.ckpt").exists() else path


if __name__ == "__main__":
    sys.exit(run())
