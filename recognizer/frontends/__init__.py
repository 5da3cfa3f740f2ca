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


def build(config: Mapping[str, Any]) -> Frontend[Any]:
    """The front end that `config` describes: its name and its settings.

    Raises:
        ConfigError: an unknown name, setting or value.
    """
    return build_member(FRONTENDS, "frontend", config)


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
    known = sorted(suffix for frontend in FRONTENDS.values() for suffix in frontend.suffixes)
    raise InputError(path, "no front end reads files with this ending", f"use one of: {' '.join(known)}")


__all__ = ["FRONTENDS", "Frontend", "build", "of"]
