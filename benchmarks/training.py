"""One run of train.py, every few steps held up for a bare loop over the same batches -> what the rest costs.

    python benchmarks/training.py [--config an4] [--train MANIFEST ...] [--seconds 60] [--workers 0 1]

Both learn from the same batches with networks that began alike: the trainer, with callbacks, loggers, reading,
variation and augmentation; and a loop of torch's own calls over the batches as they lie in memory. They take turns, so
that a busy machine slows both. What workers have read ahead while the bare loop ran is let pass before the clock runs.
The files are read beforehand and lie in memory, as they do from the second epoch on. The bare loop has one CTC loss,
so a configuration with phones, two views or an average of weights, which it would have to do as well, is refused.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import tempfile
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
from recognizer.errors import ConfigError, RecognizerError
from recognizer.model import Recognizer
from recognizer.optimiser import OPTIMISERS

TURN = 16  # steps of the trainer between two turns of the bare loop
PASSED = 4  # of these, the first ones, whose batches may have been read while the bare loop ran
HEAD = (
    "| workers | steps | train.py frames/s | bare loop frames/s | ratio | ratio by processor time | padding % |"
    " waiting for data % |"
)
GOALS = "goals: ratio at least 0.9, padding below 8 %, waiting below 5 %"


@dataclasses.dataclass
class Clock:
    """Sums over the steps that count: seconds by the wall, of this process's processor, of waiting."""

    wall: float = 0.0
    processor: float = 0.0
    waited: float = 0.0
    _since: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def start(self, waited: float = 0.0) -> None:
        """Run on."""
        self._since = (time.perf_counter(), time.process_time(), waited)

    def stop(self, waited: float = 0.0) -> None:
        """Hold."""
        self.wall += time.perf_counter() - self._since[0]
        self.processor += time.process_time() - self._since[1]
        self.waited += waited - self._since[2]


class Bare:
    """The loop as anyone would write it: network, CTC, backward, clip, the same optimiser."""

    def __init__(self, model: Recognizer) -> None:
        trainer, model.trainer = model.trainer, None  # which is not to be copied
        self.model = copy.deepcopy(model)
        model.trainer = trainer
        self.optimizer = OPTIMISERS[model.hparams["optimiser"]](self.model, 1e-4, 0.0)

    def step(self, batch: Batch) -> None:
        """Learn from one batch."""
        log_probs, lengths = self.model(batch.frames, batch.lengths)
        given = (log_probs.transpose(0, 1), batch.labels, lengths, batch.label_lengths)
        loss = nn.functional.ctc_loss(*given, reduction="sum", zero_infinity=True)
        self.optimizer.zero_grad()
        (loss / batch.label_lengths.sum()).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        loss.item()  # as every loop shows it


class Turns:
    """What is called at the end of each of the trainer's steps."""

    def __init__(self, seconds: float) -> None:
        self.left, self.steps, self.real, self.padded = seconds, 0, 0, 0
        self.ours, self.theirs = Clock(), Clock()
        self.bare: Bare | None = None
        self.batches: list[Batch] = []
        self._taken = 0

    def __call__(self, model: Recognizer, _outputs: Any, batch: Batch, _number: int) -> None:
        """Note the batch; at the end of a turn, let the bare loop have its own."""
        loader: Any = model.trainer.train_dataloader
        self._taken += 1
        if self._taken <= PASSED:
            if self._taken == PASSED:
                self.ours.start(loader.waited)
            return
        self.batches.append(batch)
        if self._taken < TURN:
            return
        self.ours.stop(loader.waited)
        first = self.bare is None
        self.bare = self.bare or Bare(model)
        if first:
            self.bare.step(self.batches[0])  # warm, as the trainer's is by now
        self.theirs.start()
        for one in self.batches:
            self.bare.step(one)
        self.theirs.stop()
        self.steps += len(self.batches)
        self.real += sum(int(one.lengths.sum()) for one in self.batches)
        self.padded += sum(one.frames.shape[0] * one.frames.shape[1] for one in self.batches)
        self.batches, self._taken = [], 0
        if self.ours.wall + self.theirs.wall > 2 * self.left:
            model.trainer.should_stop = True


def main() -> int:
    """Measure with each number of workers, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="an4")
    parser.add_argument("--train", nargs="+", default=["corpora/an4/train.tsv"])
    parser.add_argument("--val", default="corpora/an4/val.tsv")
    parser.add_argument("--seconds", type=float, default=60, help="of each of the two loops")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/training.md"))
    options, flags = parser.parse_known_args()  # what is not known here is for train.py
    rows = []
    for workers in options.workers:
        turns = Turns(options.seconds)
        Recognizer.on_train_start = begin
        Recognizer.on_train_batch_end = lambda *given, turns=turns: turns(*given)
        with tempfile.TemporaryDirectory() as folder:
            train.train(
                [
                    *("--config", options.config, f"--data.train=[{','.join(options.train)}]"),
                    *(
                        f"--data.val={options.val}",
                        "--data.weights=null",
                        "--data.drop_unknown=true",
                        f"--data.workers={workers}",
                    ),
                    *(f"--trainer.default_root_dir={folder}", "--trainer.limit_val_batches=0"),
                    *("--trainer.num_sanity_val_steps=0", *flags),
                ]
            )
        rows.append(row(workers, turns))
        print(rows[-1], flush=True)
    lines = [
        "# A step of training",
        "",
        *origin("torch", "pytorch-lightning", processes=torch.get_num_threads()),
        f"- `train.py` and a bare loop in turns, {TURN - PASSED} batches each",
        "- ratio: frames a second of `train.py` against the bare loop's; by processor time: the same, of the time that"
        " the processor worked for this process, which a busy machine leaves alone (what workers do is not in it)",
        f"- {GOALS}",
        "",
        *table(HEAD, rows),
    ]
    options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def begin(model: Recognizer) -> None:
    """Fill the cache of the training set, which workers that are made later have, too.

    Raises:
        ConfigError: a step has more to do than the bare loop does.
    """
    part: Any = model.trainer.train_dataloader.dataset
    more = {"phones": model.spoken is not None, "views": part.views > 1, "average": model.hparams["average"] > 0}
    if any(more.values()):
        found = f"has {', '.join(name for name, there in more.items() if there)}, and the bare loop one loss"
        raise ConfigError("--config", found, "name one without, such as an4")
    for index in range(len(part)):
        part._read(index)


def row(workers: int, turns: Turns) -> str:
    """One row of the table."""
    ours, theirs = turns.ours, turns.theirs
    return (
        f"| {workers} | {turns.steps} | {turns.real / ours.wall:.0f} | {turns.real / theirs.wall:.0f} |"
        f" {theirs.wall / ours.wall:.3f} | {theirs.processor / ours.processor:.3f} |"
        f" {100 * (1 - turns.real / turns.padded):.1f} | {100 * ours.waited / ours.wall:.1f} |"
    )


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except RecognizerError as error:
        raise SystemExit(f"error: {error}") from None
