"""Configurations -> a table: what each kind of variation does to the error rate on validation people, one at a time.

    python benchmarks/augmentation.py an4 unipen froc [--steps 600] [--seeds 3] [--noise FOLDER] [--rooms FOLDER]
        [--only speed telephone] [--finished] [flags of train.py, such as --from=small/{config}.ckpt]

A small network of the configuration's kind is trained for so many steps: with no variation, with each kind alone, with
all those that are on by default, and with what is off by default beside them; the batches, the first weights and the
number of steps are the same. Validated once, after the last step. Every finished run is a line of FILE.jsonl; started
again, the script does what is missing there. A few hundred steps show what hinders at once; what helps only a network
that begins to learn its files by heart shows late: let all begin with the weights of one that does, trained with
--data.vary=false, --data.augment=null and the flags of SMALL. {config} in a flag is the configuration's name.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import inspect
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from origin import origin, table

from recognizer import train
from recognizer.arguments import folder
from recognizer.variations import VARIATIONS

HERE = Path(__file__).parent / "results"
SMALL = ("--model.depth=2", "--model.width=128")
QUIET = ("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.logger=false")
TRIED = {
    "gain": 6.0, "telephone": 0.245, "gate": 0.5, "rotation": 0.02, "shake": 0.04, "jitter": 0.02, "dropped": 0.5,
    "shear": 0.3, "blur": 1.0, "contrast": 0.5,
}  # fmt: skip
"""Amounts of what is off by default; folders are named on the command line."""
HEAD = "| data.vary | masks | CER % | WER % | change of CER, points | seeds | minutes |"


@dataclasses.dataclass(frozen=True)
class Way:
    """One line of the table: how signals are varied, and what its error rate is compared with.

    Attributes:
        title: of the line.
        vary: the setting data.vary.
        masks: whether the configuration's data.augment is on.
        against: the title of another line; "" for none.
    """

    title: str
    vary: dict[str, Any] | bool
    masks: bool
    against: str

    @property
    def flags(self) -> list[str]:
        """For train.py."""
        return [f"--data.vary={json.dumps(self.vary)}", *([] if self.masks else ["--data.augment=null"])]


def main() -> int:
    """Runs what is missing and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="+", metavar="CONFIG", help="of configs/, by name")
    parser.add_argument("--steps", type=int, default=600, help="of each training (default: 600)")
    parser.add_argument("--seeds", type=int, default=1, help="how many (default: 1); 1, 2, ...")
    parser.add_argument("--noise", help="a folder of sound files")
    parser.add_argument("--rooms", help="a folder of impulse responses")
    parser.add_argument("--only", nargs="+", metavar="TITLE", help="these lines alone, and what they are compared with")
    parser.add_argument("--finished", action="store_true", help="run nothing, write the table of what is finished")
    parser.add_argument("--runs", type=Path, default=HERE / "augmentation.jsonl")
    parser.add_argument("--output", type=Path, default=HERE / "augmentation.md")
    options, flags = parser.parse_known_args()  # what is not known here is for train.py
    if stray := [flag for flag in flags if not flag.startswith("--")]:
        parser.error(f"write flags of train.py as --flag=value: {' '.join(stray)}")
    folders = {"noise": options.noise, "rooms": options.rooms}
    done = read(options.runs)
    wanted = []
    for seed in range(1, options.seeds + 1):
        for config in options.configs:
            for way in chosen(ways(config, folders), options.only):
                given = [flag.replace("{config}", config) for flag in flags]
                told = [f"--seed={seed}", f"--data.seed={seed}", *way.flags, *SMALL, *given]
                wanted.append((config, way, ["--config", config, f"--trainer.max_steps={options.steps}", *told]))
    options.runs.parent.mkdir(parents=True, exist_ok=True)
    for number, (config, way, arguments) in enumerate(wanted, start=1):
        if key(arguments) in done or options.finished:
            continue
        print(f"{number} of {len(wanted)}: {config}, {way.title}", flush=True)
        done[key(arguments)] = found = {"config": config, "title": way.title, **run(arguments, options.steps)}
        with options.runs.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key(arguments), "arguments": arguments, **found}) + "\n")
        options.output.write_text(document(wanted, done), encoding="utf-8")
    text = document(wanted, done)
    options.output.write_text(text, encoding="utf-8")
    print(text)
    return 0


