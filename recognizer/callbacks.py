"""Moments of a training run -> what happens then beside learning: chance, freezing, waiting times, the best model."""

from __future__ import annotations

import shutil
import signal
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.utilities import rank_zero_only

from recognizer.errors import ConfigError
from recognizer.sampler import learnt


class Settings(lightning.Callback):
    """Keeps the run's settings inside every checkpoint, so that `--resume` needs nothing else.

    Args:
        text: the settings, as YAML.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint["config"] = self.text


class Chance(lightning.Callback):
    """Seeds dropout anew for each batch, from the seed, the epoch, the batch and the process, and from nothing else.

    So a run that was cut goes on as if it had not been, and no two processes drop the same units.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        drawn = numpy.random.SeedSequence([self.seed, trainer.current_epoch, batch_idx, trainer.global_rank])
        torch.manual_seed(int(drawn.generate_state(1, numpy.uint64)[0] >> 1))


class Frozen(lightning.Callback):
    """Lets only the output layer learn at first, so that its new rows do not spoil what the others have learnt before.

    The gradients are worked out all the same: processes that share them must agree on which there are.

    Args:
        steps: how long; then all weights learn.
    """

    def __init__(self, steps: int) -> None:
        if steps < 0:
            raise ConfigError("--freeze", f"is {steps}", "give a number of steps, or 0")
        self.steps = steps

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        if trainer.global_step < self.steps:
            for name, weight in pl_module.named_parameters():
                if not name.startswith(("linear.", "spoken.")):
                    weight.grad = None


class Wait(lightning.Callback):
    """Logs `data_wait`, the share of the time of each step, and of each epoch, that went into waiting for its batch."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.on_train_epoch_start(trainer, pl_module)  # which Lightning leaves out where a run goes on in an epoch

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._epoch = self._step = (time.perf_counter(), trainer.train_dataloader.waited)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        now = (time.perf_counter(), trainer.train_dataloader.waited)
        pl_module.log("data_wait_step", _share(self._step, now), batch_size=1, on_step=True, on_epoch=False)
        self._step = now

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        now = (time.perf_counter(), trainer.train_dataloader.waited)
        pl_module.log("data_wait", _share(self._epoch, now), batch_size=1, sync_dist=True)


def _share(then: tuple[float, float], now: tuple[float, float]) -> float:
    return (now[1] - then[1]) / max(1e-9, now[0] - then[0])


class Terminated(lightning.Callback):
    """SIGTERM, by which clusters end a run, to any of its processes ends all of them behind the same step.

    Lightning's own handler shares the news from within the signal, where it may cross a gradient on its way: then one
    process ends, and the others wait for it.
    """

    asked = False

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._ask)  # Lightning puts back what stood there before

    def _ask(self, *_: Any) -> None:
        self.asked = True

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if learnt(trainer) <= batch_idx:  # amid batches that are accumulated
            return
        if trainer.strategy.reduce_boolean_decision(self.asked, all=False):
            trainer._signal_connector.received_sigterm = True


class _Kept(ModelCheckpoint):
    @property
    def state_key(self) -> str:
        """That of its parent, under which older checkpoints keep it."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)


class Stop(EarlyStopping):
    """Ends a run that gets no better; one that goes on may be given more patience."""

    @property
    def state_key(self) -> str:
        """That of its parent, as above."""
        return super().state_key.replace(type(self).__qualname__, EarlyStopping.__qualname__, 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "patience": self.patience})


class Last(_Kept):
    """The run as it stands, to go on from: kept after each validation, each epoch that has none, and a crash."""

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Of several processes each writes by itself, and all the same: the others may not have come as far as here.

        Lightning would wait for them, and they for this one's gradients.
        """
        if trainer.world_size == 1:
            super().on_exception(trainer, pl_module, exception)
        elif self._should_save_on_exception(trainer):
            path = Path(self.format_checkpoint_name(self._monitor_candidates(trainer)))
            part = path.with_name(f"{path.name}.{trainer.global_rank}")
            trainer.strategy.checkpoint_io.save_checkpoint(trainer._checkpoint_connector.dump_checkpoint(), part)
            part.replace(path)
            self.best_model_path = str(path)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        if not self._should_skip_saving_checkpoint(trainer):  # nor where this step is kept already
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))


class Best(_Kept):
    """The best models so far; a run that goes on takes those of the run before into its own folder."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        before = state_dict["best_model_path"]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*dirpath has changed")
            super().load_state_dict(state_dict)
        if self.dirpath == state_dict.get("dirpath"):
            return
        self.best_model_path = ""
        if before and Path(before).is_file() and self.dirpath:
            scores = {before: state_dict["best_model_score"], **state_dict.get("best_k_models", {})}
            mine = {path: str(Path(self.dirpath) / Path(path).name) for path in scores if Path(path).is_file()}
            Path(self.dirpath).mkdir(parents=True, exist_ok=True)
            for path, target in mine.items():
                rank_zero_only(shutil.copyfile)(path, target)
            self.best_k_models = {target: scores[path] for path, target in mine.items()}
            self.best_model_path, self.best_model_score = mine[before], scores[before]
            self.kth_best_model_path = mine.get(state_dict.get("kth_best_model_path", ""), mine[before])
            self.kth_value = self.best_k_models[self.kth_best_model_path]
