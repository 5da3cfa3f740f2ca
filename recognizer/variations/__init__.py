"""The variations by the name of the front end whose signals they change; what is left unsaid has its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recognizer.build import build as build_member
from recognizer.errors import ConfigError
from recognizer.variations.base import Variation
from recognizer.variations.line import Line
from recognizer.variations.pen import Pen
from recognizer.variations.speech import Speech

VARIATIONS: dict[str, type[Variation[Any]]] = {"speech": Speech, "pen": Pen, "line": Line}


def build(frontend: str, vary: Mapping[str, Any] | bool) -> Variation[Any] | None:
    """The variation of a front end's signals; None for `False`, or where there is none for such signals.

    Args:
        frontend: its name.
        vary: `True` for the defaults, or settings that differ from them.

    Raises:
        ConfigError: an unknown setting, or a value out of range.
    """
    if vary is False or (vary is True and frontend not in VARIATIONS):
        return None
    settings = {} if vary is True else dict(vary)
    if "name" in settings:
        raise ConfigError("data.vary.name", "is no setting", "leave it out, the front end tells which one it is")
    return build_member(VARIATIONS, "data.vary", {"name": frontend, **settings})


__all__ = ["VARIATIONS", "Variation", "build"]
