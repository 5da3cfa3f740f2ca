"""A model, a corpus and a machine -> what to know before a long run: the best budget, whether it learns at all."""

from __future__ import annotations

import logging
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

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
    model.to(device).train()
    optimizer = OPTIMISERS[model.hparams["optimiser"]](model, 1e-9, 0.0)

    def step(budget: int) -> tuple[float, float]:
        rows = min(most, max(1, budget // (length * part.views)))
        batch = part[0, [longest + copy * len(part) for copy in range(rows)]].to(device)
        for _ in range(2):  # the first one also makes room and tries kernels
            begun = time.perf_counter()
            _learn(trainer, model, optimizer, batch)
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
        What was tried. It ends early where three budgets in a row are no faster than those before.
    """
    tried: list[Tried] = []
    before, budget = (0, used), least
    while True:
        try:
            seconds, peak = step(budget)
        except torch.OutOfMemoryError:  # the line was wrong, yet nothing is lost
            return tried
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

    Whatever cannot do that will not learn a corpus: labels that do not belong to their frames, a stem that leaves too
    few of them, a rate that is far off.

    Raises:
        ConfigError: there are still errors after `steps`.
    """
    corpus.prepare_data()
    corpus.setup("fit")
    loader = corpus.train_dataloader()
    part: Any = loader.dataset
    part.vary, part.augment, part.share, part.views = None, None, 0.0, 1
    members = max((draw[1] for draw in loader.sampler), key=len)[:rows]
    device = trainer.strategy.root_device
    batch = part[0, members].to(device)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model.to(device).train()
    rate = model.hparams["lr"]
    optimizer = OPTIMISERS[model.hparams["optimiser"]](model, rate, 0.0)
    references = [utterance.text or "" for utterance in batch.utterances]
    for done in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, done / 20)
        loss = _learn(trainer, model, optimizer, batch)
        if done % 10 == 0:
            with torch.inference_mode():
                answers = model.answers(*model(batch.frames, batch.lengths))
            texts = [" ".join(word.text for word in words) for words, _ in answers]
            wrong = Counts.over(references, texts).cer
            log.info("step %d: loss %.4f, CER %.4f", done, loss, wrong)
            if not wrong:
                print(f"{len(references)} utterances learnt by heart in {done} steps")
                return done
    shown = f"{references[0]!r} is read as {texts[0]!r}"
    raise ConfigError("--overfit", f"CER {wrong:.3f} after {steps} steps, {shown}", "check the texts, lr and stem")


def _learn(trainer: Any, model: Recognizer, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    """One step, in the precision of the run; its loss."""
    with trainer.precision_plugin.forward_context():
        log_probs, lengths = model(batch.frames, batch.lengths)
        loss = model.loss(log_probs, lengths, batch)
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


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
