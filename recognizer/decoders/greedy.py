"""The likeliest label of every frame -> one Hypothesis: repeats merged, blanks dropped (Graves et al. 2006, 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor

from recognizer.alphabet import BLANK
from recognizer.decoders.base import Decoder, Hypothesis
from recognizer.lengths import inside


class Greedy(Decoder):
    """The best path. Not always the best text, which may be spread over many paths; that is what a beam is for.

    A label's confidence is the highest probability within its run of frames. CTC writes in peaks: at a run's edges the
    label gives way to the blank, and that doubt is about the place, not about the label, so a mean would mix the two.
    """

    def search(self, log_probs: Tensor, lengths: Tensor) -> list[list[Hypothesis]]:
        """One hypothesis a row; its score is the sum over frames of the likeliest label's log-probability."""
        rows, frames, _ = log_probs.shape
        if rows == 0 or frames == 0:
            return [[Hypothesis((), (), (), 0.0)] for _ in range(rows)]
        best, path = log_probs.detach().max(2)
        valid = inside(lengths, frames)
        scores = torch.where(valid, best, best.new_zeros(())).double().sum(1).tolist()
        # A run is a stretch of one label. Behind the length stands -1, so that the last run ends there.
        path = torch.where(valid, path, path.new_full((), -1))
        edge = path.new_full((rows, 1), -1)
        written = path > BLANK
        starts = written & (path != torch.cat([edge, path[:, :-1]], 1))
        ends = written & (path != torch.cat([path[:, 1:], edge], 1))
        row, first = starts.nonzero().unbind(1)  # row by row, in order of time: the n-th start and the n-th end
        last = ends.nonzero()[:, 1]  # belong together
        run = starts.flatten().cumsum(0)[written.flatten()] - 1
        peaks = best.new_full((len(row),), -torch.inf).scatter_reduce(0, run, best[written], "amax")
        confidences = peaks.double().exp().clamp(max=1.0).tolist()
        labels, spans = path[starts].tolist(), list(zip(first.tolist(), (last + 1).tolist(), strict=True))
        bounds = [0, *torch.bincount(row, minlength=rows).cumsum(0).tolist()]
        return [
            [Hypothesis(tuple(labels[a:z]), tuple(spans[a:z]), tuple(confidences[a:z]), score)]
            for a, z, score in zip(bounds[:-1], bounds[1:], scores, strict=True)
        ]
