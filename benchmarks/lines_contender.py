"""One recogniser of lines in a process of its own: images and texts -> weights, images -> texts, for lines.py.

    python benchmarks/lines_contender.py train|read NAME JOB.json

JOB.json holds `pairs`, images and their texts (`train`, `val`), `tables`, the manifests of the same, `seconds` of
training, `threads`, `model`, the file of the weights, and `flags` of train.py. Each answer is a line of JSON. `read`
reads the validation lines once for each line it is sent. Imports nothing but the recogniser in question, so that it
also runs in an environment made for that one.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rss import MOST, mebibytes

PARTS = 10_000
"""Into so many steps the course of the learning rate divides the time of training."""


class Meter:
    """Lines and steps of a training, and the seconds since it began."""

    def __init__(self) -> None:
        self.lines = self.steps = 0
        self.wall = self.processor = 0.0
        self._since = (0.0, 0.0)

    def watch(self, kind: Any, count: Callable[[Any], int]) -> None:
        """Have a kind of LightningModule tell how its training goes; `count`: batch -> lines."""
        kind.on_train_start = lambda _model: self.begin()
        kind.on_train_batch_end = lambda _model, _loss, batch, _number: self.took(count(batch))

    def begin(self) -> None:
        """The first batch is about to be drawn."""
        self._since = (time.perf_counter(), spent())

    def took(self, lines: int) -> None:
        """A step is done."""
        self.lines += lines
        self.steps += 1
        self.wall, self.processor = time.perf_counter() - self._since[0], spent() - self._since[1]


class Ours:
    """This project: train.py with configs/froc.yaml, the greedy decoder."""

    packages = ("torch", "pytorch-lightning")

    def train(self, job: dict[str, Any]) -> Meter:
        """As train.py does; the learning rate follows the time, because how many steps there will be is not known."""
        from recognizer import schedule, train
        from recognizer.model import Recognizer

        meter, seconds = Meter(), job["seconds"]

        def share(_step: int, _total: float, warmup: float) -> float:
            return schedule.cosine(min(PARTS, round(PARTS * meter.wall / seconds)), PARTS, warmup)

        schedule.SHARES["cosine"] = share
        meter.watch(Recognizer, lambda batch: int((batch.label_lengths > 0).sum()))  # empty pages are no lines
        lasting = str(datetime.timedelta(seconds=round(seconds))).rjust(8, "0")
        trainer = train.train(
            [
                *("--config=froc", f"--data.train={job['tables']['train']}", f"--data.val={job['tables']['val']}"),
                *(f"--trainer.max_time=00:{lasting}", "--trainer.max_epochs=-1", "--trainer.accelerator=cpu"),
                *("--trainer.limit_val_batches=0", "--trainer.num_sanity_val_steps=0", "--trainer.logger=false"),
                *(f"--trainer.default_root_dir={Path(job['model']).parent}", "--trainer.enable_progress_bar=false"),
                *job["flags"],
            ]
        )
        trainer.save_checkpoint(job["model"], weights_only=True)
        return meter

    def load(self, path: str) -> int:
        """Its number of weights."""
        from recognizer import pretrained

        self.model = pretrained.load(path)
        return sum(weight.numel() for weight in self.model.parameters())

    def texts(self, images: list[str], alone: bool) -> list[str]:
        """In batches of like length, as transcribe.py reads them, or line by line."""
        from recognizer import reading
        from recognizer.manifest import Utterance

        utterances = [Utterance(path=image) for image in images]
        answers = reading.transcripts(self.model, utterances, self.model.greedy, 1 if alone else 24_000)
        return [getattr(answer, "text", "") for answer in answers]  # an error has none


class Kraken:
    """kraken: its default network and settings for line images with their texts beside them, its greedy decoder."""

    packages = ("kraken", "torch", "lightning")

    def train(self, job: dict[str, Any]) -> Meter:
        """As `ketos train --format-type path --quit fixed` does, but for the time, and without validation."""
        from kraken.configs import VGSLRecognitionTrainingConfig, VGSLRecognitionTrainingDataConfig
        from kraken.models.convert import convert_models
        from kraken.train import KrakenTrainer
        from kraken.train.vgsl import VGSLRecognitionDataModule, VGSLRecognitionModel

        meter, folder = Meter(), Path(job["model"]).parent
        meter.watch(VGSLRecognitionModel, lambda batch: len(batch["image"]))
        images = {name: laid(folder / name, pairs) for name, pairs in job["pairs"].items()}
        settings = VGSLRecognitionTrainingConfig(quit="fixed", checkpoint_path=str(folder))
        files = {"training_data": images["train"], "evaluation_data": images["val"]}
        data = VGSLRecognitionDataModule(VGSLRecognitionTrainingDataConfig(format_type="path", **files))
        trainer = KrakenTrainer(
            accelerator="cpu",
            devices=1,
            precision=settings.precision,
            max_epochs=-1,
            min_epochs=settings.min_epochs,
            max_time=datetime.timedelta(seconds=job["seconds"]),
            accumulate_grad_batches=settings.accumulate_grad_batches,
            gradient_clip_val=settings.gradient_clip_val,
            limit_val_batches=0,
            num_sanity_val_steps=0,
            enable_progress_bar=False,
            enable_summary=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            default_root_dir=str(folder),
        )
        with trainer.init_module(empty_init=True):
            model = VGSLRecognitionModel(settings)
        trainer.fit(model, data)
        trainer.save_checkpoint(folder / "last.ckpt")
        convert_models([folder / "last.ckpt"], job["model"])
        return meter

    def load(self, path: str) -> int:
        """Its number of weights."""
        from kraken.configs import RecognitionInferenceConfig
        from kraken.tasks import RecognitionTaskModel

        self.model = RecognitionTaskModel.load_model(path)
        self.settings = RecognitionInferenceConfig(accelerator="cpu", device=1)
        return sum(weight.numel() for weight in self.model.parameters())

    def texts(self, images: list[str], alone: bool) -> list[str]:
        """Line by line, as `kraken ocr --no-segmentation` does: only lines of one and the same image share a batch."""
        from kraken.containers import BBoxLine, Segmentation
        from PIL import Image

        found = []
        for name in images:
            with Image.open(name) as image:
                line = BBoxLine(id="line", bbox=(0, 0, image.width, image.height))
                page = Segmentation("bbox", name, "horizontal-lr", False, [line])
                found += [record.prediction for record in self.model.predict(image, page, self.settings)]
        return found


CONTENDERS: dict[str, Any] = {"ours": Ours, "kraken": Kraken}


def laid(folder: Path, pairs: list[tuple[str, str]]) -> list[str]:
    """Images and texts as kraken wants them: links in `folder`, and beside each its .gt.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    found = []
    for number, (image, text) in enumerate(pairs):
        link = folder / f"{number:06d}{Path(image).suffix}"
        link.symlink_to(Path(image).resolve())
        link.with_suffix(".gt.txt").write_text(text, encoding="utf-8")
        found.append(str(link))
    return found


