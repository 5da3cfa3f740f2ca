"""A network -> what moves its weights: AdamW, or Muon for the recurrent matrices and AdamW for all else.

W units of a layer, D features that reach it, G blocks of W rows in its matrices: one for each gate or candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Of Jordan et al. 2024: applied again and again it takes every singular value in (0, 1] to somewhere near 1."""
ITERATIONS = 5
EVEN = 0.2
"""Root mean square of a step over the rate; about that of AdamW's, so that one rate serves both (Liu et al. 2025)."""

Groups = list[dict[str, Any]]


class Muon(torch.optim.AdamW):
    """AdamW, but the recurrent matrices move along the orthogonal matrix that is nearest to their momentum.

    Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks". A gradient's few large singular
    values drown the many small ones, and what those say of rare events is lost; here all directions move alike. The
    matrices of the gates lie one below the other in torch's layout, so each is made orthogonal by itself. The scale is
    that of Liu et al. 2025, "Muon is scalable for LLM training", section 2.2.

    Args:
        groups: of parameters; one that says `blocks` holds matrices [blocks * W, D].
        lr: of all groups.
        betas: of AdamW.
        momentum: share of the past in the momentum of matrices with blocks, which is Nesterov's.
    """

    def __init__(
        self, groups: Iterable[dict[str, Any]], lr: float, betas: tuple[float, float], momentum: float = 0.95
    ) -> None:
        super().__init__(groups, lr=lr, betas=betas)
        for group in self.param_groups:
            group.setdefault("blocks", 0)
            group.setdefault("momentum", momentum)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; parameters without a gradient stay where they are."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        every = self.param_groups
        self.param_groups = [group for group in every if not group["blocks"]]
        try:
            super().step()
        finally:
            self.param_groups = every
        for group in every:
            for weight in group["params"] if group["blocks"] else ():
                if weight.grad is not None:
                    self._turn(weight, weight.grad, group)
        return loss

    def _turn(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state.update(step=torch.zeros(()), momentum=torch.zeros_like(weight))  # AdamW reloads no state without step
        state["step"] += 1
        momentum = state["momentum"].lerp_(gradient, 1 - group["momentum"])
        blocks = gradient.lerp(momentum, group["momentum"]).reshape(group["blocks"], -1, weight.shape[1])
        rate = group["lr"]
        weight.mul_(1 - rate * group["weight_decay"])
        weight.sub_(orthogonal(blocks).flatten(0, 1), alpha=rate * EVEN * max(blocks.shape[1:]) ** 0.5)


def orthogonal(matrices: Tensor) -> Tensor:
    """[G, W, D] -> U V^T of each one's U S V^T, roughly: its singular values end between 0.6 and 1.3.

    By Newton's and Schulz's iteration, which needs nothing but products (Jordan et al. 2024). Zeros stay zeros.
    """
    a, b, c = QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    found = matrices.mT if tall else matrices
    found = found / found.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(ITERATIONS):
        square = found @ found.mT
        found = a * found + (b * square + c * square @ square) @ found
    return found.mT if tall else found


def adamw(network: nn.Module, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019), which lets weight matrices decay, and leaves biases and norms alone."""
    return torch.optim.AdamW(_halves(network.parameters(), weight_decay), lr=lr, betas=(0.9, 0.98))


def muon(network: nn.Module, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """`Muon` for the weights of recurrent layers, `adamw` for stem, norms, projections and output."""
    found: dict[int, list[Tensor]] = {}
    for module in network.modules():
        recurrent = getattr(module, "weight_hh_l0", None)
        if isinstance(recurrent, Tensor):
            blocks = recurrent.shape[0] // recurrent.shape[1]
            found.setdefault(blocks, []).extend([module.weight_ih_l0, recurrent])  # type: ignore[list-item]
    taken = {id(weight) for weights in found.values() for weight in weights}
    rest = [weight for weight in network.parameters() if id(weight) not in taken]
    groups: Groups = [
        {"params": weights, "weight_decay": weight_decay, "blocks": blocks} for blocks, weights in found.items()
    ]
    return Muon([*groups, *_halves(rest, weight_decay)], lr=lr, betas=(0.9, 0.98))


OPTIMISERS: dict[str, Callable[[nn.Module, float, float], torch.optim.Optimizer]] = {"adamw": adamw, "muon": muon}
"""Network, rate, decay -> optimiser."""


def _halves(weights: Iterable[Tensor], weight_decay: float) -> Groups:
    """Matrices, which decay, and vectors, which do not."""
    listed = list(weights)
    matrices = [weight for weight in listed if weight.dim() > 1]
    vectors = [weight for weight in listed if weight.dim() <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
