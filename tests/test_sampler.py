"""Every utterance once an epoch, within the budget, equally many batches on every rank."""

import numpy
import pytest

from recognizer.sampler import Bins

LENGTHS = numpy.random.default_rng(0).integers(20, 900, 317).tolist()


@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("shuffle", [True, False])
def test_ranks_share_every_utterance_once(world, shuffle):
    ranks = [Bins(LENGTHS, 4000, shuffle, rank=rank, world=world) for rank in range(world)]
    for epoch in (0, 3):
        for bins in ranks:
            bins.set_epoch(epoch)
        assert len({len(bins) for bins in ranks}) == 1
        drawn = [draw for bins in ranks for draw in bins]
        assert all(number == epoch for number, _ in drawn)
        assert sorted(index for _, members in drawn for index in members) == list(range(len(LENGTHS)))
        assert all(len(bins) == len(list(bins)) for bins in ranks)


def test_batches_keep_to_the_budget_unless_one_is_longer():
    for _, members in Bins([*LENGTHS, 9000], 4000, most=16):
        longest = max(([*LENGTHS, 9000])[index] for index in members)
        assert len(members) <= 16 and (len(members) == 1 or longest * len(members) <= 4000)


def test_padding_is_small():
    batches = [[LENGTHS[index] for index in members] for _, members in Bins(LENGTHS, 8000)]
    padded = sum(max(batch) * len(batch) for batch in batches)
    assert sum(LENGTHS) > 0.9 * padded


@pytest.mark.parametrize("world", [1, 3])
def test_every_epoch_has_as_many_batches(world):
    bins = Bins(LENGTHS, 4000, world=world)
    counts = set()
    for epoch in range(40):
        bins.set_epoch(epoch)
        counts.add(len(bins))
    assert len(counts) == 1


def test_epochs_differ_and_repeat():
    bins = Bins(LENGTHS, 4000)
    first = list(bins)
    assert first == list(bins) == list(Bins(LENGTHS, 4000))
    bins.set_epoch(1)
    assert next(iter(bins))[1] != first[0][1]


def test_without_shuffling_short_ones_come_first():
    firsts = [LENGTHS[members[0]] for _, members in Bins(LENGTHS, 4000, shuffle=False)]
    assert firsts[: len(firsts) // 2] == sorted(firsts[: len(firsts) // 2])
