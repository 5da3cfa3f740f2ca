"""`train.py` as its users run it: it learns, it resumes, it survives Ctrl-C, it names mistakes."""

import csv
import math

import pytest
import tiny
import torch
from pytorch_lightning.plugins.environments import SLURMEnvironment
from test_configs import data

from recognizer import manifest, samples
from recognizer.corpus import Corpus
from recognizer.flags import LOGGED
from recognizer.manifest import Utterance
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
    more = {"val_phones", "train_phones_epoch", "train_views_epoch"}  # of a second output and a second view
    assert {name for name in rows[0] if name.startswith(("val_", "train_")) and "_step" not in name} == LOGGED - more
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
        (["--trainer.precision=bf16-mixed"], "trainer.precision: bf16-mixed needs a processor with AVX-512"),
        (["--trainer.precision=16-mixed"], "trainer.precision: 16-mixed needs a GPU"),
        (["--trainer.precision=64-true"], "trainer.precision: is 64-true, and weights are learnt in single precision"),
        (["--trainer.precision=bf16-true"], "trainer.precision: is bf16-true, and"),
        (["--trainer.precision=16-true"], "use 32-true, bf16-mixed or 16-mixed"),
        (["--trainer.overfit_batches=1"], "use --overfit true"),
        (["--trainer.enable_checkpointing=false"], "trainer.enable_checkpointing: is false, and a run is kept in its"),
        (["--trainer.barebones=true"], "trainer.barebones: is true"),
        (["--best.monitor=val_phones"], "best.monitor: is 'val_phones', and nothing of that name is logged; "),
        (["--best.monitor=null"], "best.monitor: is None, and nothing of that name is logged"),
        (
            ["--stop.monitor=train_loss_epoch"],
            "stop.monitor: is 'train_loss_epoch', and nothing of that name",
        ),
        (["--best.save_top_k=2"], "best.save_top_k: is 2, and each would be called best.ckpt"),
        (["--best.save_top_k=-1"], "best.save_top_k: is -1"),
        (["--resume", "none.ckpt", "--from=speech"], "--from: stands beside --resume"),
        (["--data.train=", "--data.sample=digits"], "data.sample: is 'digits', which has parts of its own, beside val"),
        (["--model.stem={name: conv1d, kernel: 4}"], "does not build (kernel is 4, and must be odd)"),
        (["--best.monitor=val_ceer"], "best.monitor: is 'val_ceer', and nothing of that name is logged; did you mean"),
        (["--stop.monitor=speed"], "stop.monitor: is 'speed', and nothing of that name is logged; choose one of"),
        (["--trainer.accelerator=gpu"], "trainer.accelerator: is gpu, and torch finds none"),
        (["--trainer.accumulate_grad_batches=0"], "trainer.accumulate_grad_batches: is 0; use at least 1"),
        (["--trainer.check_val_every_n_epoch=0"], "trainer.check_val_every_n_epoch: is 0"),
        (["--trainer.val_check_interval=99"], "trainer.val_check_interval: is 99, and an epoch has 3 batches"),
        (["--trainer.accelerator=foo"], "trainer.accelerator: is foo, and Lightning says"),
        (["--name=../0.wav/x"], "--name: "),
        (["--model.projection=-1"], "model.projection: is -1"),
        (["--trainer.devices=-7"], "trainer.devices: is -7, and Lightning says"),
        (["--trainer.strategy=nope"], "trainer.strategy: is nope, and Lightning says"),
        (["--trainer.max_time=abc"], "trainer.max_time: is abc, and Lightning says"),
        (["--trainer.limit_train_batches=1.5"], "trainer.limit_train_batches: is 1.5"),
        (["--stop.mode=most"], "got most; see --help"),
        (["--seed=-1"], "--seed: is -1; use a number from 0"),
        (["--data.workers=-1"], "data.workers: is -1"),
        (["--data.weights=[0.01]"], "data.weights: is [0.01], by which no utterance comes"),
        (["--model.warmup=5"], "model.warmup: is 5.0; use a share"),
    ],
)
def test_mistakes_are_named_in_one_line(flags, capsys, monkeypatch, wrong, message):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert main([*flags, *wrong]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("error: ") and message in said[-1]


def test_without_a_front_end_it_reads_speech(flags):
    trainer = train([*(flag for flag in flags if "frontend" not in flag), "--trainer.fast_dev_run=true"])
    assert trainer.lightning_module.frontend.name == trainer.datamodule.frames.name == "speech"


def test_our_own_errors_keep_their_traceback(flags, monkeypatch):
    """Only what Lightning says while it makes the trainer is a flag's fault; a ValueError in a step is ours."""

    def fail(self, *_):
        raise ValueError("a bug")

    monkeypatch.setattr(Recognizer, "training_step", fail)
    with pytest.raises(ValueError, match="a bug"):
        main([*flags, "--trainer.max_epochs=1"])


@pytest.mark.parametrize(
    "changed, message",
    [
        ("--model.width=9", "model.width is 9, and in the checkpoint 8; leave it out, or begin a new run"),
        ("--model.layer=lookahead", "model.layer is lookahead, and in the checkpoint blstm"),
        ("--data.frontend={name: speech, bands: 20}", "data.frontend.bands is 20, and in the checkpoint 16"),
        ("--data.frontend={name: speech, bands: 16, floor: 40}", "data.frontend.floor is 40, and in the checkpoint"),
        ("--model.optimiser=muon", "model.optimiser is muon, and in the checkpoint adamw"),
        ("--model.schedule=cosine", "model.schedule is cosine, and in the checkpoint plateau"),
    ],
)
def test_a_run_goes_on_with_the_network_it_has(flags, capsys, changed, message):
    first = train([*flags, "--model.schedule=plateau", "--trainer.max_epochs=1"])
    path = f"{first.log_dir}/checkpoints/last.ckpt"
    assert main(["--resume", path, "--trainer.max_epochs=2", changed]) == 2
    assert f"error: --resume: {message}" in capsys.readouterr().err.splitlines()[-1]


def test_a_checkpoint_keeps_all_settings_of_its_front_end(flags):
    """So that a release with other defaults reads the same."""
    first = train([*flags, "--trainer.max_epochs=1"])
    kept = torch.load(f"{first.log_dir}/checkpoints/last.ckpt", weights_only=True)["hyper_parameters"]
    assert kept["frontend"] == first.datamodule.frames.config()


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "NO AVX", "AVX2"), reason="refused there, as tested above"
)
def test_half_precision_learns_where_the_processor_can(flags):
    trainer = train([*flags, "--trainer.precision=bf16-mixed", "--trainer.max_epochs=1"])
    assert trainer.global_step > 0 and torch.isfinite(trainer.callback_metrics["train_loss"])
    assert {weight.dtype for weight in trainer.lightning_module.parameters()} == {torch.float32}
    assert all(weight.isfinite().all() for weight in trainer.lightning_module.parameters())


