"""train.py on a GPU in each precision -> how far it is from the LSTM of cuDNN alone, fed with random numbers.

    python benchmarks/gpu.py [--config english] [--train MANIFEST ...] [--seconds 20] [--precisions bf16-mixed 16-mixed]

The run is that of its users: files are read, varied, framed and masked by workers while the network learns. The bound
is what no training of this network can pass: its recurrent layers alone, torch.nn.LSTM in both directions at once, on
random numbers that lie on the GPU, as many rows and steps as the run's batches have on the average, forward and
backward. Flags that are not known here are for train.py.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import recognizer  # noqa: F401  # before torch: it says how threads wait

# isort: split
import torch
from origin import origin, table
from torch import nn

from recognizer import train
from recognizer.batch import Batch
from recognizer.model import Recognizer

WARM = 40
"""Steps before the clock runs: kernels are chosen, workers fill up."""
HEAD = (
    "| precision | steps | ms a step | frames/s | hours of sound an hour | of the bound | GPU busy % | GPU memory GiB |"
    " padding % | waiting for data % |"
)
TYPES = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16, "32-true": torch.float32}


class Watch:
    """What is called at the end of each of the trainer's steps."""

    def __init__(self, seconds: float) -> None:
        self.left, self.steps, self.real, self.padded, self.sound = seconds, -WARM, 0, 0, 0
        self.rows, self.wall, self.waited, self.peak = 0, 0.0, 0.0, 0
        self.busy: list[int] = []
        self._since = (0.0, 0.0)

    def __call__(self, model: Recognizer, _outputs: Any, batch: Batch, _number: int) -> None:
        """Count the batch; stop when there is enough."""
        loader: Any = model.trainer.train_dataloader
        self.steps += 1
        if self.steps <= 0:
            if self.steps == 0:
                torch.cuda.synchronize()
                torch.cuda.reset_peak_memory_stats()
                self._since = (time.perf_counter(), loader.waited)
                threading.Thread(target=self._look, daemon=True).start()
            return
        self.rows += len(batch)
        real = int(batch.lengths.sum())
        self.real += real
        self.sound += real // batch.views
        self.padded += batch.frames.shape[0] * batch.frames.shape[1]
        if time.perf_counter() - self._since[0] > self.left:
            torch.cuda.synchronize()
            self.wall, self.waited = time.perf_counter() - self._since[0], loader.waited - self._since[1]
            self.peak = torch.cuda.max_memory_allocated()
            model.trainer.should_stop = True

    def _look(self) -> None:
        while not self.wall:
            self.busy.append(torch.cuda.utilization())
            time.sleep(0.2)


class Recurrent(nn.Module):
    """The recurrent layers of a network and nothing else, both directions in one call of cuDNN."""

    def __init__(self, inputs: int, depth: int, width: int, projection: int) -> None:
        super().__init__()
        self.nets, self.maps = nn.ModuleList(), nn.ModuleList()
        for _ in range(depth):
            self.nets.append(nn.LSTM(inputs, width, batch_first=True, bidirectional=True))
            self.maps.append(nn.Linear(2 * width, projection) if projection else nn.Identity())
            inputs = projection or 2 * width

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """[B, T', D] -> [B, T', D']."""
        for net, linear in zip(self.nets, self.maps, strict=True):
            frames = linear(net(frames)[0])
        return frames


def bound(model: Recognizer, watch: Watch, precision: str, seconds: float) -> float:
    """Frames a second of the network's input that the recurrent layers alone would allow."""
    rows = round(watch.rows / watch.steps)
    frames = round(watch.padded / watch.rows)
    given = model.hparams
    net = Recurrent(model.stem.size, given["depth"], given["width"], given["projection"]).cuda()
    random = torch.randn(rows, -(-frames // model.reduction), model.stem.size, device="cuda", requires_grad=True)
    steps, begun = -WARM, 0.0
    while steps <= 0 or time.perf_counter() - begun < seconds:
        if steps == 0:
            torch.cuda.synchronize()
            begun = time.perf_counter()
        with torch.autocast("cuda", TYPES[precision], enabled=precision != "32-true"):
            out = net(random)
        out.float().sum().backward()
        net.zero_grad()
        random.grad = None
        steps += 1
        if steps % 10 == 0:
            torch.cuda.synchronize()
    torch.cuda.synchronize()
    return steps * rows * frames / (time.perf_counter() - begun)


def main() -> int:
    """Measure each precision, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="english")
    parser.add_argument("--train", nargs="+", help="manifests in place of the configuration's own")
    parser.add_argument("--seconds", type=float, default=20, help="of each training; its bound takes a quarter")
    parser.add_argument("--precisions", nargs="+", default=list(TYPES), choices=list(TYPES))
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/gpu.md"))
    options, flags = parser.parse_known_args()
    if options.train:
        flags = [f"--data.train=[{','.join(options.train)}]", "--data.weights=null", *flags]
    rows: list[str] = []
    for precision in options.precisions:
        watch = Watch(options.seconds)
        Recognizer.on_train_batch_end = lambda *given, watch=watch: watch(*given)
        with tempfile.TemporaryDirectory() as folder:
            trainer = train.train(
                [
                    *("--config", options.config, f"--trainer.precision={precision}"),
                    *(f"--trainer.default_root_dir={folder}", "--trainer.limit_val_batches=0"),
                    *("--trainer.num_sanity_val_steps=0", "--trainer.max_epochs=1000", "--data.drop_unknown=true"),
                    *("--trainer.enable_progress_bar=false", *flags),
                ]
            )
        rows.append(row(precision, watch, bound(trainer.lightning_module, watch, precision, options.seconds / 4)))
        print(rows[-1], flush=True)
        write(options.output, rows)  # a lent machine may be gone before the next one is done
        torch.cuda.empty_cache()
    return 0


def write(path: Path, rows: list[str]) -> None:
    """The table as far as it is known."""
    lines = [
        "# A GPU at work",
        "",
        *origin("torch", "pytorch-lightning"),
        f"- {torch.cuda.get_device_name()}, cuDNN {torch.backends.cudnn.version()}",
        "- frames/s: those that the network learns from, without padding, both views of an utterance where there are"
        " two (`data.views`); hours of sound: each utterance once",
        "- of the bound: frames, padding counted in, against those of the recurrent layers alone on random numbers",
        "",
        *table(HEAD, rows),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def row(precision: str, watch: Watch, most: float) -> str:
    """One row of the table."""
    return (
        f"| {precision} | {watch.steps} | {1000 * watch.wall / watch.steps:.1f} | {watch.real / watch.wall:.0f} |"
        f" {watch.sound / watch.wall / 100:.0f} | {watch.padded / watch.wall / most:.2f} |"
        f" {sum(watch.busy) / max(1, len(watch.busy)):.0f} | {watch.peak / 2**30:.1f} |"
        f" {100 * (1 - watch.real / watch.padded):.1f} | {100 * watch.waited / watch.wall:.1f} |"
    )


if __name__ == "__main__":
    raise SystemExit(main())
