"""Text -> sound and phones by eSpeak NG, which the wheel `espeakng-loader` carries: nothing is downloaded."""

from __future__ import annotations

import atexit
import ctypes
import functools
import shutil
import tempfile
from pathlib import Path

import espeakng_loader
import numpy
from numpy.typing import NDArray

from recognizer.errors import SampleError

Wave = NDArray[numpy.float64]

SEED = 20_240
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """eSpeak NG with a state of its own.

    The library keeps random numbers and filters in global variables that no call sets back, so that what it says
    depends on all it said before. Each object therefore loads a private copy of it, and says the same as any other
    object that was asked the same.

    Attributes:
        rate: samples per second of what `say` returns.

    Raises:
        SampleError: the library cannot be loaded, or does not find its voices.
    """

    def __init__(self) -> None:
        remedy = "install the package espeakng-loader for this system again, or train on a corpus of your own"
        library, folder = Path(espeakng_loader.get_library_path()), _copies()
        copy = folder / f"{len(list(folder.iterdir()))}-{library.name}"
        try:
            shutil.copy(library, copy)
            self._library = ctypes.CDLL(str(copy))
        except OSError as error:
            raise SampleError("eSpeak NG", f"its library cannot be loaded ({error})", remedy) from error
        place = _reachable(home(), folder)
        synchronous, milliseconds, never_exit = 2, 500, 0x8000
        self.rate: int = self._library.espeak_Initialize(synchronous, milliseconds, place.encode(), never_exit)
        if self.rate <= 0:
            raise SampleError("eSpeak NG", f"it does not find its voices in {place}", remedy)
        self._parts: list[NDArray[numpy.int16]] = []
        self._callback = _CALLBACK(self._receive)  # kept, for the library does not
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(SEED))

    def _receive(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: int | None) -> int:
        if samples and count:
            self._parts.append(numpy.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def say(self, text: str, voice: str, rate: int = 175, pitch: int = 50, spread: int = 50) -> Wave:
        """Sound [n] in [-1, 1] at `self.rate`.

        Args:
            voice: an accent and perhaps a variant, "en-us+f3".
            rate: words per minute, 80 to 450.
            pitch: 0 to 100; 50 is the voice's own.
            spread: how far the pitch moves, 0 to 100.

        Raises:
            SampleError: there is no such voice.
        """
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise SampleError("eSpeak NG", f"has no voice {voice!r}", "install the package espeakng-loader again")
        for parameter, value in ((1, rate), (3, pitch), (4, spread)):  # espeakRATE, espeakPITCH, espeakRANGE
            self._library.espeak_SetParameter(parameter, value, 0)
        self._parts.clear()
        data, utf8 = text.encode() + b"\0", 1
        self._library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 0, 0, utf8, None, None)
        assert self._parts, f"eSpeak NG said nothing for {text!r} as {voice}"
        return numpy.concatenate(self._parts) / 32768.0


@functools.cache
def _copies() -> Path:
    """The folder of the private copies; they stay to the end, lest the loader take a new file for one it knows."""
    folder = Path(tempfile.mkdtemp(prefix="espeak-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _reachable(data: Path, folder: Path) -> str:
    """eSpeak NG keeps its data's path in 160 bytes: a longer one is reached by a short link."""
    if len(str(data).encode()) < 140:
        return str(data)
    link = folder / "data"
    if not link.exists():
        link.symlink_to(data, target_is_directory=True)
    return str(link)


def home() -> Path:
    """The folder with its voices and rules."""
    return Path(espeakng_loader.get_data_path())
