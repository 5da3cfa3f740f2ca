"""Every item once over all ranks and workers, each worker forwards, equally many batches, little padding."""

import itertools

import numpy
import pytest

from recognizer.errors import ConfigError
from recognizer.lanes import Lanes
from recognizer.sampler import Plan

CHANCE = numpy.random.default_rng(0)
SHARDS = [CHANCE.integers(20, 900, CHANCE.integers(20, 60)).tolist() for _ in range(7)]
LENGTHS = [length for shard in SHARDS for length in shard]


def plan(world, workers, shards=SHARDS, epoch=0, **given):
    """What each rank draws in an epoch."""
    own = {key: given.pop(key) for key in ("origins", "window") if key in given}
    plans = [Plan(4000, rank=rank, world=world, **given) for rank in range(world)]
    ranks = [Lanes(shards, plan, workers=workers, **{"window": 50, **own}) for plan in plans]
    for lanes in ranks:
        lanes.set_epoch(epoch)
    return [(lanes, list(lanes)) for lanes in ranks]


@pytest.mark.parametrize(("world", "workers"), [(1, 0), (2, 2), (3, 1), (4, 5)])
@pytest.mark.parametrize("shuffle", [True, False])
def test_ranks_and_workers_share_every_item_once(world, workers, shuffle):
    sizes = set()
    for epoch in (0, 1, 5):
        found = plan(world, workers, epoch=epoch, shuffle=shuffle)
        sizes |= {len(draws) for _, draws in found} | {len(lanes) for lanes, _ in found}
        members = [member for _, draws in found for _, batch, _ in draws for member in batch]
        assert sorted(members) == list(range(len(LENGTHS)))
    assert len(sizes) == 1, "as many batches on every rank, every epoch"


@pytest.mark.parametrize("shards", [[[90]], [[90] * 3], [[50, 800, 90], [3000]], [[5] * 9, [900] * 2]])
def test_nothing_is_lost_where_there_is_less_than_the_workers_could_do(shards):
    count = sum(map(len, shards))
    for epoch in range(30):
        found = plan(2, 2, shards, epoch, window=2)
        assert len({len(draws) for _, draws in found} | {len(lanes) for lanes, _ in found}) == 1
        assert sorted(member for _, draws in found for _, batch, _ in draws for member in batch) == [*range(count)]


def test_a_worker_reads_each_window_once_and_all_it_needs_stands_there():
    ((lanes, draws),) = plan(1, 2)
    for worker in range(2):
        mine = draws[worker :: lanes.lanes]
        windows = [spans for spans, _ in itertools.groupby(spans for *_, spans in mine)]
        assert len(windows) == len(set(windows))
        assert all(any(low <= at < high for low, high in spans) for _, batch, spans in mine for at in batch)
        assert max(sum(high - low for low, high in spans) for spans in windows) <= 50


def test_spans_stay_within_shards():
    starts = numpy.cumsum([0, *map(len, SHARDS)])
    for _, _, spans in plan(2, 2)[1][1]:
        assert all(numpy.searchsorted(starts, low, "right") == numpy.searchsorted(starts, high) for low, high in spans)


def test_batches_keep_to_the_budget_and_padding_is_small():
    total = padded = 0
    for _, batch, _ in plan(1, 0, window=250, most=16)[0][1]:
        sizes = [LENGTHS[member] for member in batch]
        assert len(sizes) <= 16 and max(sizes) * len(sizes) <= 4000
        total, padded = total + sum(sizes), padded + max(sizes) * len(sizes)
    assert total > 0.92 * padded


@pytest.mark.parametrize("budget", [8000, 48_000, 96_000])
def test_padding_is_small_in_large_batches_too(budget):
    """Each window holds enough batches, unless one says otherwise; a thousand items are too few for such budgets."""
    lengths = numpy.random.default_rng(1).lognormal(6.6, 0.6, 20_000).clip(50, 3500).astype(int)
    shards = [shard.tolist() for shard in numpy.array_split(lengths, 40)]
    for workers in (2, 8):
        batches = [lengths[batch] for _, batch, _ in Lanes(shards, Plan(budget, most=256), workers=workers) if batch]
        assert lengths.sum() == sum(batch.sum() for batch in batches)
        assert lengths.sum() > 0.92 * sum(batch.max() * len(batch) for batch in batches)


def test_no_window_is_much_smaller_than_the_others():
    """A short one has few batches, and much padding."""
    for workers, window in [(1, 50), (2, 30), (5, 20), (3, 10)]:
        for _, draws in plan(1, workers, window=window):
            sizes = {spans: sum(high - low for low, high in spans) for *_, spans in draws}
            assert len(sizes) >= workers and all(0.4 * window <= size <= window for size in sizes.values())


def test_epochs_differ_and_repeat():
    first, again, other = (plan(2, 1, epoch=epoch)[1][1] for epoch in (3, 3, 4))
    assert first == again != other


def test_it_goes_on_in_the_middle():
    ((lanes, draws),) = plan(1, 2, epoch=2)
    lanes.set_epoch(0)
    lanes.resume(2, 5)
    assert list(lanes) == draws[5:]
    lanes.set_epoch(3)
    assert list(lanes) == plan(1, 2, epoch=3)[0][1]


def test_weights_say_how_often_a_corpus_comes():
    origins, few = [0, 0, 0, 1, 1, 1, 1], sum(map(len, SHARDS[:3]))
    counts = numpy.zeros(len(LENGTHS), int)
    for epoch in range(8):
        found = plan(2, 2, epoch=epoch, origins=origins, weights=[0.25, 1.5])
        members = [member for _, draws in found for _, batch, _ in draws for member in batch]
        assert len(members) == len(set(members)), "copies have numbers of their own"
        places = numpy.array(members) % len(LENGTHS)
        assert (places < few).sum() == round(0.25 * few)
        assert (places >= few).sum() == len(LENGTHS) - few + round(0.5 * (len(LENGTHS) - few))
        numpy.add.at(counts, places, 1)
    assert set(counts[:few]) <= {1, 2, 3} and set(counts[few:]) <= {11, 12, 13}


def test_weights_that_leave_no_item_are_refused():
    with pytest.raises(ConfigError, match=r"data.weights: is \[0.001\], by which no utterance comes"):
        Lanes(SHARDS, Plan(4000, weights=[0.001]))
