"""Each process counts the cores that it may use, not the machine's, and those that share some count alike."""

import os

import pytest

from recognizer import cores

ALL = frozenset(range(16))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be taken away here")
def test_cores_that_are_taken_away_do_not_count():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert cores.count() == 1 and cores.place()[1] == {min(before)}
    finally:
        os.sched_setaffinity(0, before)
    assert cores.count() == len(before)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "5000 100000\n"}, 1),
        ({"cpu.max": "something else"}, None),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "300000\n"}, None),
    ],
)
def test_a_container_has_as_many_cores_as_its_share_of_time(files, expected, monkeypatch, tmp_path):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(cores, "GROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7, 9}, raising=False)
    assert cores.quota() == expected
    assert cores.count() == (expected or 4)
    assert cores.fewest([cores.place()] * 2) == (expected or 4) // 2  # processes of one container share its time


def test_where_the_system_does_not_tell_all_cores_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for found, expected in ((6, 6), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda found=found: found)
        assert cores.count() == expected


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([("a", ALL)], 16),
        ([("a", ALL)] * 4, 4),  # all of a machine's processes share its cores
        ([("a", frozenset(range(4 * rank, 4 * rank + 4))) for rank in range(4)], 4),  # each was given its own
        ([("a", ALL), ("a", ALL), ("b", ALL), ("b", ALL)], 8),
        ([("a", ALL), ("b", frozenset(range(6)))], 6),  # machines of unlike size
        ([("a", ALL)] * 20, 0),
    ],
)
def test_each_has_as_many_as_the_one_with_fewest(places, expected):
    assert cores.fewest(places) == cores.fewest(places[::-1]) == expected
