"""Manifests -> a report of what is in them and, by name, of every item that cannot be trained on."""

from __future__ import annotations

import argparse
import dataclasses
import math
import multiprocessing
import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from tqdm import tqdm

from recognizer import cores, frontends, manifest
from recognizer.alphabet import Alphabet
from recognizer.batch import needed
from recognizer.errors import ConfigError, ManifestError, RecognizerError
from recognizer.frontends import Frontend
from recognizer.manifest import Utterance

RARE = 5
"""A character that occurs less often than this can hardly be learnt; the report marks it."""
FAR = 6.0
"""Deviations from the usual characters per frame, on a scale of ratios, from where on a text and its file hardly
belong together."""
MANY = 1000
"""From so many items on it is worth starting processes."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """An item, and what is wrong with it."""

    path: str
    what: str


@dataclasses.dataclass(frozen=True)
class Report:
    """What is in one manifest.

    Attributes:
        manifest: its path.
        items: how many rows it has.
        amount: the length of all that can be read, in `unit`.
        unit: "seconds", or "frames" where one is no fixed stretch of the file.
        speakers: how many items each has.
        unnamed: items without a speaker.
        characters: how often each occurs in the texts, in Unicode NFC.
        unreadable: files that cannot be read, each with the front end's own words.
        empty: items without a text.
        short: items with fewer frames, after the network's reduction, than CTC needs for their text.
        doubled: items that stand in it twice.
        odd: items with far more or far fewer characters for their length than the others.
    """

    manifest: str
    items: int
    amount: float
    unit: str
    speakers: Counter[str]
    unnamed: int
    characters: Counter[str]
    unreadable: tuple[Finding, ...]
    empty: tuple[Finding, ...]
    short: tuple[Finding, ...]
    doubled: tuple[Finding, ...]
    odd: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether everything can be read."""
        return not self.unreadable


def check(
    path: str, frontend: str | None = None, reduction: int = 4, workers: int | None = None, quiet: bool = False
) -> Report:
    """Read every item of the manifest at `path`.

    Args:
        frontend: name of the front end; by default what the ending of the first file says.
        reduction: frames that the network's stem joins into one.
        workers: processes that read; 0 reads in this one. By default one for each core where there is much to read.
        quiet: no progress bar.

    Raises:
        ManifestError: the manifest cannot be read or is empty.
        InputError: no front end reads files with the ending of the first.
        ConfigError: there is no front end of that name, or the reduction is below 1.
    """
    if reduction < 1:
        raise ConfigError("--reduction", f"is {reduction}", "give 1 or more")
    rows = manifest.read(path)
    if not rows:
        raise ManifestError(path, "has no rows", "name at least one file in it")
    name = frontend or frontends.of(rows[0].path)
    reader = frontends.build({"name": name})
    if workers is None:
        workers = cores.count() if len(rows) >= MANY else 0
    measured = _measured(rows, name, workers)
    results = list(tqdm(measured, total=len(rows), desc=path, unit="item", disable=True if quiet else None))
    frames = [result if isinstance(result, int) else 0 for result in results]
    texts = [" ".join((row.text or "").split()) for row in rows]
    return Report(
        manifest=path,
        items=len(rows),
        amount=sum(max(0, count - 2 * reader.margin) for count in frames) * reader.step,
        unit=reader.unit if reader.unit == "seconds" else "frames",
        speakers=Counter(row.speaker for row in rows if row.speaker),
        unnamed=sum(row.speaker is None for row in rows),
        characters=Counter(character for text in texts for character in _pieces(text)),
        unreadable=tuple(
            Finding(_label(row), result) for row, result in zip(rows, results, strict=True) if isinstance(result, str)
        ),
        empty=tuple(Finding(_label(row), "no text") for row, text in zip(rows, texts, strict=True) if not text),
        short=tuple(_short(rows, frames, texts, reduction)),
        doubled=tuple(_doubled(rows)),
        odd=tuple(_odd(rows, frames, texts)),
    )


def shared(paths: Sequence[str]) -> list[Finding]:
    """Speakers and items that stand in two of the manifests: a score on one tells too much of itself then.

    Raises:
        ManifestError: a manifest cannot be read.
    """
    tables = [(path, manifest.read(path)) for path in paths]
    found = []
    for index, (path, rows) in enumerate(tables):
        for other, others in tables[:index]:
            people = {row.speaker for row in rows if row.speaker} & {row.speaker for row in others if row.speaker}
            found += [Finding(f"{other}, {path}", f"speaker {name} is in both") for name in sorted(people)]
            items = {_key(row): row for row in rows}
            both = sorted(items.keys() & {_key(row) for row in others}, key=str)
            found += [Finding(_label(items[key]), f"is in both {other} and {path}") for key in both]
    return found


