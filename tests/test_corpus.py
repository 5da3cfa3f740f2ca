"""Manifests become batches; what cannot be used is named; training sees variants, validation never."""

import itertools
import logging
from types import SimpleNamespace

import pytest
import tiny
import torch

from recognizer import cores, manifest
from recognizer.corpus import Corpus
from recognizer.errors import AlphabetError, ConfigError, ManifestError
from recognizer.manifest import Utterance

TEXTS = ["ab", "b a", "", "abba", "a", "b"]


@pytest.fixture
def table(tmp_path):
    rows = [
        Utterance(
            str(tiny.sound(tmp_path / f"{number}.wav", 0.2 + 0.1 * number, seed=number)), text, speaker=f"s{number}"
        )
        for number, text in enumerate(TEXTS)
    ]
    manifest.write(tmp_path / "train.tsv", rows)
    return tmp_path / "train.tsv"


def corpus(table, **given):
    made = Corpus(
        **{"train": str(table), "val": str(table), "frontend": {"name": "speech", "bands": 16}, "nothing": 0.0} | given
    )
    made.setup("fit")
    return made


def rows(loader):
    return {
        batch.utterances[row].path: (batch.frames[row, : batch.lengths[row]], batch.labels[row], batch.utterances[row])
        for batch in loader
        for row in range(len(batch))
    }


@pytest.mark.parametrize("stages", [("fit", "test"), ("validate", "fit", "test"), ("test", "validate", "fit")])
def test_each_stage_finds_its_parts_and_leaves_the_others_as_they_are(table, stages):
    sets = dict.fromkeys(("train", "val", "test"), str(table))
    made, kept = Corpus(**sets, frontend={"name": "speech", "bands": 16}, nothing=0.0), {}
    needed = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}
    for stage in stages:
        made.setup(stage)
        for name in needed[stage]:
            assert len(rows(getattr(made, f"{name}_dataloader")())) == len(TEXTS)
        assert all(made._parts[name] is part for name, part in kept.items())
        kept = dict(made._parts)


def test_every_utterance_comes_once_with_its_own_frames_and_labels(table):
    made = corpus(table, vary=False)
    letters = made.alphabet["characters"]
    for loader in (made.train_dataloader(), made.val_dataloader()):
        found = rows(loader)
        assert len(found) == len(TEXTS)
        for path, (frames, labels, utterance) in found.items():
            expected = made.frames.frames(made.frames.read(path))
            torch.testing.assert_close(frames, expected)
            assert "".join(letters[label - 1] for label in labels.tolist() if label) == utterance.text


def test_only_training_is_varied_and_each_epoch_anew(table):
    made = corpus(table, augment={"time_masks": 3})
    plain = {path: made.frames.frames(made.frames.read(path)) for path in rows(made.val_dataloader())}
    assert all(torch.equal(frames, plain[path]) for path, (frames, *_) in rows(made.val_dataloader()).items())
    loader = made.train_dataloader()
    first, again = rows(loader), rows(loader)
    loader.sampler.set_epoch(1)
    other = rows(loader)
    for path, (frames, *_) in first.items():
        assert torch.equal(frames, again[path][0])
        assert frames.shape != plain[path].shape or not torch.equal(frames, plain[path])
        assert frames.shape != other[path][0].shape or not torch.equal(frames, other[path][0])


def test_two_views_of_each_utterance_stand_in_one_batch_within_its_budget(table):
    made = corpus(table, augment={"time_masks": 3}, views=2, nothing=0.5, batch_frames=200)
    for batch in made.train_dataloader():
        half = len(batch) // 2
        assert batch.views == 2 and batch.utterances[:half] == batch.utterances[half:]
        assert torch.equal(batch.lengths[:half], batch.lengths[half:])
        assert torch.equal(batch.labels[:half], batch.labels[half:])
        spoken = [row for row in range(half) if batch.utterances[row].path != "nothing"]
        assert any(not torch.equal(batch.frames[row], batch.frames[row + half]) for row in spoken)
        assert 2 * len(spoken) == 2 or 2 * len(spoken) * int(batch.lengths[spoken].max()) <= 1.25 * 200
    assert all(batch.views == 1 for batch in made.val_dataloader())


