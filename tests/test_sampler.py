"""Every utterance once an epoch, within the budget, equally many batches on every rank."""

import numpy
import pytest

from recognizer.errors import ConfigError
from recognizer.sampler import Bins, Plan

LENGTHS = numpy.random.default_rng(0).integers(20, 900, 317).tolist()


@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("shuffle", [True, False])
def test_ranks_share_every_utterance_once(world, shuffle):
    ranks = [Bins(LENGTHS, Plan(4000, shuffle, rank=rank, world=world)) for rank in range(world)]
    for epoch in (0, 3):
        for bins in ranks:
            bins.set_epoch(epoch)
        assert len({len(bins) for bins in ranks}) == 1
        drawn = [draw for bins in ranks for draw in bins]
        assert all(number == epoch for number, _ in drawn)
        assert sorted(index for _, members in drawn for index in members) == list(range(len(LENGTHS)))
        assert all(len(bins) == len(list(bins)) for bins in ranks)


def test_batches_keep_to_the_budget_unless_one_is_longer():
    for _, members in Bins([*LENGTHS, 9000], Plan(4000, most=16)):
        longest = max(([*LENGTHS, 9000])[index] for index in members)
        assert len(members) <= 16 and (len(members) == 1 or longest * len(members) <= 4000)


MANY = numpy.random.default_rng(1).lognormal(6.6, 0.6, 20_000).clip(50, 3500).astype(int).tolist()


@pytest.mark.parametrize(("lengths", "budget"), [(LENGTHS, 8000), (MANY, 48_000), (MANY, 96_000)])
def test_padding_is_small(lengths, budget):
    batches = [[lengths[index] for index in members] for _, members in Bins(lengths, Plan(budget, most=256))]
    padded = sum(max(batch) * len(batch) for batch in batches)
    assert sum(lengths) > 0.92 * padded


def test_batches_are_of_like_length_and_keep_to_the_budget_after_variation():
    def stretch(member, epoch):
        return float(numpy.random.default_rng([epoch, member]).uniform(0.8, 1.25))

    bins = Bins(LENGTHS, Plan(8000, stretch=stretch))
    for epoch in range(3):
        bins.set_epoch(epoch)
        batches = [[LENGTHS[member] * stretch(member, epoch) for member in members] for _, members in bins]
        padded = [max(batch) * len(batch) for batch in batches]
        assert max(padded) <= 8000
        assert sum(map(sum, batches)) > 0.92 * sum(padded)


@pytest.mark.parametrize("world", [1, 3])
def test_every_epoch_has_as_many_batches(world):
    bins = Bins(LENGTHS, Plan(4000, world=world))
    counts = set()
    for epoch in range(40):
        bins.set_epoch(epoch)
        counts.add(len(bins))
    assert len(counts) == 1


def test_epochs_differ_and_repeat():
    bins = Bins(LENGTHS, Plan(4000))
    first = list(bins)
    assert first == list(bins) == list(Bins(LENGTHS, Plan(4000)))
    bins.set_epoch(1)
    assert next(iter(bins))[1] != first[0][1]


def test_without_shuffling_short_ones_come_first():
    firsts = [LENGTHS[members[0]] for _, members in Bins(LENGTHS, Plan(4000, shuffle=False))]
    assert firsts[: len(firsts) // 2] == sorted(firsts[: len(firsts) // 2])


ORIGINS = [0] * 200 + [1] * 117
WEIGHTS = [0.3, 2.25]


@pytest.mark.parametrize("world", [1, 3])
def test_weights_say_exactly_how_often_a_corpus_comes(world):
    ranks = [Bins(LENGTHS, Plan(4000, rank=rank, world=world, weights=WEIGHTS), ORIGINS) for rank in range(world)]
    counts = numpy.zeros(len(LENGTHS), int)
    sizes = set()
    for epoch in range(20):
        for bins in ranks:
            bins.set_epoch(epoch)
        drawn = [member for bins in ranks for _, members in bins for member in members]
        assert len(drawn) == len(set(drawn)), "copies have numbers of their own, so that each is varied anew"
        places = [member % len(LENGTHS) for member in drawn]
        assert sum(place < 200 for place in places) == 60 and sum(place >= 200 for place in places) == 263
        assert set(places) >= set(range(200, 317))
        numpy.add.at(counts, places, 1)
        sizes.add(tuple(map(len, ranks)))
    assert len(sizes) == 1 and len(set(next(iter(sizes)))) == 1
    # Nobody is forgotten, nobody comes much more often than others of the same corpus.
    assert counts[:200].min() >= 4 and counts[:200].max() <= 7
    assert counts[200:].min() >= 43 and counts[200:].max() <= 48


def test_weights_that_leave_no_utterance_are_refused():
    with pytest.raises(ConfigError, match=r"data.weights: is \[0.001, 0.001\], by which no utterance comes"):
        Bins(LENGTHS, Plan(4000, weights=[0.001, 0.001]), ORIGINS)
    assert sum(len(members) for _, members in Bins(LENGTHS, Plan(4000, weights=[0.001, 1.0]), ORIGINS)) > 0


def test_corpora_that_never_come_are_told(caplog):
    Bins([9] * 70, Plan(100, weights=(1, 0.007, 0.5)), [0] * 4 + [1] * 64 + [2] * 2)
    assert "by 0.007 none of the 64 utterances of manifest 2 ever comes" in caplog.text
    assert "manifest 1" not in caplog.text and "manifest 3" not in caplog.text


def test_batches_are_told_apart_by_their_mark():
    def mark(seed=0, rank=0, epoch=0, budget=100):
        bins = Bins(list(range(5, 70)), Plan(budget, seed=seed, rank=rank, world=2))
        bins.set_epoch(epoch)
        return bins.mark()

    assert mark() == mark(rank=1) and len({mark(), mark(seed=1), mark(epoch=1), mark(budget=90)}) == 4


def test_weights_of_one_change_nothing():
    assert list(Bins(LENGTHS, Plan(4000))) == list(Bins(LENGTHS, Plan(4000, weights=[1.0, 1.0]), ORIGINS))


def test_with_fewer_utterances_than_ranks_some_batches_are_empty():
    ranks = [Bins([30, 40], Plan(4000, rank=rank, world=3)) for rank in range(3)]
    drawn = [list(bins) for bins in ranks]
    assert [len(bins) for bins in drawn] == [1, 1, 1]
    assert sorted(members for ((_, members),) in drawn) == [[], [0], [1]]


@pytest.mark.parametrize("world", [1, 2])
def test_an_epoch_goes_on_where_it_was_left(world):
    whole, rest = (Bins(LENGTHS, Plan(4000, rank=world - 1, world=world)) for _ in range(2))
    rest.resume(2, 5)
    for epoch in (2, 3):
        whole.set_epoch(epoch)
        rest.set_epoch(epoch)
        assert list(rest) == list(whole)[5 if epoch == 2 else 0 :]
        assert len(rest) == len(whole)
    rest.resume(4, len(rest))
    whole.set_epoch(5)
    assert list(rest) == list(whole)
