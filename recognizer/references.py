"""`--reference`, manifests and the files beside the inputs -> the texts that answers are compared with."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from recognizer import manifest
from recognizer.errors import ConfigError
from recognizer.inputs import STDIN, Request, refused
from recognizer.lines import content, each
from recognizer.manifest import Utterance


class References:
    """The texts that answers are compared with: `--reference`, a manifest's own, or `.gt.txt` and `.txt` beside a file.

    Args:
        given: a text, a file of text (a line for each request, or the text of the only one), a manifest, or None.
        requests: what is read.

    Raises:
        ConfigError: a folder, a file that is not there, one text for many requests, another number of lines, or a
            manifest without a text for any of them.
        ManifestError: the manifest cannot be read.
    """

    def __init__(self, given: str | None, requests: Sequence[Request]) -> None:
        self._lines: list[str] | None = None
        self._listed: dict[tuple[str, float | None, float | None], str | None] | None = None
        if given is None:
            return
        if given.lower().endswith(".tsv"):
            self._listed = {_key(utterance): utterance.text for utterance in manifest.read(given)}
            sound = [request for request in requests if not request.error]
            if sound and all(self._listed.get(_key(request.utterance)) is None for request in sound):
                what = f"none of the {len(self._listed)} rows of {given} has a text for any of the inputs"
                raise ConfigError("--reference", what, "name the inputs that it lists, or give another manifest")
            return
        count = len(requests)
        if os.path.isdir(given):  # which knows no names that are too long, as texts may be
            what = f"{given!r} is a folder"
            raise ConfigError("--reference", what, "give a text, a file of text or a manifest")
        if os.path.isfile(given):  # as above
            text = content(given, ConfigError)
            self._lines = each(text) if count > 1 else [text]
        elif given.lower().endswith(".txt") or (_pathlike(given) and not re.search(r"\s", given)):
            raise ConfigError("--reference", f"there is no file {given!r}", "check the path")
        else:
            self._lines = [given]
        if len(self._lines) != count:
            what = f"{len(self._lines)} line(s) of text for {count} files"
            raise ConfigError("--reference", what, "give one line for each file in their order, or a manifest")

    def of(self, place: int, request: Request) -> str | None:
        """The reference of the request at this place; None where there is none.

        Raises:
            ConfigError: a text beside the file cannot be read.
        """
        if self._lines is not None:
            return self._lines[place]
        if self._listed is not None:
            return self._listed.get(_key(request.utterance))
        if request.utterance.text is not None:
            return request.utterance.text
        return next((content(path, ConfigError) for path in beside(request) if os.path.isfile(path)), None)

    def all(self, requests: Sequence[Request]) -> Iterator[str | ConfigError | None]:
        """For each request its reference, or why it cannot be read; None, too, for what cannot be read itself."""
        for place, request in enumerate(requests):
            try:
                yield None if request.error else self.of(place, request)
            except ConfigError as error:
                yield error

    def told(self, requests: Sequence[Request]) -> Iterator[Request]:
        """The requests with their references as their texts; those whose reference cannot be read with that error."""
        for request, text in zip(requests, self.all(requests), strict=True):
            if isinstance(text, ConfigError):
                yield refused(request.name, text)
            else:
                yield dataclasses.replace(request, utterance=dataclasses.replace(request.utterance, text=text))


def listed(given: str) -> list[str]:
    """Words and phrases: of a file, one a line, or parted by commas.

    Raises:
        ConfigError: there are none, or the file cannot be read.
    """
    if os.path.isfile(given):  # as for references
        lines = each(content(given, ConfigError))
    elif _pathlike(given) and "," not in given:
        raise ConfigError(given, "there is no such file of words", "check the path")
    else:
        lines = given.split(",")
    words = [" ".join(line.split()) for line in lines if line.strip()]
    if not words:
        raise ConfigError(given or "--hotwords", "names no words", "give some, parted by commas, or one a line")
    return words


def _pathlike(given: str) -> bool:
    """Whether it looks like the name of a file; `3.5` does not."""
    return re.search(r"[/\\]|\.\w*[^\W\d]\w*$", given) is not None


def _key(utterance: Utterance) -> tuple[str, float | None, float | None]:
    return os.path.abspath(utterance.path), utterance.start, utterance.end  # noqa: PTH100  # keeps links as they are


def beside(request: Request) -> list[Path]:
    """Where the reference of a whole file may lie: `a.gt.txt`, `a.txt`."""
    path = Path(request.utterance.path)
    whole = request.name != STDIN and os.path.exists(path) and request.utterance.start is request.utterance.end is None
    return [path.with_suffix(".gt.txt"), path.with_suffix(".txt")] if whole else []
