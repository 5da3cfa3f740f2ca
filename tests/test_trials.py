"""Trials before a run: budgets rise only where there is room, and a batch is learnt by heart or not."""

import pytest
import tiny
import torch
from pytorch_lightning import Trainer

from recognizer import manifest, trials
from recognizer.corpus import Corpus
from recognizer.errors import ConfigError
from recognizer.manifest import Utterance
from recognizer.model import Recognizer
from recognizer.train import main
from recognizer.trials import RISE, choice, overfit, search


def machine(room, per_frame=1000.0, fixed=5e6, full=8000):
    """A device on which memory grows in a line and speed until `full` frames; it fails where memory ends."""
    tried = []

    def step(budget):
        tried.append(budget)
        assert fixed + per_frame * budget <= room, "out of memory"
        return max(budget, full) / 1e5, fixed + per_frame * budget

    return step, tried


@pytest.mark.parametrize("room", [6.1e6, 8e6, 2e7, 1e9])
@pytest.mark.parametrize("per_frame", [100.0, 1000.0])
def test_no_budget_is_tried_that_does_not_fit(room, per_frame):
    step, tried = machine(room, per_frame)
    found = search(step, 1000, 200_000, 5e6, room)
    assert [budget for budget, *_ in found] == tried == sorted(tried)
    if room == 1e9:
        assert 8000 * 0.9 <= choice(found) <= 8000 * RISE
    elif tried[-1] < 8000:  # what ended it was memory, not speed: not much is left unused
        assert 5e6 + per_frame * tried[-1] * RISE * 1.3 > room


def test_a_device_that_runs_out_all_the_same_ends_the_search():
    def step(budget):
        if budget > 3000:
            raise torch.OutOfMemoryError
        return 0.1, 1e6

    assert [budget for budget, *_ in search(step, 1000, 50_000, 1e6, 1e9)] == [1000, 1500, 2250]


def test_slow_steps_and_a_full_batch_end_the_search():
    assert len(search(lambda budget: (30.0, 1.0), 1000, 50_000, 0.0, 1e9)) == 1
    assert [budget for budget, *_ in search(lambda budget: (1.0, 1.0), 1000, 1800, 0.0, 1e9)] == [1000, 1500, 1800]


@pytest.fixture
def flags(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [Utterance(str(tiny.sound(tmp_path / f"{n}.wav", 0.3, seed=n)), text) for n, text in enumerate(["ab", "b"])]
    manifest.write(tmp_path / "all.tsv", rows)
    shape = ["--model.depth=1", "--model.width=16", "--model.stem={name: stack, reduction: 2}", "--model.lr=0.02"]
    return [
        f"--data.train={tmp_path / 'all.tsv'}", f"--data.val={tmp_path / 'all.tsv'}", *shape,
        "--data.frontend={name: speech, bands: 16}", "--data.batch_most=2", "--trainer.accelerator=cpu",
    ]  # fmt: skip


def test_a_budget_is_found_and_printed(flags, tmp_path, capsys):
    assert main([*flags, "--find_budget=true"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("longest utterance:") and "frames/s" in said[1]
    name, _, value = said[-1].partition(" ")
    assert name == "--data.batch_frames" and int(value) > 0
    assert not (tmp_path / "runs").exists()


def test_one_batch_is_learnt_by_heart(flags, capsys):
    assert main([*flags, "--overfit=true"]) == 0
    assert "utterances learnt by heart in" in capsys.readouterr().out


def test_two_views_count_in_the_budget_and_are_not_needed_to_learn_one_batch(flags, capsys, monkeypatch):
    views = ["--data.views=2", "--data.augment={time_masks: 2}", "--model.consistency=0.2"]
    assert main([*flags, *views, "--overfit=true"]) == 0
    assert capsys.readouterr().out.startswith("1 utterances learnt by heart")  # and not its two views
    seen = []
    monkeypatch.setattr(trials, "_learn", lambda *given: seen.append(given[-1]))
    assert main([*flags, *views, "--data.batch_most=5", "--find_budget=true"]) == 0
    said = capsys.readouterr().out.splitlines()
    tried = [int(line.split()[0]) for line in said if "frames/s" in line]
    assert len(seen) == 2 * len(tried) and max(map(len, seen)) == 10
    for batch, budget in zip(seen[::2], tried, strict=True):
        longest = batch.frames.shape[1] / 1.15  # what is read more slowly counts as it was
        assert batch.views == 2 and (len(batch) == 2 or len(batch) * longest <= budget)


def test_what_cannot_be_learnt_is_said(flags, tmp_path):
    frontend = {"name": "speech", "bands": 16}
    corpus = Corpus(str(tmp_path / "all.tsv"), str(tmp_path / "all.tsv"), frontend=frontend)
    model = Recognizer(corpus.alphabet, frontend, {"name": "stack", "reduction": 2}, depth=1, width=1, lr=1e-9)
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(ConfigError, match=r"--overfit: CER \d.* after 10 steps, 'a?b' is read as"):
        overfit(trainer, model, corpus, steps=10)
