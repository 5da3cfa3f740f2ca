"""Sound file -> wave of one channel, at its own rate or at 16 kHz; a folder of them -> stretches of any length.

N samples.
"""

from __future__ import annotations

import io
import logging
import math
import os
import re
from pathlib import Path

import numpy
import soundfile
import torch
import torchaudio
from numpy.typing import NDArray
from torch import Tensor

from recognizer.errors import ConfigError, InputError

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".sph", ".w64", ".caf"})
RATE = 16_000
LOUDEST = 2.0**31  # no scale of samples goes beyond, and the energy of what does is no longer finite
STREAMED = 0x7FFFF000  # a writer that could not tell the length, as in a pipe, puts a number above this in the header
LONG = 60.0  # seconds; of longer recordings only the stretch that is wanted is decoded, and it is not kept
PHASES = 2**20  # weights of all of a resampling's filters, up to which they are worked out once for all samples
AT_ONCE = 2**16  # of those that are worked out when they are needed
ROOM = 2**28  # bytes of a folder's waves that are kept

log = logging.getLogger(__name__)


def read(path: str, start: float | None = None, end: float | None = None) -> tuple[Tensor, int, int]:
    """float32 [N] in [-1, 1], the mean of the channels, from `start` to `end` seconds; its rate in Hz, the channels.

    Raises:
        InputError: missing, empty, broken, no sound, or without such a part.
    """
    wave, rate = _samples(path, start, end)
    return torch.from_numpy(wave.mean(axis=1)), rate, wave.shape[1]


def cut(path: str, start: float | None = None, end: float | None = None) -> tuple[str, bytes]:
    """The part from `start` to `end` seconds as a file, its ending and its content, from which `read` gives the same.

    FLAC, if the samples are those of 24 bits or fewer; else, as from a lossy coding, AU in single precision, which
    unlike WAV does not keep the time of writing.

    Raises:
        InputError: as `read`.
    """
    wave, rate = _samples(path, start, end)
    steps = wave.astype(numpy.float64) * 2**23
    exact = (steps == steps.round()).all() and (steps >= -(2**23)).all() and (steps < 2**23).all()
    file = io.BytesIO()
    if exact and wave.shape[1] <= 8:
        soundfile.write(file, (steps * 2**8).astype(numpy.int32), rate, format="FLAC", subtype="PCM_24")
        return ".flac", file.getvalue()
    soundfile.write(file, wave, rate, format="AU", subtype="FLOAT")
    return ".au", file.getvalue()


def write(path: str | Path, wave: NDArray[numpy.float32]) -> None:
    """A wave, float32 [N] at RATE, as a file of 16 bits; what is above full scale is clipped.

    Raises:
        OSError: it cannot be written.
    """
    try:
        soundfile.write(os.fspath(path), wave, RATE, "PCM_16")
    except soundfile.LibsndfileError as error:
        raise OSError(None, str(error.error_string).rstrip("."), os.fspath(path)) from error


def _samples(path: str, start: float | None, end: float | None) -> tuple[NDArray[numpy.float32], int]:
    """[N, channels] and the rate."""
    with _opened(path) as file:
        rate = file.samplerate
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
    return wave, rate


def resampled(wave: Tensor, rate: int) -> Tensor:
    """The wave [N] of `rate` Hz at 16 kHz, [ceil(N 16000 / rate)]."""
    if rate == RATE:
        return wave
    # torchaudio works out a filter for each phase of the two rates, and each is as long as all phases together.
    if rate * RATE // math.gcd(rate, RATE) ** 2 <= PHASES:
        return torchaudio.functional.resample(wave, rate, RATE)
    return interpolated(wave, rate)