def test_a_run_can_begin_with_the_weights_of_another(flags, tmp_path, caplog):
    first = train([*flags, "--trainer.max_epochs=1"])
    path = tmp_path / first.log_dir / "checkpoints" / "best.ckpt"
    again = train([*flags, "--trainer.max_epochs=1", f"--from={path}", "--trainer.limit_train_batches=0"])
    for name, weight in Recognizer.load(path).state_dict().items():
        assert torch.equal(weight, again.lightning_module.state_dict()[name]), name


@pytest.mark.parametrize("way", ["flag", "yaml"])
def test_a_run_begun_with_another_has_its_shape_and_front_end(flags, tmp_path, way):
    shape = [
        "--model.width=6",
        "--model.depth=2",
        "--data.form=NFD",
        "--data.frontend={name: speech, bands: 16, prior: 1}",
    ]
    first = train([*flags, *shape, "--trainer.max_epochs=1"])
    path = tmp_path / first.log_dir / "checkpoints" / "best.ckpt"
    (tmp_path / "more.yaml").write_text(f"from: {path}\n" if way == "yaml" else "name: more\n", encoding="utf-8")
    given = [
        "--config=more.yaml",
        *([] if way == "yaml" else [f"--from={path}"]),
        *(flag for flag in flags if "model" not in flag),
    ]
    more = train([*given, "--data.frontend={name: speech, floor: 50}", "--trainer.max_epochs=1"])
    old, new = first.lightning_module, more.lightning_module
    assert {name: weight.shape for name, weight in new.state_dict().items()} == {
        name: weight.shape for name, weight in old.state_dict().items()
    }
    assert new.frontend.settings == {**old.frontend.settings, "floor": 50} and new.alphabet.form == "NFD"
    assert more.datamodule.frames.settings == new.frontend.settings
    wider = train([*given, "--model.width=9", "--trainer.max_epochs=1"]).lightning_module
    assert wider.layers[1].size == 18


