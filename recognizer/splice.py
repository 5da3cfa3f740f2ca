"""A corpus of speech -> new sentences in its speakers' own voices, joined out of words cut where they pause.

    python -m recognizer.splice MODEL MANIFEST... --out FOLDER [--count N]

Who has few texts has each of them in every epoch, and a network learns them by heart. So forced alignment finds the
words, utterances are cut in the pauses between them, and pieces of one speaker make new texts (Lam et al. 2021,
"On-the-fly aligned data augmentation for sequence-to-sequence ASR"). FOLDER/train.tsv is another manifest to train on,
beside those that it was made of: `--data.train`, and `--data.weights` for how much of it an epoch shall hear.
FOLDER/pieces.tsv tells what was cut; `--pieces` joins it anew without a model.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from recognizer import frontends, manifest, pretrained, reading, sound
from recognizer.console import bar
from recognizer.errors import ConfigError, ManifestError, RecognizerError
from recognizer.frontends import Frontend
from recognizer.manifest import Utterance
from recognizer.network import Network
from recognizer.noise import Wave
from recognizer.sound import RATE
from recognizer.transcript import Transcript

log = logging.getLogger(__name__)

MOMENT = RATE // 100
"""Samples whose loudness is one number."""
FLOOR = 1e-10
"""Mean power below which there is no difference: digital silence."""
LOUD = 95.0
"""Percentile of the moments' loudness that is called loud."""
QUIET = 24.0
"""dB below the loud moments of an utterance: a pause, in which it can be cut."""
FAINT = 30.0
"""dB below the loud moments of a piece: silence at its ends, of which little is kept."""
SURE = 0.1
"""Confidence of a word below which its place is not believed."""
REACH = 0.02
"""Seconds by which a pause may begin before the end of a word, or last into the next one."""
EDGE = 0.25
"""Seconds kept at most before the first word of an utterance and behind its last."""
LEAST = 0.05
"""Seconds of a piece at least."""
PAUSE = (0.02, 0.25)
"""Seconds of silence kept at each end of a run of pieces, drawn."""
LEVEL, LOUDER = 0.1, 100.0
"""Root of the mean square, of full scale, to which the loud moments of every run are brought; by how much at most."""
FADE = RATE // 200
"""Samples over which a run begins and ends."""
GOING_ON = 0.55
"""How likely a piece is followed by the one that follows it in its utterance, if there is one."""
WORDS = (2, 22)
"""Words of a new text, drawn between these; fewer where the next run does not fit."""
LONGEST = 16.0
"""Seconds of a new utterance at most, unless a single run is longer."""
FEWEST = 12
"""Pieces of a speaker, from which on there are new texts."""


def main(argv: Sequence[str] | None = None) -> int:
    """Make the corpus that the command line asks for; 0 it is done, 2 it cannot be done."""
    options = (made := parser()).parse_args(argv)
    if bool(options.pieces) == bool(options.manifests):
        made.error("name MODEL and MANIFEST, or --pieces alone")
    if options.count < 1:
        made.error(f"--count {options.count}: give a whole number of at least 1")
    if options.seed < 0:
        made.error(f"--seed {options.seed}: give a whole number from 0")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        if options.pieces:
            found = manifest.read(options.pieces)
        else:
            found = list(pieces(_speech(options.model), options.manifests))
            manifest.write(options.out / "pieces.tsv", found)
        splice(found, options.out, options.count, options.seed)
    except RecognizerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {options.out}: cannot be written ({error.strerror}); give another --out", file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m recognizer.splice", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("model", metavar="MODEL", nargs="?", help="reads this speech: a checkpoint, or speech")
    made.add_argument("manifests", metavar="MANIFEST", nargs="*", type=Path, help="utterances with texts to be cut")
    made.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="where the new corpus goes")
    made.add_argument("--count", metavar="N", type=int, default=5000, help="new utterances (%(default)s)")
    made.add_argument("--seed", metavar="N", type=int, default=0, help="another gives other texts")
    made.add_argument("--pieces", metavar="TABLE", type=Path, help="join what was cut before, see above")
    return made


