"""Digits by many voices -> corpora for configs/english.yaml, close.yaml and fsdd.yaml.

    python benchmarks/voices.py cut CHECKPOINT       the digits that people say in the training corpora of SENTENCES,
                                                     found by forced alignment
    python benchmarks/voices.py espeak               eSpeak NG, 616 voices
    python benchmarks/voices.py quick                short and cut close: eSpeak NG and Flite, about 0.3 s each
    python benchmarks/voices.py people               the many of benchmarks/people.py, cut close
    python benchmarks/voices.py learners             the same people with the sounds of other languages
    python benchmarks/voices.py kokoro FOLDER        Kokoro-82M (Apache-2.0), 50 voices and blends of two

They write corpora/digits_NAME/train.tsv. Nobody of Free Spoken Digits is heard in any. `flite` is Debian's package of
that name; benchmarks/kokoro.py tells what FOLDER holds.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import people
import soundfile
from kokoro import KOKORO_RATE, SHARES, Kokoro
from numpy.typing import NDArray
from sentences import FLITE, say
from tqdm import tqdm

from recognizer import Recognizer, manifest, reading
from recognizer.errors import RecognizerError
from recognizer.espeak import Espeak
from recognizer.manifest import Utterance
from recognizer.samples import digits

SAYINGS = {  # in Kokoro's letters, American and British
    "zero": ["zˈɪɹO", "zˈiɹO", "zˈɪəɹQ"], "one": ["wˈʌn"], "two": ["tˈu", "tˈuː"], "three": ["θɹˈi", "θɹˈiː"],
    "four": ["fˈɔɹ", "fˈɔː"], "five": ["fˈIv"], "six": ["sˈɪks"], "seven": ["sˈɛvən", "sˈɛvn"], "eight": ["ˈAt"],
    "nine": ["nˈIn"],
}  # fmt: skip
AMERICAN = {word: [said for said in sayings if "ː" not in said] for word, sayings in SAYINGS.items()}
"""Those that the American voice of people.py says as they are written."""
FOREIGN = {  # the same by speakers of other languages, as far as an American voice has their sounds
    "zero": ["zˈɛɹO", "sˈɛɹO", "zˈiɹO", "sˈiɹO"], "one": ["wˈɑn", "wˈan", "vˈʌn", "wˈɔn"], "two": ["tˈu", "dˈu"],
    "three": ["tɹˈi", "sɹˈi", "fɹˈi", "dɹˈi"], "four": ["fˈɔɹ", "fˈOɹ", "fˈɔɹə", "fˈO"],
    "five": ["fˈIv", "fˈIf", "fˈaiv", "fˈaif", "fˈIb"], "six": ["sˈiks", "sˈis", "zˈiks", "sˈik"],
    "seven": ["sˈɛvɛn", "sˈɛfən", "zˈɛvən", "sˈɛbɛn"], "eight": ["ˈAt", "ˈɛt", "ˈAd"],
    "nine": ["nˈIn", "nˈain", "nˈInə"],
}  # fmt: skip
WORDS = list(SAYINGS)
SENTENCES = ("an4", "speechocean762", "librispeech", "kathleen", "asterisk_en")
COUNTS = {"espeak": 1000, "quick": 1300, "people": 4000, "learners": 3000, "kokoro": 400}
SURE = 0.3  # confidence of a word below which its place is not believed
BEFORE, AFTER = 0.25, 0.35  # most seconds that are kept beside a word
FAINT = (2.7, 4.7)  # powers of ten below the loudest moment at which a quick word is cut
CLOSE = (-0.01, 0.03)  # seconds kept beside it, or lost
OPENING, CLOSING = 0.3, 0.45  # the same, for the pause at the beginning and at the end of a recording


def main() -> int:
    """Make the corpus that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["cut", "espeak", "quick", "people", "learners", "kokoro"])
    parser.add_argument("source", nargs="?", type=Path, help="a checkpoint, or the folder of Kokoro")
    parser.add_argument("--count", type=int, help=f"recordings to make (default: {COUNTS})")
    options = parser.parse_args()
    count = options.count or COUNTS.get(options.kind, 0)
    folder = Path(f"corpora/digits_{options.kind}")
    folder.mkdir(parents=True, exist_ok=True)
    if options.kind == "espeak":
        utterances = espeak(folder, count)
    elif options.kind == "quick":
        utterances = quick(folder, count)
    elif options.kind == "people":
        utterances = crowd(folder, count, "person", AMERICAN, 13, 0.4)
    elif options.kind == "learners":
        utterances = crowd(folder, count, "learner", FOREIGN, 14, 0.0)
    elif not options.source:
        parser.error("this needs a source")
    elif options.kind == "cut":
        utterances = cut(options.source)
    else:
        utterances = kokoro(Kokoro(options.source), folder, count)
    manifest.write(folder / "train.tsv", list(utterances))
    return 0


