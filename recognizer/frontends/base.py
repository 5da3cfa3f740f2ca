"""What every front end does: file -> signal -> frames `T x F`. Nothing beyond this room knows which kind it was."""

from __future__ import annotations

import abc
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy
from numpy.typing import NDArray
from torch import Tensor

from recognizer.errors import ConfigError, InputError

Signal = TypeVar("Signal")


class Frontend(abc.ABC, Generic[Signal]):
    """Turns files of one kind into frames. Its constructor takes plain values only, and keeps them in `settings`.

    Reading and framing are deterministic; what training changes by chance is done to signals (`variations`) and frames
    (`augment`).
    """

    name: ClassVar[str]
    """Its key in FRONTENDS."""
    suffixes: ClassVar[frozenset[str]]
    """Endings of the files it reads, lower case, with the dot."""
    unit: ClassVar[str]
    """What lengths along the time axis are told in: "seconds", "points" or "pixels"."""
    margin: int = 0
    """How many frames stand before, and as many behind, those of the signal itself."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def config(self) -> dict[str, Any]:
        """Plain values from which `frontends.build` makes an equal front end."""
        return {"name": self.name, **self.settings}

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """F, the number of features of a frame."""

    @property
    @abc.abstractmethod
    def step(self) -> float:
        """How many units one frame advances; where that differs from file to file, 1."""

    def items(self, path: str) -> list[str]:
        """The readable items of a file: itself, or `path#0`, `path#1`, ... where it holds several.

        Raises:
            InputError: the file does not exist or is not of this kind.
        """
        return [path]

    @abc.abstractmethod
    def read(self, path: str, start: float | None = None, end: float | None = None) -> Signal:
        """The signal of a file or item, or its part from `start` to `end` in units.

        Raises:
            InputError: it is missing, broken, empty, or has no such part; the message names the file and the way out.
        """

    @abc.abstractmethod
    def frames(self, signal: Signal) -> Tensor:
        """float32 [T, F], finite, T >= 1, margins counted in."""

    def places(
        self, path: str, signal: Signal, frames: int, start: float | None = None, end: float | None = None
    ) -> NDArray[numpy.float64]:
        """[T + 1] where in the file each frame begins, and where the last one ends, in units; these never fall.

        Frames of the margins stand before `start` and behind `end`. By default all frames are `step` long.

        Args:
            path, start, end: what was read.
            signal: what `read` made of it.
            frames: T, what `frames` made of that.
        """
        return (start or 0.0) + (numpy.arange(frames + 1, dtype=numpy.float64) - self.margin) * self.step

    def accustomed(self, signals: Iterable[Signal]) -> Frontend[Signal]:
        """This front end as it is for someone of whom these signals are, all of one person and device.

        Raises:
            ConfigError: it can make no use of knowing who it was; by default none can.
        """
        what = f"a front end for {self.name!r} files knows no people"
        raise ConfigError("per speaker", what, "leave it out; it is for speech")

    @abc.abstractmethod
    def length(self, path: str, start: float | None = None, end: float | None = None) -> int:
        """About how many frames `read` and `frames` will give; cheap where the file's header tells.

        Raises:
            InputError: as `read`.
        """

    def parts(
        self, path: str, start: float | None = None, end: float | None = None
    ) -> list[tuple[float | None, float | None]]:
        """Where to cut what is too long to be read at once: `start` and `end` of each piece. By default nowhere.

        Raises:
            InputError: as `read`.
        """
        return [(start, end)]

    def alone(
        self, path: str, start: float | None = None, end: float | None = None
    ) -> tuple[str, bytes, float | None, float | None]:
        """A file or item as a file of its own, for packing: its ending, its content, and the part of that to `read`.

        What is read from it is the same bit by bit. By default the file as it is.

        Raises:
            InputError: it cannot be read.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise InputError(path, f"cannot be opened ({error.strerror})", "check the path and the rights") from error
        suffix = max((one for one in self.suffixes if path.lower().endswith(one)), key=len, default=Path(path).suffix)
        return suffix, data, start, end

    def nothing(self, frames: int, chance: numpy.random.Generator) -> Signal | None:
        """A signal of about so many frames in which nothing is written, so that training can show what that is like.

        None where there can be no such signal.
        """
        return None
