"""What went wrong -> one line that names the place, the value and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RecognizerError(Exception):
    """The parent of every error that a user can mend.

    Args:
        where: the file, option or row that is meant.
        what: what is wrong with it, with the value that was found.
        remedy: what the user can do.
    """

    def __init__(self, where: object, what: str, remedy: str) -> None:
        super().__init__(where, what, remedy)
        self.where, self.what, self.remedy = str(where), what, remedy

    def __str__(self) -> str:
        return " ".join(f"{self.where}: {self.what}; {self.remedy}".split())


class InputError(RecognizerError):
    """A sound, ink or image file that cannot be read as what it claims to be."""


class ManifestError(RecognizerError):
    """A manifest, or one row of it, that cannot be used."""


class AlphabetError(RecognizerError):
    """A text with characters that the alphabet does not have, or an alphabet that breaks its own laws."""


class ConfigError(RecognizerError):
    """A setting that does not exist or does not fit the others."""


class CheckpointError(RecognizerError):
    """A model file that cannot be opened here."""


class SampleError(RecognizerError):
    """An embedded corpus that cannot be made here."""


class DictionaryError(RecognizerError):
    """A pronouncing dictionary that cannot be read."""


class DecoderError(RecognizerError):
    """Log-probabilities or lengths that no decoder can read."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The way out of a misspelt `name`: the closest of the `known` names, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"choose one of: {', '.join(known)}"
