"""Two processes do what one does: every utterance once, the gradient of the joined batch, the same error rates."""

import math
import multiprocessing
import os
import signal
import socket
from pathlib import Path

import pytest
import tiny
import torch
from pytorch_lightning import Callback

from data import shards
from recognizer import manifest, train
from recognizer.batch import HOLLOW, Sample, collate
from recognizer.manifest import Utterance
from recognizer.model import Recognizer
from recognizer.pronunciations import Pronunciations

TEXTS = ["ab", "b a", "", "abba", "a", "b", "ba"]
MODEL = ["--model.depth=1", "--model.width=6", "--model.stem={name: stack, reduction: 2}", "--model.dropout=0"]
QUIET = ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]

pytestmark = [
    pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="processes are forked here"),
    # One thread computes, see conftest; none holds a lock when the process is forked.
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]


class Notes(Callback):
    """Writes down what one process has seen: its utterances, the first step's gradients, and all that was logged."""

    def __init__(self, path, gone, told=(), fails=()):
        self.path, self.gone, self.told, self.fails = path, gone, told, fails
        self.seen, self.gradients, self.batches = [], None, []

    def on_train_start(self, trainer, pl_module):
        if self.gone:
            self.gone.unlink(missing_ok=True)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen.append((trainer.current_epoch, [one.path for one in batch.utterances if one != HOLLOW]))
        if not self.batches:
            self.batches.append(batch)
        if trainer.global_step == 1 and trainer.global_rank in self.told:
            os.kill(os.getpid(), signal.SIGTERM)
        if trainer.global_step == 2 and trainer.global_rank in self.fails:
            raise RuntimeError("out of memory")

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        if self.gradients is None:
            self.gradients = {name: weight.grad.clone() for name, weight in pl_module.named_parameters()}

    def on_fit_end(self, trainer, pl_module):
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        torch.save({"seen": self.seen, "gradients": self.gradients, "logged": logged}, self.path.with_suffix(".pt"))
        torch.save([dict(vars(batch)) for batch in self.batches], self.path.with_suffix(".batch"))
        torch.save(dict(pl_module.state_dict()), self.path.with_suffix(".weights"))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Seven recordings, one without text, and one too short for its text."""
    folder = tmp_path_factory.mktemp("data")
    rows = [
        Utterance(str(tiny.sound(folder / f"{number}.wav", 0.2 + 0.05 * number, seed=number)), text)
        for number, text in enumerate(TEXTS)
    ]
    rows.append(Utterance(str(tiny.sound(folder / "short.wav", 0.05, seed=9)), "abababab"))
    manifest.write(folder / "train.tsv", rows)
    manifest.write(folder / "val.tsv", rows[:5])
    return folder / "train.tsv"


def run(folder, table, world, *flags, own=(), gone=None, told=(), fails=()):
    """Train in `world` processes, each started as torchrun starts them, with a flag of its own; the notes of each."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = [f"--data.train={table}", f"--data.val={table.parent / 'val.tsv'}", "--data.vary=false", "--name=two"]
    given += ["--data.frontend={name: speech, bands: 16}", "--data.nothing=0", *MODEL, *QUIET, *flags]
    given += [f"--trainer.devices={world}", *(["--trainer.strategy=ddp"] if world > 1 else [])]
    places = [folder / f"rank{rank}" for rank in range(world)]
    spawn = multiprocessing.get_context("fork")
    children = [
        spawn.Process(target=_child, args=(place, [*given, *own[rank : rank + 1]], port, rank, gone, told, fails))
        for rank, place in enumerate(places)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    hung = [child for child in children if child.is_alive()]
    for child in hung:
        child.kill()
    assert not hung, "a process waits for ever"
    assert [child.exitcode for child in children] == [0] * world
    return [torch.load(place.with_suffix(".pt"), weights_only=False) for place in places]


def _child(place, flags, port, rank, gone, told, fails):
    os.chdir(place.parent)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    torch.set_num_threads(1)
    before = train._CLI.before_instantiate_classes

    def noted(self):
        before(self)
        self.trainer_defaults["callbacks"].append(Notes(place, gone, told, fails))

    train._CLI.before_instantiate_classes = noted
    try:
        train.train(flags)
    except KeyboardInterrupt as stop:
        torch.save(str(Path(str(stop)).resolve()), place.with_suffix(".pt"))
    except RuntimeError as error:  # a crash, or that of another process
        torch.save(str(error), place.with_suffix(".pt"))
    os._exit(0)


def joined(folder, world, views=1):
    """The first batches of all processes, side by side."""
    rows = [[] for _ in range(views)]
    for rank in range(world):
        for batch in torch.load(folder / f"rank{rank}.batch", weights_only=False):
            sizes = batch["lengths"].tolist()
            for row, size in enumerate(sizes):
                labels = batch["labels"][row, : batch["label_lengths"][row]]
                sample = Sample(batch["frames"][row, :size], labels, Utterance("x", batch["utterances"][row].text))
                rows[row * views // len(sizes)].append(sample)
    return collate([sample for view in rows for sample in view], views)


@pytest.fixture(scope="module")
def two(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("runs") / "two"
    flags = ["--data.batch_frames=70", "--trainer.max_epochs=2", "--trainer.gradient_clip_val=0"]
    return folder, run(folder, table, 2, *flags)


def test_each_utterance_comes_once_an_epoch_and_all_take_as_many_steps(two, table):
    _, notes = two
    assert len({len(note["seen"]) for note in notes}) == 1
    for epoch in range(2):
        paths = [path for note in notes for number, batch in note["seen"] for path in batch if number == epoch]
        assert sorted(paths) == sorted(row.path for row in manifest.read(table))
    orders = [[batch for number, batch in notes[0]["seen"] if number == epoch] for epoch in range(2)]
    assert orders[0] != orders[1]


def test_the_gradient_is_that_of_the_joined_batch(two):
    folder, notes = two
    network = Recognizer.load(folder / "runs/two/version_1/checkpoints/last.ckpt").train()
    torch.manual_seed(1)
    settings = dict(network.hparams)
    torch.manual_seed(1)
    fresh = Recognizer(**settings)
    # The weights of the beginning come from the seed alone; the first gradient is taken at them.
    batch = joined(folder, 2)
    log_probs, lengths = fresh(batch.frames, batch.lengths)
    fresh.loss(log_probs, lengths, batch).backward()
    assert batch.label_lengths.sum() > 0
    for name, weight in fresh.named_parameters():
        torch.testing.assert_close(notes[0]["gradients"][name], weight.grad, atol=1e-6, rtol=1e-4)
        assert torch.equal(notes[0]["gradients"][name], notes[1]["gradients"][name])


def test_the_gradient_of_two_outputs_is_that_of_the_joined_batch(table, tmp_path):
    """Each process has other texts with words that the dictionary lacks, so their shares of the phones differ."""
    (tmp_path / "words").write_text("b Q\na P Q\nabba P\n", encoding="utf-8")
    flags = [f"--data.pronunciations={tmp_path / 'words'}", "--data.batch_frames=160", "--trainer.max_epochs=1"]
    flags += ["--model.sounds=0.7", "--trainer.gradient_clip_val=0"]
    notes = run(tmp_path / "two", table, 2, *flags)
    network = Recognizer.load(tmp_path / "two/runs/two/version_1/checkpoints/last.ckpt").train()
    torch.manual_seed(1)
    fresh = Recognizer(**dict(network.hparams))
    fresh._pronunciations = Pronunciations.read(tmp_path / "words")
    (nats, letters), (other, phones) = fresh.parts(joined(tmp_path / "two", 2)).values()
    assert min(letters, phones) > 0 and phones != letters
    torch.lerp(nats / letters, other / phones, 0.7).backward()
    for name, weight in fresh.named_parameters():
        torch.testing.assert_close(notes[0]["gradients"][name], weight.grad, atol=1e-6, rtol=1e-4)
    assert notes[0]["logged"]["val_phones"] == notes[1]["logged"]["val_phones"]


def test_the_gradient_of_two_views_is_that_of_the_joined_batch(table, tmp_path):
    flags = ["--data.views=2", "--data.augment={time_masks: 3}", "--model.consistency=0.3", "--data.batch_frames=300"]
    notes = run(tmp_path / "two", table, 2, *flags, "--trainer.max_epochs=1", "--trainer.gradient_clip_val=0")
    network = Recognizer.load(tmp_path / "two/runs/two/version_1/checkpoints/last.ckpt").train()
    torch.manual_seed(1)
    fresh = Recognizer(**dict(network.hparams))
    (nats, letters), (far, same) = fresh.parts(joined(tmp_path / "two", 2, views=2)).values()
    assert letters == same > 0 and far > 0
    (nats / letters + 0.3 * far / same).backward()
    for name, weight in fresh.named_parameters():
        torch.testing.assert_close(notes[0]["gradients"][name], weight.grad, atol=1e-6, rtol=1e-4)


def test_error_rates_are_those_of_one_process(two, table, tmp_path):
    folder, notes = two
    assert {key: value for key, value in notes[0]["logged"].items() if key.startswith("val")} == {
        key: value for key, value in notes[1]["logged"].items() if key.startswith("val")
    }
    last = folder / "runs/two/version_1/checkpoints/last.ckpt"
    flags = [f"--from={last}", "--trainer.max_epochs=1", "--model.lr=1e-30", "--data.batch_frames=70"]
    (one,) = run(tmp_path / "one", table, 1, *flags)
    for name in ("val_loss", "val_blank", "val_cer", "val_wer", "val_mer", "val_wil"):
        assert one["logged"][name] == pytest.approx(notes[0]["logged"][name], rel=1e-5), name


@pytest.mark.parametrize("told", [(0, 1), (1,)], ids=["all", "one"])
def test_a_signal_to_end_ends_all_processes_and_leaves_a_checkpoint(table, tmp_path, told):
    flags = ["--data.batch_frames=70", "--trainer.max_epochs=9"]
    paths = run(tmp_path / "two", table, 2, *flags, told=told)
    assert len(set(paths)) == 1 and Path(paths[0]).name == "last.ckpt"
    assert torch.load(paths[0], weights_only=True)["global_step"] == 2


def test_a_crash_of_one_process_leaves_a_checkpoint_and_nobody_waits(table, tmp_path):
    flags = ["--data.batch_frames=70", "--trainer.max_epochs=9"]
    errors = run(tmp_path / "two", table, 2, *flags, fails=(1,))
    assert errors[1] == "out of memory"
    kept = tmp_path / "two/runs/two/version_1/checkpoints"
    assert torch.load(kept / "last.ckpt", weights_only=True)["global_step"] == 2
    assert not list(kept.glob("last.ckpt.*"))


def test_fewer_utterances_than_processes_and_a_file_that_is_gone(table, tmp_path):
    rows = manifest.read(table)
    manifest.write(tmp_path / "train.tsv", rows[:1])
    gone = tiny.sound(tmp_path / "gone.wav", 0.3)
    manifest.write(tmp_path / "val.tsv", [rows[0], Utterance(str(gone), "ab")])
    measured = tmp_path / "vanish"
    flags = ["--trainer.max_epochs=2", "--trainer.num_sanity_val_steps=0"]
    notes = run(measured, tmp_path / "train.tsv", 2, *flags, gone=gone)
    assert not gone.exists() and notes[0]["logged"]["val_cer"] == notes[1]["logged"]["val_cer"]
    seen = [batch for note in notes for epoch, batch in note["seen"] if epoch == 0]
    assert sorted(map(len, seen)) == [0, 1]
    assert all(math.isfinite(value) for note in notes for value in note["logged"].values())


def test_shards_are_shared_out_too(table, tmp_path):
    """Nine items in shards of unlike size, one of them too short for its text."""
    rows = manifest.read(table)
    manifest.write(tmp_path / "odd.tsv", [*rows, Utterance(str(tiny.sound(tmp_path / "more.wav", 0.31)), "ba")])
    index = shards.pack([tmp_path / "odd.tsv"], tmp_path / "packed", size=0.04)
    assert len(set(map(len, index.frames))) > 1 and index.count == len(rows) + 1 == 9
    flags = [f"--data.train={tmp_path / 'packed'}", "--data.batch_frames=70", "--trainer.max_epochs=2"]
    # Machines of unlike size would read with unlike numbers of workers, on which the plan of an epoch depends.
    notes = run(tmp_path / "two", table, 2, *flags, own=["--data.workers=0", "--data.workers=3"])
    assert len({len(note["seen"]) for note in notes}) == 1
    for epoch in range(2):
        paths = [path for note in notes for number, batch in note["seen"] for path in batch if number == epoch]
        assert sorted(paths) == sorted(row.path for row in manifest.read(tmp_path / "odd.tsv"))
    assert all(torch.equal(notes[0]["gradients"][name], wanted) for name, wanted in notes[1]["gradients"].items())
