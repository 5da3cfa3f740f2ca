"""A network that writes log-probabilities -> its loss on batches, and how it is scored, as a LightningModule.

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

from recognizer import reading
from recognizer.alphabet import BLANK, Alphabet
from recognizer.batch import HOLLOW, Batch, needed, pad
from recognizer.calibration import Calibration
from recognizer.decoders import Greedy
from recognizer.errors import ConfigError
from recognizer.frontends import Frontend
from recognizer.lengths import inside
from recognizer.metrics import ErrorRates, Ratio, Verdicts
from recognizer.output import Output
from recognizer.pronunciations import Pronunciations
from recognizer.transcript import Word

log = logging.getLogger(__name__)


class Scorer(lightning.LightningModule, abc.ABC):
    """What `Recognizer` does in validation; the network itself stands there, and how it learns in `Learner`.

    Any number of processes find the loss and the error rates that one would find.
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

    # Loss

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

    def _report(self, name: str) -> dict[str, Tensor]:
        """Log what was counted, begin anew, and return the error rates."""
        rates = self.rates.compute()
        found = rates | {"loss": self.losses.compute(), "blank": self.blanks.compute()}
        found |= {"phones": self.sounds.compute()} if self.spoken is not None else {}
        # Summed over processes already; to take their mean changes nothing, and Lightning asks for it.
        self.log_dict({f"{name}_{key}": rate for key, rate in found.items()}, prog_bar=True, sync_dist=True)
        with torch.inference_mode(False):  # else what they begin with could not be counted up in training
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
        return rates
