"""Raw confidences -> probabilities of being right, by a curve that is fitted to what was right and what was not.

N answers, each with its raw confidence, in [0, 1], and whether it was right.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

Floats = NDArray[np.float64]

NEUTRAL = (1.0, 1.0, 0.0)
"""The curve that changes nothing."""
LEAST, MOST = 1e-30, 1 - 1e-6
"""Raw confidences are brought into this range, in which numbers of 32 bits still tell them apart."""
BINS = 10


class Calibration(nn.Module):
    """A curve for words and one for whole texts, kept with the weights of the model whose answers they judge.

    Beta calibration (Kull, Silva Filho and Flach 2017): logit p = a ln s - b ln(1 - s) + c for the raw confidence s. It
    never falls, since a, b >= 0, and a = b = 1, c = 0 leaves every s as it is; this is the curve of a model that has
    not been calibrated. A plain logistic curve (Platt 2000) has neither property on [0, 1].
    """

    words: Tensor
    texts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("words", torch.tensor(NEUTRAL))
        self.register_buffer("texts", torch.tensor(NEUTRAL))

    def word(self, raw: float) -> float:
        """The probability that a word is right."""
        return float(curve(self.words.tolist(), raw))

    def text(self, raw: float) -> float:
        """The probability that a whole text is right, word for word."""
        return float(curve(self.texts.tolist(), raw))

    def fit(self, words: ArrayLike, texts: ArrayLike) -> None:
        """Take the curves that answers [N, 2] call for: their raw confidences, and 1 where they were right, else 0."""
        for name, pairs in (("words", words), ("texts", texts)):
            raw, right = np.asarray(pairs, np.float64).reshape(-1, 2).T
            getattr(self, name).copy_(torch.tensor(fitted(raw, right)))

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *others: Any) -> None:
        """Checkpoints from before there was a calibration are neutral."""
        neutral = {f"{prefix}{name}": torch.tensor(NEUTRAL) for name in ("words", "texts")}
        super()._load_from_state_dict({**neutral, **state_dict}, prefix, *others)


def curve(parameters: Sequence[float], raw: ArrayLike) -> Floats:
    """Raw confidences of any shape -> probabilities in (0, 1), by the curve with parameters a, b, c."""
    logits = _features(raw) @ np.asarray(parameters, np.float64)
    return _logistic(logits)


def fitted(raw: ArrayLike, right: ArrayLike) -> tuple[float, float, float]:
    """The parameters a, b >= 0 and c under which it is likeliest that what was right was right.

    A normal prior of variance 1 around the neutral curve holds them where there is little to learn from: no answers
    leave it neutral, and all right or all wrong does not drive it to infinity.

    Args:
        raw: [N], confidences in [0, 1].
        right: [N], 1 or 0.
    """
    features, wanted = _features(raw), np.asarray(right, np.float64)
    assert features.shape == (*wanted.shape, 3), "a confidence for each answer"
    found = []
    for held in itertools.product((False, True), repeat=2):  # which of a and b lie on their bound
        free = np.array([not held[0], not held[1], True])
        parameters = _newton(features, wanted, free)
        if (parameters[:2] >= 0).all():
            found.append((_cost(features, wanted, parameters), *parameters.tolist()))
    _, low, high, shift = min(found)
    return low, high, shift


def _newton(features: Floats, right: Floats, free: NDArray[np.bool_]) -> Floats:
    """The least cost over the parameters that are free; the others are 0. The cost is convex and smooth."""
    parameters = np.where(free, NEUTRAL, 0.0)
    for _ in range(100):
        chances = _logistic(features @ parameters)
        slope = (features.T @ (chances - right) + parameters - NEUTRAL)[free]
        bend = (features.T * (chances * (1 - chances))) @ features + np.eye(3)
        move = np.zeros(3)
        move[free] = np.linalg.solve(bend[np.ix_(free, free)], slope)
        now, share = _cost(features, right, parameters), 1.0
        while share > 1e-6 and _cost(features, right, parameters - share * move) > now:
            share /= 2  # Newton's step may lead too far where the cost is flat
        parameters = parameters - share * move
        if float(np.abs(move).max()) < 1e-7:
            break
    return parameters


def _cost(features: Floats, right: Floats, parameters: Floats) -> float:
    logits = features @ parameters
    prior = np.square(parameters - NEUTRAL).sum() / 2
    return float(np.logaddexp(0.0, np.where(right > 0, -logits, logits)).sum() + prior)


def _features(raw: ArrayLike) -> Floats:
    held = np.clip(np.asarray(raw, np.float64), LEAST, MOST)
    return np.stack([np.log(held), -np.log1p(-held), np.ones_like(held)], -1)


def _logistic(logits: Floats) -> Floats:
    return np.exp(-np.logaddexp(0.0, -logits))


def reliability(confidences: ArrayLike, right: ArrayLike, bins: int = BINS) -> list[tuple[float, float, int]]:
    """For each stretch of [0, 1] that has answers: their mean confidence, the share that was right, their number."""
    sure, hits = np.asarray(confidences, np.float64), np.asarray(right, np.float64)
    place = np.minimum((sure * bins).astype(int), bins - 1)
    within = [place == number for number in range(bins)]
    return [(float(sure[one].mean()), float(hits[one].mean()), int(one.sum())) for one in within if one.any()]


def error(confidences: ArrayLike, right: ArrayLike, bins: int = BINS) -> float:
    """The expected calibration error (Guo et al. 2017): |confidence - share that was right|, over equally wide bins."""
    rows = reliability(confidences, right, bins)
    return sum(abs(sure - share) * count for sure, share, count in rows) / max(1, sum(row[2] for row in rows))
