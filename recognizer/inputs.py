"""What the user names (files, folders, globs, manifests, `-`) -> Requests in order."""

from __future__ import annotations

import dataclasses
import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from recognizer import frontends, manifest
from recognizer.errors import InputError, RecognizerError
from recognizer.frontends import Frontend
from recognizer.manifest import Utterance

STDIN = "-"
STARTS = (
    (rb"(RIFF|RIFX|RF64)....WAVE", ".wav"),
    (rb"fLaC", ".flac"),
    (rb"OggS", ".ogg"),
    (rb"\xff\xfe<\0|\xfe\xff\0<", ".inkml"),  # in UTF-16, and before MP3, which may begin so, too
    (rb"ID3|\xff[\xe2-\xff]", ".mp3"),
    (rb"FORM....AIF", ".aiff"),
    (rb"\.snd", ".au"),
    (rb"NIST_1A", ".sph"),
    (rb"riff", ".w64"),
    (rb"caff", ".caf"),
    (rb"\x89PNG", ".png"),
    (rb"\xff\xd8", ".jpg"),
    (rb"II\*\0|MM\0\*", ".tif"),
    (rb"BM", ".bmp"),
    (rb"RIFF....WEBP", ".webp"),
    (rb"(\xef\xbb\xbf)?\s*\{[^\n]*\}[^\S\n]*\n\s*\{", ".jsonl"),
    (rb"(\xef\xbb\xbf)?\s*[\[{]", ".json"),
    (rb"\xfd7zXZ", ".jsonl.xz"),
    (rb"\x1f\x8b", ".jsonl.gz"),
    (rb"(\xef\xbb\xbf)?\s*<", ".inkml"),
    (rb"\s*\.[A-Z]", ".unp"),
)
"""How files begin, by which standard input is told apart, since it has no name with an ending."""


@dataclasses.dataclass(frozen=True)
class Request:
    """One thing to transcribe, or why it cannot be.

    Attributes:
        name: how it is called in answers: as the user named it.
        utterance: what to read; its text, where a manifest gave one, is the reference.
        folder: the argument was a folder, so the user did not name this file.
        error: what keeps it from being read at all.
    """

    name: str
    utterance: Utterance
    folder: bool = False
    error: RecognizerError | None = None


def requests(arguments: Sequence[str], stdin: Callable[[], bytes], scratch: Path) -> list[Request]:
    """What the arguments name, in their order; a folder's files, also those in its folders, sorted by their paths.

    Args:
        stdin: gives the content of standard input, when `-` asks for it.
        scratch: an empty folder, where that content is laid.
    """
    found: list[Request] = []
    for argument in arguments:
        try:
            if argument == STDIN:
                found.append(Request(STDIN, Utterance(str(_laid(stdin(), scratch)))))
            else:
                found += _named(argument)
        except RecognizerError as error:
            found.append(refused(argument, error))
    return found


def refused(name: str, error: RecognizerError) -> Request:
    """The request of that name, which cannot be read, and why."""
    return Request(name, Utterance(name), error=error)


def _named(argument: str) -> Iterator[Request]:
    if os.path.isdir(argument):
        paths = [path for path in _walk(Path(argument)) if kind(path)]
        if not paths:
            what = "holds no file that a front end reads"
            raise InputError(argument, what, f"known endings: {' '.join(frontends.endings())}")
        yield from (Request(path, Utterance(path), folder=True) for path in paths)
    elif not os.path.exists(file(argument)):
        paths = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207  # Path.glob takes no absolute pattern
        if not paths:
            pattern = glob.has_magic(argument)
            what = "matches no file" if pattern else "no such file or folder"
            raise InputError(argument, what, "check the pattern" if pattern else "check the path")
        for path in paths:  # each by itself: what is wrong with one loses none behind it
            try:
                yield from list(_named(path))
            except RecognizerError as error:
                yield refused(path, error)
    elif argument.lower().endswith(".tsv"):
        for utterance in manifest.read(argument):
            yield Request(utterance.path, utterance)
    else:
        yield Request(argument, Utterance(argument))


def _walk(folder: Path) -> list[str]:
    return sorted(
        os.path.join(place, name)  # noqa: PTH118
        for place, _, names in os.walk(folder)
        for name in names
        if not name.startswith(".")
    )


