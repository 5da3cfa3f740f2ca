"""An output knows how often it has each label in mind, and a beam takes that away before it searches."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import pytest
import tiny
import torch
from torch.utils.data import DataLoader

from recognizer import calibrate, manifest
from recognizer.batch import HOLLOW, Sample, collate
from recognizer.decoders import Beam
from recognizer.errors import ConfigError
from recognizer.manifest import Utterance
from recognizer.model import Recognizer
from recognizer.network import Network
from recognizer.output import LEAST, Output

LABELS = ["", " ", "a", "b"]
PRIOR = [-0.2, -3.0, -2.0, -5.0]


def matrices(rows: int = 8, frames: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    noise = torch.randn(rows, frames, len(LABELS), generator=torch.Generator().manual_seed(2))
    return (2 * noise).log_softmax(-1), torch.arange(rows) + frames - rows + 1


def test_a_fresh_output_has_all_labels_equally_in_mind_and_learns_their_means() -> None:
    torch.manual_seed(0)
    output = Output(5, 4)
    assert output.prior.exp().tolist() == pytest.approx([0.25] * 4)
    probs = output.log_probs(torch.randn(3, 7, 5).half().float())
    assert probs.shape == (3, 7, 4) and torch.allclose(probs.exp().sum(-1), torch.ones(3, 7))
    output.learn(torch.tensor([0.7, 0.3, 0.0, 0.0]))
    assert output.prior.exp().tolist() == pytest.approx([0.7, 0.3, LEAST, LEAST], rel=1e-4)
    output.learn(torch.zeros(4))
    assert output.prior.exp().tolist() == pytest.approx([0.25] * 4)


def test_a_beam_searches_the_divided_matrix() -> None:
    log_probs, lengths = matrices()
    share = 0.6
    divided = Beam(LABELS, width=8, nbest=3, prior=PRIOR, prior_weight=share).decode(log_probs, lengths)
    ratios = log_probs.exp() / torch.tensor(PRIOR).exp() ** share
    expected = Beam(LABELS, width=8, nbest=3).decode((ratios / ratios.sum(-1, keepdim=True)).log(), lengths)
    for ours, theirs in zip(divided, expected, strict=True):
        assert [one.labels for one in ours] == [one.labels for one in theirs]
        assert [one.score for one in ours] == pytest.approx([one.score for one in theirs], abs=1e-4)
    plain = Beam(LABELS, width=8, nbest=3).decode(log_probs, lengths)
    assert divided != plain
    assert Beam(LABELS, width=8, nbest=3, prior=PRIOR).decode(log_probs, lengths) == plain  # no language model: whole
    alike = Beam(LABELS, width=8, prior=[-7.0] * 4, prior_weight=3.0).decode(log_probs, lengths)
    assert [row[0].labels for row in alike] == [row[0].labels for row in plain]


@pytest.mark.parametrize(
    "wrong",
    [{"prior": PRIOR[:3]}, {"prior": [*PRIOR[:3], -math.inf]}, {"prior_weight": -0.1}, {"prior_weight": math.nan}],
)
def test_what_is_no_prior_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"^prior"):
        Beam(LABELS, **wrong)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*`isinstance")
def test_validation_learns_the_prior_and_so_does_calibrating(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from pytorch_lightning import Trainer

    path = tiny.checkpoint(tmp_path / "tiny.ckpt")
    model = Recognizer.load(path)
    kept = [Utterance(str(tiny.sound(tmp_path / f"{n}.wav", 0.2 + 0.1 * n, seed=n)), "ab") for n in range(3)]
    frames = [model.frontend.frames(model.frontend.read(one.path)) for one in kept]
    labels = torch.tensor(model.alphabet.encode("ab"))
    samples = [Sample(row, labels, one) for row, one in zip(frames, kept, strict=True)]
    hollow = Sample(torch.randn(50, model.frontend.size), torch.zeros(0, dtype=torch.long), HOLLOW)
    loader = DataLoader([collate([*samples[:2], hollow]), collate(samples[2:])], batch_size=None)
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    trainer.validate(model, loader, verbose=False)
    chances = torch.cat([model.infer([one])[0][0] for one in frames]).exp()
    assert model.linear.prior.tolist() == pytest.approx(chances.mean(0).log().tolist(), abs=1e-4)

    manifest.write(tmp_path / "val.tsv", [*kept, Utterance("lost.wav", "a")])
    before = torch.load(path, weights_only=True)["state_dict"]
    with caplog.at_level(logging.INFO):
        assert calibrate.main([str(path), str(tmp_path / "val.tsv")]) == 0
    assert "lost.wav" in caplog.text
    after = Network.load(path)
    assert torch.allclose(after.linear.prior, model.linear.prior, atol=1e-4)
    assert not torch.allclose(after.linear.prior, before["linear.prior"])
    _, beam = after.beam(prior_weight=1.0)
    assert beam.prior is not None and torch.equal(beam.prior, after.linear.prior)


def test_a_checkpoint_from_before_there_was_a_prior_has_none(tmp_path: Path) -> None:
    path = tiny.checkpoint(tmp_path / "tiny.ckpt")
    kept = torch.load(path, weights_only=True)
    del kept["state_dict"]["linear.prior"]
    torch.save(kept, path)
    prior = Network.load(path).linear.prior
    assert torch.equal(prior, prior[:1].expand_as(prior))
