"""A known text is laid over its frames as the likeliest of all paths that write it; brute force says which that is."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy
import pytest
import soundfile
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recognizer import reading
from recognizer.alphabet import Alphabet
from recognizer.calibration import Calibration
from recognizer.decoders import Beam, Decoder, Greedy, align, aligned
from recognizer.errors import AlphabetError, DecoderError, RecognizerError
from recognizer.frontends.base import Frontend
from recognizer.manifest import Utterance
from recognizer.model import Recognizer
from recognizer.transcript import Transcript


def chance(frames: int, labels: int, seed: int, sharp: float = 2.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(frames, labels, generator=generator) * sharp).log_softmax(-1)


def writing(labels: tuple[int, ...], frames: int, size: int, blank: int) -> list[tuple[int, ...]]:
    """Every path of so many frames that writes the labels."""
    return [
        path
        for path in itertools.product(range(size), repeat=frames)
        if tuple(label for label, _ in itertools.groupby(path) if label != blank) == labels
    ]


def runs(path: tuple[int, ...], blank: int) -> tuple[tuple[int, int], ...]:
    found, frame = [], 0
    for label, group in itertools.groupby(path):
        count = len(list(group))
        found += [(frame, frame + count)] if label != blank else []
        frame += count
    return tuple(found)


@pytest.mark.parametrize("within", [align.WITHIN, 0], ids=["torchaudio", "torch"])
@given(
    st.integers(1, 6),
    st.lists(st.integers(0, 2), max_size=4),
    st.integers(0, 3),
    st.booleans(),
    st.integers(0, 10_000),
)
def test_the_path_is_the_likeliest_of_all(
    within: int, frames: int, text: list[int], blank: int, zeros: bool, seed: int
) -> None:
    matrix = chance(frames, 4, seed)
    if zeros:
        matrix = matrix.masked_fill(
            torch.rand(matrix.shape, generator=torch.Generator().manual_seed(seed)) < 0.2, -math.inf
        )
    labels = tuple(label + (label >= blank) for label in text)
    scores = {
        path: sum(matrix[frame, label].item() for frame, label in enumerate(path))
        for path in writing(labels, frames, 4, blank)
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(align, "WITHIN", within)
        if max(scores.values(), default=-math.inf) == -math.inf:
            with pytest.raises(DecoderError, match="impossible" if scores else "steps of the network"):
                aligned(matrix, labels, blank=blank)
            return
        found = aligned(matrix, labels, blank=blank)
    best = max(scores, key=lambda path: scores[path])
    assert found.labels == labels
    assert found.score == pytest.approx(scores[best], abs=1e-5)
    assert found.spans == runs(best, blank)
    peaks = [
        matrix[first:stop, label].max().exp().item() for label, (first, stop) in zip(labels, found.spans, strict=True)
    ]
    assert found.confidences == pytest.approx(peaks)


@given(st.integers(1, 30), st.integers(2, 6), st.integers(0, 10_000))
def test_what_greedy_reads_is_where_greedy_read_it(frames: int, labels: int, seed: int) -> None:
    matrix = chance(frames, labels, seed)
    read = Greedy().decode(matrix[None], torch.tensor([frames]))[0][0]
    found = aligned(matrix, read.labels)
    assert (found.labels, found.spans) == (read.labels, read.spans)
    assert found.score == pytest.approx(read.score, rel=1e-5)
    assert found.confidences == pytest.approx(read.confidences)


def test_both_ways_agree_on_a_long_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many more frames and labels than one block of the slow way holds."""
    matrix = chance(700, 12, 3, sharp=1.0)
    labels = torch.randint(1, 12, (180,), generator=torch.Generator().manual_seed(4)).tolist()
    quick = aligned(matrix, labels)
    monkeypatch.setattr(align, "WITHIN", 0)
    assert aligned(matrix, labels) == quick


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(DecoderError, match=r"a\.wav: its text needs 4 steps of the network, and it has 3; check"):
        aligned(chance(3, 4, 0), [1, 1, 2], "a.wav")
    with pytest.raises(DecoderError, match=r"holds 0\.5"):
        aligned(torch.full((3, 2), 0.5), [1])
    with pytest.raises(DecoderError, match="1, 3"):
        aligned(torch.zeros(3), [1])
    for frames in (4, 0):
        assert aligned(chance(frames, 3, 0).numpy(), []).labels == ()


# With a model: files.


def placed(model: Recognizer, *utterances: Utterance) -> list[Transcript | RecognizerError]:
    return list(reading.alignments(model, utterances, 3000))


