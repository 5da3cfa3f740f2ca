"""A recipe -> a folder that is whole or is not there: what the embedded corpora share."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from recognizer.errors import SampleError

MARK = ".recipe"
PARTS = ("train", "val", "test")
ABANDONED = 6 * 3600
"""Seconds after which a half-made folder is surely nobody's work any more; making one takes minutes."""


def make(folder: Path, recipe: str, fill: Callable[[Path], None]) -> None:
    """Let `fill` write media and manifests, so that `folder` appears at once and whole, or not at all.

    A folder that the same `recipe` made is kept; one of another recipe is replaced. The files are written to a sibling
    that is renamed when all is done, and its last file is a mark that says which recipe made it.

    Raises:
        SampleError: `folder` holds something that no recipe made, or cannot be written.
    """
    folder = folder.resolve()  # manifests name files relative to where they lie
    if whole(folder, recipe):
        return
    if folder.is_file() or (folder.is_dir() and not (folder / MARK).exists() and any(folder.iterdir())):
        raise SampleError(folder, "is there and is no embedded corpus", "name another folder, or move this one away")
    building = _sibling(folder)
    try:
        _clear(folder)
        building.mkdir(parents=True)
        fill(building)
        (building / MARK).write_text(recipe, encoding="utf-8")
        _exchange(building, folder, recipe)
    except OSError as error:
        what = f"cannot be written ({error.strerror or error})"
        raise SampleError(folder, what, "name a folder where you may write and that has room") from error
    finally:  # also after Ctrl-C
        shutil.rmtree(building, ignore_errors=True)


def whole(folder: Path, recipe: str) -> bool:
    """Whether `recipe` made this folder to its end."""
    mark = folder / MARK
    manifests = all((folder / f"{part}.tsv").is_file() for part in PARTS)
    return manifests and mark.is_file() and mark.read_text(encoding="utf-8", errors="replace") == recipe


def sizes(count: int) -> dict[str, int]:
    """How many utterances each part has: `count` to learn from, a tenth of that to validate on, another to test."""
    return {"train": count, "val": max(1, count // 10), "test": max(1, count // 10)}


def _sibling(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")


def _exchange(building: Path, folder: Path, recipe: str) -> None:
    """Put the new folder in the old one's place; of several makers at once the first wins and the others agree."""
    if whole(folder, recipe):
        return
    if folder.exists():
        old = _sibling(folder)
        folder.rename(old)
        shutil.rmtree(old, ignore_errors=True)
    try:
        building.rename(folder)
    except OSError:
        if not whole(folder, recipe):
            raise


def _clear(folder: Path) -> None:
    """Remove what earlier makers left when they were killed."""
    for left in folder.parent.glob(f".{folder.name}-*"):
        if left.is_dir() and time.time() - left.stat().st_mtime > ABANDONED:
            shutil.rmtree(left, ignore_errors=True)
