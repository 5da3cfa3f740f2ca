"""Utterances -> for each speaker a front end accustomed to the voice, from all that the speaker says in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from recognizer.console import bar
from recognizer.errors import RecognizerError
from recognizer.frontends.base import Frontend
from recognizer.manifest import Utterance

Signal = TypeVar("Signal")


class Speakers:
    """Front ends by speaker: who a manifest names or, where nobody is named, whose files a folder holds.

    Args:
        frontend: of the model that will read the utterances.
        utterances: all that will be read; every file is opened once, and what cannot be read is passed over.

    Raises:
        ConfigError: the front end can make no use of knowing who speaks.
    """

    def __init__(self, frontend: Frontend[Any], utterances: Iterable[Utterance]) -> None:
        said: dict[str, list[Utterance]] = {}
        for utterance in utterances:
            said.setdefault(_speaker(utterance), []).append(utterance)
        with bar(sum(map(len, said.values())), "file heard") as done:
            self._frontends = {
                name: frontend.accustomed(_signals(frontend, theirs, done)) for name, theirs in said.items()
            }

    def __len__(self) -> int:
        return len(self._frontends)

    def __call__(self, utterance: Utterance) -> Frontend[Any]:
        """The front end for the utterance's speaker."""
        return self._frontends[_speaker(utterance)]


def _speaker(utterance: Utterance) -> str:
    return utterance.speaker or str(Path(utterance.path).parent)


def _signals(frontend: Frontend[Signal], utterances: Sequence[Utterance], done: Any) -> Iterator[Signal]:
    """What can be read of the utterances, in pieces that fit into the memory."""
    for utterance in utterances:
        done.update()
        try:
            for start, end in frontend.parts(utterance.path, utterance.start, utterance.end):
                yield frontend.read(utterance.path, start, end)
        except RecognizerError:
            continue  # whoever reads the utterance will say so
