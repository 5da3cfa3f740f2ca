"""Two views of an utterance, and how far what the network makes of them is apart."""

import dataclasses

import pytest
import torch
from test_learner import batch, join, network, step

from recognizer.agreement import apart
from recognizer.errors import ConfigError

pytestmark = pytest.mark.filterwarnings(  # what Lightning advises
    "ignore::lightning_fabric.utilities.warnings.PossibleUserWarning", "ignore:.*isinstance.treespec"
)


def twice(rows):
    """A batch in which each utterance comes twice, the second time in a noise."""
    both = join(rows, rows)
    both.frames[len(rows) :] += 0.5 * torch.randn(both.frames[len(rows) :].shape)
    return dataclasses.replace(both, views=2)


def test_against_a_loop_over_frames_and_labels():
    rows, lengths = torch.randn(4, 6, 3).log_softmax(-1), torch.tensor([6, 2, 6, 2])
    expected = torch.zeros(2)
    for row in range(2):
        for t in range(int(lengths[row])):
            for one, other in ((rows[row, t], rows[row + 2, t]), (rows[row + 2, t], rows[row, t])):
                expected[row] += sum(float(one[k].exp() * (one[k] - other[k])) for k in range(3))
    torch.testing.assert_close(apart(rows, lengths), expected)


def test_equal_views_are_not_apart_and_the_aim_has_no_gradient():
    rows = torch.randn(1, 5, 3)
    both = torch.cat([rows, rows]).log_softmax(-1).requires_grad_()
    found = apart(both, torch.tensor([5, 5]))
    assert torch.equal(found, torch.zeros(1))
    other = torch.randn(1, 5, 3).log_softmax(-1).requires_grad_()
    apart(torch.cat([rows.log_softmax(-1), other]), torch.tensor([5, 5])).sum().backward()
    # d D(a || b) / d ln b = -a, where a is fixed; D(b || a) adds nothing, for there b is.
    torch.testing.assert_close(other.grad, -rows.softmax(-1))


def test_a_step_brings_the_views_together():
    torch.manual_seed(2)
    rows = twice(batch("ab", "b"))
    model = network(consistency=0.5)
    parts = model.parts(rows)
    (nats, labels), (far, same) = parts["train_loss"], parts["train_views"]
    assert labels == same == 6
    log_probs, lengths = model(rows.frames, rows.lengths)
    torch.testing.assert_close(nats, model.nats(log_probs, lengths, rows)[0])
    torch.testing.assert_close(far, apart(log_probs, lengths).sum())
    (nats / labels + 0.5 * far / same).backward()
    expected = {name: weight.grad for name, weight in model.named_parameters()}
    for name, moved in step(rows, consistency=0.5).items():
        torch.testing.assert_close(moved, expected[name], atol=1e-6, rtol=1e-4)


def test_one_view_is_refused():
    model = network(consistency=0.2)
    with pytest.raises(ConfigError, match=r"data\.views"):
        model.parts(batch("ab"))


def test_views_stay_where_a_batch_goes():
    rows = dataclasses.replace(batch("a", "b"), views=2)
    assert rows.to("cpu").views == 2 and rows.to("cpu").utterances == rows.utterances
