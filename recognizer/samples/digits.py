"""Numbers in words -> sound files said by many eSpeak NG voices. Synthetic: for a first run and for tests only.

A voice is an accent of English and a variant (a mouth); the variants of one part of the corpus, and those named alike,
speak in no other part.
"""

from __future__ import annotations

import functools
import math
import re
from pathlib import Path

import numpy
import soundfile
from numpy.typing import NDArray
from tqdm import tqdm

from recognizer import manifest
from recognizer.errors import SampleError
from recognizer.espeak import Espeak, Wave, home
from recognizer.manifest import Utterance
from recognizer.samples import base

RATE = 16_000
COUNT = 3000
SEED = 20_240
VERSION = 1
"""Raised whenever the same count would give other files, so that corpora made before are made again."""

ACCENTS = ("en", "en-029", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-gb-x-rp", "en-us", "en-us-nyc")
LEFT_OUT = frozenset(
    {"anikarobot", "anxiousandy", "demonic", "fast", "marco", "robosoft", "tweaky", "unirobot", "whisper", "whisperf"}
) | {"caleb", "reed"}
"""Families of variants that sound like no person or like another one in haste; the last two never speak twice alike."""
ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
ONES += [f"{stem}teen" for stem in ("thir", "four", "fif", "six", "seven", "eigh", "nine")]
TENS = [f"{stem}ty" for stem in ("twen", "thir", "for", "fif", "six", "seven", "eigh", "nine")]


def make(folder: Path, count: int = COUNT) -> None:
    """Write FLAC files (16 kHz, 16 bit, mono) and manifests of `count` training utterances into `folder`.

    Deterministic; a finished folder is kept. About a minute on one slow core for the default count.

    Raises:
        SampleError: eSpeak NG does not run here, or the folder cannot be used.
    """
    base.make(folder, f"digits {VERSION} {count}", lambda building: _fill(building, count))


def _fill(folder: Path, count: int) -> None:
    espeak = Espeak()
    sizes = base.sizes(count)
    with tqdm(total=sum(sizes.values()), desc="making digits", unit="file", delay=1, leave=False, disable=None) as bar:
        for number, part in enumerate(base.PARTS):
            (folder / part).mkdir()
            speakers = [f"{accent}+{variant}" for variant in variants()[part] for accent in ACCENTS]
            utterances = []
            for index in range(sizes[part]):
                chance = numpy.random.default_rng([SEED, number, index])
                speaker, text = str(chance.choice(speakers)), phrase(chance)
                path = folder / part / f"{index:05d}.flac"
                duration = record(espeak, text, speaker, chance, path)
                utterances.append(Utterance(str(path), text, duration=duration, speaker=speaker))
                bar.update()
            manifest.write(folder / f"{part}.tsv", utterances)


def record(espeak: Espeak, text: str, speaker: str, chance: numpy.random.Generator, path: Path) -> float:
    """Let a voice say a text, at a rate, a pitch and with noise by chance, into a FLAC file; its seconds."""
    rate, pitch, spread = int(chance.integers(125, 215)), int(chance.integers(30, 71)), int(chance.integers(25, 76))
    wave = disturb(espeak.say(text, speaker, rate, pitch, spread), espeak.rate, chance)
    soundfile.write(path, numpy.round(wave * 32767).astype(numpy.int16), RATE)
    return len(wave) / RATE


def spell(number: int) -> str:
    """A whole number from 0 to 9999 in English words: 407 -> "four hundred and seven"."""
    assert 0 <= number <= 9999
    words = [f"{ONES[number // 1000]} thousand"] if number >= 1000 else []
    words += [f"{ONES[number // 100 % 10]} hundred"] if number // 100 % 10 else []
    rest = number % 100
    words += ["and"] if words and rest else []
    if rest >= 20:
        words += [TENS[rest // 10 - 2]] + ([ONES[rest % 10]] if rest % 10 else [])
    elif rest or not words:
        words.append(ONES[rest])
    return " ".join(words)


def phrase(chance: numpy.random.Generator) -> str:
    """Digits one by one (1 to 5 of them), a number in words, or a year as it is read: "nineteen eighty four"."""
    kind = chance.random()
    if kind < 0.45:
        return " ".join(ONES[digit] for digit in chance.integers(0, 10, size=chance.integers(1, 6)))
    if kind < 0.8:
        return spell(int(chance.integers(10 ** chance.integers(1, 5))))
    return f"{spell(int(chance.integers(11, 21)))} {spell(int(chance.integers(10, 100)))}"


@functools.cache
def variants() -> dict[str, list[str]]:
    """The variants in each part. Those whose names differ by a number only (klatt, klatt2) are one family."""
    folder = home() / "voices" / "!v"
    families: dict[str, list[str]] = {}
    for name in sorted(path.name for path in folder.glob("*")):
        families.setdefault(re.sub(r"\d+$", "", name).lower(), []).append(name)
    people = [members for family, members in sorted(families.items()) if family not in LEFT_OUT]
    if len(people) < 20:
        raise SampleError(folder, f"holds {len(people)} voices", "install the package espeakng-loader again")
    alone = [members for members in people if len(members) == 1]  # the large families are needed to learn from
    held = {"val": alone[2::6], "test": alone[5::6]}
    held["train"] = [members for members in people if members not in held["val"] + held["test"]]
    return {part: [name for family in held[part] for name in family] for part in base.PARTS}


def disturb(wave: Wave, rate: int, chance: numpy.random.Generator) -> Wave:
    """The sound [n] as some microphone in some room kept it: [m] at 16 kHz, its peak below 1.

    Silence at both ends; now and then a telephone's band (300 to 3,400 Hz) or a dull microphone; coloured noise with
    a power of 1 / f^a, a from 0 to 2, 12 to 45 dB below the speech; any gain.
    """
    ends = (chance.uniform(0.05, 0.35, size=2) * rate).astype(int)
    wave = numpy.concatenate([numpy.zeros(ends[0]), wave, numpy.zeros(ends[1])])
    power = float(numpy.mean(wave**2))
    spectrum, size = _resampled(wave, rate)
    frequency = numpy.fft.rfftfreq(size, 1 / RATE)
    low, high = _band(chance)
    spectrum *= 1 / (1 + (frequency / high) ** 8) * (1 - 1 / (1 + (frequency / low) ** 4))
    sound = numpy.fft.irfft(spectrum, size)
    colour = numpy.maximum(frequency, 50.0) ** (-chance.uniform(0, 2) / 2)
    noise = numpy.fft.irfft(numpy.fft.rfft(chance.standard_normal(size)) * colour, size)
    decibels = chance.uniform(12, 45)
    noise *= numpy.sqrt(power / 10 ** (decibels / 10) / numpy.mean(noise**2))
    mixed = (sound + noise)[: round(len(wave) * RATE / rate)]
    peak: float = 10 ** (-chance.uniform(1, 20) / 20)
    return mixed * (peak / float(numpy.abs(mixed).max()))


def _band(chance: numpy.random.Generator) -> tuple[float, float]:
    """Lower and upper edge in Hz: a telephone, a dull microphone, or a good one."""
    kind = chance.random()
    return (300.0, 3400.0) if kind < 0.1 else (60.0, chance.uniform(3000, 7500)) if kind < 0.4 else (60.0, 7800.0)


def _resampled(wave: Wave, rate: int) -> tuple[NDArray[numpy.complex128], int]:
    """The spectrum of the sound at 16 kHz, and its samples: what lies above 8 kHz is cut off, nothing else changes."""
    common = math.gcd(rate, RATE)
    blocks = 8 * math.ceil(len(wave) * common / rate / 8)  # whole blocks in both rates; 8: easy on the transform
    length, size = blocks * rate // common, blocks * RATE // common
    assert size <= length, f"eSpeak NG speaks at {rate} Hz"
    return numpy.fft.rfft(wave, length)[: size // 2 + 1] * (size / length), size
