"""Many people and accents out of one synthetic voice, for corpora made from text.

`pip install hibari-tts scipy` (Apache-2.0, 14 MB with its one American voice, distilled from Kokoro-82M) speaks at some
50 times real time on one processor. What its network says comes as an envelope of harmonics, one of noise and the
course of the pitch, so a person is drawn by moving these: pitch and its range, the length of the vocal tract, breath,
tilt. A learner of English says some sounds as nearer ones of another language, swallows ends of words and stops
between them.
"""

from __future__ import annotations

import dataclasses

import numpy
from numpy.typing import NDArray

RATE = 16_000
MEAN_PITCH = 190.0  # Hz, of the voice itself
KINDS = {  # least and most pitch (Hz) and stretching of the spectrum, which shortens the vocal tract
    "man": ((80, 160), (0.78, 0.96)),
    "woman": ((150, 260), (0.92, 1.1)),
    "child": ((200, 340), (1.05, 1.35)),
}
HEARD = {  # a sound -> what learners say for it, and how likely a learner does
    "θ": (("s", "s", "t", "f"), 0.5),
    "ð": (("d", "d", "z", "l"), 0.5),
    "v": (("w", "w", "f"), 0.35),
    "z": (("s",), 0.4),
    "ɪ": (("i",), 0.4),
    "æ": (("ɛ", "ɛ", "a", "ʌ"), 0.5),
    "ʊ": (("u",), 0.4),
    "ʌ": (("a", "ɑ"), 0.35),
    "ŋ": (("n",), 0.3),
    "ʒ": (("ʃ", "ɹ"), 0.5),
    "ɹ": (("l", "w"), 0.12),
    "l": (("ɹ", "n"), 0.1),
    "ə": (("ʌ", "ɛ", "ɑ"), 0.25),
    "ɛ": (("æ", "A"), 0.25),
    "O": (("ɔ",), 0.3),
    "A": (("ɛ",), 0.25),
    "T": (("d", "t"), 0.5),
}
LAST = {  # at the end of a word: what becomes of it
    "t": (("", "tə", "tʰ"), 0.3),
    "d": (("", "də", "t"), 0.35),
    "k": (("", "kə"), 0.25),
    "p": (("", "pə"), 0.25),
    "b": (("p", "bə"), 0.3),
    "ɡ": (("k", "ɡə"), 0.35),
    "l": (("O", "", "u"), 0.35),
    "s": (("", "sə"), 0.15),
    "z": (("s", ""), 0.4),
    "m": (("n",), 0.15),
    "n": (("ŋ", ""), 0.15),
    "v": (("f", ""), 0.4),
    "ɹ": (("",), 0.4),
}
STRESS = "ˈˌ"


@dataclasses.dataclass(frozen=True)
class Person:
    """How somebody sounds.

    Attributes:
        pitch: Hz, the mean.
        range: of the pitch, as a power of what the voice itself does.
        tract: by how much the spectrum is stretched.
        tilt: dB an octave above 1 kHz.
        breath: dB of noise more or less than the voice itself has.
        pace: times as fast as it.
        pauses: share of the words behind which there is a pause.
        accent: sounds that are said otherwise, each with what for it; none for a native.
        ends: the same for the last sound of a word.
        faithful: share of the times at which the accent shows.
    """

    pitch: float
    range: float
    tract: float
    tilt: float
    breath: float
    pace: float
    pauses: float
    accent: dict[str, str]
    ends: dict[str, str]
    faithful: float


