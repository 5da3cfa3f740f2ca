"""A back-off model as flat arrays <-> a small file that opens at once.

Logarithms are kept in steps of `STEP`, of each token how far it lies above its elder sibling, of each node how many
children it has; all byte by byte, which packs well. What can be found again from these is not kept.
"""

from __future__ import annotations

import contextlib
import io
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recognizer.errors import ConfigError, DecoderError

STEP = 1 / 32
"""In nats. What is read lies half of it at most from what was written."""
MOST = 255.0  # nats that a number may have
MEMBERS = {"order", "tokens", "token", "followers", "value", "backoff"}
EARLIER = {"order", "tokens", "token", "value", "backoff", "suffix", "first"}
WRONG, AGAIN = "is a zip archive (checkpoints are, too)", "fetch or build it again"


class Arrays(NamedTuple):
    """See `NGram`, whose nodes these are.

    Attributes:
        tokens: the listed ones.
        order: the longest n-gram's length.
        token: int32 [N - 1], of all nodes but the first.
        first: int32 [top + 1].
        value: float32 [N - 1], of all nodes but the first.
        backoff: float32 [top].
    """

    tokens: tuple[str, ...]
    order: int
    token: NDArray[np.int32]
    first: NDArray[np.int32]
    value: NDArray[np.float32]
    backoff: NDArray[np.float32]


def is_one(path: str | Path) -> bool:
    """Whether the file may be one: it is a zip archive."""
    return zipfile.is_zipfile(path)


def write(path: Path, model: Arrays) -> None:
    """Write the file; numbers beyond `MOST` become that.

    Raises:
        ConfigError: it cannot be written.
    """
    start = np.zeros(len(model.token), bool)  # where the children of another node begin
    start[model.first[:-1][np.diff(model.first) > 0] - 1] = True
    before = np.append(0, model.token[:-1])
    members = {
        "order": np.int32(model.order),
        "tokens": np.frombuffer("\n".join(model.tokens).encode(), np.uint8),
        "token": _apart(np.where(start, model.token, model.token - before)),
        "followers": _apart(np.diff(model.first)),
        "value": _apart(_steps(-model.value)),
        "backoff": _apart(_folded(_steps(model.backoff))),
    }
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **members)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise ConfigError(path, f"cannot be written ({error.strerror})", "choose another file") from error


def read(path: str | Path) -> Arrays:
    """What `write` was given, numbers rounded; `token` holds what each lies above its elder sibling's, or itself.

    Raises:
        DecoderError: it is another archive, is broken, or its parts do not fit together.
    """
    try:
        with zipfile.ZipFile(path) as file:  # whole members: by pieces, two threads would wait for each other
            names = {name.removesuffix(".npy") for name in file.namelist()}
            if names == EARLIER:
                raise DecoderError(path, "was written by an earlier version of recognizer.lm", "build it again")
            if names != MEMBERS:
                raise DecoderError(path, f"{WRONG}, and none that recognizer.lm wrote", "give a language model")
            found = {name: _array(file.read(f"{name}.npy")) for name in MEMBERS}
        tokens = tuple(np.asarray(found["tokens"]).tobytes().decode().split("\n"))
        order = int(found["order"])
    except (OSError, EOFError, ValueError, TypeError, zlib.error, zipfile.BadZipFile) as error:
        raise DecoderError(path, f"{WRONG} that is broken ({error})", AGAIN) from error
    for name in ("token", "followers", "value", "backoff"):
        if (array := np.asarray(found[name])).dtype != np.uint8 or array.ndim != 2 or not 1 <= len(array) <= 4:
            what = f"{name} is {array.dtype} of shape {array.shape}"
            raise DecoderError(path, f"contradicts itself: {what}", AGAIN)
    token, followers, value, backoff = (_joined(found[name]) for name in ("token", "followers", "value", "backoff"))
    total = int(followers.sum(dtype=np.int64)) if len(followers) else 0
    if not (total == len(token) == len(value) and len(followers) == len(backoff)):
        what = f"{total}, {len(token)} and {len(value)} n-grams, {len(followers)} and {len(backoff)} that others follow"
        raise DecoderError(path, f"contradicts itself: {what}", AGAIN)
    first = np.append(1, 1 + np.cumsum(followers, dtype=np.int64)).astype(np.int32)
    steps = (backoff >> 1).astype(np.int32) ^ -(backoff & 1).astype(np.int32)
    down, weight = (each.astype(np.float32) * np.float32(STEP) for each in (value, steps))
    return Arrays(tokens, order, token.view(np.int32), first, -down, weight)


def _array(data: bytes) -> NDArray[Any]:
    """What `np.save` wrote."""
    return np.asarray(np.lib.format.read_array(io.BytesIO(data), allow_pickle=False))


def _steps(numbers: NDArray[np.float32]) -> NDArray[np.int32]:
    """In whole steps."""
    return np.rint(np.clip(numbers, -MOST, MOST) / STEP).astype(np.int32)


def _folded(numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """0, -1, 1, -2, ... -> 0, 1, 2, 3, ..."""
    return (numbers << 1) ^ (numbers >> 31)


def _apart(numbers: NDArray[np.int32]) -> NDArray[np.uint8]:
    """[N] -> their bytes, the lowest first [1 to 4, N]; those that all numbers lack are left out."""
    every = np.ascontiguousarray(numbers.astype("<u4")).view(np.uint8).reshape(-1, 4).T
    used = [place for place in range(4) if every[place].any()]
    return np.ascontiguousarray(every[: 1 + max(used, default=0)])


def _joined(parts: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """What `_apart` was given."""
    numbers = parts[0].astype(np.uint32)
    for place, part in enumerate(parts[1:], start=1):
        numbers |= part.astype(np.uint32) << np.uint32(8 * place)
    return numbers
