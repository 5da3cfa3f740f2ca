"""Transcripts -> standard output, or one file for each in a folder, named after what was read."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import glob
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from recognizer.console import say
from recognizer.errors import ConfigError, RecognizerError
from recognizer.inputs import STDIN, Request, file, stem
from recognizer.manifest import Utterance
from recognizer.options import SUBTITLES, flag
from recognizer.references import beside
from recognizer.transcript import Transcript
from recognizer.writers import MANIFEST, WORDS, WRITERS

GIVEN = ("reference", "model", "lm", "lexicon", "dictionary", "hotwords")
"""Options whose values may be files."""


class Output:
    """Writes transcripts where the options say, in the format they name.

    Raises:
        ConfigError: they do not fit the requests, the folder cannot be made, or what the user gave would be lost.
    """

    def __init__(self, options: argparse.Namespace, requests: Sequence[Request]) -> None:
        whole = not options.words and (not options.align or options.format in SUBTITLES)
        self.writer = (WRITERS if whole else WORDS)[options.format]
        self.entry = self.writer.entry if len(requests) == 1 else self.writer.shared
        self.head = self.writer.head
        self.names = [request.name for request in requests]
        self.targets = targets(requests, options.output_dir, options.format) if options.output_dir else None
        if self.targets is None and self.entry is None:
            what = f"{options.format} of {len(requests)} files cannot share standard output"
            raise ConfigError("--format", what, "give --output-dir")
        self._refuse_taken(options, requests)
        if options.output_dir:
            with _writing(options.output_dir):
                options.output_dir.mkdir(parents=True, exist_ok=True)

    def _refuse_taken(self, options: argparse.Namespace, requests: Sequence[Request]) -> None:
        """No target may be what the user gave: a file to read, a manifest, or a reference, named or beside a file."""
        if not self.targets:
            return
        taken = {one: "is to be read" for name in named(options.inputs, requests) if (one := _identity(name))}
        for name in GIVEN:
            if one := _identity(getattr(options, name) or ""):
                taken[one] = f"is given as {flag(name)}"
        for request in requests:
            for path in beside(request):
                if one := _identity(path):
                    taken[one] = f"is taken for the reference of {request.name}"
        for target in self.targets:
            if (one := _identity(target)) in taken and one:
                raise ConfigError(target, f"would be overwritten, and {taken[one]}", "give another --output-dir")

    def write(self, place: int, transcript: Transcript) -> bool:
        """The answer to the request at this place; whether it could be written: if not, why is said."""
        transcript = dataclasses.replace(transcript, path=self.names[place])
        try:
            if self.targets is None:
                self._show(transcript)
            else:
                self._lay(self.targets[place], transcript)
        except RecognizerError as error:
            say(f"error: {error}")
            return False
        return True

    def _show(self, transcript: Transcript) -> None:
        assert self.entry is not None
        say(self.head + self.entry(transcript), sys.stdout, end="")
        self.head = ""

    def _lay(self, target: Path, transcript: Transcript) -> None:
        if self.writer.head == MANIFEST:  # whose paths count from its own folder
            transcript = dataclasses.replace(transcript, path=_from(target.parent, transcript.path))
        document = self.writer.document(transcript)
        with _writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(document, encoding="utf-8", errors="surrogateescape", newline="\n")


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(path, f"cannot be written ({error.strerror})", "give another --output-dir") from error


def named(arguments: Sequence[str], requests: Sequence[Request]) -> Iterator[str]:
    """The files that are read for these arguments, manifests among them, without the numbers of their items."""
    for argument in arguments:
        there = os.path.exists(file(argument))  # which knows no names that are too long
        yield from [file(argument)] if there else glob.glob(argument, recursive=True)  # noqa: PTH207  # as inputs does
    yield from (file(request.utterance.path) for request in requests)


def _identity(path: str | Path) -> tuple[int, int] | None:
    """The same for all names of a file: through links, folders' links, and whatever case; None where there is none."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):  # ValueError: a text that can be no path
        return None
    return None if stat.S_ISDIR(found.st_mode) else (found.st_dev, found.st_ino)


def _from(folder: Path, name: str) -> str:
    """The way from a folder to a file; absolute where there is none, as between Windows' drives."""
    if name == STDIN:
        return name
    path = Path(name).parent.resolve() / Path(name).name  # `..` leads out of a link's own folder; files stay links
    try:
        return os.path.relpath(path, folder.resolve())
    except ValueError:
        return str(path)


def targets(requests: Sequence[Request], folder: Path, ending: str) -> list[Path]:
    """One file in `folder` for each request: by its stem, or with its folders and its ending where stems clash."""
    paths = [Path(request.name if request.name != STDIN else "stdin") for request in requests]
    parts = [_part(request.utterance) for request in requests]
    top = os.path.commonpath([path.absolute().parent for path in paths]) if paths else ""
    within = [Path(os.path.relpath(path.absolute(), top)) for path in paths]
    forms = [[stem(path) for path in paths], [str(path.parent / stem(path)) for path in within], [*map(str, within)]]
    wanted = len({(path.absolute(), part) for path, part in zip(paths, parts, strict=True)})
    names = forms[-1]
    for form in forms:
        names = [name + part for name, part in zip(form, parts, strict=True)]
        if len(set(names)) == wanted:
            break
    return [folder / f"{name}.{ending}" for name in names]


def _part(utterance: Utterance) -> str:
    if utterance.start is None and utterance.end is None:
        return ""
    return f"@{utterance.start or 0:g}-{'' if utterance.end is None else f'{utterance.end:g}'}"
