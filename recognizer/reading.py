"""Utterances -> Transcripts with a model, in batches of like length; in their order, one bad file stops no other."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from torch import Tensor

from recognizer.alphabet import Alphabet
from recognizer.decoders.base import Decoder, Hypothesis
from recognizer.errors import RecognizerError
from recognizer.frontends.base import Frontend
from recognizer.manifest import Utterance
from recognizer.transcript import Transcript, Word, mean, words

AHEAD = 4
"""So many batches' worth of frames are read before they are sorted by length: more wastes less on padding, fewer
answers sooner and with less memory."""


class Model(Protocol):
    """What reading asks of a Recognizer."""

    frontend: Frontend[Any]
    alphabet: Alphabet

    @property
    def reduction(self) -> int:
        """Frames that go into one step of the network's output."""

    def infer(self, rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Frames [T_b, F] of several files -> log-probabilities [B, T', A] and lengths [B]."""


@dataclasses.dataclass
class _Piece:
    """A part of an utterance that is read at once: its frames until the network has seen them, then its reading."""

    start: float
    length: int
    frames: Tensor | None
    hypotheses: list[Hypothesis] | None = None


@dataclasses.dataclass
class _Job:
    """An utterance and its pieces so far; `opened` once all of them are there, or it is known to be broken."""

    utterance: Utterance
    pieces: list[_Piece] = dataclasses.field(default_factory=list)
    error: RecognizerError | None = None
    opened: bool = False

    @property
    def ready(self) -> bool:
        return self.opened and (self.error is not None or all(piece.hypotheses for piece in self.pieces))


def transcripts(
    model: Model, utterances: Iterable[Utterance], decoder: Decoder, budget: int
) -> Iterator[Transcript | RecognizerError]:
    """One answer for each utterance, in their order, each as soon as it and all before it are ready.

    Utterances are drawn and files opened only as the answers are taken, and nothing is kept of those that are done.

    Args:
        model: a Recognizer, on any device.
        decoder: reads the texts out of the network's answers.
        budget: frames of a batch, padding counted in; what is longer goes alone.

    Raises:
        DecoderError: the network gave something else than probabilities.
    """
    queue: deque[_Job] = deque()
    waiting: list[_Piece] = []
    held = 0
    for piece in _pieces(model.frontend, utterances, queue):
        waiting.append(piece)
        held += piece.length
        if held >= AHEAD * budget:
            yield from _answered(model, queue, waiting, decoder, budget)
            waiting, held = [], 0
    yield from _answered(model, queue, waiting, decoder, budget)


def _pieces(frontend: Frontend[Any], utterances: Iterable[Utterance], queue: deque[_Job]) -> Iterator[_Piece]:
    """Opens one file after the other; each new job joins the queue."""
    for utterance in utterances:
        job = _Job(utterance)
        queue.append(job)
        try:
            for start, end in frontend.parts(utterance.path, utterance.start, utterance.end):
                frames = frontend.frames(frontend.read(utterance.path, start, end))
                job.pieces.append(_Piece(start or 0.0, len(frames), frames))
                yield job.pieces[-1]
        except RecognizerError as error:
            job.error = error
        job.opened = True


def _answered(
    model: Model, queue: deque[_Job], waiting: list[_Piece], decoder: Decoder, budget: int
) -> Iterator[Transcript | RecognizerError]:
    for batch in [[], *_batches(waiting, budget)]:
        rows = [piece.frames for piece in batch if piece.frames is not None]
        for piece, readings in zip(batch, decoder.decode(*model.infer(rows)) if rows else [], strict=True):
            piece.hypotheses, piece.frames = readings, None
        while queue and queue[0].ready:
            job = queue.popleft()
            yield job.error or _transcript(model, job)


def _batches(pieces: Iterable[_Piece], budget: int) -> Iterator[list[_Piece]]:
    batch: list[_Piece] = []
    for piece in sorted(pieces, key=lambda piece: piece.length):
        if batch and piece.length * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


def _transcript(model: Model, job: _Job) -> Transcript:
    """The pieces' words one after the other. A cut lies in a pause, so it parts words."""
    frontend, alphabet, utterance = model.frontend, model.alphabet, job.utterance
    found, confidences = list[Word](), list[float]()
    score, gain, steps, end = 0.0, 0.0, 0, 0.0
    for piece in job.pieces:
        assert piece.hypotheses
        hypothesis = piece.hypotheses[0]
        end = piece.start + piece.length * frontend.step
        characters = [alphabet.characters[label - 1] for label in hypothesis.labels]
        spans, sure, step = hypothesis.spans, hypothesis.confidences, frontend.step * model.reduction
        found += words(characters, spans, sure, alphabet.normalise, step, piece.start, end)
        confidences += sure
        score += hypothesis.score
        gain += hypothesis.gain
        steps += math.ceil(piece.length / model.reduction)
    start = job.pieces[0].start
    return Transcript(
        path=utterance.path,
        text=" ".join(word.text for word in found),
        score=score + gain,
        confidence=mean(confidences) if confidences else math.exp(score / max(1, steps)),
        words=tuple(found),
        unit=frontend.unit,
        duration=end - start,
        start=start,
        part=utterance.start is not None or utterance.end is not None,
        alternatives=alternatives(alphabet, [piece.hypotheses or [] for piece in job.pieces]),
    )


def alternatives(alphabet: Alphabet, pieces: Sequence[list[Hypothesis]]) -> tuple[tuple[str, float], ...]:
    """The readings of a file beside its best: those of its pieces, put together, as many as a piece has at most."""
    most = max(map(len, pieces))
    found = [("", 0.0)]
    for readings in pieces:
        texts = [(alphabet.decode(reading.labels), reading.score + reading.gain) for reading in readings]
        both = [(f"{before} {text}", score + value) for before, score in found for text, value in texts]
        found = sorted(both, key=lambda reading: -reading[1])[:most]
    return tuple((alphabet.normalise(text), score) for text, score in found[1:])
