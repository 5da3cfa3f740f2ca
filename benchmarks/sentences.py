"""Sentences of a text read aloud by synthetic voices -> a corpus beside the real ones of configs/english.yaml.

    python benchmarks/sentences.py flite TEXT [--count 1800] [--out corpora/sentences_flite]
    python benchmarks/sentences.py kokoro TEXT --folder FOLDER [--count 1000] [--out corpora/sentences_kokoro]
    python benchmarks/sentences.py people TEXT [--count 10000] [--learners 0.3] [--out corpora/sentences_people]

TEXT holds a sentence a line and may be packed (.xz), or is the table of a corpus (.tsv); letters to be spelt stand in
capitals. `flite` is Debian's package of that name; Kokoro takes as long as it speaks, on one processor, and
benchmarks/kokoro.py tells what FOLDER holds; benchmarks/people.py tells who the people are, each of whom says one
sentence. What was read before is kept, so that a broken run goes on and a larger count adds to it. It writes
OUT/train.tsv.
"""

from __future__ import annotations

import argparse
import lzma
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy
import people
import soundfile
from kokoro import KOKORO_RATE, MOST, SHARES, Kokoro, sounds_of
from tqdm import tqdm

from recognizer import manifest
from recognizer.manifest import Utterance

FLITE = {"slt": 170, "rms": 105, "awb": 120, "kal16": 100}  # voices and their mean pitch, Hz
COUNTS = {"flite": 1800, "kokoro": 1000, "people": 10_000}
WORDS_LEAST, WORDS_MOST = 4, 16  # of a sentence
ACCENTS = {"a": "en-us", "b": "en-gb"}  # how names of Kokoro's voices begin -> eSpeak NG's language
PACE = (0.8, 1.25)  # times as fast as Kokoro speaks by itself
LOUD = 0.6  # of full scale, the loudest sample


def main() -> int:
    """Read aloud and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", choices=list(COUNTS))
    parser.add_argument("text", type=Path)
    parser.add_argument("--folder", type=Path, help="of Kokoro")
    parser.add_argument("--count", type=int, help=f"sentences (default: {COUNTS})")
    parser.add_argument("--least", type=int, default=WORDS_LEAST, help="words of a sentence at least")
    parser.add_argument("--seed", type=int, default=9, help="other sentences, said by other people")
    parser.add_argument("--learners", type=float, default=0.3, help="share of the people who are learning English")
    parser.add_argument("--out", type=Path, help="default: corpora/sentences_VOICE")
    options = parser.parse_args()
    out = options.out or Path(f"corpora/sentences_{options.voice}")
    out.mkdir(parents=True, exist_ok=True)
    sentences = chosen(options.text, options.count or COUNTS[options.voice], options.least, options.seed)
    if options.voice == "flite":
        utterances = flite(sentences, out)
    elif options.voice == "people":
        utterances = crowd(sentences, out, options.learners, options.seed)
    elif options.folder:
        utterances = kokoro(Kokoro(options.folder), sentences, out)
    else:
        parser.error("kokoro needs --folder")
    manifest.write(out / "train.tsv", list(utterances))
    return 0


def chosen(text: Path, count: int, least: int, seed: int) -> list[str]:
    """So many sentences of a fit length, drawn without putting back; all, if there are no more."""
    if text.suffix == ".tsv":
        lines = sorted({utterance.text for utterance in manifest.read(text)})
    else:
        with lzma.open(text, "rt", encoding="utf-8") if text.suffix == ".xz" else text.open(encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    fit = [line for line in lines if least <= len(line.split()) <= WORDS_MOST]
    return [fit[place] for place in numpy.random.default_rng(seed).permutation(len(fit))[:count]]


def kokoro(speaker: Kokoro, sentences: list[str], folder: Path) -> Iterator[Utterance]:
    """By English voices, alone or blended with any other of six languages, at PACE."""
    for index, text in enumerate(tqdm(sentences)):
        chance = numpy.random.default_rng([9, index])
        first = str(chance.choice(list(ACCENTS)))
        voice = str(chance.choice([name for name in speaker.styles if name.startswith(first)]))
        other = str(chance.choice([name for name in speaker.styles if name != voice]))
        path = folder / f"{index:05d}.flac"
        if not path.exists():
            sounds = sounds_of(text, ACCENTS[first])[: MOST - 1] + str(chance.choice([".", ".", "!", "?"]))
            wave = speaker.say(sounds, voice, other, chance.choice(SHARES), chance.uniform(*PACE))
            soundfile.write(path, (wave / numpy.abs(wave).max() * LOUD * 32767).astype(numpy.int16), KOKORO_RATE)
        yield Utterance(str(path), text, duration=soundfile.info(path).duration, speaker=f"{voice}+{other}")


def crowd(sentences: list[str], folder: Path, learners: float, seed: int) -> Iterator[Utterance]:
    """Each by another person, some of whom are learning English."""
    voice = people.Voice()
    for index, text in enumerate(tqdm(sentences)):
        chance = numpy.random.default_rng([seed, index])
        person = people.drawn(chance, learner := bool(chance.random() < learners))
        path = folder / f"{index:05d}.wav"
        if not path.exists():
            said = people.spoken(
                voice.sounds(written(text) + str(chance.choice([".", ".", ".", "?", "!"]))), person, chance
            )
            soundfile.write(path, voice.say(said, person, chance), people.RATE, "PCM_16")
        who = f"{'learner' if learner else 'native'}{seed}-{index:05d}"
        yield Utterance(str(path), text.lower(), duration=soundfile.info(path).duration, speaker=who)


def written(text: str) -> str:
    """Lower case as it stands in a corpus -> with the capitals that a reader looks for."""
    words = ["I" + word[1:] if word == "i" or word.startswith("i'") else word for word in text.split()]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def flite(sentences: list[str], folder: Path) -> Iterator[Utterance]:
    """By turns of four voices, at 0.85 to 1.2 of their pitch and their length."""
    for index, text in enumerate(tqdm(sentences)):
        chance = numpy.random.default_rng([8, index])
        voice = list(FLITE)[index % len(FLITE)]
        path = folder / f"{index:05d}.wav"
        pitch, length = FLITE[voice] * chance.uniform(0.85, 1.2), chance.uniform(0.85, 1.2)
        if not path.exists():
            say(text, voice, pitch, length, path)
        yield Utterance(str(path), text, duration=soundfile.info(path).duration, speaker=f"flite-{voice}")


def say(text: str, voice: str, pitch: float, length: float, path: Path) -> Path:
    """Let a voice of Flite say the text at this mean pitch in Hz, stretched to so much of its usual length."""
    how = ["--setf", f"int_f0_target_mean={pitch:.0f}", "--setf", f"duration_stretch={length:.2f}"]
    subprocess.run(["flite", "-voice", voice, *how, "-t", text, "-o", str(path)], check=True)
    return path


if __name__ == "__main__":
    sys.exit(main())
