"""A setting `{name: ..., key: value}` -> the member of a room that it describes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from recognizer.errors import ConfigError, nearest

Member = TypeVar("Member")


def build(room: Mapping[str, Callable[..., Member]], what: str, config: Mapping[str, Any], **given: Any) -> Member:
    """The member that `config` names, made from its other keys and from `given`.

    Args:
        room: the members by name.
        what: the setting's name in messages, such as `model.stem`.

    Raises:
        ConfigError: no name, an unknown name, an unknown key, or a value that the member refuses.
    """
    settings = dict(config)
    name = settings.pop("name", None)
    if not isinstance(name, str) or name not in room:
        raise ConfigError(what, f"unknown name {name!r}", nearest(str(name), room))
    member = room[name]
    known = [key for key in inspect.signature(member).parameters if key not in given]
    for key in settings:
        if key not in known:
            raise ConfigError(f"{what}.{key}", f"{name!r} has no such setting", nearest(key, known))
    try:
        return member(**given, **settings)
    except (TypeError, ValueError, AssertionError) as error:
        raise ConfigError(what, f"{dict(config)} does not build ({error})", "correct its values") from error
