"""Settings (YAML and flags) -> a trained model; the only place where corpus, model and trainer meet."""

from __future__ import annotations

import inspect
import itertools
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonargparse
import pytorch_lightning as lightning
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities.exceptions import MisconfigurationException  # type: ignore[attr-defined]

from recognizer import flags, memory, pretrained, trials
from recognizer.arguments import begun, continued, folder, named, values
from recognizer.callbacks import Best, Chance, Frozen, Last, Settings, Stop, Terminated, Wait
from recognizer.corpus import Corpus
from recognizer.errors import ConfigError, RecognizerError, nearest
from recognizer.model import Recognizer
from recognizer.network import opened

log = logging.getLogger(__name__)


class _CLI(LightningCLI):
    """LightningCLI with a run folder of its own kind: runs/NAME/version_N."""

    begins = True
    """Whether `--from` is where this run begins, and not only where it once began."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--name", type=str, default="default", help="the run is kept in runs/NAME/version_N")
        parser.add_argument("--seed", type=int, default=1, help="of the weights and of dropout")
        parser.add_argument("--from", type=str | None, default=None, help="begin with the weights of this model")
        parser.add_argument("--freeze", type=int, default=0, help="steps in which only the output layer learns")
        parser.add_argument("--find_budget", type=bool, default=False, help="only try which data.batch_frames is best")
        parser.add_argument("--overfit", type=bool, default=False, help="only try whether one batch can be learnt")
        parser.add_lightning_class_args(Best, "best")
        parser.add_lightning_class_args(Last, "last")
        parser.add_lightning_class_args(Stop, "stop")
        parser.link_arguments("data.frontend", "model.frontend")
        parser.link_arguments("data", "model.alphabet", compute_fn=_alphabet, apply_on="instantiate")
        parser.link_arguments("data", "model.phones", compute_fn=_phones, apply_on="instantiate")

    def before_instantiate_classes(self) -> None:
        if not 0 <= self.config.seed < 2**32:
            raise ConfigError("--seed", f"is {self.config.seed}", "use a number from 0 to 4294967295")
        lightning.seed_everything(self.config.seed, workers=True, verbose=False)
        if self.config["from"] and self.begins:
            _continue(self.config)
        elif not self.config.data.frontend:
            self.config.data.frontend = self.config.model.frontend = {"name": "speech"}  # as `Corpus` takes it
        # Kept before the run folder is written into it: a run that goes on gets a folder of its own.
        settings = self.parser.dump(self.config, skip_link_targets=True, skip_none=False)
        given = self.config
        beside = [Settings(settings), Chance(given.seed), Frozen(given.freeze), Wait(), Terminated()]
        self.trainer_defaults["callbacks"] = beside
        trainer = self.config.trainer
        flags.check(trainer)
        flags.heeded(self.config)
        if trainer.logger is None or trainer.logger is True:
            home = Path(trainer.default_root_dir or "runs") / self.config.name
            kept = {"save_dir": str(home.parent), "name": home.name, "version": _number(home)}
            trainer.logger = [
                {"class_path": f"pytorch_lightning.loggers.{kind}", "init_args": dict(kept)}
                for kind in ("CSVLogger", "TensorBoardLogger")
            ]

    def instantiate_trainer(self, **given: Any) -> lightning.Trainer:
        """Lightning's; nothing of ours runs in it, so what it complains of is a flag."""
        try:
            return super().instantiate_trainer(**given)
        except (MisconfigurationException, ValueError, TypeError, ImportError) as error:
            raise flags.blamed(error, vars(self.config.trainer)) from error


class _Resumed(_CLI):
    begins = False


def _continue(config: Any) -> None:
    """The weights of `--from` know one front end: what is not said of it here is as it was there."""
    theirs = opened(pretrained.find(config["from"]))["hyper_parameters"]["frontend"]
    mine = dict(config.data.frontend or theirs)
    if mine.get("name") != theirs["name"]:
        what = f"{config['from']} reads {theirs['name']}, and data.frontend is {mine.get('name')}"
        raise ConfigError("--from", what, "name a model of that kind")
    config.data.frontend = config.model.frontend = {**theirs, **mine}


