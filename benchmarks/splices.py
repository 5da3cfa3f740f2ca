"""New sentences in people's own voices, put together from what they said in a corpus -> another corpus.

    python benchmarks/splices.py CHECKPOINT MANIFEST ... [--count 8000] [--out corpora/spliced]

Forced alignment finds the words, and an utterance is cut in the pauses between them. Pieces of one speaker, in any
order, make a new text, so that a network hears the same voices say other things (Lam et al. 2021, "On-the-fly aligned
data augmentation"). Who said more is drawn more often, by the root of the number of pieces. The pieces stand in
OUT/pieces.tsv and are not looked for again; OUT/train.tsv is the corpus.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy
import soundfile
from numpy.typing import NDArray
from tqdm import tqdm

from recognizer import Recognizer, cores, manifest, reading
from recognizer.errors import RecognizerError
from recognizer.frontends.speech import Speech
from recognizer.manifest import Utterance
from recognizer.sound import RATE
from recognizer.transcript import Transcript

SURE = 0.1  # confidence of a word below which its place is not believed
QUIET = 24.0  # dB below the loud moments of an utterance: a pause, where it can be cut
MOMENT = RATE // 100  # samples
REACH = 0.02  # seconds by which a pause may begin before a word's end or end behind the next one's start
EDGE = 0.25  # most seconds kept before the first word and behind the last
FADE = RATE // 200  # samples
FAINT = 30.0  # dB below the loud moments of a piece: silence, of which less is kept
PAUSE = (0.02, 0.25)  # seconds of it, at each end of a piece
LOUD = 0.1  # what the loud moments of every piece are brought to, of full scale
WORDS = (2, 22)  # of a new text
GOING_ON = 0.55  # how likely a piece is followed by the one that follows it in its utterance, if there is one
FEWEST = 12  # pieces of a speaker, of whom there are new texts
LONGEST = 16.0  # seconds


def main() -> int:
    """Cut, put together and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--out", type=Path, default=Path("corpora/spliced"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    table = options.out / "pieces.tsv"
    if not table.exists():
        named = [one for path in options.manifests for one in manifest.read(path)]
        manifest.write(table, list(pieces(options.checkpoint, named)))
    of: dict[str, list[Utterance]] = defaultdict(list)
    for piece in manifest.read(table):
        of[piece.speaker or ""].append(piece)
    people = [held for held in of.values() if len(held) >= FEWEST]
    shares = numpy.sqrt([len(held) for held in people])
    drawn = numpy.random.default_rng(options.seed).choice(len(people), options.count, p=shares / shares.sum())
    jobs = [(people[number], options.seed, index, options.out) for index, number in enumerate(drawn)]
    with ProcessPoolExecutor(cores.count()) as pool:
        made = list(tqdm(pool.map(joined, jobs, chunksize=50), total=len(jobs)))
    manifest.write(options.out / "train.tsv", made)
    return 0


def pieces(checkpoint: Path, utterances: Sequence[Utterance]) -> Iterator[Utterance]:
    """What lies between two pauses, with the words said there."""
    model = Recognizer.load(checkpoint)
    for utterance, answer in zip(tqdm(utterances), reading.alignments(model, utterances, 24_000), strict=True):
        if isinstance(answer, RecognizerError):
            print(answer, file=sys.stderr)
        else:
            yield from cut(utterance, answer)