def test_a_resumed_run_still_says_with_what_it_began(flags, tmp_path):
    given = [flag for flag in flags if "model" not in flag]
    path = tiny.checkpoint(tmp_path / "first.ckpt", letters=" ab", bands=16)
    train([*given, f"--from={path}", "--trainer.max_epochs=1"])
    path.unlink()  # a run goes on without what it began with
    again = train(["--resume", "runs/try/version_1/checkpoints/last.ckpt", "--trainer.max_epochs=2"])
    assert again.current_epoch == 2
    assert f"from: {path}" in (tmp_path / again.log_dir / "config.yaml").read_text(encoding="utf-8")


def test_a_run_cannot_begin_with_a_model_of_another_kind(flags, tmp_path, capsys):
    path = tiny.checkpoint(tmp_path / "pen.ckpt", name="pen")
    assert main([*flags, f"--from={path}"]) == 2
    assert f"--from: {path} reads pen, and data.frontend is speech; name a model" in capsys.readouterr().err


def test_weights_alone_cannot_be_resumed(tmp_path, capsys):
    path = tiny.checkpoint(tmp_path / "best.ckpt")
    assert main(["--resume", str(path)]) == 2
    assert "holds weights only" in capsys.readouterr().err


WHOLE = ["--model.dropout=0.3", "--trainer.max_epochs=3", "--data.batch_most=2", "--data.batch_frames=120"]


@pytest.fixture
def many(flags, tmp_path):
    """Flags for a run of a few batches an epoch, with dropout, over seven recordings."""
    rows = [Utterance(str(tiny.sound(tmp_path / f"{n}.wav", 0.3, seed=n)), "ab") for n in range(7)]
    manifest.write(tmp_path / "all.tsv", rows)
    return [*flags, *WHOLE]


def weights(trainer):
    return dict(trainer.lightning_module.state_dict())


def equal(one, other):
    return all(torch.equal(weight, other[name]) for name, weight in one.items())


def cut(patch, flags, epoch, batch, error):
    """Train until batch `batch` of an epoch is about to begin, and fail there; the paths seen until then."""
    seen = []

    def stop(self, rows, number):
        if (self.current_epoch, number) == (epoch, batch):
            raise error
        seen.append([self.current_epoch, *(one.path for one in rows.utterances)])

    with patch.context() as scope:
        scope.setattr(Recognizer, "on_train_batch_start", stop, raising=False)
        with pytest.raises(type(error)):
            train(flags)
    return seen


@pytest.mark.parametrize(
    "more", [[], ["--model.average=0.9", "--data.workers=1"], ["--model.schedule=plateau", "--model.optimiser=muon"]]
)
def test_a_run_cut_in_the_middle_of_an_epoch_ends_where_a_whole_one_ends(many, tmp_path, monkeypatch, more):
    flags = [*many, *more, "--last.every_n_train_steps=1"]
    seen = []

    def note(self, rows, number):
        seen.append([self.current_epoch, *(one.path for one in rows.utterances)])

    monkeypatch.setattr(Recognizer, "on_train_batch_start", note, raising=False)
    whole = train(flags)
    expected, seen[:] = list(seen), []
    before = cut(monkeypatch, [*flags, "--name=cut", "--last.save_on_exception=false"], 1, 2, RuntimeError("power cut"))
    resumed = train(["--resume", str(tmp_path / "runs/cut/version_1/checkpoints/last.ckpt")])
    assert before + seen == expected
    assert equal(weights(whole), weights(resumed)) and resumed.global_step == whole.global_step


@pytest.mark.filterwarnings("ignore:.*could not find the monitored key")
@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("end", ["max_steps", "should_stop"])  # the latter is what max_time and `stop` do
def test_a_run_that_ends_amid_an_epoch_goes_on_there(many, monkeypatch, end, epoch):
    seen, at = [], None

    def note(self, rows, number):
        seen.append([self.current_epoch, *(one.path for one in rows.utterances)])
        self.trainer.should_stop = (self.current_epoch, number) == at

    monkeypatch.setattr(Recognizer, "on_train_batch_start", note, raising=False)
    whole = train(many)
    expected, seen[:] = list(seen), []
    steps = epoch * whole.num_training_batches + 3
    at, more = ((epoch, 2), []) if end == "should_stop" else (None, [f"--trainer.max_steps={steps}"])
    first = train([*many, "--name=cut", *more])
    at = None
    assert first.global_step == steps == len(seen)
    resumed = train(["--resume", "runs/cut/version_1/checkpoints/last.ckpt", "--trainer.max_steps=-1"])
    assert seen == expected and resumed.global_step == whole.global_step
    assert end == "max_steps" or equal(weights(whole), weights(resumed))  # whose rate had another end in view


