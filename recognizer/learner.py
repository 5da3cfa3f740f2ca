"""A network that writes log-probabilities -> how it learns from batches and is scored, as a LightningModule.

B batch, T' frames of the network's output, A labels with the blank as label 0.
"""

from __future__ import annotations

import abc
import itertools
import logging
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from recognizer import frontends, reading, resuming
from recognizer.agreement import apart
from recognizer.alphabet import BLANK, Alphabet
from recognizer.average import Average
from recognizer.batch import HOLLOW, Batch, needed, pad
from recognizer.calibration import Calibration
from recognizer.decoders import Greedy
from recognizer.errors import ConfigError
from recognizer.frontends import Frontend
from recognizer.lengths import inside
from recognizer.metrics import ErrorRates, Ratio, Verdicts
from recognizer.optimiser import OPTIMISERS
from recognizer.output import Output
from recognizer.pronunciations import Pronunciations
from recognizer.schedule import Halving, schedules
from recognizer.transcript import Word

log = logging.getLogger(__name__)


class Learner(lightning.LightningModule, abc.ABC):
    """What `Recognizer` does in training and validation; the network itself stands there.

    Any number of processes do what one would do with their batches joined: a step has the gradient of the joined batch,
    and an epoch its loss and its error rates.
    """

    frontend: Frontend[Any]
    alphabet: Alphabet
    calibration: Calibration
    greedy: Greedy
    linear: Output
    spoken: Output | None
    phones: tuple[str, ...]

    @property
    @abc.abstractmethod
    def labels(self) -> tuple[str, ...]:
        """What each label of the first output writes."""

    def __init__(self) -> None:
        super().__init__()
        self.rates, self.verdicts = ErrorRates(), Verdicts()
        self.losses, self.blanks, self.sounds = Ratio(), Ratio(), Ratio()
        self.written, self.heard = Ratio(), Ratio()  # the mean probability of each label
        self._average: Average | None = None
        self._restored: tuple[dict[str, Tensor], int] | None = None
        self._told: set[str] = set()
        self._shown: list[tuple[str, str]] = []
        self._pronunciations: Pronunciations | None = None

    @property
    @abc.abstractmethod
    def reduction(self) -> int:
        """Frames that go into one step of the network's output."""

    @abc.abstractmethod
    def infer(self, rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Frames [T_b, F] of several files -> log-probabilities [B, T', A] and lengths [B]."""

    @abc.abstractmethod
    def features(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, F], [B] -> what the outputs read, [B, T', D], [B]."""

    # Training

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """This process's share of the loss of all processes' batches joined, in nats a label.

        Lightning takes the mean of the processes' gradients, so each divides its nats by the mean number of labels.
        Batches that are accumulated over several steps count alike, whatever labels they have. With a second output
        the loss is a mean of both (Caruana 1997, "Multitask Learning"), weighted with `sounds`.
        """
        return self._sum({name: self._share(name, *part, len(batch)) for name, part in self.parts(batch).items()})

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

    def _share(self, name: str, nats: Tensor, labels: Tensor, rows: int) -> Tensor:
        both = self.trainer.strategy.reduce(torch.stack([nats.detach(), labels]), reduce_op="mean")
        labels = both[1].clamp_min(1 / self.trainer.world_size)
        self.log(name, both[0] / labels, batch_size=rows, prog_bar=True, on_step=True, on_epoch=True)
        return nats / labels

    def _sounds(self, log_probs: Tensor, lengths: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """As `nats`, of the phones of the texts all of whose words are listed; the others take no part."""
        assert self._pronunciations is not None, "`on_fit_start` and `on_validation_start` look for them"
        spoken = [self._pronunciations.encode(utterance.text or "") for utterance in batch.utterances]
        device, each = log_probs.device, zip(batch.utterances, spoken, strict=True)
        labels = pad([torch.tensor(one or [], dtype=torch.long) for one in spoken]).to(device)
        sizes = torch.tensor([len(one or []) for one in spoken], device=device)
        known = [HOLLOW if one is None else utterance for utterance, one in each]
        told = Batch(batch.frames, batch.lengths, labels, sizes, known)
        return self.nats(log_probs, lengths, told)

    def _look(self) -> None:
        """Find the pronouncing dictionary for the second output, if there is one."""
        if self.spoken is not None:
            self.listen(getattr(self.trainer.datamodule, "pronunciations", None))  # type: ignore[attr-defined]

    def listen(self, pronunciations: Pronunciations | None) -> None:
        """Learn the second output, if there is one, by this dictionary.

        Raises:
            ConfigError: there is no dictionary, or it has other phones.
        """
        if self.spoken is None:
            return
        self._pronunciations = pronunciations
        phones = self._pronunciations.phones if self._pronunciations else ()
        if phones != self.phones:
            found = f"has {len(self.phones)} phones, and the dictionary {len(phones)}, or others"
            raise ConfigError("model.phones", found, "set data.pronunciations to the dictionary it has learnt")

    def loss(self, log_probs: Tensor, lengths: Tensor, batch: Batch) -> Tensor:
        """CTC loss in nats a label, see `nats`."""
        nats, labels = self.nats(log_probs, lengths, batch)
        return nats / labels.clamp_min(1)

    def nats(self, log_probs: Tensor, lengths: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """CTC loss (Graves et al. 2006, eq. 12) of log-probabilities [B, T', A], and how many labels it is the loss of.

        Only of rows whose text fits into their frames; the others are named once in the log and take no part.
        """
        least = needed(batch.labels, batch.label_lengths)
        fits = least <= lengths
        if not bool(fits.all()):
            self._tell(batch, fits, lengths, least)
        counted = fits & torch.tensor([one != HOLLOW for one in batch.utterances], device=fits.device)
        # CUDA's loss has no gradient that is the same each time; where that is asked for, the processor works it out.
        exact = torch.are_deterministic_algorithms_enabled() and log_probs.is_cuda
        given = (log_probs.transpose(0, 1), batch.labels, lengths, batch.label_lengths)
        scores, labels, times, sizes = (tensor.cpu() for tensor in given) if exact else given
        losses = nn.functional.ctc_loss(
            scores, labels, times, sizes, blank=BLANK, reduction="none", zero_infinity=True
        ).to(log_probs.device)
        return torch.where(counted, losses, 0.0).sum(), (batch.label_lengths * counted).sum().to(losses.dtype)

    def _tell(self, batch: Batch, fits: Tensor, lengths: Tensor, least: Tensor) -> None:
        for row in (~fits).nonzero().flatten().tolist():
            path = batch.utterances[row].path
            if path not in self._told:
                self._told.add(path)
                log.warning(
                    "%s: left out: its text needs %d steps of the network and it has %d (%d frames / %d);"
                    " check the text, or shorten time less in the stem",
                    path, int(least[row]), int(lengths[row]), int(batch.lengths[row]), self.reduction,
                )  # fmt: skip

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """A step with gradients that are not finite is left out: no NaN reaches the weights."""
        gradients = [weight.grad for weight in self.parameters() if weight.grad is not None]
        if gradients and not bool(torch.nn.utils.get_total_norm(gradients).isfinite()):
            log.warning("step %d left out: its gradients are not finite", self.global_step)
            optimizer.zero_grad(set_to_none=True)

    def configure_optimizers(self) -> Any:
        """The optimiser and the schedule that the settings name."""
        optimizer = OPTIMISERS[self.hparams["optimiser"]](self, self.hparams["lr"], self.hparams["weight_decay"])
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
        """The average goes where the model's weights are looked for; what only training needs, beside it."""
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
        if "learning" in checkpoint:
            learning = checkpoint["learning"]
            averaged = {name: checkpoint["state_dict"][name] for name in learning["weights"]}
            self._restored = (averaged, learning["steps"])
            checkpoint["state_dict"] = {**checkpoint["state_dict"], **learning["weights"]}

    # Validation

    def validation_step(self, batch: Batch, _: int) -> None:
        """Loss, error rates of the greedy reading, and the share of frames that are blank."""
        self._score(batch)

    def test_step(self, batch: Batch, _: int) -> None:
        """As validation."""
        self._score(batch)

    def answers(self, log_probs: Tensor, lengths: Tensor) -> list[tuple[list[Word], float]]:
        """The greedy reading of log-probabilities [B, T', A]: each row's words, and how sure it is."""
        steps = list(itertools.pairwise(map(float, range(log_probs.shape[1] + 1))))
        return [reading.judged(self, row, steps) for row in self.greedy.decode(log_probs, lengths)]

    def _score(self, batch: Batch) -> None:
        features, lengths = self.features(batch.frames, batch.lengths)
        log_probs = self.linear.log_probs(features)
        real = [row for row, utterance in enumerate(batch.utterances) if utterance != HOLLOW]
        answers = self.answers(log_probs, lengths)
        answers = [answers[row] for row in real]
        texts = [" ".join(word.text for word in words) for words, _ in answers]
        references = [self.alphabet.normalise(batch.utterances[row].text or "") for row in real]
        self.rates.update(references, texts)
        self.verdicts.update(references, answers)
        if real and len(self._shown) < self.hparams["shown"]:
            self._shown.append((references[0], texts[0]))
        frames = inside(lengths, log_probs.shape[1])[real]
        blank = (log_probs.argmax(-1) == BLANK)[real][frames]
        for output, mean in self._outputs():
            chances = output.log_probs(features[real][frames]).exp()
            mean.update(chances.sum(0), len(chances))
        self.losses.update(*self.nats(log_probs, lengths, batch))
        if self.spoken is not None:
            self.sounds.update(*self._sounds(self.spoken.log_probs(features), lengths, batch))
        self.blanks.update(blank.sum(), blank.numel())

    def _outputs(self) -> list[tuple[Output, Ratio]]:
        return [(self.linear, self.written), *([(self.spoken, self.heard)] if self.spoken is not None else [])]

    def on_validation_epoch_end(self) -> None:
        """Log the epoch's error rates, show a few texts, and fit the calibration and the priors to it."""
        words, texts = self.verdicts.compute()
        if not self.trainer.sanity_checking:
            self.calibration.fit(words.cpu(), texts.cpu())
            for output, mean in self._outputs():
                output.learn(mean.compute())
        self._report("val")

    def on_test_epoch_end(self) -> None:
        """As validation."""
        self._report("test")

    def _report(self, name: str) -> None:
        rates = self.rates.compute()
        if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking:
            for plan in self.trainer.lr_scheduler_configs:
                if isinstance(plan.scheduler, Halving):
                    plan.scheduler.heed(float(rates["cer"]))
        found = rates | {"loss": self.losses.compute(), "blank": self.blanks.compute()}
        found |= {"phones": self.sounds.compute()} if self.spoken is not None else {}
        # Summed over processes already; to take their mean changes nothing, and Lightning asks for it.
        self.log_dict({f"{name}_{key}": rate for key, rate in found.items()}, prog_bar=True, sync_dist=True)
        for metric in (self.rates, self.verdicts, self.losses, self.blanks, self.sounds, self.written, self.heard):
            metric.reset()
        lines = [f"    text {reference}\n    read {text}" for reference, text in self._shown]
        self._shown.clear()
        if lines and self.trainer.is_global_zero and not self.trainer.sanity_checking:
            log.info("after step %d:\n%s", self.global_step, "\n".join(lines))
            for logger in self.loggers:
                add = getattr(getattr(logger, "experiment", None), "add_text", None)
                if callable(add):
                    add(f"{name}_texts", "\n\n".join(lines), self.global_step)
