"""speechocean762 (OpenSLR 101: English read by Mandarin speakers, half of them children) -> manifests.

Expected: `train/{text,wav.scp,utt2spk}` and `WAVE/SPEAKERxxxx/*`, also `test/` where it is there. The makers give
train and test; `--fraction` of the training speakers validates. Texts: lower case; they are what the speaker was
asked to read.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from data import Parts, hold, kaldi, need, plain, run
from recognizer.manifest import Utterance

WHAT = "speechocean762, which holds train/text, train/wav.scp, train/utt2spk and WAVE/"


def prepare(source: Path, out: Path, *, fraction: float = 0.1) -> Parts:
    """The corpus in `source`.

    Raises:
        ManifestError: the layout is another, or a sound is missing.
    """
    need(source / "train" / "wav.scp", WHAT)
    train, val = hold(_part(source / "train"), fraction)
    test = {"test": _part(source / "test")} if (source / "test" / "wav.scp").exists() else {}
    return {"train": train, "val": val, **test}


def _part(folder: Path) -> list[Utterance]:
    return [dataclasses.replace(row, text=plain(row.text or "")) for row in kaldi.read(folder)]


if __name__ == "__main__":
    sys.exit(run(prepare))
