"""Manifests packed into shards give the same utterances and frames as before, whoever reads which part of them."""

import io
import json
import logging
import tarfile

import pytest
import soundfile
import tiny
import torch

from data import shards
from recognizer import manifest
from recognizer.corpus import Corpus
from recognizer.errors import ConfigError, ManifestError
from recognizer.manifest import Utterance
from recognizer.sampler import Plan
from recognizer.shards import Index

TEXTS = ["ab", "B a", "", "abbá", "a", "b", "ba"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Seven recordings, one of them in two channels, and a part of a longer one that is no opening of it."""
    folder = tmp_path_factory.mktemp("sounds")
    rows = [
        Utterance(
            str(tiny.sound(folder / f"{number}.flac", 0.2 + 0.07 * number, seed=number)), text, speaker=f"s{number}"
        )
        for number, text in enumerate(TEXTS)
    ]
    long = tiny.sound(folder / "long.x.wav", 2.0, rate=8000, channels=2, seed=9, subtype="FLOAT")
    rows += [Utterance(str(long), "ab", 0.51, 0.93), Utterance(str(rows[6].path), "b", 0.1)]
    manifest.write(folder / "train.tsv", rows)
    return folder / "train.tsv"


@pytest.fixture(scope="module")
def packed(table, tmp_path_factory):
    """Of few bytes, so that there are several."""
    out = tmp_path_factory.mktemp("packed") / "out"
    shards.pack([table], out, size=0.05)
    return out


def corpus(train, table, **given):
    frontend = {"name": "speech", "bands": 16}
    made = Corpus(
        **{
            "train": train if isinstance(train, list) else str(train),
            "val": str(table),
            "frontend": frontend,
            "vary": False,
            "nothing": 0.0,
        }
        | given
    )
    made.setup("fit")
    return made


def rows(loader):
    """All of a loader's utterances, none of them twice."""
    found = {}
    for batch in loader:
        for row, one in enumerate(batch.utterances):
            if one.path:
                frames, labels = batch.frames[row, : batch.lengths[row]], batch.labels[row, : batch.label_lengths[row]]
                key = (one.path, one.text, round(frames.abs().sum().item()) if "6.flac" in one.path else 0)
                assert key not in found
                found[key] = (frames, labels, one.speaker)
    return found


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker")  # on one core
@pytest.mark.parametrize("given", [{}, {"workers": 2, "window": 2}, {"lower": True, "frontend": {"margin": 0.05}}])
def test_they_give_the_same_utterances_and_frames_as_the_manifest(table, packed, given):
    given = {**given, "frontend": {"name": "speech", "bands": 16, **given.get("frontend", {})}}
    plain, made = (corpus(source, table, **given) for source in (table, packed))
    assert made.alphabet == plain.alphabet
    expected, found = rows(plain.train_dataloader()), rows(made.train_dataloader())
    assert len(found) == len(TEXTS) + 2 and found.keys() == expected.keys()
    for key, (frames, labels, speaker) in found.items():
        assert torch.equal(frames, expected[key][0]) and torch.equal(labels, expected[key][1]), key
        assert speaker == expected[key][2]
    assert sorted(made._parts["train"].lengths) == sorted(plain._parts["train"].lengths)


def test_two_ranks_with_two_workers_each_read_every_utterance_once(table, packed):
    for epoch in range(2):
        found, counts = [], set()
        for rank in range(2):
            part = corpus(packed, table)._parts["train"]
            part.window = 2
            sampler = part.sampler(2, Plan(120, rank=rank, world=2))
            sampler.set_epoch(epoch)
            draws = list(sampler)
            counts.add(len(draws))
            for worker in range(2):  # in the order in which a worker is asked
                found += [one for draw in draws[worker::2] for one in part[draw].utterances if one.path]
        expected = [(row.path, row.text) for row in manifest.read(table)]
        assert sorted((one.path, one.text) for one in found) == sorted(expected) and len(counts) == 1


def test_batches_may_be_drawn_by_hand(table, packed):
    part = corpus(packed, table)._parts["train"]
    several, again = part[0, [5, 1, 8]], part[0, [1]]
    assert len(several) == 3 and several.utterances[1] == again.utterances[0]
    assert torch.equal(several.frames[1, : several.lengths[1]], again.frames[0])


def test_pens_and_lines_are_packed_too(tmp_path):
    inks = [json.loads(tiny.ink(tmp_path / "one.json", seed).read_text()) for seed in range(3)]
    (tmp_path / "all.jsonl").write_text("\n".join(map(json.dumps, inks)))
    ways = {
        "pen": [f"{tmp_path}/all.jsonl#{number}" for number in range(3)],
        "line": [str(tiny.line(tmp_path / f"{number}.png", number)) for number in range(3)],
    }
    for name, paths in ways.items():
        file = tmp_path / f"{name}.tsv"
        manifest.write(file, [Utterance(path, "ab", end=40.0 if path.endswith("1.png") else None) for path in paths])
        shards.pack([file], tmp_path / name)
        plain, made = (corpus(source, file, frontend={"name": name}) for source in (file, tmp_path / name))
        expected, found = rows(plain.train_dataloader()), rows(made.train_dataloader())
        assert all(torch.equal(frames, expected[key][0]) for key, (frames, *_) in found.items()) and len(found) == 3


def test_a_front_end_that_is_set_otherwise_counts_its_own_frames(tmp_path):
    rows = [Utterance(str(tiny.line(tmp_path / f"{number}.png", number)), "ab") for number in range(3)]
    manifest.write(tmp_path / "all.tsv", rows)
    shards.pack([tmp_path / "all.tsv"], tmp_path / "out")
    plain, made = (
        corpus(source, tmp_path / "all.tsv", frontend={"name": "line", "height": 24})
        for source in (tmp_path / "all.tsv", tmp_path / "out")
    )
    assert sorted(made._parts["train"].lengths) == pytest.approx(sorted(plain._parts["train"].lengths), abs=2)


def test_what_cannot_be_read_is_named_and_left_out(table, tmp_path, caplog):
    (tmp_path / "bad.wav").write_text("no sound")
    manifest.write(tmp_path / "all.tsv", [*manifest.read(table)[:3], Utterance(str(tmp_path / "bad.wav"), "ab")])
    with caplog.at_level(logging.WARNING):
        index = shards.pack([tmp_path / "all.tsv"], tmp_path / "out")
    assert index.count == 3 and "bad.wav: is not a sound" in caplog.text and "1 of 4 files left out" in caplog.text


def test_broken_shards_are_named_and_the_rest_is_read(table, packed, tmp_path, caplog):
    for path in packed.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    names = Index.read(tmp_path).names
    (tmp_path / names[0]).unlink()
    whole = (tmp_path / names[1]).read_bytes()
    (tmp_path / names[1]).write_bytes(whole[: len(whole) // 2])
    made = corpus(tmp_path, table)
    with caplog.at_level(logging.WARNING):
        found = rows(made.train_dataloader())
    assert 0 < len(found) < len(TEXTS) + 2
    assert f"{names[0]}: cannot be opened" in caplog.text and f"{names[1]}: breaks off" in caplog.text
    assert caplog.text.count("left out of a batch of train") == len(TEXTS) + 2 - len(found)


def test_a_sound_that_is_broken_in_its_shard_is_named_by_where_it_came_from(packed, table, tmp_path, caplog):
    index = Index.read(packed)
    with tarfile.open(packed / index.names[0]) as old, tarfile.open(tmp_path / index.names[0], "w") as new:
        for entry in old:
            data = old.extractfile(entry)
            if entry.name.startswith("000000") and not entry.name.endswith(".json"):
                entry.size, data = 4, io.BytesIO(b"none")
            new.addfile(entry, data)
    for name in [*index.names[1:], "index.json"]:
        (tmp_path / name).write_bytes((packed / name).read_bytes())
    with caplog.at_level(logging.WARNING):
        found = rows(corpus(tmp_path, table).train_dataloader())
    assert len(found) == len(TEXTS) + 1
    assert f"{index.names[0]}, {table.parent}" in caplog.text and "is not a sound file" in caplog.text


def test_the_index_tells_what_training_must_know(packed, table):
    index = Index.read(packed)
    assert Index.read(packed / "index.json") == index and index.count == len(TEXTS) + 2 and len(index.names) > 2
    assert (
        index.frontend["name"] == "speech" and set(index.characters) == set("abBá ") and set(index.lower) == set("abá ")
    )
    kept = json.loads((packed / "index.json").read_text())
    seconds = sum(soundfile.info(row.path).duration for row in manifest.read(table)[:7]) + 0.42 + 0.52
    assert kept["items"] == index.count and kept["total"] == pytest.approx(100 * seconds, abs=9)


def test_the_same_manifest_gives_the_same_bytes(packed, table, tmp_path):
    shards.pack([table], tmp_path / "again", size=0.05)
    assert {path.name: path.read_bytes() for path in packed.iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()
    }


def test_wrong_ways_are_refused_in_one_line(packed, table, tmp_path, capsys):
    assert shards.main([str(table), "--out", str(packed)]) == 1
    assert "holds shards already" in capsys.readouterr().err
    assert shards.main([str(table), "--out", str(tmp_path / "new"), "--size", "0.5"]) == 0
    assert f"{len(TEXTS) + 2} items in 1 shards" in capsys.readouterr().out
    for given, error, words in [
        ({"train": [str(packed), str(table)]}, ConfigError, "names shards, and the manifest"),
        ({"val": ""}, ConfigError, "data.val: none is given"),
        ({"train": str(tmp_path)}, ManifestError, "is a folder without index.json"),
        ({"frontend": {"name": "line"}}, ConfigError, "was packed for the front end speech"),
    ]:
        with pytest.raises(error, match=words):
            corpus(**{"train": str(packed), "table": table} | given)
    (tmp_path / "index.json").write_text('{"version": 0}')
    with pytest.raises(ManifestError, match="no index of version 1"):
        Index.read(tmp_path)
