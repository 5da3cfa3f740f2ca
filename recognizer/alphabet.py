"""Text <-> labels. Label 0 is the CTC blank; the characters follow from 1 in sorted order."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal, cast, get_args

import regex

from recognizer.errors import AlphabetError

BLANK = 0
Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
Split = Literal["character", "grapheme"]
FORMS, SPLITS = get_args(Form), get_args(Split)


def pieces(text: str, split: Split) -> list[str]:
    """What `split` counts as the characters of a text."""
    return regex.findall(r"\X", text) if split == "grapheme" else list(text)


class Alphabet:
    """The characters that a model can write, and their labels.

    A *character* is a Unicode code point or, with `split="grapheme"`, an extended grapheme cluster (UAX #29), so that
    a letter keeps its accents. Text is kept in logical order; right-to-left scripts need nothing here.

    Args:
        characters: the characters, without the blank; label `i + 1` is `characters[i]`.
        form: the Unicode normal form (UAX #15) that every text is brought to before it is split.
        split: what counts as one character.

    Raises:
        AlphabetError: no characters, one twice, or one that is not a single character in this form.
    """

    def __init__(self, characters: Sequence[str], form: Form = "NFC", split: Split = "character") -> None:
        if form not in FORMS:
            raise AlphabetError("alphabet", f"the normal form {form!r} does not exist", "use NFC, NFD, NFKC or NFKD")
        if split not in SPLITS:
            raise AlphabetError("alphabet", f"cannot split by {split!r}", "use character or grapheme")
        self.characters: tuple[str, ...] = tuple(characters)
        self.form: Form = form
        self.split: Split = split
        if not self.characters:
            raise AlphabetError("alphabet", "it has no characters", "give training texts that are not empty")
        for character, count in Counter(self.characters).items():
            if count > 1:
                raise AlphabetError("alphabet", f"{character!r} stands in it {count} times", "list each once")
            if self._pieces(character) != [character]:
                raise AlphabetError(
                    "alphabet", f"{character!r} is not one {split} in {form}", "build it with Alphabet.of(texts)"
                )
        self._labels = {character: label for label, character in enumerate(self.characters, start=BLANK + 1)}

    @classmethod
    def of(cls, texts: Iterable[str], form: Form = "NFC", split: Split = "character") -> Alphabet:
        """The alphabet of all characters that occur in `texts`."""
        probe = cls(["a"], form, split)
        return cls(sorted({piece for text in texts for piece in probe._pieces(text)}), form, split)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Alphabet:
        """The alphabet that `config()` described."""
        return cls(config["characters"], cast(Form, config["form"]), cast(Split, config["split"]))

    def config(self) -> dict[str, Any]:
        """Plain values from which `from_config` makes an equal alphabet."""
        return {"characters": list(self.characters), "form": self.form, "split": self.split}

    def normalise(self, text: str) -> str:
        """`text` in the normal form, white space folded to single spaces, none at the ends."""
        return " ".join(unicodedata.normalize(self.form, text).split())

    def missing(self, text: str) -> Counter[str]:
        """How often each character that the alphabet lacks occurs in `text`."""
        return Counter(piece for piece in self._pieces(text) if piece not in self._labels)

    def encode(self, text: str, where: object = "text", drop: bool = False) -> list[int]:
        """The labels of `text`.

        Args:
            where: the file that the error names.
            drop: leave characters outside the alphabet out instead of refusing the text.

        Raises:
            AlphabetError: `text` has characters outside the alphabet and `drop` is false.
        """
        missing = self.missing(text)
        if missing and not drop:
            listed = ", ".join(f"{character!r} x {count}" for character, count in missing.most_common(8))
            raise AlphabetError(
                where,
                f"{missing.total()} characters are not in the alphabet ({listed})",
                "correct the text, build the alphabet from it too, or drop them with --data.drop_unknown true",
            )
        return [self._labels[piece] for piece in self._pieces(text) if piece in self._labels]

    def decode(self, labels: Iterable[int]) -> str:
        """The text of `labels`, which hold no blanks; in the normal form."""
        return unicodedata.normalize(self.form, "".join(self.characters[label - 1] for label in labels))

    def _pieces(self, text: str) -> list[str]:
        return pieces(self.normalise(text) if not text.isspace() else " ", self.split)

    def __len__(self) -> int:
        """The number of labels, the blank among them: the width of the network's output."""
        return len(self.characters) + 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alphabet) and self.config() == other.config()

    def __hash__(self) -> int:
        return hash((self.characters, self.form, self.split))

    def __repr__(self) -> str:
        return f"Alphabet({''.join(self.characters)!r}, form={self.form!r}, split={self.split!r})"
