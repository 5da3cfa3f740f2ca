"""Utterances -> Transcripts with a model, in batches of like length; in their order, one bad file stops no other."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from recognizer.alphabet import Alphabet
from recognizer.calibration import Calibration
from recognizer.decoders.align import aligned
from recognizer.decoders.base import Decoder, Hypothesis
from recognizer.errors import AlphabetError, RecognizerError
from recognizer.frontends.base import Frontend
from recognizer.manifest import Utterance
from recognizer.transcript import Mark, Transcript, Word, agreed, product, words

AHEAD = 4
"""So many batches' worth of frames are read before they are sorted by length: more wastes less on padding, fewer
answers sooner and with less memory."""
READINGS, ENOUGH = 20, 10
"""Readings of a signal to ask a beam for: the best one's share of them tells how sure it is; and how many must be asked
for at least. Where a beam that is asked for so many has few, it is sure: it left out what was far less likely."""
ALONE, HINTED = 0.5, 0.05
"""What a word is by itself weighs so much beside its share of the readings (`agreed`): the network alone, and with a
language model or hotwords, which it knows nothing of (`benchmarks/confidence.py` shows what comes of it)."""

T = TypeVar("T")
Hearing = Callable[[Utterance], Frontend[Any]]
"""The front end to read an utterance with, where it is not the model's own: as `Speakers`."""


