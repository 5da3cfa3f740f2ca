"""Wave -> the same words as said by another voice, in another room, beside other noise, to another microphone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from recognizer.errors import ConfigError
from recognizer.noise import Wave, hiss, smooth
from recognizer.sound import RATE, Folder
from recognizer.variations.base import Variation, check

LEAST = RATE // 100  # samples; what is shorter stays as it is
CUT = 0.3  # share of the utterances whose ends are cut
EQUALISED = 0.7  # share heard through another microphone
OCTAVES = (0, 125, 250, 500, 1000, 2000, 4000, 8000)  # Hz
BAND = ((0, 300), (2600, 4000))  # Hz; between which the edges of a telephone's band lie, also of a muffled one
SILENT = -80.0  # dB
OPEN = (15.0, 45.0)  # dB below the loudest moment, where a gate shuts
SHUT = (10.0, 60.0)  # dB that it then takes away
MOMENT = RATE // 50  # samples, 20 ms, whose power a gate heeds


class Speech(Variation[Tensor]):
    """Variants of a wave, float32 [N] at 16 kHz; in the order in which they come about.

    Args:
        speed: faster or slower, and with it higher or lower, by up to this share (Ko et al. 2015).
        cut: seconds that either end may lose, in three tenths of the utterances; no more than words can spare.
        rooms: a folder of impulse responses with which `rooms_share` of the utterances are convolved; the direct path
            is brought to time 0, so that no word moves, and the level is kept.
        rooms_share: see `rooms`.
        noise: a folder of sound files of which a stretch is added to `noise_share` of the utterances.
        noise_share: see `noise`.
        equaliser: dB; standard deviation of the gain at each octave, in seven tenths of the utterances.
        telephone: share of the utterances that are cut to a telephone's band, up to 2.6 to 4 kHz, where an s is lost.
        hiss: share of the utterances to which noise made on the spot is added, from a bright hiss to a deep rumble,
            half the times before the microphone and telephone, half behind them.
        gate: share of the utterances whose quiet moments are made quieter still, as telephones do to what they take for
            noise: weak consonants go, too; half the times the device's own hiss then hides that they are gone.
        snr: dB, least and most; mean power of the utterance over that of `noise` or `hiss`.
        gain: dB; quieter by up to this, or louder by up to half of it; none, for normalised features do not know it.

    Raises:
        ConfigError: a value out of range, a folder that is none.
    """

    name = "speech"
    kinds = ("speed", "cut", "rooms", "noise", "equaliser", "telephone", "hiss", "gate", "gain")

    def __init__(
        self,
        speed: float = 0.15,
        cut: float = 0.04,
        rooms: str | None = None,
        rooms_share: float = 0.5,
        noise: str | None = None,
        noise_share: float = 0.5,
        equaliser: float = 4.0,
        telephone: float = 0.0,
        hiss: float = 0.5,
        gate: float = 0.0,
        snr: Sequence[float] = (10.0, 45.0),
        gain: float = 0.0,
    ) -> None:
        check({"speed": (speed, 1), "cut": (cut, 0.2), "equaliser": (equaliser, 40), "gain": (gain, 60)})
        shares = {"rooms_share": rooms_share, "noise_share": noise_share}
        shares |= {"telephone": telephone, "hiss": hiss, "gate": gate}
        check({name: (share, 1.0) for name, share in shares.items()})
        if len(snr) != 2 or not -60 <= snr[0] <= snr[1] <= 120:
            raise ConfigError("data.vary.snr", f"is {snr}", "give the least and the most in dB, such as [10, 45]")
        self.speed, self.cut, self.equaliser, self.gain = speed, cut, equaliser, gain
        self.telephone, self.hiss, self.gate = telephone, hiss, gate
        self.least, self.most = snr
        self.rooms = Folder(rooms, "data.vary.rooms") if rooms else None
        self.noise = Folder(noise, "data.vary.noise") if noise else None
        self.rooms_share, self.noise_share = rooms_share, noise_share

    def __call__(self, signal: Tensor, chance: numpy.random.Generator) -> Tensor:
        """float32 [about N]; only `speed` and `cut` change the length."""
        given: Wave = signal.numpy()
        wave = given
        if self.speed or self.cut:
            wave = self._paced(wave, chance)
        if len(wave) < LEAST:
            return signal
        if self.rooms and chance.random() < self.rooms_share:
            wave = reverberant(wave, self.rooms.draw(chance).numpy())
        if self.noise and chance.random() < self.noise_share:
            wave = mixed(wave, self.noise.draw(chance, len(wave)).numpy(), chance.uniform(self.least, self.most))
        hissing = chance.random() if self.hiss else 1.0
        if hissing < self.hiss / 2:  # there, where it was said, not in the device
            wave = self._hissed(wave, chance)
        if self.equaliser or self.telephone:
            wave = self._heard(wave, chance)
        gating = chance.random() if self.gate else 1.0
        if gating < self.gate / 2:
            wave = _gated(wave, chance)
        if self.hiss / 2 <= hissing < self.hiss:
            wave = self._hissed(wave, chance)
        if self.gate / 2 <= gating < self.gate:
            wave = _gated(wave, chance)
        if self.gain:
            wave = wave * numpy.float32(10 ** (chance.uniform(-self.gain, self.gain / 2) / 20))
        return signal if wave is given else torch.from_numpy(wave)

    def stretch(self, chance: numpy.random.Generator) -> float:
        """Speech that is read faster is shorter."""
        return 1 / self._pace(chance)

    def _pace(self, chance: numpy.random.Generator) -> float:
        """How many times as fast; what is drawn first."""
        return float(chance.uniform(1 / (1 + self.speed), 1 + self.speed))

    def _paced(self, wave: Wave, chance: numpy.random.Generator) -> Wave:
        """Read at another speed, and begun late or ended early at times."""
        speed = self._pace(chance)
        most = round(self.cut * RATE)
        first, last = chance.integers(0, most, size=2) if most and chance.random() < CUT else (0, 0)
        if speed == 1:
            return wave[first : max(0, len(wave) - last)]
        places = numpy.arange(first, len(wave) - 1 - last, speed)
        return numpy.interp(places, numpy.arange(len(wave)), wave).astype(numpy.float32)

    def _hissed(self, wave: Wave, chance: numpy.random.Generator) -> Wave:
        """In noise made on the spot."""
        return mixed(wave, hiss(len(wave), chance), chance.uniform(self.least, self.most))

    def _heard(self, wave: Wave, chance: numpy.random.Generator) -> Wave:
        """As another microphone hears it, or a telephone, which is always another microphone, too."""
        foreign = chance.random()
        octaves = None
        if self.equaliser and foreign < EQUALISED:
            octaves = chance.normal(0, self.equaliser, len(OCTAVES)).tolist()
        low, high = (chance.uniform(*edge) for edge in BAND) if foreign < self.telephone else (0.0, math.inf)
        if octaves is None and high == math.inf:
            return wave
        return filtered(wave, octaves, low, high)


def filtered(wave: Wave, octaves: Sequence[float] | None = None, low: float = 0.0, high: float = math.inf) -> Wave:
    """The wave [N] with gains in dB at OCTAVES, linear between them, and 80 dB less outside of `low` to `high` Hz."""
    size = smooth(len(wave))
    spectrum = torch.fft.rfft(torch.from_numpy(wave), size)
    hertz = numpy.linspace(0, RATE / 2, len(spectrum), dtype=numpy.float32)
    gain = numpy.zeros(len(hertz)) if octaves is None else numpy.interp(hertz, OCTAVES, octaves)
    gain[(hertz > high) | (hertz < low)] += SILENT
    spectrum *= torch.from_numpy(10 ** (gain / 20)).float()
    out: Wave = torch.fft.irfft(spectrum, size)[: len(wave)].numpy()
    return out


def _gated(wave: Wave, chance: numpy.random.Generator) -> Wave:
    """Behind a gate as there are many."""
    return gated(wave, chance.uniform(*OPEN), chance.uniform(*SHUT))


def gated(wave: Wave, threshold: float, depth: float) -> Wave:
    """The wave [N], `depth` dB quieter where the 20 ms around are `threshold` dB or more below its loudest 20 ms."""
    level = _mean(wave.astype(numpy.float64) ** 2)
    shut = level < level.max() * 10 ** (-threshold / 10)
    return wave * (10 ** (-depth / 20 * _mean(shut.astype(numpy.float64)))).astype(numpy.float32)


def _mean(values: NDArray[numpy.float64]) -> NDArray[numpy.float64]:
    """The mean of the MOMENT around each of [N]; at either end of those that there are."""
    sums = numpy.concatenate([[0.0], numpy.cumsum(values)])
    here = numpy.arange(len(values))
    first, last = numpy.maximum(here - MOMENT // 2, 0), numpy.minimum(here + MOMENT // 2, len(values))
    mean: NDArray[numpy.float64] = (sums[last] - sums[first]) / (last - first)
    return mean


def mixed(wave: Wave, noise: Wave, snr: float) -> Wave:
    """The wave and the noise, both [N], added so that the mean power of the wave is `snr` dB above the noise's."""
    loud, noisy = (float(numpy.mean(part * part, dtype=numpy.float64)) for part in (wave, noise))
    if not noisy:  # a pause in the recording
        return wave
    return wave + noise * numpy.float32(math.sqrt(loud / noisy) * 10 ** (-snr / 20))


def reverberant(wave: Wave, response: Wave) -> Wave:
    """The wave [N] in the room of the impulse response [M]: float32 [N], as loud, its direct sound where it was.

    The direct path is the first sample of the response that reaches half of its peak; what comes before is noise of
    the measurement, and the echoes behind the end are dropped.
    """
    size = numpy.abs(response)
    if not size.max():
        return wave
    response = response[int(numpy.argmax(size >= 0.5 * size.max())) :][: len(wave)]
    length = smooth(len(wave) + len(response))
    spectra = (torch.fft.rfft(torch.from_numpy(part), length) for part in (wave, response))
    out: Wave = torch.fft.irfft(next(spectra) * next(spectra), length)[: len(wave)].numpy()
    loud, now = (float(numpy.mean(part * part, dtype=numpy.float64)) for part in (wave, out))
    return out * numpy.float32(math.sqrt(loud / now) if now else 0.0)
