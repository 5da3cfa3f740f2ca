"""Samples side by side, and the fewest frames a text needs."""

import itertools

import torch

from recognizer.batch import Sample, collate, needed, pad
from recognizer.manifest import Utterance


def test_rows_keep_their_files_and_their_numbers():
    samples = [Sample(torch.rand(size, 3), torch.arange(1, size), Utterance(f"{size}.wav", "x")) for size in (4, 1, 7)]
    batch = collate(samples)
    assert batch.frames.shape == (3, 7, 3) and [row.path for row in batch.utterances] == ["4.wav", "1.wav", "7.wav"]
    for row, sample in enumerate(samples):
        assert torch.equal(batch.frames[row, : batch.lengths[row]], sample.frames)
        assert not batch.frames[row, batch.lengths[row] :].any()
        assert torch.equal(batch.labels[row, : batch.label_lengths[row]], sample.labels)


def test_needed_equals_a_search_over_all_paths():
    def collapse(path):
        return [label for label, _ in itertools.groupby(path) if label]

    for size in range(4):
        for labels in itertools.product((1, 2), repeat=size):
            least = next(
                frames
                for frames in range(8)
                if any(collapse(path) == list(labels) for path in itertools.product((0, 1, 2), repeat=frames))
            )
            row = torch.tensor([list(labels) + [0] * (5 - size)])
            assert needed(row, torch.tensor([size])).tolist() == [least]


def test_padding_is_zero():
    assert pad([torch.ones(2), torch.ones(4)]).tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
