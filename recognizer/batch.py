"""Frames and labels of single utterances -> one padded Batch.  B batch, T frames, F features, S labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from recognizer.manifest import Utterance

HOLLOW = Utterance("", "")
"""Whose row fills a batch that has nothing else: every process must take every step, but nothing is scored."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """One utterance, ready for the network: frames [T, F] and labels [S]."""

    frames: Tensor
    labels: Tensor
    utterance: Utterance


@dataclasses.dataclass
class Batch:
    """Several samples side by side; row b is `utterances[b]`.

    Attributes:
        frames: [B, T, F], zeros after each row's end.
        lengths: [B], frames of each row.
        labels: [B, S], zeros (blanks) after each row's end.
        label_lengths: [B].
        views: how many views of each utterance there are: rows b, b + B / views, ... show the same one.
    """

    frames: Tensor
    lengths: Tensor
    labels: Tensor
    label_lengths: Tensor
    utterances: list[Utterance]
    views: int = 1

    def __len__(self) -> int:
        return len(self.utterances)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same batch on `device`; Lightning calls it."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory; torch's DataLoader calls it."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        kept = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        changed: dict[str, Any] = {name: change(one) for name, one in kept.items() if isinstance(one, Tensor)}
        return dataclasses.replace(self, **changed)


def collate(samples: Sequence[Sample], views: int = 1) -> Batch:
    """The samples, in their order, padded with zeros to the longest; first the first views of all."""
    return Batch(
        frames=pad([sample.frames for sample in samples]),
        lengths=torch.tensor([len(sample.frames) for sample in samples]),
        labels=pad([sample.labels for sample in samples]),
        label_lengths=torch.tensor([len(sample.labels) for sample in samples]),
        utterances=[sample.utterance for sample in samples],
        views=views,
    )


def pad(rows: Sequence[Tensor]) -> Tensor:
    """Tensors [T_b, ...] -> [B, max T_b, ...], zeros behind each row's end."""
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)


def needed(labels: Tensor, label_lengths: Tensor) -> Tensor:
    """The fewest frames [B] in which CTC can write each row: its labels, and a blank between equal neighbours.

    Graves et al. 2006, section 3.1: the map B removes repeats first, so a repeated label needs a blank between.
    """
    places = torch.arange(labels.shape[1], device=labels.device)[1:]
    repeats = (labels[:, 1:] == labels[:, :-1]) & (places[None] < label_lengths[:, None])
    return label_lengths + repeats.sum(1)