def test_a_run_goes_on_with_the_rate_the_decay_and_the_patience_that_it_is_given(many):
    first = train([*many, "--trainer.max_epochs=1", "--model.schedule=constant", "--model.warmup=0"])
    path = f"{first.log_dir}/checkpoints/last.ckpt"
    more = ["--model.lr=0.0004", "--model.weight_decay=0.5", "--stop.patience=99"]
    resumed = train(["--resume", path, "--trainer.max_epochs=2", *more])
    for group in resumed.optimizers[0].param_groups:
        assert group["lr"] == group["initial_lr"] == pytest.approx(0.0004) and group["weight_decay"] in (0.5, 0.0)
    assert (
        resumed.optimizers[0].param_groups[0]["weight_decay"] == 0.5 and resumed.early_stopping_callback.patience == 99
    )
    path = f"{resumed.log_dir}/checkpoints/last.ckpt"
    again = train(["--resume", path, "--trainer.max_epochs=3", "--model.schedule=cosine"])
    assert again.lr_scheduler_configs[0].scheduler.base_lrs[0] == pytest.approx(0.0004)


def test_other_batches_than_in_the_run_that_goes_on_are_told(many, monkeypatch, caplog):
    cut(monkeypatch, many, 1, 2, RuntimeError("a bug"))
    path = "runs/try/version_1/checkpoints/last.ckpt"
    for more, told in (([], 0), (["--data.seed=5", "--trainer.reload_dataloaders_every_n_epochs=1"], 1)):
        caplog.clear()
        train(["--resume", path, "--trainer.max_epochs=3", *more])
        assert caplog.text.count("the batches of epoch 1 are others") == told
    ended = train([*many, "--name=ended", "--trainer.limit_train_batches=2", "--trainer.max_epochs=1"])
    caplog.clear()
    train(["--resume", f"{ended.log_dir}/checkpoints/last.ckpt", "--trainer.max_epochs=2", "--data.seed=5"])
    assert "are others" not in caplog.text  # there is no rest of it


def test_batches_accumulated_before_a_crash_come_again(many, monkeypatch):
    flags = [*many, "--trainer.accumulate_grad_batches=2"]
    whole = train(flags)
    cut(monkeypatch, [*flags, "--name=cut"], 1, 3, RuntimeError("a bug"))
    path = "runs/cut/version_1/checkpoints/last.ckpt"
    assert torch.load(path, weights_only=True)["Corpus"]["batches"] == 2
    resumed = train(["--resume", path])
    assert equal(weights(whole), weights(resumed)) and resumed.global_step == whole.global_step


@pytest.mark.parametrize("every", [1, 2])
def test_a_plateau_is_counted_in_validations_also_over_a_cut(many, monkeypatch, every):
    flags = [*many, "--model.schedule=plateau", "--model.lr=1e-12", f"--trainer.check_val_every_n_epoch={every}"]
    flags += [f"--trainer.max_epochs={8 * every}"]
    whole = train(flags)
    cut(monkeypatch, [*flags, "--name=cut", "--last.save_on_exception=false"], 4 * every, 0, RuntimeError("power cut"))
    resumed = train(["--resume", "runs/cut/version_1/checkpoints/last.ckpt"])
    for trainer in (whole, resumed):
        (group,), halving = trainer.optimizers[0].param_groups[:1], trainer.lr_scheduler_configs[1].scheduler
        assert group["lr"] == pytest.approx(1e-12 / 4) and halving.worse == 1


def test_under_slurm_no_job_is_queued_again_behind_our_back(flags, monkeypatch):
    for name in ("NTASKS", "NTASKS_PER_NODE", "JOB_ID"):
        monkeypatch.setenv(f"SLURM_{name}", "1")
    for name in ("PROCID", "LOCALID", "NODEID"):
        monkeypatch.setenv(f"SLURM_{name}", "0")
    monkeypatch.setenv("SLURM_JOB_NAME", "train")
    trainer = train([*flags, "--trainer.max_epochs=1"])
    found = trainer._accelerator_connector.cluster_environment
    assert isinstance(found, SLURMEnvironment) and found.auto_requeue is False


