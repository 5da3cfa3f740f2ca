"""AN4 (CMU 1991: spelled names, dates, numbers, commands) -> manifests; a fifth of the training speakers validates.

Expected: `etc/an4_train.{fileids,transcription}`, `wav/an4_clstk/<speaker>/*`, and `etc/an4_test.*` with
`wav/an4test_clstk/` where there is a test part. Texts: lower case, `<s> ... </s>` and the name behind them taken off.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from data import SOUNDS, Finder, Parts, listed, plain, run
from recognizer.errors import ManifestError
from recognizer.manifest import Utterance, split

WHAT = "AN4, which holds etc/an4_train.fileids, etc/an4_train.transcription and wav/"


def prepare(source: Path, out: Path, *, fraction: float = 0.2) -> Parts:
    """The corpus in `source`; `fraction` of the training speakers is held out for validation.

    Raises:
        ManifestError: the layout is another, or the lists do not fit each other.
    """
    train, val = split(_part(source, "train"), fraction)
    test = {"test": _part(source, "test")} if (source / "etc" / "an4_test.fileids").exists() else {}
    return {"train": train, "val": val, **test}


def _part(source: Path, part: str) -> list[Utterance]:
    names = listed(source / "etc" / f"an4_{part}.fileids", WHAT)
    transcription = source / "etc" / f"an4_{part}.transcription"
    texts = listed(transcription, WHAT)
    if len(names) != len(texts):
        raise ManifestError(transcription, f"{len(texts)} texts for {len(names)} files", "take both from one release")
    sounds = Finder(SOUNDS)
    return [
        _utterance(source, transcription, name.strip(), text, sounds) for name, text in zip(names, texts, strict=True)
    ]


def _utterance(source: Path, transcription: Path, name: str, line: str, sounds: Finder) -> Utterance:
    match = re.fullmatch(r"\s*(?:<s>)?(.*?)(?:</s>)?\s*\(([^()]+)\)\s*", line)
    if match is None or match[2] != Path(name).name:
        raise ManifestError(transcription, f"{line!r} stands where {name} is told", "take both from one release")
    return Utterance(str(sounds.find(source / "wav" / name)), plain(match[1]), speaker=Path(name).parent.name)


if __name__ == "__main__":
    sys.exit(run(prepare))
