"""Manifests -> tar shards and an index, for corpora of thousands of hours on a file system that likes large files.

    python -m data.shards corpora/librispeech/train.tsv --out shards/librispeech

What is named in the manifests goes into DIR/000000.tar, DIR/000001.tar, ... (WebDataset's layout), in a random order
that is always the same, so that neighbours in a shard are strangers. Files are copied as they are; of a recording of
which a row names a part, that part is packed, without loss; ink becomes JSON. What cannot be read is named and left
out. Then train with --data.train DIR; validation sets stay manifests, or are packed into a DIR of their own.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import regex
from tqdm import tqdm

from recognizer import frontends, manifest
from recognizer.errors import ConfigError, InputError, ManifestError, RecognizerError
from recognizer.frontends import Frontend
from recognizer.manifest import Utterance
from recognizer.shards import INDEX, TEXT, Index, webdataset

MIB = 2**20

log = logging.getLogger(__name__)


def pack(manifests: Sequence[str | Path], out: Path, size: float = 256, frontend: str | None = None) -> Index:
    """Write what the manifests name into shards of about `size` MiB, and the index.

    Args:
        frontend: its name; by default the one that reads files with the first one's ending.

    Raises:
        ManifestError: a manifest cannot be read, nothing in them can, or `out` holds shards already.
        ConfigError: no such front end, a size of nothing, or webdataset is not installed.
    """
    library = webdataset()
    if (out / INDEX).exists():
        raise ManifestError(out, "holds shards already", "name another folder, or delete this one")
    if not size > 0:
        raise ConfigError("--size", f"is {size}", "give a number of MiB above 0")
    rows = [row for path in manifests for row in manifest.labelled(path)]
    if not rows:
        raise ManifestError(manifests[0], "has no rows", "name at least one file in it")
    reader = frontends.build({"name": frontend or frontends.of(rows[0].path)})
    out.mkdir(parents=True, exist_ok=True)
    index = Index(out, reader.config(), [], [], Counter(), Counter())
    shard: Any = None
    room, bad = 0.0, 0
    order = numpy.random.default_rng(0).permutation(len(rows)).tolist()
    for place in tqdm(order, desc=str(out), unit="item", disable=None):
        row = rows[place]
        try:
            frames, item = _item(reader, row)
        except InputError as error:
            log.warning("left out: %s", error)
            bad += 1
            continue
        if shard is None or room <= 0:
            if shard is not None:
                shard.close()
            index.names.append(f"{len(index.names):06d}.tar")
            index.frames.append([])
            # The same rows give the same bytes, whoever packs them and when.
            shard = library.TarWriter(str(out / index.names[-1]), encoder=False, mtime=0, user="", group="")
            room = size * MIB
        shard.write({"__key__": f"{len(index.frames[-1]):06d}", **item})
        room -= sum(map(len, item.values())) + 1024
        index.frames[-1].append(frames)
        for counter, text in ((index.characters, row.text or ""), (index.lower, (row.text or "").lower())):
            counter.update(regex.findall(r"\X", " ".join(text.split())))
    if shard is None:
        raise ManifestError(manifests[0], f"none of the {len(rows)} files can be read", "check the paths")
    shard.close()
    index.write()  # last, so that a folder that has one is whole
    if bad:
        log.warning("%d of %d files left out", bad, len(rows))
    return index


def _item(reader: Frontend[Any], row: Utterance) -> tuple[int, dict[str, bytes]]:
    """How many frames a row has, and what stands in the shard for it, by ending."""
    frames = reader.length(row.path, row.start, row.end) - 2 * reader.margin
    suffix, data, start, end = reader.alone(row.path, row.start, row.end)
    told = {
        "path": row.path, "text": row.text or "", "speaker": row.speaker, "frames": frames, "start": start, "end": end
    }  # fmt: skip
    kept = {key: value for key, value in told.items() if value is not None}
    return frames, {suffix.removeprefix("."): data, TEXT: json.dumps(kept, ensure_ascii=False).encode()}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m data.shards", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifests", nargs="+", metavar="MANIFEST", help="what to pack, all into one folder")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")
    parser.add_argument("--size", type=float, default=256, metavar="MB", help="of a shard, about (%(default)g)")
    parser.add_argument(
        "--frontend", metavar="NAME", help="speech, pen or line; by default the first file's ending tells"
    )
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        index = pack(given.manifests, given.out, given.size, given.frontend)
    except RecognizerError as error:
        print(error, file=sys.stderr)
        return 1
    frames = sum(map(sum, index.frames))
    print(f"{given.out}: {index.count} items in {len(index.names)} shards, {frames} frames")
    return 0


if __name__ == "__main__":
    sys.exit(main())