def test_training_meets_silence_too(table):
    made = corpus(table, nothing=1.0)
    rest = [batch for batch in made.train_dataloader() if "nothing" in {row.path for row in batch.utterances}]
    assert rest and all(batch.label_lengths[-1] == 0 and batch.frames.isfinite().all() for batch in rest)
    assert not any("nothing" in rows(made.val_dataloader()) for _ in range(2))


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_silence_has_the_share_that_is_asked_for(table, share):
    """However many utterances there are in a batch."""
    made = corpus(table, nothing=share, batch_frames=10_000, batch_most=99)
    part = made._parts["train"]
    found = [part[(epoch, list(range(len(part))))].utterances for epoch in range(40)]
    nothing = sum(row.path == "nothing" for rows in found for row in rows)
    assert nothing == pytest.approx(40 * share * len(part), abs=8) and all(len(rows) >= len(part) for rows in found)


def test_worker_processes_change_nothing(table):
    alone, helped = corpus(table), corpus(table, workers=1)
    expected = rows(alone.train_dataloader())
    for path, (frames, labels, _) in rows(helped.train_dataloader()).items():
        assert torch.equal(frames, expected[path][0]) and torch.equal(labels, expected[path][1])


@pytest.mark.parametrize(
    ("device", "free", "workers"), [("cpu", 64, 0), ("cuda", 16, 8), ("cuda", 4, 3), ("cuda", 1, 0)]
)
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_a_gpu_is_read_for_by_the_cores_that_are_free(table, monkeypatch, device, free, workers):
    monkeypatch.setattr(cores, "place", lambda: ("here", frozenset(range(free))))
    made = corpus(table)
    strategy = SimpleNamespace(root_device=torch.device(device))
    made.trainer = SimpleNamespace(strategy=strategy, global_rank=0, world_size=1)
    assert made.val_dataloader().num_workers == workers
    made.hparams["workers"] = 2
    assert made.val_dataloader().num_workers == 2


def test_weights_show_a_corpus_more_often_each_time_anew(tmp_path, table):
    manifest.write(tmp_path / "other.tsv", [Utterance(str(tiny.sound(tmp_path / "other.wav", 0.4)), "ab")])
    made = corpus(table, train=[str(table), str(tmp_path / "other.tsv")], weights=[1.0, 3.0], augment={"time_masks": 3})
    batches = list(made.train_dataloader())
    found = [batch.frames[row] for batch in batches for row, one in enumerate(batch.utterances) if "other" in one.path]
    assert sum(map(len, batches)) == len(TEXTS) + 3 and len(found) == 3
    assert not any(one.shape == two.shape and torch.equal(one, two) for one, two in itertools.combinations(found, 2))


def test_without_a_validation_set_some_speakers_are_held_out(table):
    made = corpus(table, val="", val_fraction=0.3, drop_unknown=True)
    people = [
        {row[2].speaker for row in rows(loader).values()} for loader in (made.train_dataloader(), made.val_dataloader())
    ]
    assert len(people[1]) == 2 and not people[0] & people[1]


def test_broken_files_are_named_and_left_out(table, caplog):
    (table.parent / "1.wav").write_text("no sound")
    with caplog.at_level(logging.WARNING):
        made = corpus(table)
    assert len(rows(made.train_dataloader())) == len(TEXTS) - 1
    assert "1.wav: is not a sound file" in caplog.text and "1 of 6 files left out of train" in caplog.text


def test_files_that_break_later_leave_the_others_alone(table, caplog):
    made = corpus(table, batch_most=1, val=str(table))
    for number in range(len(TEXTS)):
        (table.parent / f"{number}.wav").unlink()
    with caplog.at_level(logging.WARNING):
        batches = list(made.train_dataloader())
    assert len(batches) == len(TEXTS) and all(not batch.label_lengths.any() for batch in batches)
    assert caplog.text.count("left out of a batch of train") == len(TEXTS)


