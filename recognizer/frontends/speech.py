"""Sound file -> wave at 16 kHz, one channel -> log-mel or MFCC frames, one every 10 ms."""

from __future__ import annotations

import itertools
import logging
import math
import re
from pathlib import Path
from typing import Literal

import numpy
import soundfile
import torch
import torchaudio
from numpy.typing import NDArray
from torch import Tensor

from recognizer.errors import ConfigError, InputError
from recognizer.frontends.base import Frontend

RATE = 16_000
HOP = 160  # 10 ms
WINDOW = 400  # 25 ms
FLOOR = 1e-6  # of mel energy: about -120 dB of full scale, so that digital silence stays finite
LOUDEST = 2.0**31  # no scale of samples goes beyond, and the energy of what does is no longer finite
STREAMED = 0x7FFFF000  # a writer that could not tell the length, as in a pipe, puts a number above this in the header
LONGEST = 60.0  # seconds that are read at once: a network that looks both ways holds all of them
QUIET = 30  # frames over which loudness is averaged to find a pause; a stop consonant is shorter
LEAST_DEVIATION = 1.0  # nat; real speech has 2 to 4 in every band, so that the noise of a silent file is not blown up
USUAL_DEVIATION = 2.5  # nat, within a band of speech

log = logging.getLogger(__name__)


