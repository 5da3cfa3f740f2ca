"""Corpora as their makers publish them -> manifests: what the recipes in this folder share.

A recipe is a module with a function `prepare(source, out)` that gives a dict of manifest names and utterances. It may
write files of its own under `out`; keyword arguments of `prepare` become flags of its command line.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from recognizer import manifest
from recognizer.errors import ConfigError, ManifestError, RecognizerError
from recognizer.lines import content, each
from recognizer.manifest import Utterance

Parts = dict[str, list[Utterance]]

# Only endings that the speech front end reads; makers' copies differ in them (.wav here, .flac or .opus there).
SOUNDS = (".wav", ".flac", ".opus", ".ogg", ".mp3", ".sph", ".aiff", ".aif", ".au", ".w64", ".caf")
IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def run(prepare: Callable[..., Parts], arguments: Sequence[str] | None = None) -> int:
    """The command line of a recipe: `python -m data.<corpus> SOURCE [--out DIR]`; its exit status.

    Args:
        prepare: the recipe. Each of its keyword-only arguments, a string, a number or False, is a flag.
        arguments: what stands on the command line; by default that of this process.
    """
    corpus = Path(inspect.getfile(prepare)).stem
    parser = argparse.ArgumentParser(
        prog=f"python -m data.{corpus}",
        description=inspect.getdoc(inspect.getmodule(prepare)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, help="the folder that holds the corpus as its makers publish it")
    parser.add_argument("--out", type=Path, default=Path("corpora") / corpus, help="where to write (%(default)s)")
    for name, parameter in inspect.signature(prepare).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            flag, default = f"--{name.replace('_', '-')}", parameter.default
            if isinstance(default, bool):
                parser.add_argument(flag, action="store_true", help="see above")
            else:
                parser.add_argument(flag, type=type(default), default=default, help=f"see above ({default!r})")
    options = vars(parser.parse_args(arguments))
    source, out = options.pop("source"), options.pop("out")
    try:
        if not 0 <= options.get("fraction", 0) < 1:
            raise ConfigError("--fraction", f"is {options['fraction']}", "use a share below 1, such as 0.1")
        print(write(out, _prepared(prepare, source, out, options)))
    except RecognizerError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _prepared(prepare: Callable[..., Parts], source: Path, out: Path, options: dict[str, Any]) -> Parts:
    """What the recipe gives; where it cannot write files of its own, the folder is named."""
    try:
        return prepare(source, out, **options)
    except OSError as error:
        place = Path(str(error.filename))
        if not (place.is_relative_to(out) or out.is_relative_to(place)):
            raise
        what = f"cannot be written ({error.strerror})"
        raise ManifestError(place, what, "name a folder of your own with --out") from error


def write(out: Path, parts: Parts) -> str:
    """Write each part to `out/<name>.tsv`, without the utterances that have no text; what was written, in words."""
    told = []
    for name, utterances in parts.items():
        kept = [utterance for utterance in utterances if (utterance.text or "").strip()]
        if not kept:
            raise ManifestError(
                out / f"{name}.tsv", "not one utterance with a text was found for it", "check the source folder"
            )
        manifest.write(out / f"{name}.tsv", kept)
        told.append(f"{out / name}.tsv: {describe(kept, len(utterances) - len(kept))}")
    return "\n".join(told)


def describe(utterances: Sequence[Utterance], empty: int = 0) -> str:
    """How much there is: utterances, hours where every length is told, people."""
    people = len({utterance.speaker for utterance in utterances if utterance.speaker})
    seconds = [utterance.duration for utterance in utterances if utterance.duration is not None]
    hours = f", {sum(seconds) / 3600:.2f} h" if len(seconds) == len(utterances) else ""
    left = f" ({empty} without a text left out)" if empty else ""
    return f"{len(utterances)} utterances{hours}, speakers: {people or 'unknown'}{left}"


def need(place: Path, what: str) -> Path:
    """`place`, which must exist.

    Raises:
        ManifestError: it does not; `what` says which corpus and layout was looked for.
    """
    if not place.exists():
        raise ManifestError(place, "does not exist", f"give the folder of {what}")
    return place


def listed(path: Path, what: str) -> list[str]:
    """The lines of a UTF-8 text file, without the empty ones.

    Raises:
        ManifestError: it is missing or is not UTF-8; `what` says which corpus and layout was looked for.
    """
    text = content(need(path, what), ManifestError, f"give the folder of {what}")
    return [line for line in each(text) if line.strip()]


class Finder:
    """Finds files by their name without its ending, each folder listed once: copies of a corpus differ in the ending.

    Args:
        endings: those that count, in the order of preference.
    """

    def __init__(self, endings: Sequence[str]) -> None:
        self.endings = tuple(endings)
        self._folders: dict[Path, dict[str, Path]] = {}

    def get(self, path: Path) -> Path | None:
        """The file of the folder and name of `path`, which bears no ending, with one of the endings; None without."""
        return self.folder(path.parent).get(path.name)

    def find(self, path: Path) -> Path:
        """As `get`, but it must be there.

        Raises:
            ManifestError: it is not.
        """
        found = self.get(path)
        if found is None:
            raise ManifestError(
                path, f"no such file with one of the endings {' '.join(self.endings)}", "complete the corpus"
            )
        return found

    def folder(self, folder: Path) -> dict[str, Path]:
        """The files of a folder by name without ending, sorted."""
        if folder not in self._folders:
            files = sorted(folder.iterdir(), key=self._rank, reverse=True) if folder.is_dir() else []
            found = {file.name[: -len(file.suffix)]: file for file in files if file.suffix.lower() in self.endings}
            self._folders[folder] = dict(sorted(found.items()))
        return self._folders[folder]

    def _rank(self, file: Path) -> tuple[int, str]:
        ending = file.suffix.lower()
        return (self.endings.index(ending) if ending in self.endings else len(self.endings), file.name)


def alone(where: object, kind: str) -> ManifestError:
    """There is one group only, and nothing to hold out."""
    what = f"holds one {kind} only, and none can be held out to validate on"
    return ManifestError(where, what, f"add a {kind}, or give train and val of their own, see --help")


def plain(text: str) -> str:
    """English as said: lower case, single spaces."""
    return " ".join(text.lower().split())


def hold(utterances: Sequence[Utterance], fraction: float) -> tuple[list[Utterance], list[Utterance]]:
    """All but, and about, `fraction` of the speakers (`manifest.split`); with one speaker only, of the texts.

    Raises:
        ManifestError: one speaker said one text.
    """
    if len({utterance.speaker or utterance.path for utterance in utterances}) > 1:
        return manifest.split(utterances, fraction)
    return apart(utterances, fraction, [" ".join((utterance.text or "").split()) for utterance in utterances])


def apart(
    utterances: Sequence[Utterance], fraction: float, groups: Sequence[str], kind: str = "text"
) -> tuple[list[Utterance], list[Utterance]]:
    """As `manifest.split`, with groups of one's own choice in the place of speakers, pages say; one for each utterance.

    Raises:
        ManifestError: fewer than two groups; `kind` says what they are.
    """
    if len(set(groups)) < 2:
        raise alone(utterances[0].path if utterances else "corpus", kind)
    tagged = [Utterance(str(index), speaker=group) for index, group in enumerate(groups)]
    kept, out = manifest.split(tagged, fraction)
    return [utterances[int(tag.path)] for tag in kept], [utterances[int(tag.path)] for tag in out]
