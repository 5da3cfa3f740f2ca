"""Texts and their references -> error rates, file by file and of all together, on standard error."""

from __future__ import annotations

from collections import Counter

from recognizer.alphabet import Alphabet
from recognizer.console import say
from recognizer.metrics import Counts, alignment, bootstrap

ENOUGH = 10  # speakers: drawing from fewer says little about how others would fare


class Scores:
    """Compares texts with their references, in the alphabet's normal form, and says what it finds.

    Args:
        alphabet: of the model that wrote the texts.
        listed: show reference and text word by word where they differ.
    """

    def __init__(self, alphabet: Alphabet, listed: bool) -> None:
        self.alphabet, self.listed = alphabet, listed
        self.counts: list[Counts] = []
        self.people: list[str | None] = []
        self.missing: Counter[str] = Counter()

    def add(self, name: str, speaker: str | None, reference: str, text: str) -> None:
        """One more file."""
        reference = self.alphabet.normalise(reference)
        self.counts.append(Counts.of(reference, text))
        self.people.append(speaker)
        self.missing += self.alphabet.missing(reference)
        say(f"{name}: {rates(self.counts[-1])}")
        if self.listed and reference != text:
            say(alignment(reference, text))

    def total(self) -> None:
        """All files together. The interval draws speakers, where many are known: files of one go together."""
        if self.missing:
            most = ", ".join(f"{character!r} x {count}" for character, count in self.missing.most_common(8))
            say(f"{self.missing.total()} characters of the references are not in the model's alphabet ({most})")
        if len(self.counts) < 2:
            return
        people = set(self.people)
        parts, drawn = self.counts, "files"
        if None not in people and len(people) >= ENOUGH:
            spoken = zip(self.people, self.counts, strict=True)
            sums: dict[str | None, Counts] = {}
            for person, counts in spoken:
                sums[person] = sums.get(person, Counts()) + counts
            parts, drawn = list(sums.values()), "speakers"
        low, high = bootstrap(parts)
        say(f"all {len(self.counts)} files: {rates(sum(self.counts, Counts()))}")
        say(f"WER lies within {low:.1%} and {high:.1%} (95 %, bootstrap over {len(parts)} {drawn})")
        if empty := sum(not counts.words.reference for counts in self.counts):
            say(f"{empty} of {len(self.counts)} references are empty: what is read there counts as inserted")


def rates(counts: Counts) -> str:
    """The four rates and what they are made of, in one line."""
    shown = "  ".join(f"{name.upper()} {rate:.1%}" for name, rate in counts.rates().items())
    words, characters = (
        f"S {edits.substitutions} D {edits.deletions} I {edits.insertions} of {edits.reference}"
        for edits in (counts.words, counts.characters)
    )
    return f"{shown}  words {words}, characters {characters}"