def _alphabet(corpus: Corpus) -> dict[str, Any]:
    return corpus.alphabet


def _phones(corpus: Corpus) -> list[str] | None:
    return corpus.phones


def _number(home: Path) -> int:
    """The next free number in runs/NAME, the same for all processes that this one starts."""
    if "RECOGNIZER_RUN" not in os.environ:
        taken = [int(path.name[8:]) for path in home.glob("version_*") if path.name[8:].isdecimal()]
        os.environ["RECOGNIZER_RUN"] = str(max(taken, default=0) + 1)
    return int(os.environ["RECOGNIZER_RUN"])


def main(argv: Sequence[str] | None = None) -> int:
    """Train as the command line says; 0 it ended well, 2 a mistake in settings or data, 130 Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(lambda said: "Tip:" not in said.getMessage())
    memory.keep()
    try:
        train(arguments)
    except RecognizerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"stopped; go on with --resume {stop}" if str(stop) else "stopped", file=sys.stderr)
        return 130
    return 0


def train(arguments: Sequence[str]) -> lightning.Trainer:
    """Train as the command line says, and return the trainer afterwards.

    Raises:
        RecognizerError: a mistake in the settings or the data.
        KeyboardInterrupt: Ctrl-C, with the path of the checkpoint to go on from.
    """
    with warnings.catch_warnings():
        # Advice on matters that are settled here.
        advice = ["does not have many w", "log_every", r"`isinstance\(treespec", "args parameter is", "dirpath has"]
        # In half precision the first steps may be left out, and only those, until the scale of the loss is found.
        advice.append(r"Detected call of `lr_scheduler.step\(\)` before")
        for told in (*advice, "dataloader is not resumable", "It is recommended to use `self.log"):
            warnings.filterwarnings("ignore", f".*{told}")
        try:
            return _train(list(arguments))
        finally:
            os.environ.pop("RECOGNIZER_RUN", None)  # processes that this one started have read it


def _train(arguments: list[str]) -> lightning.Trainer:
    with tempfile.TemporaryDirectory() as scratch:
        cli, resumed = _parsed(arguments, Path(scratch))
    log.info("run %s", cli.trainer.log_dir)
    if cli.config["from"] and not resumed:
        cli.model.adopt(pretrained.find(cli.config["from"]))
    elif cli.config["freeze"] and not resumed:
        raise ConfigError("--freeze", "would keep weights of chance", "name a model with --from, or leave it out")
    for chosen, trial in (("find_budget", trials.find_budget), ("overfit", trials.overfit)):
        if cli.config[chosen]:
            trial(cli.trainer, cli.model, cli.datamodule)
            return cli.trainer
    best, last = cli.config_init.best, cli.config_init.last
    try:
        cli.trainer.fit(cli.model, cli.datamodule, ckpt_path=resumed, weights_only=True)
    except SystemExit:  # what Lightning makes of Ctrl-C, once the checkpoint is saved
        raise KeyboardInterrupt(_saved(last)) from None
    except Exception as error:
        if _saved(last):
            log.error("crashed; go on with --resume %s", _saved(last))
        elif isinstance(error, OSError) and _within(error.filename, cli.trainer.log_dir):
            what = f"{error.filename} cannot be written ({error.strerror})"
            raise ConfigError("--name", what, "name a run whose folder can be made") from error
        if found := re.search(INTERVAL, str(error)):
            what = f"is {found[1]}, and an epoch has {found[2]} batches"
            remedy = f"use {found[2]} at most, or --trainer.check_val_every_n_epoch null, which counts on over epochs"
            raise ConfigError("trainer.val_check_interval", what, remedy) from error
        raise
    if best.best_model_path and best.best_model_score is not None:  # spawned processes keep the score
        log.info("best (%s %.4f): %s", best.monitor, float(best.best_model_score), best.best_model_path)
    return cli.trainer


def _parsed(arguments: list[str], scratch: Path) -> tuple[_CLI, str | None]:
    """The trainer, the model and the data that the command line asks for, and the checkpoint that it goes on from."""
    if values(arguments, "--resume") and values(arguments, "--from"):
        what = "stands beside --resume, by which a run goes on as it began"
        raise ConfigError("--from", what, "leave one of them out")
    arguments, resumed = continued(arguments, scratch)
    if not any(re.match(r"--(config|data\.train|data\.sample|data)(=|$)", argument) for argument in arguments):
        arguments = ["--config", "digits", *arguments]
    arguments = named(arguments) if resumed else begun(named(arguments), scratch)
    try:
        return (_Resumed if resumed else _CLI)(
            Recognizer,
            Corpus,
            run=False,
            args=arguments,
            seed_everything_default=False,
            save_config_kwargs={"overwrite": True},
            parser_kwargs={"default_config_files": [str(folder() / "base.yaml")], "exit_on_error": False},
        ), resumed
    except jsonargparse.ArgumentError as error:
        raise _explained(error, arguments) from error
    except MisconfigurationException as error:  # of best, last and stop, which are Lightning's, too
        raise ConfigError("best, last or stop", f"Lightning says: {flags.short(error)}", "see --help") from error
    except Exception as error:
        # What a constructor says is wrapped by the parser; the user wants the cause.
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, RecognizerError):
            cause = cause.__cause__ or cause.__context__
        if cause is not None:
            raise cause from error
        raise


def _saved(last: ModelCheckpoint) -> str:
    """Where the run can be taken up again; "" if it has not come so far."""
    path = last.best_model_path or last.format_checkpoint_name({})
    return path if Path(path).is_file() else ""


def _within(path: object, home: str | None) -> bool:
    """Whether it is a part of the run's folder, or what the folder lies in."""
    if path is None or home is None:
        return False
    place, folder = Path(str(path)).absolute(), Path(home).absolute()
    return place.is_relative_to(folder) or folder.is_relative_to(place)


