"""Checkpoint and manifests -> the checkpoint with its labels' priors, and confidences right as often as they say.

    python -m recognizer.calibrate MODEL MANIFEST... [--output FILE]

Training does this by itself after each validation. By hand it serves a checkpoint that was made before there was a
calibration, one that is to be used on other material than it was trained on, and one that is read by a beam.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from recognizer import calibration, manifest, reading
from recognizer.calibration import Calibration
from recognizer.decoders import Decoder
from recognizer.errors import CheckpointError, RecognizerError
from recognizer.manifest import Utterance
from recognizer.metrics import Verdicts
from recognizer.network import Network, language, opened, spoken

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Calibrate what the command line names; 0 it is done, 2 it cannot be done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL", type=Path, help="a checkpoint")
    parser.add_argument("manifests", metavar="MANIFEST", nargs="+", type=Path, help="what the model was not trained on")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write a new checkpoint instead of changing MODEL")
    parser.add_argument("--batch-frames", metavar="N", type=int, default=24_000, help="frames read at once")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        calibrate(options.model, options.manifests, options.output or options.model, options.batch_frames)
    except RecognizerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def calibrate(path: Path, manifests: Iterable[Path], output: Path, batch_frames: int = 24_000) -> None:
    """Write the checkpoint at `path` to `output`, calibrated to what the model usually reads of the manifests.

    That is with its own language model, if it has one, and else greedily. Where it is usually read by its phones, those
    readings get a curve of their own, and the characters' is for greedy ones. Before that, each output learns anew how
    often it has each label in mind. Its language model and its dictionary are laid beside `output`, if none lie there.

    Raises:
        CheckpointError: `path` is no checkpoint, or `output` cannot be written.
        ManifestError: a manifest cannot be read.
    """
    model = Network.load(path)
    utterances = [utterance for table in manifests for utterance in manifest.read(table)]
    for reader, head in model.outputs:
        head.learn(means(reader, utterances, batch_frames))
    readers: dict[str, tuple[reading.Model, Decoder]] = {"calibration.": model.usual}
    if model.usual[0] is not model:
        readers = {"calibration.": (model, model.greedy), "hearing.": model.usual}
    checkpoint = opened(path)
    for prefix, (reader, decoder) in readers.items():
        fit(reader, decoder, utterances, batch_frames)
        state = reader.calibration.state_dict(prefix=prefix)
        checkpoint["state_dict"].update({name: held.clone() for name, held in state.items()})
    priors = {name: held.clone() for name, held in model.state_dict().items() if name.endswith(".prior")}
    checkpoint["state_dict"].update(priors)
    _save(checkpoint, output, [(one(path), one(output)) for one in (language, spoken) if one(path).is_file()])


def fit(model: reading.Model, decoder: Decoder, utterances: Sequence[Utterance], batch_frames: int) -> None:
    """Fit a model's curves to what a decoder reads of the utterances, and tell in the log how well they fit."""
    words, texts = verdicts(model, utterances, decoder, batch_frames).compute()
    model.calibration.fit(words, texts)
    for name, pairs, judge in (("words", words, model.calibration.word), ("texts", texts, model.calibration.text)):
        raw, right = pairs.double().numpy().T
        before, after = (calibration.error(sure, right) for sure in (raw, [judge(one) for one in raw]))
        figures = len(right), name, right.mean() if len(right) else 0.0, before, after
        log.info("%d %s, %.1f%% right; expected calibration error %.3f, after fitting to these %.3f", *figures[:2],
                 100 * figures[2], *figures[3:])  # fmt: skip


def means(model: reading.Model, utterances: Sequence[Utterance], batch_frames: int = 24_000) -> Tensor:
    """The mean probability of each label [A] over all frames of the utterances that can be read."""
    sums, frames = torch.zeros(len(model.labels), dtype=torch.float64), 0
    for answer in reading.matrices(model, utterances, batch_frames):
        for log_probs in [] if isinstance(answer, RecognizerError) else answer:
            sums += log_probs.double().exp().sum(0)
            frames += len(log_probs)
    return sums / max(1, frames)


def verdicts(
    model: reading.Model, utterances: Sequence[Utterance], decoder: Decoder, batch_frames: int = 24_000
) -> Verdicts:
    """What the model says of the utterances before any calibration, and what of it is right.

    What cannot be read, or has no text, is left out and named in the log.
    """
    kept, found = model.calibration, Verdicts()
    model.calibration = Calibration()
    try:
        answers = reading.transcripts(model, utterances, decoder, batch_frames)
        for utterance, answer in zip(utterances, answers, strict=True):
            if isinstance(answer, RecognizerError):
                log.warning("left out: %s", answer)
            elif utterance.text is None:
                log.warning("left out: %s: it has no text", utterance.path)
            else:
                found.update([model.alphabet.normalise(utterance.text)], [(answer.words, answer.confidence)])
    finally:
        model.calibration = kept
    if not found.texts:
        raise CheckpointError("calibration", "nothing could be read that has a text", "name other manifests")
    return found


def _save(checkpoint: dict[str, object], output: Path, beside: Iterable[tuple[Path, Path]] = ()) -> None:
    """Written beside its place and then moved there, so that a full disk leaves the old file whole.

    In a folder, since nobody else may read what `tempfile` makes of files.
    """
    try:
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=".") as scratch:
            made = Path(scratch) / output.name
            torch.save(checkpoint, made)
            made.replace(output)
        for old, new in beside:
            if not new.exists():
                shutil.copyfile(old, new)
    except OSError as error:
        raise CheckpointError(output, f"cannot be written ({error.strerror})", "give another --output") from error


if __name__ == "__main__":
    sys.exit(main())
