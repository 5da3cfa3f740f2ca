"""Log-probabilities and a known text -> the Hypothesis that says where each of its labels stands."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from recognizer.alphabet import BLANK
from recognizer.decoders.base import Hypothesis, Numbers, check
from recognizer.errors import DecoderError

WITHIN = 3 * 10**8
"""Frames times labels up to which torchaudio's aligner serves: it keeps something of each, 0.6 GB for 3 * 10^8. Nor
does it serve where probabilities are 0: it reads memory that no one wrote."""


def aligned(
    log_probs: Tensor | Numbers, labels: Sequence[int], where: object = "text", blank: int = BLANK
) -> Hypothesis:
    """The likeliest of all paths that write exactly `labels` (Viterbi over the states of Graves et al. 2006, 4.1).

    A label's span is its run of frames on that path, its confidence the highest probability within, as of the greedy
    decoder; the score is the path's.

    Args:
        log_probs: [T, A], natural logarithms.
        labels: what stands there, without blanks; none is allowed, and all frames are blank.
        where: the file that the errors name.
        blank: the label that writes nothing.

    Raises:
        DecoderError: the matrix holds no log-probabilities, there are too few frames for the labels, or all paths
            have the probability 0.
    """
    matrix = (log_probs if isinstance(log_probs, Tensor) else torch.tensor(log_probs)).detach()
    check(matrix[None], torch.tensor([len(matrix)]))
    matrix = matrix.to("cpu", torch.float64)  # sums over hours of frames
    assert all(0 <= label < matrix.shape[1] and label != blank for label in labels)
    least = len(labels) + sum(one == other for one, other in itertools.pairwise(labels))
    if least > len(matrix):
        what = f"its text needs {least} steps of the network, and it has {len(matrix)}"
        raise DecoderError(where, what, "check the text, or use a model that shortens time less")
    if (path := _path(matrix, labels, blank)) is None:
        raise DecoderError(where, "the model holds its text for impossible", "check the text")
    values = matrix.gather(1, path[:, None])[:, 0]
    score = values.sum().item()
    runs, counts = torch.unique_consecutive(path, return_counts=True)
    stops = counts.cumsum(0).tolist()
    spans = [
        (stop - count, stop)
        for label, stop, count in zip(runs.tolist(), stops, counts.tolist(), strict=True)
        if label != blank
    ]
    assert runs[runs != blank].tolist() == list(labels)
    peaks = tuple(min(1.0, math.exp(values[first:stop].max().item())) for first, stop in spans)
    return Hypothesis(tuple(labels), tuple(spans), peaks, min(score, 0.0))


def _path(matrix: Tensor, labels: Sequence[int], blank: int) -> Tensor | None:
    """The label of each frame, int64 [T]; None where all paths have the probability 0."""
    if not labels or len(matrix) * len(labels) > WITHIN or not bool(matrix.isfinite().all()):
        return _patient(matrix, labels, blank)
    from torchaudio.functional import forced_align  # takes a second to load

    return forced_align(matrix[None], torch.tensor([labels]), blank=blank)[0][0].long()


def _patient(matrix: Tensor, labels: Sequence[int], blank: int) -> Tensor | None:
    """As torchaudio's, in the memory of a few blocks of frames: only each block's first values are kept on the way
    forth, and on the way back, block by block, its steps are found again."""
    states = torch.full((2 * len(labels) + 1,), blank)
    states[1::2] = torch.tensor(labels)
    skips = torch.zeros(len(states), dtype=torch.bool)  # a blank between two labels may be left out if they differ
    skips[3::2] = states[3::2] != states[1:-2:2]
    frames, size = len(matrix), math.isqrt(max(0, len(matrix) - 1)) + 1
    values = torch.full((len(states),), -math.inf, dtype=matrix.dtype)
    values[0] = 0.0  # before the first frame: as if in the first blank, from which the first label can be reached
    kept = []
    for frame in range(frames):
        if frame % size == 0:
            kept.append(values)
        values, _ = _stepped(values, skips, matrix[frame, states])
    last = len(states) - 1
    state = last - int(last > 0 and bool(values[last - 1] > values[last]))
    if values[state] == -math.inf:
        return None
    path = torch.empty(frames, dtype=torch.long)
    for first in reversed(range(0, frames, size)):
        values, block = kept.pop(), []
        for frame in range(first, min(first + size, frames)):
            values, steps = _stepped(values, skips, matrix[frame, states])
            block.append(steps)
        for frame in reversed(range(first, first + len(block))):
            path[frame] = states[state]
            state -= int(block[frame - first][state])
    return path


def _stepped(values: Tensor, skips: Tensor, gains: Tensor) -> tuple[Tensor, Tensor]:
    """One frame on: the best values of all states [S], and by how many states each was reached, int8 [S]."""
    stay, one, two = values, values.roll(1), values.roll(2).masked_fill(~skips, -math.inf)
    one[0] = -math.inf
    best = torch.maximum(stay, one)
    steps = (one > stay).to(torch.int8).masked_fill(two > best, 2)
    return torch.maximum(best, two) + gains, steps
