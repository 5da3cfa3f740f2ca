"""Beside learning: the best of a run before is kept, chance depends on the batch alone, a wrong freeze is refused."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from recognizer.callbacks import Best, Chance, Frozen, _share
from recognizer.errors import ConfigError


def best(folder):
    return Best(dirpath=folder, monitor="val_cer", mode="min", filename="best", enable_version_counter=False)


def known(folder, score):
    """The state of a run that wrote its best model into `folder`."""
    folder.mkdir(parents=True)
    (folder / "best.ckpt").write_text("the model")
    state = best(folder).state_dict()
    return state | {"best_model_path": str(folder / "best.ckpt"), "best_model_score": torch.tensor(score)}


TRAINER = SimpleNamespace(strategy=SimpleNamespace(reduce_boolean_decision=lambda decision: decision))


def test_the_best_of_the_run_before_is_taken_along(tmp_path):
    state = known(tmp_path / "one", 0.25)
    mine = best(tmp_path / "two")
    mine.load_state_dict(state)
    assert (tmp_path / "two" / "best.ckpt").read_text() == "the model"
    assert mine.best_model_path == str(tmp_path / "two" / "best.ckpt") and float(mine.best_model_score) == 0.25
    assert not mine.check_monitor_top_k(TRAINER, torch.tensor(0.3))
    assert mine.check_monitor_top_k(TRAINER, torch.tensor(0.2))


def test_all_that_were_kept_are_taken_along(tmp_path):
    first = Best(dirpath=tmp_path / "one", monitor="val_cer", mode="min", filename="{epoch}", save_top_k=2)
    (tmp_path / "one").mkdir()
    scores = {
        str(tmp_path / "one" / f"epoch={place}.ckpt"): torch.tensor(score) for place, score in ((0, 0.3), (2, 0.2))
    }
    for path in scores:
        Path(path).write_text(path)
    old, new = scores
    kept = {"best_model_path": new, "best_model_score": scores[new], "best_k_models": scores}
    mine = Best(dirpath=tmp_path / "two", monitor="val_cer", mode="min", filename="{epoch}", save_top_k=2)
    mine.load_state_dict(first.state_dict() | kept | {"kth_best_model_path": old, "kth_value": scores[old]})
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["epoch=0.ckpt", "epoch=2.ckpt"]
    assert mine.best_model_path == str(tmp_path / "two" / "epoch=2.ckpt") and float(mine.kth_value) == pytest.approx(
        0.3
    )
    assert mine.check_monitor_top_k(TRAINER, torch.tensor(0.25))
    assert not mine.check_monitor_top_k(TRAINER, torch.tensor(0.35))


def test_a_best_that_is_gone_is_begun_anew(tmp_path):
    state = known(tmp_path / "one", 0.25)
    (tmp_path / "one" / "best.ckpt").unlink()
    mine = best(tmp_path / "two")
    mine.load_state_dict(state)
    assert mine.best_model_path == "" and mine.check_monitor_top_k(TRAINER, torch.tensor(0.9))


def test_older_checkpoints_keep_it_under_its_parents_name(tmp_path):
    assert best(tmp_path).state_key.startswith("ModelCheckpoint{'monitor': 'val_cer'")


def test_chance_depends_on_seed_epoch_batch_and_process_alone():
    def draw(seed, epoch, batch, rank):
        Chance(seed).on_train_batch_start(SimpleNamespace(current_epoch=epoch, global_rank=rank), None, None, batch)
        return torch.rand(1).item()

    keys = [(1, 0, 0, 0), (2, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0), (1, 0, 0, 1)]
    first = [draw(*key) for key in keys]
    assert len(set(first)) == len(keys) and first == [draw(*key) for key in keys]


def test_a_share_of_no_time_is_nothing():
    assert _share((5.0, 1.0), (7.0, 1.5)) == 0.25 and _share((5.0, 1.0), (5.0, 1.0)) == 0


def test_steps_below_zero_are_refused():
    with pytest.raises(ConfigError, match="--freeze: is -1"):
        Frozen(-1)