def test_a_crash_leaves_a_checkpoint_to_go_on_from(many, monkeypatch, caplog):
    before = cut(monkeypatch, many, 0, 2, RuntimeError("a bug"))
    path = "runs/try/version_1/checkpoints/last.ckpt"
    assert f"crashed; go on with --resume {path}" in caplog.text
    kept = torch.load(path, weights_only=True)
    assert kept["global_step"] == 2 and (kept["Corpus"]["epoch"], kept["Corpus"]["batches"]) == (0, 2)
    seen = []
    monkeypatch.setattr(
        Recognizer,
        "on_train_batch_start",
        lambda self, rows, number: seen.append([self.current_epoch, *(one.path for one in rows.utterances)]),
        raising=False,
    )
    train(["--resume", path, "--trainer.max_epochs=1"])
    paths = [path for batch in [*before, *seen] for path in batch[1:] if path != "nothing"]
    assert len(paths) == len(set(paths)) == 7


def test_steps_behind_the_last_validation_are_kept_too(flags):
    flags = [*flags, "--trainer.check_val_every_n_epoch=100", "--trainer.max_epochs=-1"]
    first = train([*flags, "--trainer.max_steps=5"])
    path = first.log_dir + "/checkpoints/last.ckpt"
    assert torch.load(path, weights_only=True)["global_step"] == 5
    assert train(["--resume", path, "--trainer.max_steps=7"]).global_step == 7


def test_a_resumed_run_keeps_the_best_so_far(flags, tmp_path):
    first = train([*flags, "--trainer.max_epochs=2"])
    best = tmp_path / first.log_dir / "checkpoints" / "best.ckpt"
    second = train(["--resume", str(best.parent / "last.ckpt"), "--trainer.max_epochs=3"])
    mine = tmp_path / second.log_dir / "checkpoints" / "best.ckpt"
    score = float(first.checkpoint_callback.best_model_score)
    assert float(second.checkpoint_callback.best_model_score) <= score and mine != best
    assert mine.is_file() and Recognizer.load(mine)


def test_the_same_run_twice_gives_the_same_bits(many):
    runs = [train([*many, "--trainer.deterministic=true", f"--name={name}"]) for name in ("one", "two")]
    assert equal(*map(weights, runs))
    torch.use_deterministic_algorithms(False)


@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*isinstance.treespec")
def test_the_average_is_validated_and_written_as_the_model(many, tmp_path):
    plain = train([*many, "--name=plain"])
    trainer = train([*many, "--name=average", "--model.average=0.9"])
    folder = tmp_path / trainer.log_dir / "checkpoints"
    kept = torch.load(folder / "last.ckpt", weights_only=True)
    assert equal(kept["learning"]["weights"], weights(plain))  # averaging looks on, and changes nothing
    assert equal(kept["state_dict"], weights(trainer)) and not equal(kept["state_dict"], weights(plain))
    best = torch.load(folder / "best.ckpt", weights_only=True)
    assert "learning" not in best
    scored = trainer.callback_metrics["val_loss"]
    for path in (None, folder / "last.ckpt"):  # as it was loaded, and as Lightning loads it
        model = Recognizer.load(folder / "last.ckpt")
        trainer.validate(model, trainer.datamodule, path, verbose=False, weights_only=True)
        torch.testing.assert_close(trainer.callback_metrics["val_loss"], scored)


def test_frozen_layers_wait_for_their_time(many, tmp_path):
    first = train([*flags_of(many), "--trainer.max_epochs=1"])
    path = tmp_path / first.log_dir / "checkpoints" / "best.ckpt"
    begun = Recognizer.load(path).state_dict()
    for steps, others in ((2, 0), (4, 1)):
        now = weights(
            train(
                [
                    *flags_of(many),
                    f"--from={path}",
                    "--freeze=2",
                    f"--trainer.limit_train_batches={steps}",
                    "--trainer.max_epochs=1",
                ]
            )
        )
        moved = {name for name, weight in now.items() if not torch.equal(weight, begun[name])}
        assert "linear.weight" in moved
        assert bool({name for name in moved if name.startswith("layers.")}) == bool(others)


def flags_of(many):
    return [flag for flag in many if "max_epochs" not in flag]


def test_freezing_needs_a_model(flags, capsys):
    assert main([*flags, "--freeze=3"]) == 2
    assert "name a model with --from" in capsys.readouterr().err