def cut(checkpoint: Path) -> Iterator[Utterance]:
    """The digits of training speakers, each from the middle of the pause before it to that of the one behind."""
    named = [one for name in SENTENCES for one in manifest.read(Path(f"corpora/{name}/train.tsv"))]
    heard = [one for one in named if set(WORDS) & set((one.text or "").lower().split())]
    model = Recognizer.load(checkpoint)
    for utterance, answer in zip(tqdm(heard), reading.alignments(model, heard, 24_000), strict=True):
        if isinstance(answer, RecognizerError):
            print(answer, file=sys.stderr)
            continue
        for place, word in enumerate(answer.words):
            if word.text not in WORDS or word.confidence < SURE:
                continue
            first, last = place == 0, place + 1 == len(answer.words)
            before = word.start - (0.0 if first else answer.words[place - 1].end)
            after = (answer.duration if last else answer.words[place + 1].start) - word.end
            start = word.start - min(BEFORE, min(before, OPENING) if first else before / 2)
            end = word.end + min(AFTER, min(after, CLOSING) if last else after / 2)
            yield Utterance(
                utterance.path, word.text, start=round(start, 3), end=round(end, 3), duration=round(end - start, 3),
                speaker=utterance.speaker,
            )  # fmt: skip


def espeak(folder: Path, count: int) -> Iterator[Utterance]:
    """Each digit by accents and mouths of eSpeak NG, at other rates, pitches and noises."""
    speaker, names = Espeak(), mouths()
    for index in tqdm(range(count)):
        chance = numpy.random.default_rng([5, index])
        name, text = str(chance.choice(names)), WORDS[index % len(WORDS)]
        path = folder / f"{index:05d}_{text}.flac"
        yield Utterance(str(path), text, duration=digits.record(speaker, text, name, chance, path), speaker=name)


def mouths() -> list[str]:
    """Every voice of eSpeak NG that the sample corpora train and validate on."""
    return [f"{accent}+{mouth}" for part in ("train", "val") for mouth in digits.variants()[part]
            for accent in digits.ACCENTS]  # fmt: skip