INTERVAL = r"`val_check_interval` \((\d+)\) must be .* training batches \((\d+)\)"
"""How Lightning words, once it has counted the batches, that they are fewer."""
UNKNOWN = (
    r"Group '(?P<group>[\w.]+)' does not accept option '(?P<key>[\w.]+)'",
    r"Option '(?P<key>[\w.]+)' is not accepted",
    r"unrecognized arguments: --(?P<key>[\w.]+)",
)
"""How the parser words that it does not know a key."""


def _explained(error: Exception, arguments: Sequence[str]) -> ConfigError:
    """What the parser says of a wrong key or value; for a key with the nearest right one."""
    message = str(error)
    files = [after for before, after in itertools.pairwise(arguments) if before == "--config"]
    where = ", ".join(files) or "settings"
    found = next(filter(None, (re.search(pattern, message) for pattern in UNKNOWN)), None)
    if found is None:
        return ConfigError(where, flags.short(error), "see --help")
    key = ".".join(part for part in (found.groupdict().get("group"), found["key"]) if part)
    if "unrecognized" in message:
        where = f"--{key}"
    parts = {
        "model": Recognizer,
        "data": Corpus,
        "trainer": lightning.Trainer,
        "best": ModelCheckpoint,
        "last": ModelCheckpoint,
        "stop": Stop,
    }
    first, _, rest = key.partition(".")
    own = ["name", "seed", "from", "freeze", "find_budget", "overfit", "config", "resume"]
    known = inspect.signature(parts[first]).parameters if rest and first in parts else [*parts, *own]
    return ConfigError(where, f"unknown setting {key!r}", nearest(rest if rest and first in parts else first, known))


if __name__ == "__main__":
    sys.exit(main())
