"""What a step of learning is: single precision where it matters, batches that add up, gradients that are clipped."""

import logging

import pytest
import pytorch_lightning as lightning
import torch
from torch import nn

from recognizer.batch import Sample, collate
from recognizer.layers.base import Layer
from recognizer.manifest import Utterance
from recognizer.model import Recognizer
from recognizer.output import Output

pytestmark = pytest.mark.filterwarnings(  # what Lightning advises
    "ignore::lightning_fabric.utilities.warnings.PossibleUserWarning", "ignore:.*isinstance.treespec"
)

QUIET = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)


class Half(Layer):
    """Stands for layers that autocast runs in half precision, with which not every processor can run an LSTM."""

    reduction, size = 1, 16

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(16, 16)

    def forward(self, frames, lengths):
        return self.linear(frames), lengths


def network(**given):
    torch.manual_seed(1)
    letters = {"characters": ["a", "b"], "form": "NFC", "split": "character"}
    frontend = {"name": "speech", "bands": 16}
    stem = {"name": "stack", "reduction": 2}
    return Recognizer(letters, frontend, stem, depth=1, width=6, dropout=0.0, lr=0.01, warmup=0.0, **given)


def batch(*texts, seed=0):
    chance = torch.Generator().manual_seed(seed)
    rows = [
        Sample(
            torch.randn(14 + 5 * number, 16, generator=chance),
            torch.tensor([" ab".index(letter) for letter in text], dtype=torch.long),
            Utterance(f"{seed}-{number}", text),
        )
        for number, text in enumerate(texts)
    ]
    return collate(rows)


def join(*batches):
    """The batches' rows as one batch."""
    rows = []
    for one in batches:
        for row, utterance in enumerate(one.utterances):
            labels = one.labels[row, : one.label_lengths[row]]
            rows.append(Sample(one.frames[row, : one.lengths[row]], labels, utterance))
    return collate(rows)


def gradient(batch):
    """That of a batch at the weights of the beginning."""
    model = network().train()
    model.loss(*model(batch.frames, batch.lengths), batch).backward()
    return {name: weight.grad for name, weight in model.named_parameters()}


def step(*batches, consistency=0.0, **given):
    """How far one step of descent at rate 1 moves the weights: the gradient that the trainer arrives at."""
    model = network(consistency=consistency)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    model.configure_optimizers = lambda: torch.optim.SGD(model.parameters(), lr=1.0)
    trainer = lightning.Trainer(accelerator="cpu", max_epochs=1, **QUIET, **given)
    trainer.fit(model, torch.utils.data.DataLoader(list(batches), batch_size=None))
    assert trainer.global_step == 1
    return {name: before[name] - weight.detach() for name, weight in model.named_parameters()}


@pytest.mark.parametrize("stages", ["fit validate fit", "validate fit", "test fit validate"])
def test_validation_stands_anywhere_around_training_and_changes_nothing(stages):
    rows = torch.utils.data.DataLoader([batch("ab", "ba")], batch_size=None)

    def learnt(stages, **given):
        model = network()
        for stage in stages.split():
            trainer = lightning.Trainer(accelerator="cpu", max_epochs=2, **QUIET, **given)
            getattr(trainer, stage)(model, *([rows, rows] if stage == "fit" else [rows]))
        return dict(model.named_parameters())

    plain = learnt(" ".join(stage for stage in stages.split() if stage == "fit"), limit_val_batches=0)
    assert all(torch.equal(weight, plain[name]) for name, weight in learnt(stages).items())


def norm(gradients):
    return float(torch.nn.utils.get_total_norm(list(gradients.values())))


def test_probabilities_and_loss_are_of_single_precision_whatever_the_layers_are():
    model = network()
    model.stem, model.layers, model.linear = Half(), nn.ModuleList(), Output(16, 3)
    rows = batch("ab", "ba")
    with torch.autocast("cpu", torch.bfloat16):
        assert model.stem(rows.frames, rows.lengths)[0].dtype == torch.bfloat16
        log_probs, lengths = model(rows.frames, rows.lengths)
        nats, labels = model.nats(log_probs, lengths, rows)
    assert log_probs.dtype == nats.dtype == labels.dtype == torch.float32
    # bfloat16 has 8 bits: its probabilities would miss one by a hundredth.
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(log_probs.shape[:2]), atol=1e-6, rtol=0)
    assert torch.equal(nats, model.nats(log_probs, lengths, rows)[0])
    nats.backward()
    assert {weight.grad.dtype for weight in model.parameters()} == {torch.float32}


def test_accumulated_batches_with_as_many_labels_are_one_batch():
    """The loss is a mean over labels, in nats a label."""
    one, other = batch("ab", "a"), batch("b", "ba", "", seed=1)
    found, expected = step(one, other, accumulate_grad_batches=2), gradient(join(one, other))
    for name, wanted in expected.items():
        torch.testing.assert_close(found[name], wanted, atol=1e-6, rtol=1e-5)


def test_accumulated_batches_count_alike_whatever_labels_they_have():
    one, other = batch("abab", "ab"), batch("b", seed=1)
    found, first, second = step(one, other, accumulate_grad_batches=2), gradient(one), gradient(other)
    for name in found:
        torch.testing.assert_close(found[name], (first[name] + second[name]) / 2, atol=1e-6, rtol=1e-5)


def test_the_loss_of_an_epoch_is_the_mean_over_its_steps_however_many_rows_each_has():
    """They count alike in learning; by rows, one batch of many short or empty texts would stand for all."""
    batches = [batch("abab", "ab"), batch(*[""] * 30, seed=1)]
    model, seen = network(), []
    model.configure_optimizers = lambda: torch.optim.SGD(model.parameters(), lr=0.0)
    model.on_train_batch_end = lambda *_: seen.append(float(trainer.callback_metrics["train_loss_step"]))
    trainer = lightning.Trainer(accelerator="cpu", max_epochs=1, **QUIET)
    trainer.fit(model, torch.utils.data.DataLoader(batches, batch_size=None))
    assert seen[1] > 2 * seen[0]
    assert float(trainer.callback_metrics["train_loss_epoch"]) == pytest.approx(sum(seen) / 2)


@pytest.mark.parametrize("most", [0.05, 1e3])
def test_gradients_are_clipped_to_their_norm(most):
    rows = batch("ab", "ba")
    whole, found = gradient(rows), step(rows, gradient_clip_val=most)
    assert norm(found) == pytest.approx(min(most, norm(whole)), rel=1e-3)
    for name, wanted in whole.items():
        scaled = wanted * min(1.0, most / norm(whole))
        torch.testing.assert_close(found[name], scaled, atol=1e-6, rtol=1e-3)


def test_a_step_that_is_not_finite_is_left_out(caplog):
    rows = batch("ab")
    rows.frames[0, 3] = torch.nan
    with caplog.at_level(logging.WARNING):
        assert norm(step(rows)) == 0.0
    assert "step 0 left out: its gradients are not finite" in caplog.text
