"""Weights, step by step -> their running average, which can change places with them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class Average:
    """The exponential moving average of weights (Polyak & Juditsky 1992, averaged as by Tarvainen & Valpola 2017).

        average = keep average + (1 - keep) weights

    after each step n, keep being n / (n + 9) at most, so that the weights of chance it began with are soon forgotten.

    Args:
        weights: the weights that learn, by name; they are changed in place and must stay the same tensors.
        keep: in [0, 1).
    """

    def __init__(self, weights: Mapping[str, Tensor], keep: float) -> None:
        self.weights = dict(weights)
        self.kept = {name: weight.detach().clone() for name, weight in weights.items()}
        self.keep = keep
        self.steps = 0
        self.swapped = False

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights of one more step in."""
        assert not self.swapped, "the average is in use"
        self.steps += 1
        keep = min(self.keep, self.steps / (self.steps + 9))
        learning = [weight.detach() for weight in self.weights.values()]
        torch._foreach_lerp_(list(self.kept.values()), learning, 1 - keep)

    @torch.no_grad()
    def swap(self, averaged: bool) -> None:
        """Put the averaged weights into the network, or those that learn back."""
        if averaged != self.swapped:
            for name, weight in self.weights.items():
                aside = weight.detach().clone()
                weight.copy_(self.kept[name])
                self.kept[name].copy_(aside)
            self.swapped = averaged

    @property
    def pair(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The averaged weights and those that learn, wherever they are now."""
        live = {name: weight.detach() for name, weight in self.weights.items()}
        return (live, self.kept) if self.swapped else (self.kept, live)

    @torch.no_grad()
    def restore(self, averaged: Mapping[str, Tensor], steps: int) -> None:
        """Go on from the average of another run after so many steps."""
        for name, weight in averaged.items():
            self.kept[name].copy_(weight)
        self.steps, self.swapped = steps, False
