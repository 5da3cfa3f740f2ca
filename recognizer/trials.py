"""A model, a corpus and a machine -> what to know before a long run: the best budget, whether it learns at all."""

from __future__ import annotations

import contextlib
import logging
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler

from recognizer.average import Average
from recognizer.batch import Batch
from recognizer.corpus import Corpus
from recognizer.errors import ConfigError
from recognizer.metrics import Counts
from recognizer.model import Recognizer
from recognizer.optimiser import OPTIMISERS

log = logging.getLogger(__name__)

Tried = tuple[int, float, float]
"""A budget in frames, the seconds a step took with it, and the most bytes that were in use."""
RISE = 1.5
"""From one budget to the next."""
ENOUGH = 0.95
"""A budget is good when it brings this share of the best number of frames a second."""


class Step:
    """What training does with a batch: all losses of the model, in the precision of the run, a step, and the average.

    Args:
        trainer: says on which device, in which precision, and how gradients are clipped.
        model: learns.
        corpus: has the dictionary of its phones.
        rate: of learning.

    Raises:
        ConfigError: the dictionary is missing or another one; when called: there are not as many views as it needs.
    """

    def __init__(self, trainer: Any, model: Recognizer, corpus: Corpus, rate: float) -> None:
        model.to(trainer.strategy.root_device).train()
        model.listen(corpus.pronunciations)
        self.trainer, self.model = trainer, model
        clip = {"clip_val": trainer.gradient_clip_val, "gradient_clip_algorithm": trainer.gradient_clip_algorithm}
        self._clip = {name: value for name, value in clip.items() if value is not None}
        self.optimizer = OPTIMISERS[model.hparams["optimiser"]](model, rate, 0.0)
        keep = model.hparams["average"]
        self.average = Average(dict(model.named_parameters()), keep) if keep else None
        self._scaler = getattr(trainer.precision_plugin, "scaler", None) or GradScaler(enabled=False)

    def __call__(self, batch: Batch) -> float:
        """Learn from it; its loss."""
        precision = self.trainer.precision_plugin
        with precision.forward_context():
            loss = self.model.alone(batch)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self._scaler.scale(loss))
        self._scaler.unscale_(self.optimizer)
        self.model.on_before_optimizer_step(self.optimizer)
        precision.clip_gradients(self.optimizer, **self._clip)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        if self.average is not None:
            self.average.update()
        return float(loss.detach())

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Meanwhile the model is what would be validated: the average of its weights, if there is one."""
        if self.average is not None:
            self.average.swap(True)
        try:
            yield
        finally:
            if self.average is not None:
                self.average.swap(False)


def find_budget(trainer: Any, model: Recognizer, corpus: Corpus) -> int:
    """The smallest `data.batch_frames` that is nearly as fast as the best that fits into memory, which is also printed.

    Batches of the longest utterance are learnt from, ever larger ones, until memory, speed or patience ends.
    """
    corpus.prepare_data()
    corpus.setup("fit")
    part: Any = corpus.train_dataloader().dataset
    longest = max(range(len(part)), key=part.lengths.__getitem__)
    length, most = part.lengths[longest], corpus.hparams["batch_most"]
    device = trainer.strategy.root_device
    learn = Step(trainer, model, corpus, 1e-9)

    def step(budget: int) -> tuple[float, float]:
        rows = min(most, max(1, budget // (length * part.views)))
        batch = part[0, [longest + copy * len(part) for copy in range(rows)]].to(device)
        for _ in range(2):  # the first one also makes room and tries kernels
            begun = time.perf_counter()
            learn(batch)
            used = _used(device)  # waits for the device
        return time.perf_counter() - begun, used

    print(f"longest utterance: {length} frames; room: {_room(device) / 2**20:.0f} MiB on {device}")
    tried = search(step, max(1000, length), most * length * part.views, _used(device), _room(device))
    for budget, seconds, used in tried:
        print(f"{budget:9d} frames {seconds:8.2f} s {budget / seconds:10.0f} frames/s {used / 2**20:8.0f} MiB")
    if not tried:
        raise ConfigError(
            "--find_budget", f"one utterance of {length} frames does not fit", "cut it, or use less width"
        )
    found = choice(tried)
    print(f"--data.batch_frames {found}")
    return found


def search(
    step: Callable[[int], tuple[float, float]],
    least: int,
    most: int,
    used: float,
    room: float,
    patience: float = 20.0,
) -> list[Tried]:
    """Steps with ever larger budgets, each only where memory that grows in a line, and a quarter more, leaves room.

    Args:
        step: budget -> (seconds, bytes at most in use); may raise `torch.OutOfMemoryError`.
        least, most: budgets to begin and to end with.
        used: bytes in use before.
        room: bytes that may be in use.
        patience: seconds of a step after which no larger one is tried.

    Returns:
        What was tried. It ends early where three budgets in a row are no faster than those before. Where memory ran out
        all the same, the last one that fitted is missing, if there are others: how little more would have fitted
        is not known, and batches of a run are not all alike.
    """
    tried: list[Tried] = []
    before, budget = (0, used), least
    while True:
        try:
            seconds, peak = step(budget)
        except torch.OutOfMemoryError:  # the line was wrong, yet nothing is lost
            log.info("%d frames do not fit, and what came before may fit but just", budget)
            return tried[:-1] or tried
        tried.append((budget, seconds, peak))
        more = min(most, int(budget * RISE))
        slope = max(0.0, peak - before[1]) / (budget - before[0])
        before = (budget, max(peak, before[1]))
        rates = [one / took for one, took, _ in tried]
        stale = len(rates) > 3 and max(rates[-3:]) <= max(rates[:-3])
        if more <= budget or seconds > patience or stale or peak + 1.25 * slope * (more - budget) > room:
            return tried
        budget = more


def choice(tried: list[Tried]) -> int:
    """The smallest budget that is nearly as fast as the fastest."""
    best = max(budget / seconds for budget, seconds, _ in tried)
    return min(budget for budget, seconds, _ in tried if budget / seconds >= ENOUGH * best)


def overfit(trainer: Any, model: Recognizer, corpus: Corpus, rows: int = 8, steps: int = 600) -> int:
    """Learn one batch by heart, without dropout or variation, and say after how many steps it is read without error.

    It is read with the average of the weights, as in validation. Where two views are to agree, both keep their masks.

    Whatever cannot do that will not learn a corpus: labels that do not belong to their frames, a stem that leaves too
    few of them, a rate that is far off.

    Raises:
        ConfigError: there are still errors after `steps`.
    """
    corpus.prepare_data()
    corpus.setup("fit")
    loader = corpus.train_dataloader()
    part: Any = loader.dataset
    part.vary, part.share = None, 0.0
    if not model.hparams["consistency"]:
        part.augment, part.views = None, 1
    members = max((draw[1] for draw in loader.sampler), key=len)[:rows]
    batch = part[0, members].to(trainer.strategy.root_device)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    rate, count = model.hparams["lr"], len(batch) // batch.views
    step = Step(trainer, model, corpus, rate)
    references = [utterance.text or "" for utterance in batch.utterances[:count]]
    for done in range(1, steps + 1):
        for group in step.optimizer.param_groups:
            group["lr"] = rate * min(1.0, done / 20)
        loss = step(batch)
        if done % 10 == 0:
            with step.averaged(), torch.inference_mode():
                answers = model.answers(*model(batch.frames[:count], batch.lengths[:count]))
            texts = [" ".join(word.text for word in words) for words, _ in answers]
            wrong = Counts.over(references, texts).cer
            log.info("step %d: loss %.4f, CER %.4f", done, loss, wrong)
            if not wrong:
                print(f"{len(references)} utterances learnt by heart in {done} steps")
                return done
    shown = f"{references[0]!r} is read as {texts[0]!r}"
    raise ConfigError("--overfit", f"CER {wrong:.3f} after {steps} steps, {shown}", "check the texts, lr and stem")


def _used(device: torch.device) -> float:
    """The most bytes this process has used so far, on the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_reserved(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _room(device: torch.device) -> float:
    """The bytes this process may use on the device: nine tenths of what is free, and what it uses already."""
    if device.type == "cuda":
        return 0.9 * torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    lines = Path("/proc/meminfo")
    if lines.is_file():
        table = dict(line.split(":") for line in lines.read_text().splitlines())
        free = 1024.0 * int(table["MemAvailable"].split()[0])
    else:
        free = _used(device)  # nothing is known of it: as much again
    return 0.9 * free + _used(device)