def spent() -> float:
    """Seconds that the processor worked for this process and for those that it started."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = 0
    for child in multiprocessing.active_children():
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ended.ru_utime + ended.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Train, or load and read as often as asked."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries that print do not disturb the answers
    what, name, path = sys.argv[1:]
    job = json.loads(Path(path).read_text("utf-8"))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job["threads"]])
    import torch  # after the cores are set, which its threads then keep

    torch.set_num_threads(job["threads"])
    torch.manual_seed(1)
    contender = CONTENDERS[name]()
    if what == "train":
        meter = contender.train(job)
        kept = ("lines", "steps", "wall", "processor")
        print(json.dumps({key: getattr(meter, key) for key in kept}), file=answers, flush=True)
        return 0
    began = time.perf_counter()
    weights = contender.load(job["model"])
    loaded = time.perf_counter() - began
    images = [image for image, _ in job["pairs"]["val"]]
    contender.texts(images[:1], False)  # what is made once is made now
    versions = {package: importlib.metadata.version(package) for package in contender.packages}
    about = {"weights": weights, "seconds": loaded, "versions": versions}
    print(json.dumps(about), file=answers, flush=True)
    for line in sys.stdin:
        began, before = time.perf_counter(), spent()
        texts = contender.texts(images, json.loads(line)["alone"])
        times = {"wall": time.perf_counter() - began, "processor": spent() - before}
        print(json.dumps({"texts": texts, **times, "memory": mebibytes(MOST)}), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
