"""Sound file -> wave at 16 kHz, one channel -> log-mel or MFCC frames, usually one every 10 ms."""

from __future__ import annotations

import copy
import itertools
import logging
import math
from collections.abc import Iterable
from typing import Literal

import numpy
import torch
import torchaudio
from torch import Tensor

from recognizer import sound
from recognizer.errors import ConfigError
from recognizer.frontends.base import Frontend
from recognizer.noise import hiss
from recognizer.sound import RATE

WINDOW = 400  # 25 ms
FLOOR = 1e-6  # of mel energy: about -120 dB of full scale, so that digital silence stays finite
LONGEST = 60.0  # seconds that are read at once: a network that looks both ways holds all of them
QUIET = 0.3  # seconds over which loudness is averaged to find a pause; a stop consonant is shorter
LEAST_DEVIATION = 1.0  # nat; real speech has 2 to 4 in every band, so that the noise of a silent file is not blown up
USUAL_DEVIATION = 2.5  # nat, within a band of speech
AVERAGE = (0.4, 2.2, 2.4, 2.3, 1.3, 0.4, -0.1, -0.2, -0.2, -0.3, -0.1, -0.5, -0.7, -1.5, -2.0, -2.3, -2.5)
"""Average speech, in nat above its mean, at places evenly spaced in mel (`benchmarks/average_speech.py`)."""
FAMILIAR = 3.0  # times as long as `prior` does the average of someone count whose voice is known

log = logging.getLogger(__name__)