def _speech(name: str) -> Network:
    model = Network.load(pretrained.find(name))
    if model.frontend.name != "speech":
        raise ConfigError("MODEL", f"{name} reads {model.frontend.name}", "only speech is spliced: name such a model")
    return model


def pieces(model: Network, manifests: Iterable[Path], batch_frames: int = 24_000) -> Iterator[Utterance]:
    """What lies between two pauses of each utterance, with the words that are said there.

    What cannot be read or aligned is left out and named in the log.

    Raises:
        ManifestError: a manifest cannot be read.
    """
    named = [utterance for table in manifests for utterance in manifest.read(table)]
    with bar(len(named), "file") as progress:
        for utterance, answer in zip(named, reading.alignments(model, named, batch_frames), strict=True):
            progress.update()
            if isinstance(answer, RecognizerError):
                log.warning("left out: %s", answer)
            else:
                yield from cut(utterance, answer, heard(model.frontend, utterance))


def heard(frontend: Frontend[Any], utterance: Utterance) -> Wave:
    """The wave of an utterance, float32 [N] at RATE."""
    wave: Wave = frontend.read(utterance.path, utterance.start, utterance.end).numpy()
    return wave


def cut(utterance: Utterance, answer: Transcript, wave: Wave) -> Iterator[Utterance]:
    """The pieces of an utterance, cut at the quietest moment between two words wherever that is a pause.

    Pieces that follow each other end and begin at the same time. One with a word that is not believed is left out.

    Args:
        utterance: whose speaker they have; if there is none, its file.
        answer: its words and their places.
        wave: float32 [N] at RATE, from the start of the utterance on.
    """
    levels = loudness(wave)
    limit = numpy.percentile(levels, LOUD) - QUIET
    begun, at = 0, max(answer.start, answer.words[0].start - EDGE)
    for number, word in enumerate(answer.words, start=1):
        if number == len(answer.words):
            stop = min(answer.start + answer.duration, word.end + EDGE)
        else:
            stop, level = quietest(levels, answer.start, word.end - REACH, answer.words[number].start + REACH)
            if level > limit:
                continue
        if stop - at < LEAST:
            continue
        said = answer.words[begun:number]
        if min(one.confidence for one in said) >= SURE:
            text = " ".join(one.text for one in said)
            start, end = round(at, 3), round(stop, 3)
            who = utterance.speaker or utterance.path
            yield Utterance(utterance.path, text, start, end, duration=round(end - start, 3), speaker=who)
        begun, at = number, stop