def cut(utterance: Utterance, answer: Transcript) -> Iterator[Utterance]:
    """The utterance, cut wherever there is a pause; a piece with a word that is not believed is left out."""
    levels = loudness(heard(utterance))
    loud = numpy.percentile(levels, 95)
    first = utterance.start or 0.0
    words = answer.words
    at = max(first, words[0].start - EDGE)
    begun = 0
    for place, word in enumerate(words):
        last = place + 1 == len(words)
        if last:
            stop, level = min(answer.start + answer.duration, word.end + EDGE), -numpy.inf
        else:
            low, high = word.end - REACH, max(words[place + 1].start + REACH, word.end + REACH)
            span = levels[max(0, int((low - first) * 100)) : max(1, int((high - first) * 100) + 1)]
            if not len(span):
                continue
            level = span.min()
            quiet = numpy.flatnonzero(span <= level + 1)
            stop = first + (max(0, int((low - first) * 100)) + quiet[len(quiet) // 2] + 0.5) / 100
        if level > loud - QUIET or stop - at < 0.05:
            continue
        held = words[begun : place + 1]
        if min(one.confidence for one in held) >= SURE:
            text = " ".join(one.text for one in held)
            yield Utterance(
                utterance.path, text, start=round(at, 3), end=round(stop, 3), duration=round(stop - at, 3),
                speaker=utterance.speaker,
            )  # fmt: skip
        at, begun = stop, place + 1


def heard(utterance: Utterance) -> NDArray[numpy.float32]:
    """Its wave [N] at RATE."""
    wave: NDArray[numpy.float32] = Speech().read(utterance.path, utterance.start, utterance.end).numpy()
    return wave


def loudness(wave: NDArray[numpy.float32]) -> NDArray[numpy.float64]:
    """dB of each MOMENT of a wave [N] -> [N / MOMENT]."""
    whole = wave[: len(wave) // MOMENT * MOMENT].reshape(-1, MOMENT).astype(float)
    return 10 * numpy.log10((whole**2).mean(1) + 1e-10)


def joined(job: tuple[list[Utterance], int, int, Path]) -> Utterance:
    """A new sentence of one speaker's pieces."""
    held, seed, index, out = job
    chance = numpy.random.default_rng([seed, index])
    most = int(chance.integers(WORDS[0], WORDS[1] + 1))
    texts: list[str] = []
    waves: list[NDArray[numpy.float32]] = []
    for place in chance.permutation(len(held)):
        piece = run(held, int(place), chance)
        length = sum(map(len, waves)) / RATE + (piece.duration or 0.0)
        if len(" ".join([*texts, piece.text or ""]).split()) > most or length > LONGEST:
            if texts:
                break
            continue
        texts.append(piece.text or "")
        waves.append(levelled(heard(piece), chance))
    path = out / f"{index:05d}.wav"
    wave = numpy.concatenate(waves)
    soundfile.write(path, wave, RATE, "PCM_16")
    return Utterance(
        str(path), " ".join(texts), duration=round(len(wave) / RATE, 3), speaker=f"spliced-{held[0].speaker}"
    )


def run(held: Sequence[Utterance], place: int, chance: numpy.random.Generator) -> Utterance:
    """A piece, or several that were said one after the other."""
    piece = held[place]
    for other in held[place + 1 :]:
        if (other.path, other.start) != (piece.path, piece.end) or chance.random() > GOING_ON:
            break
        whole = (other.end or 0.0) - (piece.start or 0.0)
        piece = dataclasses.replace(piece, text=f"{piece.text} {other.text}", end=other.end, duration=whole)
    return piece


def levelled(wave: NDArray[numpy.float32], chance: numpy.random.Generator) -> NDArray[numpy.float32]:
    """The wave without long silence, its loud moments as loud as those of all others, its ends faded."""
    levels = loudness(wave)
    loud = numpy.percentile(levels, 95)
    spoken = numpy.flatnonzero(levels > loud - FAINT)
    before, after = (int(RATE * chance.uniform(*PAUSE)) for _ in range(2))
    wave = wave[max(0, spoken[0] * MOMENT - before) : (spoken[-1] + 1) * MOMENT + after]
    wave = wave * numpy.float32(LOUD / 10 ** (loud / 20))
    slope = numpy.linspace(0, 1, min(FADE, len(wave) // 2), dtype=numpy.float32)
    wave[: len(slope)] *= slope
    wave[len(wave) - len(slope) :] *= slope[::-1]
    return wave


if __name__ == "__main__":
    sys.exit(main())