def test_unknown_characters_are_listed_with_the_file_and_refused(table):
    with pytest.raises(
        AlphabetError, match=r"wav: 6 characters in 4 texts are not in the alphabet \('a' x 5"
    ) as caught:
        corpus(table, alphabet="b")
    assert "drop_unknown" in str(caught.value)


def test_unknown_characters_are_dropped_on_demand_but_still_scored(table):
    made = corpus(table, alphabet="b ", drop_unknown=True)
    found = {utterance.text: int((labels > 0).sum()) for _, labels, utterance in rows(made.val_dataloader()).values()}
    assert found["abba"] == 2 and found["a"] == 0


def test_lower_case_on_demand(tmp_path, table):
    manifest.write(
        tmp_path / "loud.tsv", [Utterance(row.path, (row.text or "").upper()) for row in manifest.read(table)]
    )
    made = corpus(tmp_path / "loud.tsv", val=str(tmp_path / "loud.tsv"), lower=True)
    assert made.alphabet["characters"] == [" ", "a", "b"]
    assert {row[2].text for row in rows(made.val_dataloader()).values()} == set(TEXTS)


@pytest.mark.parametrize(
    "given, error, message",
    [
        ({"train": ""}, ConfigError, "data.train"),
        ({"sample": "digits"}, ConfigError, "one of the two"),
        ({"train": "", "sample": "digit"}, ConfigError, "did you mean 'digits'"),
        ({"batch_frames": 0}, ConfigError, "batch_frames 0"),
        ({"frontend": {"name": "speach"}}, ConfigError, "did you mean 'speech'"),
        ({"weights": [1.0, 2.0]}, ConfigError, "data.weights: is .* give 1 numbers"),
        ({"weights": [0.0]}, ConfigError, "data.weights"),
        ({"workers": -1}, ConfigError, "data.workers: is -1; use a number from 0"),
        ({"seed": -1}, ConfigError, "data.seed: is -1"),
        ({"nothing": -0.1}, ConfigError, "data.nothing: is -0.1"),
        ({"cache": -1}, ConfigError, "data.cache: is -1"),
        ({"val_fraction": 1.5}, ConfigError, "data.val_fraction: is 1.5"),
        ({"augment": {"masks": 3}}, ConfigError, "time_masks"),
        ({"vary": {"spede": 0.1}}, ConfigError, "data.vary.spede: .* did you mean 'speed'"),
        ({"train": "none.tsv"}, ManifestError, "none.tsv"),
    ],
)
def test_wrong_settings_are_named(table, given, error, message):
    with pytest.raises(error, match=message):
        corpus(table, **given)


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_a_manifest_without_texts_is_named(table, name):
    bare = table.parent / "bare.tsv"
    bare.write_text("path\n0.wav\n")
    with pytest.raises(ManifestError, match=r"bare\.tsv: has no column 'text'"):
        corpus(table, **{name: [str(table), str(bare)]})


def test_empty_texts_are_told(table, caplog):
    corpus(table, val=str(table))
    assert "train: 1 of 6 texts are empty" in caplog.text


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_a_manifest_of_no_utterance_is_named(table, name):
    empty = table.parent / "empty.tsv"
    manifest.write(empty, [])
    with pytest.raises(ManifestError, match=rf"empty\.tsv: holds no utterance; add rows, .* data\.{name}"):
        corpus(table, **{name: str(empty)})
    assert len(corpus(table, **{name: [str(empty), str(table)]})._parts) == 2


def test_a_corpus_of_nothing_readable_is_refused(tmp_path):
    manifest.write(tmp_path / "train.tsv", [Utterance(str(tmp_path / f"{name}.wav"), "a") for name in "xyz"])
    with pytest.raises(ManifestError, match="none of its 3 files can be read"):
        corpus(tmp_path / "train.tsv", val=str(tmp_path / "train.tsv"))
