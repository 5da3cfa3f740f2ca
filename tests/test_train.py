"""`train.py` as its users run it: it learns, it resumes, it survives Ctrl-C, it names mistakes."""

import csv
import math

import pytest
import tiny
import torch
from test_configs import data

from recognizer import samples
from recognizer.corpus import Corpus
from recognizer.model import Recognizer
from recognizer.train import main, train

SMALL = ["--model.depth=1", "--model.width=8", "--model.stem={name: stack, reduction: 2}", "--model.dropout=0"]
QUIET = ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]


@pytest.fixture
def flags(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = str(data(tmp_path, "speech"))
    sets = [f"--data.train={table}", f"--data.val={table}", "--data.frontend={name: speech, bands: 16}"]
    return ["--name=try", *sets, "--data.batch_most=1", *SMALL, *QUIET]


def test_a_run_leaves_checkpoints_logs_and_settings(flags, tmp_path, capsys):
    assert main([*flags, "--trainer.max_epochs=2"]) == 0
    folder = tmp_path / "runs" / "try" / "version_1"
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert (folder / "config.yaml").is_file() and list(folder.glob("events.out.tfevents.*"))
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name in ("train_loss_epoch", "val_loss", "val_cer", "val_wer", "val_mer", "val_wil", "val_blank"):
        found = [float(row[name]) for row in rows if row[name]]
        assert len(found) == 2 and all(map(math.isfinite, found)), name
    assert (
        Recognizer.load(folder / "checkpoints" / "best.ckpt").transcribe(str(tmp_path / "0.wav"))[0].unit == "seconds"
    )


def test_resuming_needs_nothing_else_and_ends_where_one_run_ends(flags, tmp_path, monkeypatch):
    whole = train([*flags, "--trainer.max_epochs=3"]).lightning_module

    def stop(self):
        if self.current_epoch == 1 and self.trainer.is_last_batch:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Recognizer, "on_train_batch_start", lambda self, batch, number: stop(self), raising=False)
        with pytest.raises(KeyboardInterrupt, match=r"last\.ckpt"):
            train([*flags, "--name=cut", "--trainer.max_epochs=3", "--last.save_on_exception=false"])
    resumed = train(["--resume", str(tmp_path / "runs" / "cut" / "version_1" / "checkpoints" / "last.ckpt")])
    assert resumed.current_epoch == 3 and resumed.log_dir.endswith("version_2")
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.lightning_module.state_dict()[name]), name


def test_interrupting_leaves_a_usable_checkpoint(flags, tmp_path, monkeypatch, capsys):
    def stop(self, batch, number):
        if self.global_step == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(Recognizer, "on_train_batch_start", stop, raising=False)
    assert main([*flags, "--trainer.max_epochs=9"]) == 130
    path = "runs/try/version_1/checkpoints/last.ckpt"
    assert capsys.readouterr().err.endswith(f"stopped; go on with --resume {path}\n")
    assert torch.load(path, weights_only=True)["global_step"] == 4
    Recognizer.load(path)


def test_without_arguments_it_learns_the_embedded_numbers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = data(tmp_path / "corpora" / "digits", "speech")
    for name in ("train", "val", "test"):
        (table.parent / f"{name}.tsv").write_text(table.read_text())
    made = []
    monkeypatch.setitem(samples.SAMPLES, "digits", made.append)
    trainer = train([*QUIET, "--trainer.fast_dev_run=true"])
    assert {path.as_posix() for path in made} == {"corpora/digits"}
    assert isinstance(trainer.datamodule, Corpus) and trainer.datamodule.hparams["sample"] == "digits"


@pytest.mark.parametrize(
    "wrong, message",
    [
        (["--model.widht=3"], "did you mean 'width'"),
        (["--dat.train=x"], "did you mean 'data'"),
        (["--config", "an5"], "did you mean 'an4'"),
        (["--model.width=wide"], "width"),
        (["--resume", "none.ckpt"], "none.ckpt: cannot be opened"),
        (["--resume"], "--resume: names no checkpoint"),
        (["--data.train=none.tsv"], "none.tsv: cannot be opened"),
        (["--model.layer=lstn"], "model.layer: unknown name 'lstn'"),
        (["--trainer.precision=bf16-mixed"], "trainer.precision: bf16-mixed needs"),
    ],
)
def test_mistakes_are_named_in_one_line(flags, capsys, monkeypatch, wrong, message):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert main([*flags, *wrong]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("error: ") and message in said[-1]


def test_a_run_can_begin_with_the_weights_of_another(flags, tmp_path, caplog):
    first = train([*flags, "--trainer.max_epochs=1"])
    path = tmp_path / first.log_dir / "checkpoints" / "best.ckpt"
    again = train([*flags, "--trainer.max_epochs=1", f"--from={path}", "--trainer.limit_train_batches=0"])
    for name, weight in Recognizer.load(path).state_dict().items():
        assert torch.equal(weight, again.lightning_module.state_dict()[name]), name


def test_weights_alone_cannot_be_resumed(tmp_path, capsys):
    path = tiny.checkpoint(tmp_path / "best.ckpt")
    assert main(["--resume", str(path)]) == 2
    assert "holds weights only" in capsys.readouterr().err
