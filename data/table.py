"""A table beside the files (`manifest.tsv`: path, text, speaker) -> manifests that share no speaker.

Expected: `manifest.tsv` in the format of the manifests, its paths taken from `SOURCE`; or `train.tsv`, and `val.tsv`
and `test.tsv` where there are such. Without `val.tsv` `--fraction` of the speakers validates; if all is by one
speaker, of the sentences. Texts: as they are.
"""

from __future__ import annotations

import sys
from pathlib import Path

from data import Parts, hold, need, run
from recognizer import manifest
from recognizer.errors import ManifestError

WHAT = "a corpus that holds manifest.tsv, a table with the columns path, text and, where known, speaker"


def prepare(source: Path, out: Path, *, fraction: float = 0.1) -> Parts:
    """The tables in `source`.

    Raises:
        ManifestError: there is none, or it cannot be read.
    """
    need(source, WHAT)
    tables = {"train": source / "train.tsv", "val": source / "val.tsv", "test": source / "test.tsv"}
    parts = {part: manifest.read(table) for part, table in tables.items() if table.exists()}
    if "train" not in parts:
        parts["train"] = manifest.read(need(source / "manifest.tsv", WHAT))
    if not parts["train"]:
        raise ManifestError(source, "the table has no rows", f"give the folder of {WHAT}")
    if "val" not in parts:
        parts["train"], parts["val"] = hold(parts["train"], fraction)
    return parts


if __name__ == "__main__":
    sys.exit(run(prepare))