def describe(report: Report, most: int = 20) -> str:
    """The report in words, with at most so many names under each heading."""
    people = len(report.speakers)
    lines = [
        f"{report.manifest}: {report.items} items, {_amount(report.amount, report.unit)}, "
        + (f"{people} speakers" if people else "speakers unknown")
        + (f", {report.unnamed} items without one" if people and report.unnamed else "")
    ]
    listed = sorted(report.characters.items(), key=lambda pair: (-pair[1], pair[0]))
    counts = " ".join(f"{_shown(character)}:{count}{'*' * (count < RARE)}" for character, count in listed)
    rare = sum(count < RARE for _, count in listed)
    lines.append(f"  {len(listed)} characters, {rare} of them rare (*: fewer than {RARE} times): {counts}")
    for title, findings in (
        ("unreadable", report.unreadable),
        ("without a text", report.empty),
        ("too short for their text", report.short),
        ("named twice", report.doubled),
        ("of unusual length for their text", report.odd),
    ):
        lines += _listed(f"  {title}", findings, most)
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line `python -m recognizer.check`; 1 if something cannot be read, 2 if nothing could be checked."""
    parser = argparse.ArgumentParser(prog="python -m recognizer.check", description=__doc__)
    parser.add_argument("manifests", nargs="+", metavar="MANIFEST", help="tables of utterances (.tsv)")
    parser.add_argument("--frontend", help="speech, pen or line; by default what the first file's ending says")
    parser.add_argument("--reduction", type=int, default=4, help="frames the stem joins into one (%(default)s)")
    parser.add_argument("--workers", type=int, help="processes that read; by default one a core where there is much")
    parser.add_argument("--most", type=int, default=20, help="names listed of each kind (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        reports = []
        for path in options.manifests:
            reports.append(check(path, options.frontend, options.reduction, options.workers))
            print(describe(reports[-1], options.most), flush=True)
        for line in _listed("in more than one manifest", shared(options.manifests), options.most):
            print(line)
    except RecognizerError as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if all(report.ok for report in reports) else 1


def _measured(rows: Sequence[Utterance], name: str, workers: int) -> Iterator[int | str]:
    """For each row the frames it has, or why it cannot be read; in order."""
    if workers < 1:
        reader = frontends.build({"name": name})
        yield from (_frames(reader, row) for row in rows)
        return
    # Spawned, because a process that has used torch must not be forked.
    with multiprocessing.get_context("spawn").Pool(workers, _start, (name,)) as pool:
        yield from pool.imap(_measure, rows, chunksize=32)


_reader: Frontend[Any] | None = None  # of a reading process


def _start(name: str) -> None:
    global _reader
    torch.set_num_threads(1)
    _reader = frontends.build({"name": name})


def _measure(row: Utterance) -> int | str:
    assert _reader is not None
    return _frames(_reader, row)


def _frames(reader: Frontend[Any], row: Utterance) -> int | str:
    try:
        return len(reader.frames(reader.read(row.path, row.start, row.end)))
    except RecognizerError as error:
        return f"{error.what}; {error.remedy}"


def _short(rows: Sequence[Utterance], frames: Sequence[int], texts: Sequence[str], reduction: int) -> Iterator[Finding]:
    letters = Alphabet.of(texts) if any(texts) else None
    for row, count, text in zip(rows, frames, texts, strict=True):
        if letters is None or count == 0 or not text:
            continue
        labels = torch.tensor([letters.encode(text)])
        needs, has = int(needed(labels, torch.tensor([labels.shape[1]]))), -(-count // reduction)
        if has < needs:
            yield Finding(_label(row), f"{count} frames, {has} after reduction by {reduction}; {text!r} needs {needs}")


def _odd(rows: Sequence[Utterance], frames: Sequence[int], texts: Sequence[str]) -> Iterator[Finding]:
    """Items whose logarithm of characters per frame is FAR median deviations from the median."""
    rates = [math.log(len(text) / count) if text and count else None for text, count in zip(texts, frames, strict=True)]
    known = [rate for rate in rates if rate is not None]
    if len(known) < 20:  # too few to say what is usual
        return
    usual = _median(known)
    # 1.4826 median deviations are a standard deviation where errors are normal; a quarter octave is never odd.
    spread = max(1.4826 * _median([abs(rate - usual) for rate in known]), math.log(2) / 4)
    for row, rate, text in zip(rows, rates, texts, strict=True):
        if rate is not None and abs(rate - usual) > FAR * spread:
            times = math.exp(abs(rate - usual))
            yield Finding(_label(row), f"{times:.1f} times {'more' if rate > usual else 'fewer'} characters: {text!r}")


def _doubled(rows: Sequence[Utterance]) -> Iterator[Finding]:
    for key, count in Counter(map(_key, rows)).items():
        if count > 1:
            yield Finding(_label(Utterance(key[0], start=key[1], end=key[2])), f"{count} times")


def _key(row: Utterance) -> tuple[str, float | None, float | None]:
    return (os.path.realpath(row.path), row.start, row.end)


def _label(row: Utterance) -> str:
    if row.start is None and row.end is None:
        return row.path
    return f"{row.path} from {row.start or 0:g} to {'its end' if row.end is None else f'{row.end:g}'}"


def _listed(title: str, findings: Sequence[Finding], most: int) -> list[str]:
    """Nothing for nothing; else the title with their number, the first ones, and how many more there are."""
    if not findings:
        return []
    lines = [f"{title}: {len(findings)}"]
    lines += [f"    {finding.path}: {finding.what}" for finding in findings[:most]]
    return [*lines, f"    and {len(findings) - most} more"] if len(findings) > most else lines


def _amount(amount: float, unit: str) -> str:
    return f"{amount / 3600:.2f} hours" if unit == "seconds" else f"{amount:,.0f} {unit}"


def _pieces(text: str) -> Iterable[str]:
    return Alphabet(["a"]).normalise(text)


def _shown(character: str) -> str:
    """A sign that can be seen: combining marks on a circle, the rest by its number in Unicode."""
    if character == " ":
        return "space"
    if not character.isprintable():
        return f"U+{ord(character):04X}"
    return f"◌{character}" if unicodedata.category(character).startswith("M") else character


def _median(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


if __name__ == "__main__":
    sys.exit(main())
