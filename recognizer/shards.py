"""Folders of tar shards -> what their index tells of them, and their items by number, read in passing.

A shard is a tar file in the layout of WebDataset: of each item one file with what is to be read, as `000012.flac`, and
beside it `000012.json` with its text. The index tells what training must know before it has read any of them.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os.path
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from recognizer.errors import ConfigError, ManifestError

INDEX = "index.json"
VERSION = 1
TEXT = "json"  # ending of what is told of an item, beside the file that holds it

Span = tuple[int, int]
"""Items of one shard: the number of the first, and of the one behind the last."""

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Index:
    """What stands in the shards of a folder.

    Attributes:
        folder: where they lie.
        frontend: name and settings of the front end by which the frames were counted.
        names: the shards' files.
        frames: of each shard the frames of its items, margins not counted in.
        characters: how often each grapheme cluster occurs in the texts.
        lower: the same of the texts in lower case, which in some scripts a letter's neighbours decide.
    """

    folder: Path
    frontend: dict[str, Any]
    names: list[str]
    frames: list[list[int]]
    characters: Counter[str]
    lower: Counter[str]

    @property
    def count(self) -> int:
        """Of the items."""
        return sum(map(len, self.frames))

    def write(self) -> None:
        """Write it into the folder; `read` gives it back."""
        kept = {
            "version": VERSION,
            "items": self.count,
            "total": sum(map(sum, self.frames)),
            "frontend": self.frontend,
            "characters": dict(sorted(self.characters.items())),
            "lower": dict(sorted(self.lower.items())),
            "shards": [{"name": name, "frames": row} for name, row in zip(self.names, self.frames, strict=True)],
        }
        (self.folder / INDEX).write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> Index:
        """That of a folder; `path` is the folder or the index itself.

        Raises:
            ManifestError: there is none, or it is broken or of another version.
        """
        file = Path(path) / INDEX if os.path.isdir(path) else Path(path)
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ManifestError(
                path, f"is a folder without {INDEX}", "name a manifest, or a folder that data.shards wrote"
            ) from error
        except (OSError, ValueError) as error:
            raise ManifestError(file, f"cannot be read ({error})", "pack the corpus again") from error
        if not isinstance(kept, dict) or kept.get("version") != VERSION:
            raise ManifestError(file, f"is no index of version {VERSION}", "pack the corpus again with data.shards")
        shards = kept["shards"]
        names, frames = [shard["name"] for shard in shards], [shard["frames"] for shard in shards]
        return cls(file.parent, kept["frontend"], names, frames, Counter(kept["characters"]), Counter(kept["lower"]))


def packed(paths: Sequence[str], where: str) -> bool:
    """Whether the paths of the setting `where` name folders of shards, or their indices, instead of manifests.

    Raises:
        ConfigError: some do and some do not.
    """
    found = [bool(path) and (os.path.isdir(path) or Path(path).name == INDEX) for path in paths]
    if any(found) and not all(found):
        strange = paths[found.index(False)]
        raise ConfigError(where, f"names shards, and the manifest {strange}", "pack that one with data.shards, too")
    return any(found)


@dataclasses.dataclass(frozen=True)
class Item:
    """One item of a shard.

    Attributes:
        told: what stands beside it: its text, path, speaker and, where only a part of the file is meant, start, end.
        suffix: ending of the file.
        data: its content.
    """

    told: dict[str, Any]
    suffix: str
    data: bytes


class Reader:
    """Items by number, read from the shards in one go forwards; to go back means to read a shard from its beginning.

    Args:
        files: the shards.
        starts: the number of the first item of each, and behind the last the number of all.
    """

    def __init__(self, files: Sequence[Path], starts: NDArray[numpy.int64]) -> None:
        self.files, self.starts = list(files), starts
        self._shard, self._next = -1, 0
        self._stream: Generator[tuple[int, Item], None, None] | None = None

    def read(self, spans: Sequence[Span]) -> dict[int, Item]:
        """The items of the spans by number; those that are not there are missing, and the log says why."""
        found = {}
        for first, stop in spans:
            shard = self.shard(first)
            if shard != self._shard or first < self._next:
                self.close()
                self._shard, self._next = shard, int(self.starts[shard])
                self._stream = self._items(shard)
            while self._next < stop and self._stream is not None:
                number, item = next(self._stream, (int(self.starts[shard + 1]), None))
                self._next = number + 1
                if item is not None and first <= number < stop:
                    found[number] = item
        return found

    def shard(self, number: int) -> int:
        """The shard in which item `number` stands."""
        return int(numpy.searchsorted(self.starts, number, side="right")) - 1

    def close(self) -> None:
        """Let go of the file that is being read."""
        if self._stream is not None:
            self._stream.close()
        self._stream, self._shard = None, -1

    def _items(self, shard: int) -> Generator[tuple[int, Item], None, None]:
        path, begin, stop = self.files[shard], int(self.starts[shard]), int(self.starts[shard + 1])
        library = webdataset().tariterators
        number = begin - 1
        try:
            with path.open("rb") as file:
                pieces = library.tar_file_expander([{"url": str(path), "stream": file}], handler=lambda _: True)
                for sample in library.group_by_keys(pieces, handler=lambda _: True):
                    suffixes = [key for key in sample if key != TEXT and not key.startswith("__")]
                    try:
                        told = json.loads(sample[TEXT])
                        item = Item(told, suffixes[0], sample[suffixes[0]])
                    except (KeyError, IndexError, ValueError):  # it breaks off between the two, or its bytes are wrong
                        continue
                    number = begin + int(sample["__key__"])
                    yield number, item
        except OSError as error:
            log.warning("%s: cannot be opened (%s); check the path", path, error.strerror)
        else:
            if number + 1 < stop:
                log.warning("%s: breaks off after %d of %d items", path, number + 1 - begin, stop - begin)


def webdataset() -> Any:
    """The library of that name, which only those need who pack.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import webdataset as library
        import webdataset.tariterators
    except ImportError as error:
        raise ConfigError("shards", "webdataset is not installed", "pip install 'recognizer[shards]'") from error
    return library
