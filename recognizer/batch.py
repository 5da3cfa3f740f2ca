"""Frames and labels of single utterances -> one padded Batch.  B batch, T frames, F features, S labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

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
    """

    frames: Tensor
    lengths: Tensor
    labels: Tensor
    label_lengths: Tensor
    utterances: list[Utterance]

    def __len__(self) -> int:
        return len(self.utterances)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same batch on `device`; Lightning calls it."""
        move = {
            field.name: getattr(self, field.name).to(device, non_blocking=non_blocking)
            for field in dataclasses.fields(self)
            if field.name != "utterances"
        }
        return Batch(**move, utterances=self.utterances)

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory; torch's DataLoader calls it."""
        pinned = {
            field.name: getattr(self, field.name).pin_memory()
            for field in dataclasses.fields(self)
            if field.name != "utterances"
        }
        return Batch(**pinned, utterances=self.utterances)


def collate(samples: Sequence[Sample]) -> Batch:
    """The samples, in their order, padded with zeros to the longest."""
    return Batch(
        frames=pad([sample.frames for sample in samples]),
        lengths=torch.tensor([len(sample.frames) for sample in samples]),
        labels=pad([sample.labels for sample in samples]),
        label_lengths=torch.tensor([len(sample.labels) for sample in samples]),
        utterances=[sample.utterance for sample in samples],
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
