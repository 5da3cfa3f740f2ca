"""Flags of Lightning's trainer -> the same, refused where they come to no good; what it says of them -> one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning.plugins.environments import SLURMEnvironment  # type: ignore[attr-defined]

from recognizer.errors import ConfigError, nearest

PRECISIONS = ("32", "32-true", "16", "16-mixed", "bf16", "bf16-mixed")
"""Those in which the weights stay in single precision, and the loss with them."""


RATES = ("wer", "cer", "mer", "wil", "loss", "blank", "phones")
LOGGED = {f"val_{rate}" for rate in RATES} | {f"train_{part}_epoch" for part in ("loss", "phones", "views")}
"""What an epoch ends with, and the best model may be chosen by."""


def heeded(config: Any) -> None:
    """See that `best` and `stop` heed what is logged when they look, and that the models kept have names of their own.

    Raises:
        ConfigError: nothing of that name is logged; or several models would be called alike.
    """
    absent = {"phones": not config.data.pronunciations, "views": not config.model.consistency}
    logged = sorted(one for one in LOGGED if not absent.get(one.split("_")[1]))
    early = [one for one in logged if one.startswith("val_")]  # `stop` looks before the mean of an epoch is there
    for name, known in (("best", logged), ("stop", early)):
        monitor = config[name].monitor
        if monitor not in known:
            what = f"is {monitor!r}, and nothing of that name is logged" + (" by then" if monitor in logged else "")
            raise ConfigError(f"{name}.monitor", what, nearest(str(monitor), known))
    if config.best.save_top_k not in (0, 1) and "{" not in (config.best.filename or "{"):
        what = f"is {config.best.save_top_k}, and each would be called {config.best.filename}.ckpt"
        raise ConfigError("best.save_top_k", what, "give names: --best.filename '{epoch}-{val_cer:.4f}'")


def check(trainer: Any) -> None:
    """Refuse flags that Lightning takes and that come to no good here, or later; under SLURM see to its plug-in.

    Raises:
        ConfigError: such a flag.
    """
    _check_precision(trainer)
    if trainer.accelerator == "gpu" and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        raise ConfigError("trainer.accelerator", "is gpu, and torch finds none", "use cpu, or leave it out")
    if trainer.overfit_batches:
        what = f"is {trainer.overfit_batches}, and would put another sampler in place of the one that makes batches"
        raise ConfigError("trainer.overfit_batches", what, "use --overfit true")
    if trainer.enable_checkpointing is False or trainer.barebones:
        flag = "barebones" if trainer.barebones else "enable_checkpointing"
        what = f"is {str(getattr(trainer, flag)).lower()}, and a run is kept in its checkpoints"
        raise ConfigError(f"trainer.{flag}", what, "leave it out; --trainer.fast_dev_run true tries and keeps nothing")
    for flag in ("accumulate_grad_batches", "check_val_every_n_epoch"):
        if (value := getattr(trainer, flag)) is not None and value < 1:
            raise ConfigError(f"trainer.{flag}", f"is {value}", "use at least 1")
    if trainer.plugins is None and SLURMEnvironment.detect():
        # Lightning would queue the job again by itself, from within a signal, and go on from files in this folder.
        name = f"{SLURMEnvironment.__module__}.{SLURMEnvironment.__qualname__}"
        trainer.plugins = [{"class_path": name, "init_args": {"auto_requeue": False}}]


def _check_precision(trainer: Any) -> None:
    precision = str(trainer.precision)
    on_cpu = trainer.accelerator == "cpu" or (trainer.accelerator == "auto" and not torch.cuda.is_available())
    capability = torch.backends.cpu.get_cpu_capability()
    if trainer.precision is not None and precision not in PRECISIONS:
        what = f"is {precision}, and weights are learnt in single precision"
        raise ConfigError("trainer.precision", what, "use 32-true, bf16-mixed or 16-mixed")
    if on_cpu and precision in ("16", "16-mixed"):
        raise ConfigError("trainer.precision", f"{precision} needs a GPU", "use 32-true or bf16-mixed here")
    if on_cpu and precision.startswith("bf16") and capability in ("DEFAULT", "NO AVX", "AVX2"):
        raise ConfigError(
            "trainer.precision",
            f"{precision} needs a processor with AVX-512, this one has {capability}",
            "use 32-true here",
        )


def blamed(error: Exception, flags: Mapping[str, Any]) -> ConfigError:
    """What Lightning says of a flag, under the flag that it names first, or whose value it quotes."""
    message = str(error)
    places = {name: found.start() for name in flags if (found := re.search(rf"\b{name}\b", message))}
    quoted = [name for name, value in flags.items() if isinstance(value, str) and repr(value) in message]
    for name in (*sorted(places, key=places.__getitem__), *quoted):
        return ConfigError(f"trainer.{name}", f"is {flags[name]}, and Lightning says: {short(error)}", "see --help")
    return ConfigError("trainer", f"Lightning says: {short(error)}", "see --help")


def short(error: Exception) -> str:
    """A message on one line, cut where it is very long."""
    return " ".join(str(error).split())[:400].rstrip(".")