class Speech(Frontend[Tensor]):
    """Log-mel energies (25 ms windows every 10 ms), or MFCC (Davis & Mermelstein 1980) with first and second deltas.

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
    """

    name = "speech"
    suffixes = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".sph", ".w64", ".caf"})
    unit = "seconds"
    step = HOP / RATE

    def __init__(
        self,
        features: Literal["mel", "mfcc"] = "mel",
        bands: int = 80,
        coefficients: int = 13,
        prior: float = 0.0,
        floor: float = 120.0,
        margin: float = 0.0,
    ) -> None:
        super().__init__(
            features=features, bands=bands, coefficients=coefficients, prior=prior, floor=floor, margin=margin
        )
        if features not in ("mel", "mfcc"):
            raise ConfigError("frontend.features", f"unknown value {features!r}", "use mel or mfcc")
        if not 1 <= bands <= 128 or not 1 <= coefficients <= bands:
            raise ConfigError(
                "frontend", f"{bands} bands and {coefficients} coefficients", "use 1 <= coefficients <= bands <= 128"
            )
        if not (0 <= prior < 3600 and floor > 0 and 0 <= margin <= 10):
            found = f"prior {prior}, floor {floor}, margin {margin}"
            raise ConfigError("frontend", found, "use seconds of at least 0, and dB above 0")
        self.features = features
        self.prior, self.floor, self.margin = prior / self.step, floor, round(margin / self.step)
        self._mel = torchaudio.transforms.MelSpectrogram(
            RATE, n_fft=512, win_length=WINDOW, hop_length=HOP, f_min=20.0, n_mels=bands
        )
        self._dct = torchaudio.functional.create_dct(coefficients, bands, norm="ortho")
        self._told: set[tuple[int, int]] = set()

    @property
    def size(self) -> int:
        """F: the mel bands, or three times the cepstral coefficients."""
        return int(self.settings["bands"] if self.features == "mel" else 3 * self.settings["coefficients"])

    def read(self, path: str, start: float | None = None, end: float | None = None) -> Tensor:
        """float32 [N] at 16 kHz in [-1, 1], from `start` to `end` seconds."""
        with _opened(path) as file:
            rate, channels = file.samplerate, file.channels
            begin, stop = _part(path, file, start, end)
            try:
                file.seek(max(0, begin - rate))
                wave = file.read(stop - max(0, begin - rate), dtype="float32", always_2d=True)
                # A second of run-up: a lossy coding is not itself again right behind the place it was entered.
                wave = wave[min(rate, begin) :]
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise InputError(path, f"breaks off while being read ({error})", "copy or convert it again") from error
        if len(wave) + rate // 10 < stop - begin:
            what = f"breaks off: {len(wave) / rate:g} s of {(stop - begin) / rate:g} s are there"
            raise InputError(path, what, "copy or convert it again")
        if len(wave) == 0:
            raise InputError(path, "holds no samples", "record or copy it again")
        bad = int((~(numpy.abs(wave) <= LOUDEST)).sum())  # put so that NaN is bad, too
        if bad:
            raise InputError(path, f"{bad} samples are NaN, infinite or above 2^31", "export it again as 16-bit PCM")
        if (rate, channels) != (RATE, 1) and (rate, channels) not in self._told:
            self._told.add((rate, channels))
            log.info("%s: %d Hz, %d channel(s), read as 16000 Hz mono (said once)", path, rate, channels)
        mono = torch.from_numpy(wave.mean(axis=1))
        return mono if rate == RATE else torchaudio.functional.resample(mono, rate, RATE)

    def frames(self, signal: Tensor) -> Tensor:
        """float32 [ceil(N / 160) + 2 M, F]; M frames of margin."""
        count = -(-len(signal) // HOP)
        # Zeros at both ends, so that short files need no special case.
        padded = torch.nn.functional.pad(signal, (WINDOW, WINDOW + HOP))
        first = (WINDOW + HOP // 2) // HOP  # frame t is centred on sample 160 t + 80
        power = self._mel(padded)[:, first : first + count] + FLOOR
        loudest = power.mean(dim=0).topk(-(-count // 5)).values.mean()
        least = (loudest * 10 ** (-self.floor / 10)).clamp_min(FLOOR).log()
        energy = torch.nn.functional.pad(power.log().clamp_min(least), (self.margin, self.margin), value=float(least))
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
        with _opened(path) as file:
            begin, stop = _part(path, file, start, end)
            return max(1, math.ceil((stop - begin) / file.samplerate * RATE / HOP))

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
            energy = wave[: len(wave) // HOP * HOP].view(1, -1, HOP).square().mean(2)
            quietest = int(torch.nn.functional.avg_pool1d(energy, QUIET, stride=1).argmin())
            begin = early + (quietest + QUIET / 2) * self.step
            cuts.append(begin)
        return list(itertools.pairwise([*cuts, end]))

    def vary(self, signal: Tensor, chance: numpy.random.Generator) -> Tensor:
        """Speed and pitch by up to 15 % (Ko et al. 2015), another microphone, room noise, cut ends, other loudness."""
        speed = chance.uniform(0.87, 1.15)
        cut = chance.integers(0, 4 * HOP, size=2) if chance.random() < 0.3 else (0, 0)
        places = numpy.arange(cut[0], len(signal) - 1 - cut[1], speed)
        wave = numpy.interp(places, numpy.arange(len(signal)), signal.numpy()).astype(numpy.float32)
        if len(wave) < HOP:
            return signal
        if chance.random() < 0.7:
            wave = _heard(wave, chance)
        if chance.random() < 0.5:
            loud = float(numpy.sqrt(numpy.mean(wave**2)))
            noise = _hiss(len(wave), chance)
            wave = wave + noise * numpy.float32(loud * 10 ** (-chance.uniform(10, 45) / 20))
        return torch.from_numpy(wave * numpy.float32(10 ** (chance.uniform(-6, 3) / 20)))

    def nothing(self, frames: int, chance: numpy.random.Generator) -> Tensor:
        """Digital silence, or hiss, rumble and hum at any level, as between the words of a recording."""
        count = frames * HOP
        if chance.random() < 0.2:
            return torch.zeros(count)
        rumble = _hiss(count, chance)
        hum = chance.uniform(0, 2) * numpy.sin(2 * numpy.pi * chance.choice([50, 60]) / RATE * numpy.arange(count))
        wave = (rumble + hum) * 10 ** chance.uniform(-5, -1)
        return torch.from_numpy(wave.astype(numpy.float32))


def _heard(wave: NDArray[numpy.float32], chance: numpy.random.Generator) -> NDArray[numpy.float32]:
    """As another microphone hears it: every octave louder or softer by some dB; at times through a telephone."""
    size = _round(len(wave))
    spectrum = torch.fft.rfft(torch.from_numpy(wave), size)
    hertz = numpy.linspace(0, RATE / 2, len(spectrum), dtype=numpy.float32)
    octaves = numpy.array([0, 125, 250, 500, 1000, 2000, 4000, 8000])
    gain = numpy.interp(hertz, octaves, chance.normal(0, 4, len(octaves)))
    if chance.random() < 0.35:
        gain[(hertz > chance.uniform(3300, 4000)) | (hertz < chance.uniform(0, 300))] -= 80
    spectrum *= torch.from_numpy(10 ** (gain / 20)).float()
    return torch.fft.irfft(spectrum, size)[: len(wave)].numpy()


def _hiss(count: int, chance: numpy.random.Generator) -> NDArray[numpy.float32]:
    """Noise of power 1, from white hiss to deep rumble: a leaky sum, the deeper the longer it remembers."""
    size = _round(count)
    kept = 1 - 10 ** chance.uniform(-3, 0)
    turn = numpy.linspace(0, numpy.pi, size // 2 + 1, dtype=numpy.float32)
    gain = (1 + kept * kept - 2 * kept * numpy.cos(turn)) ** -0.5  # of y[n] = x[n] + kept y[n - 1]
    gain *= numpy.sqrt(size * (1 - kept * kept) / 2)
    spectrum = chance.standard_normal(2 * len(turn), dtype=numpy.float32).view(numpy.complex64) * gain
    return torch.fft.irfft(torch.from_numpy(spectrum), size)[:count].numpy()


def _round(count: int) -> int:
    """At least `count`, and of small factors, for which the Fourier transform is fast."""
    grain = 2 ** max(5, count.bit_length() - 3)
    return -(-count // grain) * grain


def _opened(path: str) -> soundfile.SoundFile:
    try:
        with open(path, "rb") as probe:  # noqa: PTH123
            if not probe.read(1):
                raise InputError(path, "is empty (0 bytes)", "record or copy it again")
        file = soundfile.SoundFile(path)
    except OSError as error:
        raise InputError(path, f"cannot be opened ({error.strerror})", "check the path and the rights") from error
    except soundfile.LibsndfileError as error:
        detail = str(error.error_string).rstrip(".")
        raise InputError(
            path, f"is not a sound file that can be read ({detail})", "convert it to wav, flac, ogg or mp3"
        ) from error
    # libsndfile reads what is left of a file that was cut off, and only its log tells.
    size = max((int(found) for found in re.findall(r"(?:data|SSND|Data Size)\s*: (\d+)", file.extra_info)), default=0)
    held = Path(path).stat().st_size
    if held < size < STREAMED or "File ended unexpectedly" in file.extra_info:
        file.close()
        what = f"breaks off after {held} bytes" + (f" of at least {size}" if size > held else "")
        raise InputError(path, what, "copy or convert it again")
    return file


def _part(path: str, file: soundfile.SoundFile, start: float | None, end: float | None) -> tuple[int, int]:
    """First sample and the one behind the last, in the file's own rate."""
    total = file.frames
    begin = 0 if start is None else round(start * file.samplerate)
    stop = total if end is None else round(end * file.samplerate)
    # Tables of cut recordings are often rounded: half a second beyond the end is forgiven.
    if begin < 0 or stop > total + file.samplerate // 2 or begin >= stop:
        if total == 0:
            raise InputError(path, "holds no samples", "record or copy it again")
        raise InputError(
            path,
            f"has no part from {start or 0:g} s to {'its end' if end is None else f'{end:g} s'},"
            f" it lasts {total / file.samplerate:g} s",
            "correct start and end",
        )
    return begin, min(stop, total)
