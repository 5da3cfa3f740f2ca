"""Weights of a network of bidirectional layers -> weights of a wider one that reads nearly the same, to be trained on.

Chen, Goodfellow & Shlens 2016, "Net2Net: accelerating learning via knowledge transfer", section 2.2 (Net2WiderNet).
"""

from __future__ import annotations

import torch
from torch import Tensor

Weights = dict[str, Tensor]
Copies = tuple[Tensor, Tensor]
"""Which old feature each new one is a copy of [D'], and the share of it that each hands on [D']."""


def width(weights: Weights) -> int | None:
    """Units of each direction, W; None where the layers are not of two directions."""
    first = weights.get("layers.0.ahead.weight_hh_l0")
    return None if first is None or "layers.0.back.weight_hh_l0" not in weights else first.shape[1]


def widened(weights: Weights, wide: int, seed: int = 0) -> Weights:
    """New units are copies of old ones drawn by chance; what copies hand on is shared out unevenly, so that they part.

    Without layer normalisation the wider network gives the very same log-probabilities. With it nearly the same ones:
    the mean and the variance of a layer's features change a little when some of them stand there twice.

    Args:
        weights: of a network of W units a direction, with G gates or candidates: matrices [G W, D], [G W, W]. They
            stay as they are.
        wide: units of each direction of the new one, at least W.
        seed: of what is drawn.
    """
    narrow = width(weights)
    assert narrow is not None and wide >= narrow
    chance = torch.Generator().manual_seed(seed)
    out = dict(weights)
    coming: Copies | None = None  # of what reaches the layer: at first the stem's features, as they were
    for layer in sorted({int(name.split(".")[1]) for name in weights if name.startswith("layers.")}):
        at = f"layers.{layer}."
        if coming and f"{at}norm.weight" in out:
            for name in ("weight", "bias"):
                out[f"{at}norm.{name}"] = out[f"{at}norm.{name}"][coming[0]]
        ways = [_copies(narrow, wide, chance) for _ in range(2)]
        for way, copies in zip(("ahead", "back"), ways, strict=True):
            net = f"{at}{way}."
            if coming:
                out[f"{net}weight_ih_l0"] = _columns(out[f"{net}weight_ih_l0"], coming)
            out[f"{net}weight_hh_l0"] = _columns(out[f"{net}weight_hh_l0"], copies)
            for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
                gates = out[f"{net}{name}"]
                out[f"{net}{name}"] = gates.reshape(-1, narrow, *gates.shape[1:])[:, copies[0]].flatten(0, 1)
            if (peepholes := f"{net}peepholes") in out:
                out[peepholes] = out[peepholes][:, copies[0]]
        both = (torch.cat([ways[0][0], ways[1][0] + narrow]), torch.cat([ways[0][1], ways[1][1]]))
        projection = f"{at}projection.weight"
        coming = None if projection in out else both
        if projection in out:
            out[projection] = _columns(out[projection], both)
    if coming:
        for name in {"linear.weight", "spoken.weight"} & out.keys():
            out[name] = _columns(out[name], coming)
    return out


def _copies(narrow: int, wide: int, chance: torch.Generator) -> Copies:
    more = torch.randint(narrow, (wide - narrow,), generator=chance)
    origins = torch.cat([torch.arange(narrow), more])
    parts = torch.rand(wide, generator=chance) + 0.5
    return origins, parts / torch.zeros(narrow).index_add(0, origins, parts)[origins]


def _columns(matrix: Tensor, copies: Copies) -> Tensor:
    origins, shares = copies
    return matrix[:, origins].float() * shares
