"""Two views of the same utterances -> how far what a network makes of the one is from what it makes of the other."""

from __future__ import annotations

import torch
from torch import Tensor

from recognizer.lengths import inside


def apart(log_probs: Tensor, lengths: Tensor) -> Tensor:
    """Nats between the two views of each row [B], of log-probabilities [2 B, T', A], the second views behind the first.

    The sum over t of D(b_t || a_t) + D(a_t || b_t), where D is Kullback's and Leibler's divergence and no gradient goes
    through what stands first, the aim: twice the consistency loss of Yao et al. 2025, "CR-CTC: consistency
    regularization on CTC for improved speech recognition". A mean over all rows is theirs, then, as that of the CTC
    losses of both views is. Both have the same lengths [2 B]; frames behind them do not count.
    """
    one, other = log_probs.chunk(2)
    aims = torch.cat([other, one]).detach()
    nats = torch.nn.functional.kl_div(log_probs, aims, reduction="none", log_target=True).sum(-1)
    first, second = (nats * inside(lengths, nats.shape[1])).sum(1).chunk(2)
    return first + second