def test_the_parts_of_a_long_file_are_laid_end_to_end(tmp_path: Path) -> None:
    """No one says which words stand in which part: the path goes over all of them at once."""
    rate = 16_000
    wave = numpy.random.default_rng(0).normal(0, 0.1, 130 * rate)
    wave[50 * rate : 51 * rate] *= 0.01
    soundfile.write(tmp_path / "long.wav", wave, rate)
    model = Recognizer.load(tiny.checkpoint(tmp_path / "m.ckpt"))
    utterance = Utterance(str(tmp_path / "long.wav"), "abc  cab bca " * 30, 3.0, 129.5)
    ((answer,), (pieces,)) = placed(model, utterance), list(reading.matrices(model, [utterance], 3000))
    assert isinstance(answer, Transcript) and isinstance(pieces, list) and len(pieces) > 1
    assert answer.text == " ".join(["abc cab bca"] * 30)
    assert (answer.start, answer.duration, answer.part) == (3.0, pytest.approx(126.5), True)
    whole = aligned(torch.cat(pieces), model.alphabet.encode(answer.text))
    assert answer.score == pytest.approx(whole.score)
    cut = model.frontend.parts(utterance.path, 3.0, 129.5)[1][0]
    spans = [
        span for span, label in zip(whole.spans, whole.labels, strict=True) if label != model.alphabet.encode(" ")[0]
    ]
    for (first, _), mark in zip(spans, [mark for word in answer.words for mark in word.characters], strict=True):
        frame = first if first < len(pieces[0]) else first - len(pieces[0])
        begin = 3.0 if first < len(pieces[0]) else cut
        assert begin is not None
        if first < len(pieces[0]) + len(pieces[1]):
            assert mark.start == pytest.approx(begin + frame * 0.02)
    in_order(answer)


def test_texts_that_do_not_fit_stop_no_other(tmp_path: Path) -> None:
    model = Recognizer.load(tiny.checkpoint(tmp_path / "m.ckpt"))
    path = str(tiny.sound(tmp_path / "a.wav", 0.4))
    texts = ["ab", None, " ", "abz", "A B", "ab" * 20, "c"]
    answers = placed(model, *(Utterance(path, text) for text in texts), Utterance("none.wav", "a"))
    assert [getattr(answer, "text", None) for answer in answers] == ["ab", *[None] * 5, "c", None]
    for answer, words in (
        (answers[1], "has no text to align"),
        (answers[2], "has no text to align"),
        (answers[3], "'z' x 1"),
        (answers[4], "give it in lower case"),
        (answers[5], "needs 40 steps of the network, and it has 20"),
        (answers[7], "none.wav"),
    ):
        assert isinstance(answer, RecognizerError) and words in str(answer)
        assert answer.where in (path, "none.wav")
    assert isinstance(answers[4], AlphabetError)


# Places, however they were found: laws over many matrices.


def in_order(answer: Transcript) -> None:
    """Words and their characters follow each other inside what was read."""
    clock = answer.start
    for word in answer.words:
        assert (word.start, word.end) == (word.characters[0].start, word.characters[-1].end)
        for mark in word.characters:
            assert clock <= mark.start < mark.end
            assert 0 <= mark.confidence <= 1
            clock = mark.end
    assert clock <= answer.start + answer.duration
    assert answer.text == " ".join(word.text for word in answer.words)
    assert all("".join(mark.text for mark in word.characters) == word.text for word in answer.words)


class Page(Frontend[int]):
    """Signals that are their length; long ones are cut into two parts."""

    name, unit, suffixes = "page", "pixels", (".page",)
    size, step = 1, 0.01  # type: ignore[assignment]

    def __init__(self, margin: int = 0) -> None:
        super().__init__()
        self.margin = margin

    def read(self, path: str, start: float | None = None, end: float | None = None) -> int:
        return round(((end or 0.0) - (start or 0.0)) * 100)

    def frames(self, signal: int) -> Tensor:
        return torch.zeros(signal + 2 * self.margin, 1)

    def length(self, path: str, start: float | None = None, end: float | None = None) -> int:
        return self.read(path, start, end)

    def parts(
        self, path: str, start: float | None = None, end: float | None = None
    ) -> list[tuple[float | None, float | None]]:
        assert start is not None and end is not None
        half = round((start + end) / 2, 2)
        return [(start, half), (half, end)] if end - start > 0.3 else [(start, end)]


class Noise:
    """A model that says something by chance."""

    alphabet, reduction, calibration = Alphabet(list(" abc")), 4, Calibration()
    labels = ("", *alphabet.characters)

    def __init__(self, seed: int, margin: int) -> None:
        self.seed, self.frontend = seed, Page(margin)

    def infer(self, rows: list[Tensor]) -> tuple[Tensor, Tensor]:
        lengths = torch.tensor([-(-len(row) // self.reduction) for row in rows])
        return chance(int(lengths.max()) * len(rows), 5, self.seed).view(len(rows), -1, 5), lengths


READERS: dict[str, Decoder | None] = {
    "greedy": Greedy(),
    "beam": Beam(Noise.alphabet, width=8, threads=1),
    "align": None,
}


@pytest.mark.parametrize("name", READERS)
@given(st.integers(8, 90), st.sampled_from([0.0, 0.07, 12.34]), st.integers(0, 10_000), st.sampled_from([0, 3, 12]))
def test_places_are_in_order_and_inside_the_file(
    name: str, hundredths: int, start: float, seed: int, margin: int
) -> None:
    """Also of what is written within the margins; and nothing takes no time."""
    model, decoder = Noise(seed, margin), READERS[name]
    utterance = Utterance("a.page", "a b", start, round(start + hundredths / 100, 2))
    if decoder is None:
        (answer,) = reading.alignments(model, [utterance], 100)
        if isinstance(answer, RecognizerError):
            assert hundredths < 16
            return
    else:
        (answer,) = reading.transcripts(model, [utterance], decoder, 100)
    assert isinstance(answer, Transcript)
    in_order(answer)
    assert answer.duration == pytest.approx(hundredths / 100)