def _laid(content: bytes, scratch: Path) -> Path:
    if not content:
        raise InputError(STDIN, "standard input is empty (0 bytes)", "pipe a file into it")
    for start, ending in STARTS:
        if re.match(start, content, re.DOTALL):
            path = scratch / f"stdin{ending}"
            path.write_bytes(content)
            return path
    begins = content[:8].hex(" ")
    raise InputError(STDIN, f"standard input is no known kind of file (it begins {begins})", "name a file instead")


def kind(path: str) -> str | None:
    """The front end that the file's ending asks for; None where no one knows it."""
    try:
        return frontends.of(path)
    except InputError:
        return None


def file(path: str) -> str:
    """`ink.jsonl#3` -> `ink.jsonl`, unless a file is really called so."""
    return path if os.path.exists(path) else re.sub(r"#\d+$", "", path)


def kinds(found: Sequence[Request]) -> list[str]:
    """The front ends that the requests ask for: those of the files that were named, and of folders the commonest.

    So pictures among recordings are not taken for writing, unless someone names them, nor is what tells of recordings.
    """
    telling = _telling(found)
    left = (request for request in found if not request.error and request not in telling)
    known = [(request, kind(request.utterance.path)) for request in left]
    wanted = {name for request, name in known if name and not request.folder}
    within = Counter(name for request, name in known if name and request.folder)
    return sorted(wanted | {name for name, _ in within.most_common(1)})


def passed(found: Sequence[Request], readers: Collection[str]) -> dict[Request, str]:
    """Files in folders that are not read, and their kinds: those of other kinds, if the folders have some of the right
    kinds at all, and where recordings are read, what lies beside one under its name and tells of it.
    """
    telling = _telling(found) if "speech" in readers else set()
    within = {request: kind(request.name) or "" for request in found if request.folder}
    wanted = any(name in readers for name in within.values())
    return {request: name for request, name in within.items() if request in telling or (wanted and name not in readers)}


def _telling(found: Sequence[Request]) -> set[Request]:
    """`a.json`, `a.png` and `a.wav.json` in folders that have `a.wav`, too: metadata, answers, spectrograms."""
    within = [request for request in found if request.folder]
    sounds = {request.name for request in within if kind(request.name) == "speech"}
    stems = sounds | {_bare(name) for name in sounds}
    return {request for request in within if request.name not in sounds and _bare(request.name) in stems}


def stem(path: Path) -> str:
    """`ink.jsonl.xz#3` -> `ink#3`: without the longest ending that a front end knows."""
    name, item = re.fullmatch(r"(.*?)(#\d+)?", path.name, re.DOTALL).groups()  # type: ignore[union-attr]
    known = sorted((ending for ending in frontends.endings() if name.lower().endswith(ending)), key=len)
    return (name[: -len(known[-1])] if known else name) + (item or "")


def _bare(name: str) -> str:
    return str(Path(name).with_name(stem(Path(name))))


def fitting(found: Sequence[Request], readers: Mapping[str, Frontend[object]]) -> Iterator[Request]:
    """The requests, files of several items as one request for each item, those for other front ends refused.

    Those that are `passed` over are left out.
    """
    without = passed(found, readers)
    for request in found:
        path = request.utterance.path
        frontend = readers.get(kind(path) or "")
        if request.error:
            yield request
        elif request in without:
            continue
        elif frontend is None:
            yield refused(request.name, _foreign(request.name, path, list(readers)))
        else:
            try:
                for item in frontend.items(path):
                    name = request.name + item.removeprefix(path)
                    yield dataclasses.replace(
                        request, name=name, utterance=dataclasses.replace(request.utterance, path=item)
                    )
            except RecognizerError as error:
                yield refused(request.name, renamed(error, request))


def renamed(error: RecognizerError, request: Request) -> RecognizerError:
    """The error of a request; of standard input it names that, not the file in which it was laid."""
    if not request.name.startswith(STDIN):
        return error
    laid = request.utterance.path.removesuffix(request.name.removeprefix(STDIN))
    return type(error)(*(part.replace(laid, STDIN) for part in (error.where, error.what, error.remedy)))


def _foreign(name: str, path: str, known: Sequence[str]) -> RecognizerError:
    other = kind(path)
    if other is None:
        return frontends.unknown(name)
    what = f"is for a {other!r} model, and {'this one reads' if known else 'there is none'}"
    what += f" {' and '.join(map(repr, known))} files" if known else ""
    return InputError(name, what, f"give a {other} --model")
