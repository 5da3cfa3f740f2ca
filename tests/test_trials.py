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


def test_a_device_that_runs_out_all_the_same_ends_the_search_with_a_margin():
    def step(budget):
        if budget > 3000:
            raise torch.OutOfMemoryError
        return 0.1, 1e6

    assert [budget for budget, *_ in search(step, 1000, 50_000, 1e6, 1e9)] == [1000, 1500]
    assert [budget for budget, *_ in search(step, 2500, 50_000, 1e6, 1e9)] == [2500]


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


def test_two_views_count_in_the_budget_and_are_learnt_by_heart(flags, capsys, monkeypatch):
    views = ["--data.views=2", "--data.augment={time_masks: 2}", "--model.consistency=0.2"]
    assert main([*flags, *views, "--overfit=true"]) == 0
    assert capsys.readouterr().out.startswith("1 utterances learnt by heart")  # and not its two views
    seen = []
    monkeypatch.setattr(trials.Step, "__call__", lambda _, batch: seen.append(batch))
    assert main([*flags, *views, "--data.batch_most=5", "--find_budget=true"]) == 0
    said = capsys.readouterr().out.splitlines()
    tried = [int(line.split()[0]) for line in said if "frames/s" in line]
    assert len(seen) == 2 * len(tried) and max(map(len, seen)) == 10
    for batch, budget in zip(seen[::2], tried, strict=True):
        longest = batch.frames.shape[1] / 1.15  # what is read more slowly counts as it was
        assert batch.views == 2 and (len(batch) == 2 or len(batch) * longest <= budget)


def test_masks_stay_for_two_views_to_agree_in_spite_of_them(flags, monkeypatch):
    seen = []

    def note(self, batch):
        seen.append(batch)
        raise KeyboardInterrupt

    monkeypatch.setattr(trials.Step, "__call__", note)
    for more, views in (["--model.consistency=0.2"], 2), ([], 1):
        main([*flags, "--data.views=2", "--data.augment={time_masks: 9, feature_masks: 9}", *more, "--overfit=true"])
        assert seen[-1].views == views
    half = len(seen[0]) // 2
    assert not torch.equal(seen[0].frames[:half], seen[0].frames[half:])


@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*isinstance.treespec")
def test_a_trial_takes_the_step_that_training_takes(flags, tmp_path, monkeypatch):
    """With all that is in a step: two outputs, two views, clipping and an average of weights."""
    (tmp_path / "words").write_text("ab P Q\nb Q\n", encoding="utf-8")
    frontend, table = {"name": "speech", "bands": 16}, str(tmp_path / "all.tsv")
    given = {"pronunciations": str(tmp_path / "words"), "views": 2, "augment": {"noise": 0.5}, "batch_frames": 500}
    corpus = Corpus(table, table, frontend=frontend, nothing=0.0, **given)
    shape = {"stem": {"name": "stack", "reduction": 2}, "depth": 1, "width": 8, "dropout": 0.0, "phones": corpus.phones}
    course = {"average": 0.5, "consistency": 0.3, "schedule": "constant", "warmup": 0.0, "weight_decay": 0.0}
    trained = Recognizer(corpus.alphabet, frontend, **shape, **course)
    tried = Recognizer(corpus.alphabet, frontend, **shape, **course)
    tried.load_state_dict(trained.state_dict())
    seen, step = [], Recognizer.training_step
    monkeypatch.setattr(Recognizer, "training_step", lambda *of: seen.append((of[1], step(*of))) or seen[-1][1])
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    most = {"max_steps": 1, "limit_val_batches": 0, "gradient_clip_val": 0.01, "enable_model_summary": False}
    trainer = Trainer(accelerator="cpu", **quiet, **most)
    trainer.fit(trained, corpus)
    ((batch, loss),) = seen
    trial = trials.Step(trainer, tried, corpus, tried.hparams["lr"] / 2)  # any course rises for one step
    assert batch.views == 2 and trial(batch) == pytest.approx(float(loss.detach()), rel=1e-6)
    parts = tried.parts(batch)
    assert parts.keys() == {"train_loss", "train_phones", "train_views"} and all(nats > 0 for nats, _ in parts.values())
    with trial.averaged():  # with which training ends
        for name, weight in trained.state_dict().items():
            torch.testing.assert_close(tried.state_dict()[name], weight, atol=1e-6, rtol=1e-5)


def test_a_trial_needs_what_training_needs(flags, tmp_path, capsys):
    for trial in ("--overfit=true", "--find_budget=true"):
        assert main([*flags, "--model.consistency=0.2", trial]) == 2
        assert "error: model.consistency: is 0.2" in capsys.readouterr().err


def test_what_cannot_be_learnt_is_said(flags, tmp_path):
    frontend = {"name": "speech", "bands": 16}
    corpus = Corpus(str(tmp_path / "all.tsv"), str(tmp_path / "all.tsv"), frontend=frontend)
    model = Recognizer(corpus.alphabet, frontend, {"name": "stack", "reduction": 2}, depth=1, width=1, lr=1e-9)
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    with pytest.raises(ConfigError, match=r"--overfit: CER \d.* after 10 steps, 'a?b' is read as"):
        overfit(trainer, model, corpus, steps=10)
