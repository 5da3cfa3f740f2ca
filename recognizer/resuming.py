"""The settings of a run and of the one that shall go on with it -> nothing, or what keeps them apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from recognizer.errors import CheckpointError

NAMED = {"alphabet": "characters", "phones": "phones"}
"""Settings that say what the outputs write."""
SHAPE = ("stem", "layer", "depth", "width", "projection", "norm")
"""Settings of the model that its weights depend on."""

ANEW = "leave it out, or begin a new run"


def readable(kept: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
    """See that weights learnt with the settings `kept` write what a model with the settings `mine` would write.

    Raises:
        CheckpointError: its outputs write other labels.
    """
    for name, labels in NAMED.items():
        if kept.get(name) != mine[name]:
            remedy = "resume with the texts and the dictionary of its run, or begin a new run with --from"
            raise CheckpointError("--resume", f"the checkpoint has other {labels}", remedy)


def follows(kept: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
    """See that a run with the settings `mine` can go on where one with the settings `kept` stands.

    A setting that is newer than the checkpoint keeps nothing apart. Schedules that follow from the step alone may take
    over from each other, but what "plateau" has seen so far none of them knows, nor it what they have.

    Raises:
        CheckpointError: the network, the frames that it reads, the optimiser or the schedule is another.
    """
    for name, old, new, remedy in _pairs(kept, mine):
        if old != new:
            raise CheckpointError("--resume", f"{name} is {new}, and in the checkpoint {old}", remedy)


def retune(
    optimizer: Any,
    decays: Sequence[float],
    schedules: Sequence[Any],
    kept: Mapping[str, float],
    mine: Mapping[str, Any],
) -> None:
    """Let an optimiser and its schedules, taken up as they stood, go on with another rate and another decay.

    Args:
        decays: what each group of weights has by the settings `mine`.
        kept: the settings "lr" and "weight_decay" by which it learnt so far; what is as before is left alone.
    """
    share = mine["lr"] / kept["lr"] if kept.get("lr", mine["lr"]) != mine["lr"] else 1.0
    for group in optimizer.param_groups if share != 1 else ():
        group["lr"] *= share
        group["initial_lr"] *= share
    for schedule in schedules if share != 1 else ():
        schedule.base_lrs = [rate * share for rate in schedule.base_lrs]
    if kept.get("weight_decay", mine["weight_decay"]) != mine["weight_decay"]:
        for group, decay in zip(optimizer.param_groups, decays, strict=False):
            group["weight_decay"] = decay


def _pairs(kept: Mapping[str, Any], mine: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any, str]]:
    """What has to be alike: a setting's name, its two values, and the way out."""
    weights = f"{ANEW} with --from"
    read = mine["frontend"]
    for key, old in kept["frontend"].items():
        yield f"data.frontend.{key}", old, read.get(key), weights
    for key in SHAPE:
        if key in kept:
            yield f"model.{key}", _member(kept[key]), _member(mine[key]), ANEW
    if "optimiser" in kept:
        yield "model.optimiser", kept["optimiser"], mine["optimiser"], weights
    courses = kept.get("schedule"), mine["schedule"]
    if "plateau" in courses and None not in courses:
        yield "model.schedule", *courses, weights


def _member(value: Any) -> Any:
    """A member of a room that is given as a name and settings, but without settings, is its name."""
    return value["name"] if isinstance(value, dict) and value.keys() == {"name"} else value
