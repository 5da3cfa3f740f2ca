"""The front ends by name; a file's ending tells which one reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recognizer.build import build as build_member
from recognizer.errors import InputError
from recognizer.frontends.base import Frontend
from recognizer.frontends.line import Line
from recognizer.frontends.pen import Pen
from recognizer.frontends.speech import Speech

FRONTENDS: dict[str, type[Frontend[Any]]] = {"speech": Speech, "pen": Pen, "line": Line}
FILMS = frozenset(
    {".mp4", ".m4a", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".aac", ".wma", ".amr", ".3gp", ".mpg", ".mpeg"}
)
"""Endings of files of sound, or of sound and pictures, that only ffmpeg and its like can read."""


def build(config: Mapping[str, Any]) -> Frontend[Any]:
    """The front end that `config` describes: its name and its settings.

    Raises:
        ConfigError: an unknown name, setting or value.
    """
    return build_member(FRONTENDS, "frontend", config)


def endings() -> list[str]:
    """Of all files that can be read, sorted."""
    return sorted(suffix for frontend in FRONTENDS.values() for suffix in frontend.suffixes)


def of(path: str) -> str:
    """The name of the front end that reads the file, by its ending.

    Raises:
        InputError: no front end knows the ending.
    """
    file, mark, number = path.rpartition("#")
    name = Path(file if mark and number.isdecimal() else path).name.lower()  # `#` may stand in a name, too
    for key, frontend in FRONTENDS.items():
        if any(name.endswith(suffix) for suffix in frontend.suffixes):
            return key
    raise unknown(path)


def unknown(path: str) -> InputError:
    """Why a file of this name is not read, and what to do: films and what telephones record have a sound within."""
    what = "no front end reads files with this ending"
    if Path(path).suffix.lower() in FILMS:
        return InputError(path, what, f"take its sound out: ffmpeg -i {path} {Path(path).with_suffix('.wav')}")
    return InputError(path, what, f"use one of: {' '.join(endings())}")


__all__ = ["FRONTENDS", "Frontend", "build", "endings", "of", "unknown"]