def quick(folder: Path, count: int) -> Iterator[Utterance]:
    """Each digit said fast and cut close, now and then too close: nine of 13 by eSpeak NG, four by Flite.

    Who records single words with a button, as Free Spoken Digits were, leaves 0.2 to 0.4 s of each.
    """
    speaker, names = Espeak(), mouths()
    spoken = 9 * count // 13
    for index in tqdm(range(spoken)):
        chance = numpy.random.default_rng([6, index])
        name, text = str(chance.choice(names)), WORDS[index % len(WORDS)]
        rate, pitch, spread = (int(chance.integers(*bounds)) for bounds in ((180, 340), (25, 76), (20, 80)))
        wave = numpy.asarray(speaker.say(text, name, rate, pitch, spread), float)
        yield trimmed(wave, speaker.rate, chance, folder / f"e{index:04d}.wav", text, name)
    chance = numpy.random.default_rng(12)
    for index in tqdm(range(count - spoken)):
        text, voice = WORDS[index % len(WORDS)], list(FLITE)[index // len(WORDS) % len(FLITE)]
        pitch, length = FLITE[voice] * chance.uniform(0.8, 1.25), chance.uniform(0.4, 0.95)
        path = folder / f"f{index:04d}.wav"
        wave, rate = soundfile.read(say(text + str(chance.choice([".", "!", "?", ""])), voice, pitch, length, path))
        yield trimmed(wave, rate, chance, path, text, f"flite-{voice}")


def crowd(
    folder: Path, count: int, name: str, sayings: dict[str, list[str]], seed: int, accented: float
) -> Iterator[Utterance]:
    """Each digit by another person, so many with an accent, quicker than in a sentence, cut close."""
    voice = people.Voice()
    for index in tqdm(range(count)):
        chance = numpy.random.default_rng([seed, index])
        person, text = people.drawn(chance, bool(accented and chance.random() < accented)), WORDS[index % len(WORDS)]
        person = dataclasses.replace(person, pace=person.pace * chance.uniform(0.8, 1.6))
        sounds = str(chance.choice(sayings[text])) + str(chance.choice([".", "!", "?", ","]))
        wave = voice.say(people.spoken(sounds, person, chance), person, chance)
        yield trimmed(wave, people.RATE, chance, folder / f"{index:05d}.wav", text, f"{name}{index:05d}")


def trimmed(
    wave: NDArray[Any], rate: int, chance: numpy.random.Generator, path: Path, text: str, name: str,
    faint: tuple[float, float] = FAINT,
) -> Utterance:  # fmt: skip
    """Write what is louder than a drawn part of the loudest 10 ms, a drawn margin more or less at each end."""
    span = rate // 100
    loudness = numpy.convolve(wave * wave, numpy.ones(span) / span, "same")
    loud = numpy.flatnonzero(loudness > loudness.max() * 10 ** -chance.uniform(*faint))
    before, after = (int(rate * chance.uniform(*CLOSE)) for _ in range(2))
    wave = wave[max(0, loud[0] - before) : loud[-1] + after]
    soundfile.write(path, wave / numpy.abs(wave).max() * 0.6, rate)
    return Utterance(str(path), text, duration=round(len(wave) / rate, 3), speaker=name)


def kokoro(speaker: Kokoro, folder: Path, count: int) -> Iterator[Utterance]:
    """Each digit by voices of Kokoro, of six languages, alone and blended, at 0.75 to 1.35 of their speed."""
    chance = numpy.random.default_rng(7)
    for index in tqdm(range(count)):
        text = WORDS[index % len(WORDS)]
        sounds = str(chance.choice(SAYINGS[text]))
        one, other = (str(name) for name in chance.choice(list(speaker.styles), 2, replace=False))
        share = float(chance.choice(SHARES))
        sounds += str(chance.choice([".", "!", "?", ",", ""]))
        wave = speaker.say(sounds, one, other, share, chance.uniform(0.75, 1.35))
        loud = numpy.flatnonzero(numpy.abs(wave) > 0.03 * numpy.abs(wave).max())
        begin = max(0, loud[0] - int(chance.uniform(0, 0.05) * KOKORO_RATE))
        wave = wave[begin : loud[-1] + int(chance.uniform(0.01, 0.08) * KOKORO_RATE)]
        path = folder / f"{index:05d}_{text}.flac"
        soundfile.write(path, (wave / numpy.abs(wave).max() * 0.6 * 32767).astype(numpy.int16), KOKORO_RATE)
        yield Utterance(str(path), text, duration=len(wave) / KOKORO_RATE, speaker=f"{one}+{share}+{other}")


if __name__ == "__main__":
    sys.exit(main())
