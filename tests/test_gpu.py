"""What holds on a processor holds on a GPU, too; left out where there is none."""

import csv
import math

import pytest
import tiny
import torch
from test_configs import data
from test_train import SMALL

from recognizer import transcribe
from recognizer.agreement import apart
from recognizer.batch import Sample, collate
from recognizer.layers import LAYERS, STEMS
from recognizer.manifest import Utterance
from recognizer.model import Recognizer
from recognizer.train import train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
QUIET = ["--trainer.accelerator=gpu", "--trainer.devices=1"]
QUIET += ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]


@pytest.fixture(autouse=True)
def _exact():
    """No product in less than float32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def made(kind, device, **given):
    torch.manual_seed(1)
    if kind in STEMS:
        return STEMS[kind](inputs=16, **given).to(device).eval()
    return LAYERS[kind](inputs=16, width=24, **given).to(device).eval()


@pytest.mark.parametrize("kind", [*STEMS, *LAYERS])
def test_answers_and_gradients_are_those_of_a_processor(kind):
    frames, lengths = torch.randn(4, 37, 16), torch.tensor([37, 30, 8, 1])
    found = []
    for device in ("cpu", "cuda"):
        layer = made(kind, device)
        given = frames.clone().to(device).requires_grad_()
        layer.train()
        out, _ = layer(given, lengths.to(device))
        out.square().sum().backward()
        found.append((out.detach().cpu(), given.grad.cpu()))
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", [*STEMS, *LAYERS])
def test_padding_never_changes_an_answer(kind):
    layer = made(kind, "cuda")
    rows = [torch.randn(size, 16, device="cuda") for size in (41, 23, 9)]
    lengths = torch.tensor([41, 23, 9], device="cuda")
    with torch.no_grad():
        together, sizes = layer(torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), lengths)
        for row, alone in enumerate(rows):
            out, _ = layer(alone[None], lengths[row : row + 1])
            torch.testing.assert_close(together[row, : sizes[row]], out[0], rtol=1e-5, atol=1e-5)


def test_both_losses_are_those_of_a_processor():
    letters = {"characters": [" ", "a", "b"], "form": "NFC", "split": "character"}
    found = []
    rows = [
        Sample(torch.randn(20 + size, 16), torch.tensor([1, 2, 2, 3][:size]), Utterance("x", "y")) for size in range(5)
    ]
    for device in ("cpu", "cuda"):
        torch.manual_seed(1)
        model = Recognizer(letters, {"name": "speech", "bands": 16}, depth=1, width=6, dropout=0.0).to(device)
        batch = collate([*rows, *reversed(rows)], 2).to(device)
        log_probs, lengths = model(batch.frames, batch.lengths)
        values = model.loss(log_probs, lengths, batch), apart(log_probs, lengths).sum()
        sum(values).backward()
        found.append((*(value.detach().cpu() for value in values), model.linear.weight.grad.cpu()))
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-4)


@pytest.fixture
def flags(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = str(data(tmp_path, "speech"))
    sets = [f"--data.train={table}", f"--data.val={table}", "--data.frontend={name: speech, bands: 16}"]
    return ["--name=try", *sets, "--data.batch_most=1", "--data.workers=0", "--data.augment=null", *SMALL, *QUIET]


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_it_learns_in_each_precision_and_the_model_is_used_without_a_gpu(flags, tmp_path, precision, optimiser):
    more = [f"--trainer.precision={precision}", f"--model.optimiser={optimiser}", "--model.lr=0.02"]
    train([*flags, *more, "--trainer.max_epochs=12", "--data.vary=false", "--model.average=0.5"])
    folder = tmp_path / "runs/try/version_1"
    with (folder / "metrics.csv").open() as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file) if row["val_loss"]]
    assert all(map(math.isfinite, losses)) and losses[-1] < 0.7 * losses[0]
    path = folder / "checkpoints/best.ckpt"
    weights = torch.load(path, weights_only=True)["state_dict"]
    assert all(weight.dtype == torch.float32 for weight in weights.values() if weight.is_floating_point())
    assert Recognizer.load(path).transcribe(str(tmp_path / "0.wav"))


def test_the_same_seed_gives_the_same_weights_where_that_is_asked_for(flags):
    more = ["--trainer.deterministic=true", "--trainer.max_epochs=2", "--trainer.precision=bf16-mixed"]
    try:
        first, second = (train([*flags, *more]).lightning_module.state_dict() for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(False)
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name


def test_the_budget_finder_stays_within_the_memory(flags, capsys):
    share = 2**30 / torch.cuda.mem_get_info()[1]
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        train([*flags, "--data.batch_most=100000", "--find_budget=true"])
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "--data.batch_frames" in capsys.readouterr().out


def test_a_gpu_reads_what_a_processor_reads(tmp_path, capsys):
    path, sound = tiny.checkpoint(tmp_path / "m.ckpt"), str(tiny.sound(tmp_path / "a.wav", seconds=3))
    said = []
    for device in ("cpu", "cuda"):
        assert transcribe.main([sound, "--model", str(path), "--device", device]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