class Model(Protocol):
    """What reading asks of a Recognizer."""

    frontend: Frontend[Any]
    alphabet: Alphabet
    calibration: Calibration

    @property
    def labels(self) -> tuple[str, ...]:
        """What each label of its answers writes; nothing for the blank, which is the first."""

    @property
    def reduction(self) -> int:
        """Frames that go into one step of the network's output."""

    def infer(self, rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Frames [T_b, F] of several files -> log-probabilities [B, T', A] and lengths [B]."""


@dataclasses.dataclass
class _Piece(Generic[T]):
    """A part of an utterance that goes through the network at once: its frames until then, afterwards the answer.

    Attributes:
        places: where each frame begins and the last one ends, see `Frontend.places`.
    """

    places: NDArray[numpy.float64]
    frames: Tensor | None
    answer: T | None = None

    @property
    def length(self) -> int:
        return len(self.places) - 1

    def reach(self, margin: int) -> tuple[float, float]:
        """Where it begins and ends, without its margins."""
        return float(self.places[margin]), float(self.places[self.length - margin])


@dataclasses.dataclass
class _Job(Generic[T]):
    """An utterance and its pieces so far; `opened` once all of them are there, or it is known to be broken."""

    utterance: Utterance
    pieces: list[_Piece[T]] = dataclasses.field(default_factory=list)
    error: RecognizerError | None = None
    opened: bool = False

    @property
    def ready(self) -> bool:
        return self.opened and (self.error is not None or all(piece.answer is not None for piece in self.pieces))

    @property
    def answers(self) -> list[T]:
        return [piece.answer for piece in self.pieces if piece.answer is not None]


def transcripts(
    model: Model, utterances: Iterable[Utterance], decoder: Decoder, budget: int, hearing: Hearing | None = None
) -> Iterator[Transcript | RecognizerError]:
    """One answer for each utterance, in their order, each as soon as it and all before it are ready.

    Utterances are drawn and files opened only as the answers are taken, and nothing is kept of those that are done.

    Args:
        model: a Recognizer, on any device.
        decoder: reads the texts out of the network's answers.
        budget: frames of a batch, padding counted in; what is longer goes alone.
        hearing: which front end reads an utterance; None: the model's.

    Raises:
        DecoderError: the network gave something else than probabilities.
    """
    for job in _jobs(model, utterances, decoder.decode, budget, hearing):
        yield job.error or _read(model, job, decoder.most)


def alignments(
    model: Model, utterances: Iterable[Utterance], budget: int, hearing: Hearing | None = None
) -> Iterator[Transcript | RecognizerError]:
    """As `transcripts`, of the texts that the utterances have: where the words and characters of each stand.

    An utterance whose text is missing, empty, outside the alphabet, or too long for its frames is answered with an
    error.
    """
    for job in _jobs(model, utterances, _rows, budget, hearing):
        try:
            answer = job.error or _placed(model, job)
        except RecognizerError as error:
            answer = error
        yield answer


def matrices(
    model: Model, utterances: Iterable[Utterance], budget: int, hearing: Hearing | None = None
) -> Iterator[list[Tensor] | RecognizerError]:
    """As `transcripts`: for each utterance the log-probabilities [T', A] of its pieces one after the other."""
    for job in _jobs(model, utterances, _rows, budget, hearing):
        yield job.error or job.answers


def _rows(log_probs: Tensor, lengths: Tensor) -> list[Tensor]:
    """Each row of a batch by itself, in the computer's own memory."""
    held = log_probs.detach().cpu()
    return [row[:length].clone() for row, length in zip(held, lengths.tolist(), strict=True)]


def _jobs(
    model: Model,
    utterances: Iterable[Utterance],
    read: Callable[[Tensor, Tensor], list[T]],
    budget: int,
    hearing: Hearing | None,
) -> Iterator[_Job[T]]:
    """The utterances, when what `read` makes of a batch's log-probabilities is there for all of their pieces."""
    queue: deque[_Job[T]] = deque()
    waiting: list[_Piece[T]] = []
    held = 0
    for piece in _pieces(hearing or (lambda _: model.frontend), utterances, queue):
        waiting.append(piece)
        held += piece.length
        if held >= AHEAD * budget:
            yield from _done(model, queue, waiting, read, budget)
            waiting, held = [], 0
    yield from _done(model, queue, waiting, read, budget)


def _pieces(hearing: Hearing, utterances: Iterable[Utterance], queue: deque[_Job[T]]) -> Iterator[_Piece[T]]:
    """Opens one file after the other; each new job joins the queue."""
    for utterance in utterances:
        frontend = hearing(utterance)
        job = _Job[T](utterance)
        queue.append(job)
        try:
            for start, end in frontend.parts(utterance.path, utterance.start, utterance.end):
                signal = frontend.read(utterance.path, start, end)
                frames = frontend.frames(signal)
                job.pieces.append(_Piece(frontend.places(utterance.path, signal, len(frames), start, end), frames))
                yield job.pieces[-1]
        except RecognizerError as error:
            job.error = error
        job.opened = True


def _done(
    model: Model,
    queue: deque[_Job[T]],
    waiting: list[_Piece[T]],
    read: Callable[[Tensor, Tensor], list[T]],
    budget: int,
) -> Iterator[_Job[T]]:
    for batch in [[], *_batches(waiting, budget)]:
        rows = [piece.frames for piece in batch if piece.frames is not None]
        for piece, answer in zip(batch, read(*model.infer(rows)) if rows else [], strict=True):
            piece.answer, piece.frames = answer, None
        while queue and queue[0].ready:
            yield queue.popleft()


def _batches(pieces: Iterable[_Piece[T]], budget: int) -> Iterator[list[_Piece[T]]]:
    batch: list[_Piece[T]] = []
    for piece in sorted(pieces, key=lambda piece: piece.length):
        if batch and piece.length * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


def _read(model: Model, job: _Job[list[Hypothesis]], asked: int) -> Transcript:
    """The pieces' words one after the other. A cut lies in a pause, so it parts words."""
    best = [readings[0] for readings in job.answers]
    pieces = [judged(model, *piece, asked) for piece in zip(job.answers, _steps(model, job), strict=True)]
    found = [word for spoken, _ in pieces for word in spoken]
    score, gain = sum(one.score for one in best), sum(one.gain for one in best)
    others = alternatives(model.alphabet, job.answers)
    return _transcript(model, job, found, product([sure for _, sure in pieces]), score + gain, others)


def judged(
    model: Model, readings: Sequence[Hypothesis], steps: Sequence[tuple[float, float]], asked: int = 1
) -> tuple[list[Word], float]:
    """The words of the best of a piece's readings and how sure the text is, before any calibration.

    A text alone is as sure as all its characters together, the empty one as its path. Where enough readings were asked
    for, it is as sure as its share of those that there are: with a language model, which the characters know nothing
    of, much the better guess.

    Args:
        steps: where each of the network's frames begins and ends.
        asked: how many readings the decoder could have answered with.
    """
    counted = readings if asked >= ENOUGH else readings[:1]
    normalise, best = model.alphabet.normalise, readings[0]
    spoken = [list(words(_marks(model, one, steps), normalise, one.words)) for one in counted]
    if asked < ENOUGH:
        return spoken[0], product(best.confidences) if best.labels else math.exp(best.score)
    totals = [one.score + one.gain for one in counted]
    shares = torch.tensor(totals, dtype=torch.float64).softmax(0).tolist()
    texts = [[word.text for word in reading] for reading in spoken]
    sure = math.fsum(share for text, share in zip(texts, shares, strict=True) if text == texts[0])
    hinted = any(one.gain for one in counted)
    return list(agreed(spoken, shares, HINTED if hinted else ALONE)), min(1.0, sure)


def _placed(model: Model, job: _Job[Tensor]) -> Transcript:
    """The given text's words: the pieces are laid end to end, for no one knows which words stand in which."""
    path, alphabet = job.utterance.path, model.alphabet
    text = alphabet.normalise(job.utterance.text or "")
    if not text:
        raise AlphabetError(path, "has no text to align", "give one with --reference, in a manifest or beside the file")
    if alphabet.missing(text):
        folds = {"lower": text.lower(), "upper": text.upper()}
        case = next((case for case, folded in folds.items() if not alphabet.missing(folded)), None)
        most = ", ".join(f"{one!r} x {count}" for one, count in alphabet.missing(text).most_common(8))
        remedy = f"give it in {case} case" if case else "write it with the characters of the model"
        raise AlphabetError(path, f"its text has characters that the model cannot write ({most})", remedy)
    hypothesis = aligned(torch.cat(job.answers), alphabet.encode(text), path)
    steps = [step for piece in _steps(model, job) for step in piece]
    marks = _marks(model, hypothesis, steps)
    found = list(words(marks, alphabet.normalise))
    return _transcript(model, job, found, product(hypothesis.confidences), hypothesis.score)


def _steps(model: Model, job: _Job[Any]) -> list[list[tuple[float, float]]]:
    """Where each of the network's frames begins and ends, in units, piece by piece; none reaches into the next.

    What the network writes within a margin stands in the first or the last step of the piece, into which that is
    squeezed: nothing is said before it begins, and no word takes no time.
    """
    margin, stride = model.frontend.margin, model.reduction
    found = []
    for piece, following in itertools.zip_longest(job.pieces, job.pieces[1:]):
        begin, end = piece.reach(margin)
        end = min(end, following.reach(margin)[0]) if following else end
        edges = piece.places[[min(at, piece.length) for at in range(0, piece.length + stride, stride)]]
        if margin:
            step = min(stride * model.frontend.step, (end - begin) / 2)
            known = edges[0], begin + step, end - step, edges[-1]
            edges = numpy.interp(edges, known, (begin, begin + step, end - step, end))
        edges = numpy.minimum(edges, end)
        found.append(list(itertools.pairwise(edges.tolist())))
    return found


def _marks(model: Model, hypothesis: Hypothesis, steps: Sequence[tuple[float, float]]) -> list[Mark]:
    """What each label of the hypothesis writes, where, and how surely."""
    return [
        Mark(model.labels[label], steps[first][0], steps[stop - 1][1], sure)
        for label, (first, stop), sure in zip(hypothesis.labels, hypothesis.spans, hypothesis.confidences, strict=True)
    ]


def _transcript(
    model: Model,
    job: _Job[Any],
    found: Sequence[Word],
    sure: float,
    score: float,
    others: tuple[tuple[str, float], ...] = (),
) -> Transcript:
    """Words and text are as sure as the model's calibration makes of what they are by themselves."""
    margin, utterance = model.frontend.margin, job.utterance
    begin, end = job.pieces[0].reach(margin)[0], job.pieces[-1].reach(margin)[1]
    return Transcript(
        path=utterance.path,
        text=" ".join(word.text for word in found),
        score=score,
        confidence=model.calibration.text(sure),
        words=tuple(dataclasses.replace(word, confidence=model.calibration.word(word.confidence)) for word in found),
        unit=model.frontend.unit,
        duration=end - begin,
        start=begin,
        part=utterance.start is not None or utterance.end is not None,
        alternatives=others,
    )


def alternatives(alphabet: Alphabet, pieces: Sequence[list[Hypothesis]]) -> tuple[tuple[str, float], ...]:
    """The readings of a file beside its best: those of its pieces, put together, as many as a piece has at most.

    Best first, and no text twice: readings that differ in their spaces alone are one, with the best one's score.
    """
    most = max(map(len, pieces))
    found = {"": 0.0}
    for readings in pieces:
        both: dict[str, float] = {}
        for before, score in found.items():
            for reading in readings:
                text = alphabet.normalise(f"{before} {written(alphabet, reading)}")
                total = score + reading.score + reading.gain
                both[text] = max(total, both.get(text, -math.inf))
        found = dict(sorted(both.items(), key=lambda reading: -reading[1])[:most])
    return tuple(found.items())[1:]


def written(alphabet: Alphabet, hypothesis: Hypothesis) -> str:
    """The text of a hypothesis: what its labels spell or, with a lexicon, its words."""
    return alphabet.decode(hypothesis.labels) if hypothesis.words is None else " ".join(hypothesis.words)
