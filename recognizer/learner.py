"""A network that is scored -> how it learns from batches, as a LightningModule."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recognizer import frontends, resuming
from recognizer.agreement import apart
from recognizer.average import Average
from recognizer.batch import HOLLOW, Batch
from recognizer.errors import ConfigError
from recognizer.optimiser import OPTIMISERS
from recognizer.sampler import learnt
from recognizer.schedule import Halving, schedules
from recognizer.scorer import Scorer

log = logging.getLogger(__name__)


class Learner(Scorer):
    """What `Recognizer` does in training; the network itself stands there.

    Any number of processes do what one would do with their batches joined: a step has the gradient of the joined batch.
    """

    def __init__(self) -> None:
        super().__init__()
        self._average: Average | None = None
        self._made: tuple[torch.optim.Optimizer, list[float]] | None = None
        self._before: dict[str, float] = {}  # rate and decay of the run that goes on
        self._restored: tuple[dict[str, Tensor], int] | None = None

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """This process's share of the loss of all processes' batches joined, in nats a label.

        Lightning takes the mean of the processes' gradients, so each divides its nats by the mean number of labels.
        Batches that are accumulated over several steps count alike, whatever labels they have. With a second output
        the loss is a mean of both (Caruana 1997, "Multitask Learning"), weighted with `sounds`.
        """
        return self._sum({name: self._share(name, *part) for name, part in self.parts(batch).items()})

    def alone(self, batch: Batch) -> Tensor:
        """The loss of `training_step` where no other process learns, and nothing is logged: for trials."""
        return self._sum({name: nats / labels.clamp_min(1) for name, (nats, labels) in self.parts(batch).items()})

    def _sum(self, found: dict[str, Tensor]) -> Tensor:
        """Of the shares of `parts`."""
        loss = self._mixed([found[name] for name in ("train_loss", "train_phones") if name in found])
        return loss + self.hparams["consistency"] * found["train_views"] if "train_views" in found else loss

    def _mixed(self, losses: Sequence[Tensor]) -> Tensor:
        """Those of both outputs, or the only one's."""
        return losses[0] if len(losses) == 1 else torch.lerp(losses[0], losses[1], self.hparams["sounds"])

    def parts(self, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """Of each output the loss and its labels, see `nats`, by the name that the log has for it.

        With `consistency` also how far two views of an utterance are apart, of both outputs mixed.

        Raises:
            ConfigError: there are no two views to be brought together.
        """
        if self.hparams["consistency"] and batch.views != 2:
            what = f"is {self.hparams['consistency']}, and a batch has one view of each utterance"
            raise ConfigError("model.consistency", what, "set data.views to 2")
        features, lengths = self.features(batch.frames, batch.lengths)
        written = [output.log_probs(features) for output, _ in self._outputs()]
        found = {"train_loss": self.nats(written[0], lengths, batch)}
        if self.spoken is not None:
            found["train_phones"] = self._sounds(written[1], lengths, batch)
        if self.hparams["consistency"]:
            real = torch.tensor([one != HOLLOW for one in batch.utterances], device=features.device)
            far = self._mixed([apart(log_probs, lengths) for log_probs in written])
            found["train_views"] = (far * real[: len(far)]).sum(), found["train_loss"][1]
        return found

    def _share(self, name: str, nats: Tensor, labels: Tensor) -> Tensor:
        both = self.trainer.strategy.reduce(torch.stack([nats.detach(), labels]), reduce_op="mean")
        labels = both[1].clamp_min(1 / self.trainer.world_size)
        self.log(name, both[0] / labels, batch_size=1, prog_bar=True, on_step=True, on_epoch=True)  # steps count alike
        return nats / labels

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """A step with gradients that are not finite is left out: no NaN reaches the weights."""
        gradients = [weight.grad for weight in self.parameters() if weight.grad is not None]
        if gradients and not bool(torch.nn.utils.get_total_norm(gradients).isfinite()):
            log.warning("step %d left out: its gradients are not finite", self.global_step)
            optimizer.zero_grad(set_to_none=True)

    def configure_optimizers(self) -> Any:
        """The optimiser and the schedule that the settings name."""
        optimizer = OPTIMISERS[self.hparams["optimiser"]](self, self.hparams["lr"], self.hparams["weight_decay"])
        self._made = optimizer, [group["weight_decay"] for group in optimizer.param_groups]
        total = self.trainer.estimated_stepping_batches
        return [optimizer], schedules(self.hparams["schedule"], optimizer, total, self.hparams["warmup"])

    # The average of the weights: it is validated, and saved as the model; those that learn are saved beside it.

    def on_fit_start(self) -> None:
        """Begin the average, or go on with the one of the run that is resumed."""
        self._look()
        if self.hparams["average"]:
            self._average = Average(dict(self.named_parameters()), self.hparams["average"])
            if self._restored is not None:
                self._average.restore(*self._restored)

    def on_train_start(self) -> None:
        """A run that goes on has the rate and the decay of the one before; these may be other ones now.

        An optimiser that a child of this class put in the place of ours is left alone.
        """
        if self._made and self._before and self.trainer.optimizers[:1] == [self._made[0]]:
            plans = [plan.scheduler for plan in self.trainer.lr_scheduler_configs]
            resuming.retune(*self._made, plans, self._before, self.hparams)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """A step, which also moves the average."""
        super().optimizer_step(*args, **kwargs)
        if self._average is not None:
            self._average.update()

    def on_validation_start(self) -> None:
        """Validate the average."""
        self._look()
        self._use(averaged=True)

    def on_validation_end(self) -> None:
        """Learn on; Lightning calls this after all checkpoints have been written."""
        self._use(averaged=self.trainer.state.fn != "fit")

    def on_train_end(self) -> None:
        """From here on the average is the model."""
        self._use(averaged=True)

    def _use(self, averaged: bool) -> None:
        if self._average is not None:
            self._average.swap(averaged)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The average goes where the model's weights are looked for; what only training needs, beside it.

        Batches accumulated since the last step count as never begun, as in `Corpus.state_dict`, and come again. An
        epoch that is left before its end, by `max_steps`, `max_time` or `stop`, is not behind us, as Lightning has it.
        """
        loops, whole = checkpoint["loops"]["fit_loop"], learnt(self.trainer)
        batches, epochs = loops["epoch_loop.batch_progress"], loops["epoch_progress"]
        if batches["current"]["processed"] > whole:
            for kind, count in batches["current"].items():
                batches["total"][kind] -= count - whole
                batches["current"][kind] = whole
        if whole < self.trainer.num_training_batches:
            for count in (epochs["total"], epochs["current"]):
                count["processed"] = count["completed"]
        if self._average is not None:
            averaged, learning = self._average.pair
            checkpoint["state_dict"] = {**checkpoint["state_dict"], **averaged}
            if "optimizer_states" in checkpoint:
                checkpoint["learning"] = {"weights": learning, "steps": self._average.steps}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """To train on, the weights that learn; to use the model, the average.

        Raises:
            CheckpointError: its outputs write other labels; or a run shall go on that was set otherwise.
        """
        kept = checkpoint["hyper_parameters"]
        resuming.readable(kept, self.hparams)
        if self._trainer is None or self._trainer.state.fn != "fit":
            return
        whole = frontends.build(kept["frontend"]).config()  # older checkpoints hold what was said of it only
        resuming.follows({**kept, "frontend": whole}, self.hparams)
        self._before = {name: kept[name] for name in ("lr", "weight_decay") if name in kept}
        if "learning" in checkpoint:
            learning = checkpoint["learning"]
            averaged = {name: checkpoint["state_dict"][name] for name in learning["weights"]}
            self._restored = (averaged, learning["steps"])
            checkpoint["state_dict"] = {**checkpoint["state_dict"], **learning["weights"]}

    def _report(self, name: str) -> dict[str, Tensor]:
        """As before; a rate that waits for a plateau is told."""
        rates = super()._report(name)
        if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking:
            for plan in self.trainer.lr_scheduler_configs:
                if isinstance(plan.scheduler, Halving):
                    plan.scheduler.heed(float(rates["cer"]))
        return rates