def ways(config: str, folders: dict[str, str | None]) -> list[Way]:
    """The lines of a configuration's table."""
    data = yaml.safe_load((folder() / f"{config}.yaml").read_text(encoding="utf-8"))["data"]
    member = VARIATIONS[data["frontend"]["name"]]
    usual = {name: one.default for name, one in inspect.signature(member).parameters.items()}
    more = {name: amount for name, amount in (TRIED | folders).items() if name in member.kinds and not usual[name]}
    more = {name: amount for name, amount in more.items() if amount}  # no folder was named
    amounts = {name: usual[name] for name in member.kinds if usual[name]} | more
    on = {kind: usual[kind] for kind in member.kinds}  # written out, so that a run is known by what it did
    found = [Way("none", False, False, "")]
    found += [Way(kind, member.off() | {kind: amount}, False, "none") for kind, amount in amounts.items()]
    found += [Way("defaults", on, False, "none")]
    if "augment" not in data:
        return [*found, *(Way(f"defaults, {kind}", on | {kind: more[kind]}, False, "defaults") for kind in more)]
    found += [Way("masks", False, True, "none"), Way("defaults, masks", on, True, "none")]
    beside = [Way(f"defaults, masks, {kind}", on | {kind: more[kind]}, True, "defaults, masks") for kind in more]
    return [*found, *beside]


def chosen(found: list[Way], only: list[str] | None) -> list[Way]:
    """Those whose titles are named, and those that they are compared with."""
    if only is None:
        return found
    named = {way.title for way in found if way.title in only}
    named |= {way.against for way in found if way.title in named}
    return [way for way in found if way.title in named]


def run(arguments: list[str], steps: int) -> dict[str, float]:
    """One training: its error rates on the validation set after the last step, and how long it took."""
    begun, used = time.perf_counter(), time.process_time()
    once = [
        f"--trainer.val_check_interval={steps}",
        "--trainer.check_val_every_n_epoch=null",
        "--trainer.max_epochs=-1",
    ]
    with tempfile.TemporaryDirectory() as folder:
        kept = [f"--{which}.dirpath={folder}/{which}" for which in ("best", "last")]
        trainer = train.train([*arguments, *once, *QUIET, *kept, f"--trainer.default_root_dir={folder}"])
    rates = {name: float(trainer.callback_metrics[f"val_{name}"]) for name in ("cer", "wer")}
    spent = {"seconds": time.perf_counter() - begun, "processor": time.process_time() - used}
    return {**rates, **{name: round(value, 1) for name, value in spent.items()}}


def key(arguments: list[str]) -> str:
    """Names a run by its settings."""
    return hashlib.sha256(json.dumps(arguments).encode()).hexdigest()[:16]


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The finished runs by key."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {found["key"]: found for found in map(json.loads, lines)}


def document(wanted: list[tuple[str, Way, list[str]]], done: dict[str, dict[str, Any]]) -> str:
    """The tables with what is needed to make them again."""
    text = ["# Variations of signals, one at a time", "", *origin("torch"), ""]
    for config in dict.fromkeys(config for config, _, _ in wanted):
        shown: dict[str, Way] = {}
        found: dict[str, list[dict[str, Any]]] = {}
        for name, way, arguments in wanted:
            if name == config and key(arguments) in done:
                shown[way.title] = way
                found.setdefault(way.title, []).append(done[key(arguments)])
        rates = {title: [100 * one["cer"] for one in results] for title, results in found.items()}
        rows = (row(way, found[title], rates) for title, way in shown.items())
        text += [f"## {config}", "", *table(HEAD, rows), ""]
    return "\n".join(text)


def row(way: Way, results: list[dict[str, Any]], rates: dict[str, list[float]]) -> str:
    """One line of a table; a change with its standard error over the seeds that both have."""
    pairs = zip(rates[way.title], rates.get(way.against, []), strict=False)
    changes = [one - other for one, other in pairs]
    change = f"{mean(changes):+.2f}" if changes else ""
    if len(changes) > 1:
        spread = sum((one - mean(changes)) ** 2 for one in changes) / (len(changes) - 1)
        change += f" ± {math.sqrt(spread / len(changes)):.2f}"
    change += f" against {way.against}" if changes and way.against != "none" else ""
    kinds = way.title.replace(", masks", "").replace("masks", "none")
    value = way.vary.get(kinds.rpartition(" ")[2]) if isinstance(way.vary, dict) else None
    told = f"{kinds} {value:g}" if isinstance(value, float | int) else kinds
    wer, minutes = mean(100 * one["wer"] for one in results), mean(one["seconds"] / 60 for one in results)
    mask, cer = "yes" if way.masks else "no", f"{mean(rates[way.title]):.2f}"
    return f"| {told} | {mask} | {cer} | {wer:.1f} | {change} | {len(results)} | {minutes:.1f} |"


def mean(values: Iterable[float]) -> float:
    """Of at least one number."""
    listed = list(values)
    return sum(listed) / len(listed)


if __name__ == "__main__":
    sys.exit(main())