def interpolated(wave: Tensor, rate: int) -> Tensor:
    """As torchaudio resamples, but each sample's filter is worked out when it is needed: memory stays small.

    The sinc of a low-pass at 0.99 of the lower rate's half, within a Hann window that reaches over 6 of its zeros.
    """
    scale = 0.99 * min(rate, RATE) / rate
    reach = math.ceil(6 / scale)
    padded = torch.nn.functional.pad(wave, (reach, reach + 1))
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    parts = []
    for some in torch.split(torch.arange(-(-len(wave) * RATE // rate)), max(1, AT_ONCE // len(steps))):
        whole, rest = some * rate // RATE, some * rate % RATE  # where they lie in the wave: whole + rest / 16000
        time = ((steps - rest[:, None] / RATE) * scale).clamp(-6, 6).to(wave.dtype)
        filters = time.sinc() * (time * (math.pi / 12)).cos().square() * scale
        parts.append((padded.unfold(0, len(steps), 1)[whole] * filters).sum(1))
    return torch.cat(parts)


def seconds(path: str, start: float | None = None, end: float | None = None) -> float:
    """How long the file, or its part, lasts: from its header.

    Raises:
        InputError: as `read`.
    """
    with _opened(path) as file:
        begin, stop = _part(path, file, start, end)
        return (stop - begin) / file.samplerate


class Folder:
    """The sound files below a folder, of any kind and rate; decoded when they are drawn, and kept while there is room.

    Args:
        path: of the folder.
        where: the setting that names it, for messages.

    Raises:
        ConfigError: there is no such folder, or no sound file below it.
    """

    def __init__(self, path: str, where: str) -> None:
        self.path, self.where = path, where
        if not os.path.isdir(path):
            raise ConfigError(where, f"there is no folder {path!r}", "name a folder of sound files, or leave it out")
        self.files = sorted(str(file) for file in Path(path).rglob("*") if file.suffix.lower() in SUFFIXES)
        if not self.files:
            raise ConfigError(where, f"no sound file lies below {path!r}", f"use {' '.join(sorted(SUFFIXES))}")
        self._kept: dict[str, Tensor] = {}
        self._lasts: dict[str, float] = {}
        self._bad: set[str] = set()
        self._room = ROOM

    def draw(self, chance: numpy.random.Generator, count: int | None = None) -> Tensor:
        """A file at 16 kHz, or `count` samples from somewhere in it, begun again where it ends.

        A file that cannot be read is named once in the log, and the next one is taken.

        Raises:
            ConfigError: none of the files can be read.
        """
        first, place = int(chance.integers(len(self.files))), chance.random()
        for path in self.files[first:] + self.files[:first]:
            try:
                return self._whole(path) if count is None else self._stretch(path, count, place)
            except InputError as error:
                if path not in self._bad:
                    self._bad.add(path)
                    log.warning("%s: left out: %s", self.where, error)
        what = f"none of the {len(self.files)} sound files below {self.path!r} can be read"
        raise ConfigError(self.where, what, "name another folder")

    def _whole(self, path: str) -> Tensor:
        if path not in self._kept:
            wave, rate, _ = read(path, None, min(LONG, seconds(path)))
            wave = resampled(wave, rate)
            self._room -= wave.nbytes
            if self._room < 0:
                return wave
            self._kept[path] = wave
        return self._kept[path]

    def _stretch(self, path: str, count: int, place: float) -> Tensor:
        if path not in self._lasts:
            self._lasts[path] = seconds(path)
        lasts, wanted = self._lasts[path], count / RATE
        if lasts > max(LONG, wanted + 1):
            start = place * (lasts - wanted - 1)
            wave, rate, _ = read(path, start, start + wanted + 1)
            return resampled(wave, rate)[:count]
        wave = self._whole(path)
        begin = int(place * (len(wave) if len(wave) < count else len(wave) - count + 1))
        return wave[(begin + torch.arange(count)) % len(wave)]


def _opened(path: str) -> soundfile.SoundFile:
    try:
        with open(path, "rb") as probe:  # noqa: PTH123
            if not probe.read(1):
                raise InputError(path, "is empty (0 bytes)", "record or copy it again")
        # On POSIX a name is bytes and need not be UTF-8, which soundfile would make it.
        file = soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else path)
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