def loudness(wave: Wave) -> NDArray[numpy.float64]:
    """dB of each MOMENT of a wave [N] -> [N / MOMENT], one at least."""
    count = max(1, len(wave) // MOMENT)
    whole = numpy.pad(wave, (0, max(0, MOMENT - len(wave))))[: count * MOMENT].reshape(count, -1)
    found: NDArray[numpy.float64] = 10 * numpy.log10((whole.astype(numpy.float64) ** 2).mean(1) + FLOOR)
    return found


def quietest(levels: NDArray[numpy.float64], zero: float, low: float, high: float) -> tuple[float, float]:
    """The middle of the quietest moments between `low` and `high`, in seconds, and their loudness in dB.

    Args:
        levels: of each moment, the first at `zero` seconds.
    """
    first = min(len(levels) - 1, max(0, int((low - zero) * RATE / MOMENT)))
    last = min(len(levels) - 1, max(first, int((high - zero) * RATE / MOMENT)))
    span = levels[first : last + 1]
    quiet = numpy.flatnonzero(span <= span.min() + 1)
    return zero + (first + quiet[len(quiet) // 2] + 0.5) * MOMENT / RATE, float(span.min())


def splice(found: Iterable[Utterance], folder: Path, count: int, seed: int = 0) -> list[Utterance]:
    """Write so many new utterances and FOLDER/train.tsv.

    Who has more pieces is drawn more often, by the root of their number.

    Raises:
        ManifestError: nobody has FEWEST pieces.
    """
    of: dict[str, list[Utterance]] = defaultdict(list)
    for piece in found:
        of[piece.speaker or piece.path].append(piece)
    people = {name: held for name, held in of.items() if len(held) >= FEWEST}
    if not people:
        what = f"nobody of {len(of)} speakers has {FEWEST} pieces between pauses"
        raise ManifestError(folder / "pieces.tsv", what, "name more recordings, and speakers where they are known")
    names, frontend = list(people), frontends.build({"name": "speech"})
    shares = numpy.sqrt([len(held) for held in people.values()])
    drawn = numpy.random.default_rng(seed).choice(len(names), count, p=shares / shares.sum())
    made = []
    with bar(count, "file") as progress:
        for index, number in enumerate(drawn):
            name, path = names[number], folder / f"{index:05d}.wav"
            wave, text = joined(frontend, people[name], numpy.random.default_rng([seed, index]))
            sound.write(path, wave)
            made.append(Utterance(str(path), text, duration=round(len(wave) / RATE, 3), speaker=name))
            progress.update()
    manifest.write(folder / "train.tsv", made)
    hours = math.fsum(one.duration or 0.0 for one in made) / 3600
    log.info("%s: %d utterances, %.1f hours, %d speakers", folder / "train.tsv", count, hours, len(names))
    return made


def joined(frontend: Frontend[Any], held: Sequence[Utterance], chance: numpy.random.Generator) -> tuple[Wave, str]:
    """A new utterance of one speaker, float32 [N] at RATE, and its text.

    Args:
        held: the pieces, those of an utterance one behind the other.
    """
    most = chance.integers(WORDS[0], WORDS[1] + 1)
    texts: list[str] = []
    waves: list[Wave] = []
    left = set(range(len(held)))
    for place in chance.permutation(len(held)).tolist():
        if place not in left:
            continue
        one = run(held, place, left, chance)
        size = sum(map(len, waves)) / RATE + (one.duration or 0.0)
        if texts and (len(" ".join([*texts, one.text or ""]).split()) > most or size > LONGEST):
            break
        texts.append(one.text or "")
        waves.append(levelled(heard(frontend, one), chance))
    return numpy.concatenate(waves), " ".join(texts)


def run(held: Sequence[Utterance], place: int, left: set[int], chance: numpy.random.Generator) -> Utterance:
    """The piece at that place, or with it some of those that were said right behind it; they are taken from `left`."""
    piece = held[place]
    left.remove(place)
    for number in range(place + 1, len(held)):
        other = held[number]
        if number not in left or (other.path, other.start) != (piece.path, piece.end) or chance.random() > GOING_ON:
            break
        length = (piece.duration or 0.0) + (other.duration or 0.0)
        piece = dataclasses.replace(piece, text=f"{piece.text} {other.text}", end=other.end, duration=length)
        left.remove(number)
    return piece


def levelled(wave: Wave, chance: numpy.random.Generator) -> Wave:
    """The wave without long silence at its ends, its loud moments at LEVEL, faded in and out."""
    levels = loudness(wave)
    loud = numpy.percentile(levels, LOUD)
    spoken = numpy.flatnonzero(levels > loud - FAINT)
    before, after = (int(RATE * chance.uniform(*PAUSE)) for _ in range(2))
    wave = wave[max(0, spoken[0] * MOMENT - before) : (spoken[-1] + 1) * MOMENT + after]
    wave = wave * numpy.float32(min(LOUDER, LEVEL / 10 ** (loud / 20)))
    slope = numpy.linspace(0, 1, min(FADE, len(wave) // 2), dtype=numpy.float32)
    wave[: len(slope)] *= slope
    wave[len(wave) - len(slope) :] *= slope[::-1]
    return wave


if __name__ == "__main__":
    sys.exit(main())
