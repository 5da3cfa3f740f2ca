"""Features -> log-probabilities of labels, by a linear map that knows how often it has each label in mind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

LEAST = 1e-5


class Output(nn.Linear):
    """[B, T, D] -> [B, T, A], and the prior of its A labels.

    A network trained with CTC on little speech is sure of the blank and of frequent labels more often than it should
    be. A decoder that has other knowledge of texts divides the prior out again, p(frame | label) ~ p(label | frame) /
    p(label), as hybrids of networks and hidden Markov models do (Bourlard & Morgan 1994, "Connectionist Speech
    Recognition"; for CTC Miao, Gowayyed & Metze 2015, "EESEN", section 4).

    Attributes:
        prior: [A], ln of each label's mean probability over what it was validated on; all alike until then.
    """

    prior: Tensor

    def __init__(self, inputs: int, labels: int) -> None:
        super().__init__(inputs, labels)
        self.register_buffer("prior", torch.full((labels,), -math.log(labels)))

    def log_probs(self, features: Tensor) -> Tensor:
        """[..., D] -> natural logarithms of probabilities, float32 [..., A]."""
        return self(features).float().log_softmax(-1)

    def learn(self, means: Tensor) -> None:
        """Take the prior of these mean probabilities [A]; none counts as less than LEAST."""
        self.prior.copy_(means.clamp_min(LEAST).log().log_softmax(-1))

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *others: Any) -> None:
        """Checkpoints from before there was a prior have none."""
        super()._load_from_state_dict({f"{prefix}prior": self.prior, **state_dict}, prefix, *others)
