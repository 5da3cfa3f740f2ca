"""What every decoder does: log-probabilities -> Hypotheses.  B batch, T frames, A labels with the blank as label 0."""

from __future__ import annotations

import abc
import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recognizer.errors import DecoderError
from recognizer.lengths import inside

Numbers = NDArray[np.generic]

SLACK = 0.01
"""How far above 0 = ln 1 a log-probability may lie: the rounding of bfloat16, whose step just below 1 is 2^-8."""


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """One reading of one row.

    Attributes:
        labels: without blanks, repeats as they are read.
        spans: for each label the frames [first, last + 1) in which it stands; in order, none overlapping.
        confidences: for each label, in [0, 1].
        score: natural logarithm of a probability: of the path or, for decoders that add paths up, of the text.
        gain: what a language model, weighted, and hotwords add; hypotheses are ordered by the sum of both.
        words: with a lexicon, the listed word for each group of labels between spaces; else None.
    """

    labels: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    confidences: tuple[float, ...]
    score: float
    gain: float = 0.0
    words: tuple[str, ...] | None = None


class Decoder(abc.ABC):
    """Reads texts out of a matrix of log-probabilities. Frames behind a row's length never change its answer."""

    @property
    def most(self) -> int:
        """How many hypotheses a row can be answered with, by what was asked for and what there is room for."""
        return 1

    def decode(self, log_probs: Tensor | Numbers, lengths: Tensor | Numbers) -> list[list[Hypothesis]]:
        """For each row its hypotheses, best first, at least one; of arrays of numpy or tensors on any device.

        Args:
            log_probs: [B, T, A], natural logarithms.
            lengths: [B], the frames of each row; 0 is allowed and reads as the empty text.

        Raises:
            DecoderError: the matrix holds no log-probabilities, or does not fit the lengths.
        """
        log_probs, lengths = (_tensor(given) for given in (log_probs, lengths))
        check(log_probs, lengths)
        return self.search(log_probs, lengths.to(log_probs.device))

    @abc.abstractmethod
    def search(self, log_probs: Tensor, lengths: Tensor) -> list[list[Hypothesis]]:
        """What `decode` promises, for a matrix that has passed `check`."""


def check(log_probs: Tensor, lengths: Tensor) -> None:
    """Refuse what is no matrix of log-probabilities [B, T, A] with its lengths [B].

    Raises:
        DecoderError: naming the row, the frame and the figure.
    """
    if log_probs.dim() != 3 or log_probs.shape[2] < 1 or not log_probs.is_floating_point():
        found = f"{log_probs.dtype} of shape {tuple(log_probs.shape)}".removeprefix("torch.")
        raise DecoderError("log_probs", f"are {found}", "give floating point numbers of shape [B, T, A]")
    rows, frames, _ = log_probs.shape
    if lengths.shape != (rows,) or lengths.is_floating_point():
        found = f"{lengths.dtype} of shape {tuple(lengths.shape)}".removeprefix("torch.")
        raise DecoderError("lengths", f"are {found}", f"give whole numbers of shape [{rows}]")
    for row, length in enumerate(lengths.tolist()):
        if not 0 <= length <= frames:
            raise DecoderError(f"lengths, row {row}", f"{length} in a matrix of {frames} frames", "give 0 to T")
    if log_probs.numel() == 0:
        return
    values = log_probs.detach().amax(2)  # amax hands NaN on, so one look finds both kinds
    wrong = (values.isnan() | (values > SLACK)) & inside(lengths.to(values.device), frames)
    if wrong.any():
        row, frame = wrong.nonzero()[0].tolist()
        figure = values[row, frame].item()
        remedy = "the model has diverged" if figure != figure else "give logarithms of probabilities (log_softmax)"
        raise DecoderError(f"log_probs, row {row}, frame {frame}", f"holds {figure:.6g}", remedy)


def _tensor(given: Tensor | Numbers) -> Tensor:
    if isinstance(given, Tensor):
        return given
    return torch.from_numpy(np.array(given, order="C"))  # a copy: arrays may be read-only, or run backwards
