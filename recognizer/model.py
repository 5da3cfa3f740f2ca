"""Network and Learner -> the Recognizer, a LightningModule that can be made again from the settings it keeps."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from recognizer import frontends
from recognizer.alphabet import Alphabet
from recognizer.compact import restored
from recognizer.errors import CheckpointError, ConfigError, nearest
from recognizer.learner import Learner
from recognizer.network import VERSION, Network, opened
from recognizer.optimiser import OPTIMISERS
from recognizer.pronunciations import written
from recognizer.schedule import SCHEDULES
from recognizer.widen import widened, width

log = logging.getLogger(__name__)

SECOND = ("spoken.", "hearing.")
"""How the names of those numbers begin that only a network with a second output has."""


class Recognizer(Network, Learner):
    """Reads frames of one kind and writes texts in one alphabet (Graves et al. 2006; Graves et al. 2009).

    Every argument is a plain value, so that a checkpoint holds all that is needed to build the model again.

    Args:
        alphabet: characters, form and split, see `Alphabet.config`.
        frontend: name and settings of the front end whose frames it reads.
        stem: name and settings of the stem, which may shorten time.
        layer: name of the recurrent layers, which says what cells they have, see `recognizer.layers`; or name and
            settings, such as {"name": "lcblstm", "chunk": 8, "ahead": 8}.
        depth: how many of them.
        width: units of each direction.
        projection: features after each layer's linear map; 0 keeps 2 * width.
        norm: layer normalisation of each layer's input.
        dropout: share of each layer's outputs set to zero while training.
        lr: highest learning rate.
        weight_decay: its decay, of weight matrices only.
        warmup: share of all steps, from 0 to 1, over which the rate rises; 500 steps in a run without an end.
        shown: texts shown after each validation.
        schedule: the course of the learning rate, one of `SCHEDULES`: "cosine", "onecycle", "plateau", "constant".
        average: share that the running average of the weights keeps at each step, such as 0.999; the average is what is
            validated and written as the model. 0: no average.
        phones: what a second output writes, for which `Corpus` has a pronouncing dictionary; none: no second output.
        sounds: the share of the second output in the loss.
        consistency: weight of the divergence between two views of each utterance, for which `Corpus` needs `views`, see
            `apart`; 0: none. 0.2 in the paper.
        optimiser: "adamw" (Loshchilov & Hutter 2019), or "muon" for the recurrent matrices (Jordan et al. 2024).

    Raises:
        ConfigError: an unknown name or a value out of range.
        AlphabetError: an alphabet that breaks its laws.
    """

    def __init__(
        self,
        alphabet: dict[str, Any],
        frontend: dict[str, Any],
        stem: dict[str, Any] | None = None,
        layer: str | dict[str, Any] = "blstm",
        depth: int = 3,
        width: int = 256,
        projection: int = 0,
        norm: bool = True,
        dropout: float = 0.2,
        lr: float = 2e-3,
        weight_decay: float = 1e-2,
        warmup: float = 0.1,
        shown: int = 3,
        schedule: str = "cosine",
        average: float = 0.0,
        optimiser: str = "adamw",
        phones: list[str] | None = None,
        sounds: float = 0.5,
        consistency: float = 0.0,
    ) -> None:
        super().__init__()
        frontend = frontends.build(frontend).config()  # all settings: a release with other defaults reads the same
        self.save_hyperparameters()
        self.hparams["frontend"] = frontend  # where Lightning's parser makes the model, it kept what it was given
        if not 0 < lr < math.inf:
            raise ConfigError("model.lr", f"is {lr}", "use a number above 0")
        if not 0 <= weight_decay < math.inf:
            raise ConfigError("model.weight_decay", f"is {weight_decay}", "use a number from 0, such as 0.01")
        if not 0 <= warmup <= 1:
            raise ConfigError("model.warmup", f"is {warmup}", "use a share of all steps from 0 to 1, such as 0.1")
        if not 0 <= average < 1:
            raise ConfigError("model.average", f"is {average}", "use a share below 1, such as 0.999, or 0 for none")
        if not 0 < sounds < 1:
            raise ConfigError("model.sounds", f"is {sounds}", "use a share above 0 and below 1, such as 0.5")
        if not 0 <= consistency < math.inf:
            raise ConfigError("model.consistency", f"is {consistency}", "use a number from 0, such as 0.2")
        if schedule not in SCHEDULES:
            raise ConfigError("model.schedule", f"unknown name {schedule!r}", nearest(schedule, SCHEDULES))
        if optimiser not in OPTIMISERS:
            raise ConfigError("model.optimiser", f"unknown name {optimiser!r}", nearest(optimiser, OPTIMISERS))
        self.assemble(alphabet, frontend, stem, layer, depth, width, projection, norm, dropout, phones)

    @classmethod
    def of(cls, settings: dict[str, Any]) -> Recognizer:
        """The model that a checkpoint's hyper-parameters describe, with weights of chance."""
        return cls(**settings)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write the layout's version beside the weights."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["recognizer_version"] = VERSION

    def adopt(self, path: str | Path) -> None:
        """Begin with the weights of the checkpoint at `path`; output rows go by character, so alphabets may differ.

        Rows of a second output go by phone; where only one of the two has it, it is left as it is here.

        Where this network's layers are wider bidirectional LSTMs, new units begin as copies (`widen`).

        Raises:
            CheckpointError: it cannot be opened, or its network is of another shape.
        """
        checkpoint = opened(path)
        given, mine = restored(checkpoint), self.state_dict()
        narrow, wide = width(given), width(mine)
        if narrow and wide and wide > narrow:
            log.info("%d units of each direction become %d", narrow, wide)
            given = widened(given, wide)
        settings = checkpoint["hyper_parameters"]
        old, new = Alphabet.from_config(settings["alphabet"]).characters, self.alphabet.characters
        heads = {
            "linear.": (("", *old), ("", *new)),
            "spoken.": (written(settings.get("phones") or ()), written(self.phones)),
        }
        given = {name: weight for name, weight in given.items() if name in mine or not name.startswith(SECOND)}
        try:
            for name, weight in mine.items():
                for head, (before, after) in heads.items():
                    if name.startswith(head):
                        given[name] = _rows(weight, given.get(name), before, after)
            self.load_state_dict(given)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(path, f"is of another shape ({reason})", "use its model settings here") from error
        added, dropped = sorted(set(new) - set(old)), sorted(set(old) - set(new))
        log.info("begin with %s; characters added: %s; dropped: %s", path, added or "none", dropped or "none")


def _rows(mine: Tensor, given: Tensor | None, before: Sequence[str], after: Sequence[str]) -> Tensor:
    """An output's rows: those of labels that both have from what is given, the others as they are here."""
    merged = mine.clone()
    for row, label in enumerate(after):
        if given is not None and label in before:
            merged[row] = given[before.index(label)]
    return merged