class Speech(Frontend[Tensor]):
    """Log-mel energies (of windows of 25 ms), or MFCC (Davis & Mermelstein 1980) with first and second deltas.

    Any sampling rate and number of channels is read; channels are averaged and the rate is brought to 16 kHz by a
    windowed-sinc filter; a log line says so once for each rate and channel count. Every band of an utterance is
    brought to mean 0 and deviation 1 over its own frames, and over `prior` seconds of average speech at its loudness
    (maximum a posteriori, Gauvain & Lee 1994): half a second tells more about the word than about the microphone.

    Args:
        features: "mel" or "mfcc".
        bands: mel bands between 20 Hz and 8 kHz.
        coefficients: cepstral coefficients kept by "mfcc"; with deltas a frame has three times as many features.
        prior: seconds of average speech that count beside the utterance's own when bands are normalised.
        floor: dB; mel energies this far below the mean of the loudest fifth of the frames are raised to there, so that
            it is of no matter how quiet a room was.
        margin: seconds of this floor put before and behind the sound, so that CTC has room for a word cut close.
        step: seconds from frame to frame, rounded to whole samples at 16 kHz. A trained network may read better with
            steps a little shorter than those it learnt from: CTC then has more frames to write in.
    """

    name = "speech"
    suffixes = sound.SUFFIXES
    unit = "seconds"

    def __init__(
        self,
        features: Literal["mel", "mfcc"] = "mel",
        bands: int = 80,
        coefficients: int = 13,
        prior: float = 0.0,
        floor: float = 120.0,
        margin: float = 0.0,
        step: float = 0.01,
    ) -> None:
        numbers = {"prior": prior, "floor": floor, "margin": margin, "step": step}
        super().__init__(features=features, bands=bands, coefficients=coefficients, **numbers)
        if features not in ("mel", "mfcc"):
            raise ConfigError("frontend.features", f"unknown value {features!r}", "use mel or mfcc")
        if not 1 <= bands <= 128 or not 1 <= coefficients <= bands:
            raise ConfigError(
                "frontend", f"{bands} bands and {coefficients} coefficients", "use 1 <= coefficients <= bands <= 128"
            )
        if not (0 <= prior < 3600 and floor > 0 and 0 <= margin <= 10):
            what = f"prior {prior}, floor {floor}, margin {margin}"
            raise ConfigError("frontend", what, "use seconds of at least 0, and dB above 0")
        self._hop = round(step * RATE) if math.isfinite(step) else 0
        if not WINDOW // 10 <= self._hop <= WINDOW:
            raise ConfigError("frontend", f"step {step}", "use 0.0025 to 0.025 seconds from frame to frame")
        self.features = features
        self.prior, self.floor, self.margin = prior / self.step, floor, round(margin / self.step)
        self._mel = torchaudio.transforms.MelSpectrogram(
            RATE, n_fft=512, win_length=WINDOW, hop_length=self._hop, f_min=20.0, n_mels=bands
        )
        self._dct = torchaudio.functional.create_dct(coefficients, bands, norm="ortho")
        self._voice = torch.zeros(bands, 1)
        self._told: set[tuple[int, int]] = set()

    @property
    def step(self) -> float:
        """Seconds from frame to frame."""
        return self._hop / RATE

    @property
    def size(self) -> int:
        """F: the mel bands, or three times the cepstral coefficients."""
        return int(self.settings["bands"] if self.features == "mel" else 3 * self.settings["coefficients"])

    def read(self, path: str, start: float | None = None, end: float | None = None) -> Tensor:
        """float32 [N] at 16 kHz in [-1, 1], from `start` to `end` seconds."""
        wave, rate, channels = sound.read(path, start, end)
        if (rate, channels) != (RATE, 1) and (rate, channels) not in self._told:
            self._told.add((rate, channels))
            log.info("%s: %d Hz, %d channel(s), read as 16000 Hz mono (said once)", path, rate, channels)
        return sound.resampled(wave, rate)

    def alone(
        self, path: str, start: float | None = None, end: float | None = None
    ) -> tuple[str, bytes, float | None, float | None]:
        """The file as it is; of a part, FLAC or AU of that part alone, for what it stands in may last hours."""
        if start is None and end is None:
            return super().alone(path)
        return *sound.cut(path, start, end), None, None

    def accustomed(self, signals: Iterable[Tensor]) -> Speech:
        """For a speaker who said these, [N_i] each: what sets him and his microphone apart is taken from every frame.

        The mean spectrum of all that he said, less that of average speech, is subtracted (cepstral mean subtraction,
        Atal 1974), smoothed by `prior` seconds without any difference. What is left is average speech, and that counts
        up to three times as long beside an utterance's own frames: a short word keeps its spectrum.

        Raises:
            ConfigError: every utterance is normalised by itself alone, so there is nothing to get accustomed to.
        """
        if self.features != "mel" or not self.prior:
            what = "the model brings every band of an utterance to mean 0 by itself"
            raise ConfigError("per speaker", what, "leave it out, or train with frontend.prior, such as 1.0, on mel")
        total, count = torch.zeros_like(self._voice), 0
        for signal in signals:
            energy, _ = self.energy(signal)
            total += (energy - energy.mean()).sum(dim=1, keepdim=True)
            count += energy.shape[1]
        average = numpy.interp(places(len(total)), numpy.linspace(0, 1, len(AVERAGE)), AVERAGE)
        share = count / (count + self.prior)
        other = copy.copy(self)
        other.prior = self.prior * (1 + (FAMILIAR - 1) * share)
        other._voice = share * (total / max(1, count) - torch.from_numpy(average).float()[:, None])
        return other

    def energy(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithms of mel energies, float32 [bands, T], and the floor to which they are raised, []."""
        hop = self._hop
        count, first = -(-len(signal) // hop), -(-(WINDOW + hop // 2) // hop)
        # Zeros at both ends, so that short files need no special case; frame t is centred on its step's middle.
        padded = torch.nn.functional.pad(signal, (first * hop - hop // 2, WINDOW + hop))
        power = self._mel(padded)[:, first : first + count] + FLOOR
        loudest = power.mean(dim=0).topk(-(-count // 5)).values.mean()
        least = (loudest * 10 ** (-self.floor / 10)).clamp_min(FLOOR).log()
        return power.log().clamp_min(least), least

    def frames(self, signal: Tensor) -> Tensor:
        """float32 [T + 2 M, F]; a frame for each step that has begun, and M frames of margin."""
        energy, least = self.energy(signal)
        energy = torch.nn.functional.pad(energy, (self.margin, self.margin), value=float(least))
        if (energy > least).any():  # nobody's voice colours silence
            energy = energy - self._voice
        if self.features == "mfcc":
            cepstra = self._dct.T @ energy
            deltas = torchaudio.functional.compute_deltas(cepstra[None])[0]
            again = torchaudio.functional.compute_deltas(deltas[None])[0]
            energy = torch.cat([cepstra, deltas, again])
        return self._normal(energy).T.contiguous()

    def _normal(self, energy: Tensor) -> Tensor:
        """[F, T] with mean 0 and deviation 1; the margins are moved along, but do not count."""
        own = energy[:, self.margin : energy.shape[1] - self.margin]
        share = own.shape[1] / (own.shape[1] + self.prior)
        mean = own.mean(dim=1, keepdim=True)
        variance = (own - mean).square().mean(dim=1, keepdim=True)
        if self.features == "mel":  # of average speech: the same loudness in all bands
            usual, spread, least = own.mean(), variance.new_tensor(USUAL_DEVIATION**2), LEAST_DEVIATION
        else:
            usual, spread, least = mean, variance, 1e-2
        mean = share * mean + (1 - share) * usual
        deviation = (share * variance + (1 - share) * spread).sqrt()
        return (energy - mean) / deviation.clamp_min(least)

    def length(self, path: str, start: float | None = None, end: float | None = None) -> int:
        """Frames, from the file's header."""
        return self._own(path, start, end) + 2 * self.margin

    def _own(self, path: str, start: float | None, end: float | None) -> int:
        """Frames without the margins."""
        return max(1, math.ceil(sound.seconds(path, start, end) * RATE / self._hop))

    def parts(
        self, path: str, start: float | None = None, end: float | None = None
    ) -> list[tuple[float | None, float | None]]:
        """Pieces of at most 60 s, cut in the quietest 0.3 s of the last 20 s of each."""
        begin = start or 0.0
        stop = begin + self._own(path, start, end) * self.step
        cuts: list[float | None] = [start]
        while stop - begin > LONGEST:
            late = min(begin + LONGEST, stop - LONGEST / 3)  # so that the last piece is no mere scrap
            early = late - LONGEST / 3
            wave = self.read(path, early, late)
            energy = wave[: len(wave) // self._hop * self._hop].view(1, -1, self._hop).square().mean(2)
            quiet = round(QUIET / self.step)
            quietest = int(torch.nn.functional.avg_pool1d(energy, quiet, stride=1).argmin())
            begin = early + (quietest + quiet / 2) * self.step
            cuts.append(begin)
        return list(itertools.pairwise([*cuts, end]))

    def nothing(self, frames: int, chance: numpy.random.Generator) -> Tensor:
        """Digital silence, or hiss, rumble and hum at any level, as between the words of a recording."""
        count = frames * self._hop
        if chance.random() < 0.2:
            return torch.zeros(count)
        rumble = hiss(count, chance)
        hum = chance.uniform(0, 2) * numpy.sin(2 * numpy.pi * chance.choice([50, 60]) / RATE * numpy.arange(count))
        wave = (rumble + hum) * 10 ** chance.uniform(-5, -1)
        return torch.from_numpy(wave.astype(numpy.float32))


def places(bands: int) -> numpy.ndarray:
    """Where the middles of mel bands lie, from 0 (20 Hz) to 1 (8 kHz), evenly spaced: [bands]."""
    return numpy.arange(1, bands + 1) / (bands + 1)
