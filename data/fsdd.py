"""Free Spoken Digit Dataset (github Jakobovski/free-spoken-digit-dataset) -> manifests; one speaker validates.

Expected: `recordings/{digit}_{speaker}_{index}.wav`, or these in `SOURCE` itself. Texts: the digit's English name.
All say the same ten words, so only a speaker who was never heard tells how well digits are known: `--leave-out` names
that speaker; by default it is the last by name.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from data import SOUNDS, Finder, Parts, need, run
from recognizer.errors import ManifestError, nearest
from recognizer.manifest import Utterance

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
WHAT = "the Free Spoken Digit Dataset, which holds recordings/{digit}_{speaker}_{index}.wav"


def prepare(source: Path, out: Path, *, leave_out: str = "") -> Parts:
    """The corpus in `source`; all that the speaker `leave_out` says is for validation.

    Raises:
        ManifestError: the layout is another, there is one speaker only, or none of that name.
    """
    need(source, WHAT)
    folder = source / "recordings" if (source / "recordings").is_dir() else source
    utterances = []
    for name, path in Finder(SOUNDS).folder(folder).items():
        match = re.fullmatch(r"(\d)_(.+)_(\d+)", name)
        if match is not None:
            utterances.append(Utterance(str(path), WORDS[int(match[1])], speaker=match[2]))
    people = sorted({str(utterance.speaker) for utterance in utterances})
    if len(people) < 2:
        raise ManifestError(folder, f"recordings of {len(people)} speaker(s)", f"give the folder of {WHAT}")
    held = leave_out or people[-1]
    if held not in people:
        raise ManifestError(folder, f"no speaker {held!r}", nearest(held, people))
    return {
        "train": [utterance for utterance in utterances if utterance.speaker != held],
        "val": [utterance for utterance in utterances if utterance.speaker == held],
    }


if __name__ == "__main__":
    sys.exit(run(prepare))