def drawn(chance: numpy.random.Generator, learner: bool) -> Person:
    """A person by chance, half of the learners children."""
    kind = str(chance.choice(["man", "woman", "child"], p=[0.25, 0.25, 0.5] if learner else [0.5, 0.4, 0.1]))
    pitch, tract = KINDS[kind]
    place = chance.random()  # who speaks high has mostly a short tract, too
    tables = [
        {sound: str(chance.choice(others)) for sound, (others, likely) in table.items() if chance.random() < likely}
        for table in (HEARD if learner else {}, LAST if learner else {})
    ]
    return Person(
        pitch=pitch[0] * (pitch[1] / pitch[0]) ** numpy.clip(place + chance.normal(0, 0.2), 0, 1),
        range=chance.uniform(0.2, 1.1) if learner else chance.uniform(0.4, 1.5),
        tract=tract[0] + (tract[1] - tract[0]) * numpy.clip(place + chance.normal(0, 0.2), 0, 1),
        tilt=chance.normal(0, 2.5),
        breath=chance.uniform(-6, 8),
        pace=chance.uniform(0.6, 1.1) if learner else chance.uniform(0.8, 1.45),
        pauses=chance.uniform(0, 0.4) if learner and chance.random() < 0.5 else chance.uniform(0, 0.05),
        accent=tables[0],
        ends=tables[1],
        faithful=chance.uniform(0.4, 1.0),
    )


def spoken(sounds: str, person: Person, chance: numpy.random.Generator) -> str:
    """Sounds in Kokoro's letters -> the same in the person's mouth, with the person's pauses."""
    words = []
    for word in sounds.split(" "):
        out = []
        core = word.rstrip(".,!?;:")
        for place, sound in enumerate(core):
            final = place + 1 == len(core) and place > 1
            table = person.ends if final and sound in person.ends else person.accent
            out.append(table[sound] if sound in table and chance.random() < person.faithful else sound)
        said = "".join(out)
        if not said.strip(STRESS):
            said = core
        words.append(said + word[len(core) :] + ("," if word == core and chance.random() < person.pauses else ""))
    return " ".join(words)


class Voice:
    """Speaks as any person.

    Args:
        threads: of one processor each.
    """

    def __init__(self, threads: int = 1) -> None:
        import hibari  # in no list of ours: only who makes a corpus with it needs it
        from hibari import dsp
        from scipy.signal import resample_poly

        self.voice, self.dsp, self.resampled = hibari.Hibari(threads=threads), dsp, resample_poly

    def sounds(self, text: str) -> str:
        """Text of one line -> what it sounds like in Kokoro's letters; letters of the alphabet stand in capitals."""
        return " ".join(self.voice.phonemize(text))

    def say(self, sounds: str, person: Person, chance: numpy.random.Generator) -> NDArray[numpy.float32]:
        """Sounds -> the wave at RATE, its loudest sample at 0.6."""
        given = {
            "ids": numpy.asarray([self.voice.ids(sounds)], numpy.int64),
            "speed": numpy.asarray([person.pace], numpy.float32),
        }
        harmonic, phase, noise, rest, free, pitch = (part[0] for part in self.voice.sess.run(None, given))
        bins = numpy.arange(len(harmonic))
        # Only envelopes are stretched; their phases stay, which the ear and log-mel energies hardly notice.
        places = numpy.clip(bins / person.tract, 0, len(bins) - 1)
        low = numpy.minimum(places.astype(int), len(bins) - 2)
        share = (places - low).astype(numpy.float32)[:, None]
        harmonic, noise, rest = (
            part[low] * (1 - share) + part[low + 1] * share for part in (harmonic, noise, rest)
        )  # fmt: skip
        hertz = numpy.maximum(bins * self.dsp.SR / self.dsp.N_FFT, 1000)
        tilt = (person.tilt * numpy.log2(hertz / 1000) * numpy.log(10) / 20).astype(numpy.float32)[:, None]
        noise = noise + numpy.float32(person.breath * numpy.log(10) / 20)
        voiced = pitch > 40
        moved = pitch.copy()
        moved[voiced] = person.pitch * (pitch[voiced] / MEAN_PITCH) ** person.range
        # Fewer harmonics of the same size in a band mean less of it: keep the power.
        harmonic = harmonic + numpy.float32(0.5 * numpy.log(person.pitch / MEAN_PITCH))
        wave = self.dsp.synth(harmonic + tilt, phase, noise + tilt, rest + tilt, free, moved, chance)
        wave = self.resampled(wave, RATE, self.dsp.SR).astype(numpy.float32)
        return wave * numpy.float32(0.6 / max(1e-3, float(numpy.abs(wave).max())))
