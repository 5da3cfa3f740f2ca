"""Configurations -> a table: the error rate that each optimiser reaches in so many steps, and what its steps cost.

    python benchmarks/optimisers.py an4 [--steps 600] [--rates 0.002 0.004] [--seeds 1] [flags of train.py]

From nothing, with the same first weights, batches and course of the rate; validated once, after the last step. Every
finished run is a line of FILE.jsonl; started again, the script does what is missing there.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from augmentation import HERE, key, mean, read, run
from origin import origin, table

from recognizer.optimiser import OPTIMISERS

HEAD = "| configuration | optimiser | highest rate | steps | CER % | WER % | seconds of processor a step | seeds |"


def main() -> int:
    """Runs what is missing and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="+", metavar="CONFIG", help="of configs/, by name")
    parser.add_argument("--steps", type=int, default=600, help="of each training (default: 600)")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.002], help="highest ones (default: 0.002)")
    parser.add_argument("--seeds", type=int, default=1, help="how many (default: 1); 1, 2, ...")
    parser.add_argument("--runs", type=Path, default=HERE / "optimisers.jsonl")
    parser.add_argument("--output", type=Path, default=HERE / "optimisers.md")
    options, flags = parser.parse_known_args()  # what is not known here is for train.py
    if stray := [flag for flag in flags if not flag.startswith("--")]:
        parser.error(f"write flags of train.py as --flag=value: {' '.join(stray)}")
    done = read(options.runs)
    rows: dict[tuple[str, str, float], list[dict[str, Any]]] = {}
    for seed in range(1, options.seeds + 1):
        for config in options.configs:
            for rate in options.rates:
                for name in OPTIMISERS:
                    told = [f"--model.optimiser={name}", f"--model.lr={rate}", f"--seed={seed}", f"--data.seed={seed}"]
                    arguments = ["--config", config, f"--trainer.max_steps={options.steps}", *told, *flags]
                    if key(arguments) not in done:
                        print(f"{config}, {name}, {rate:g}, seed {seed}", flush=True)
                        done[key(arguments)] = found = run(arguments, options.steps)
                        with options.runs.open("a", encoding="utf-8") as file:
                            file.write(json.dumps({"key": key(arguments), "arguments": arguments, **found}) + "\n")
                    rows.setdefault((config, name, rate), []).append(done[key(arguments)])
                    options.output.write_text(document(rows, options.steps), encoding="utf-8")
    print(document(rows, options.steps))
    return 0


def document(rows: dict[tuple[str, str, float], list[dict[str, Any]]], steps: int) -> str:
    """The table with what is needed to make it again."""
    lines = []
    for (config, name, rate), runs in rows.items():
        cer, wer = (mean(100 * one[which] for one in runs) for which in ("cer", "wer"))
        cost = mean(one["processor"] / steps for one in runs)
        lines.append(f"| {config} | {name} | {rate:g} | {steps} | {cer:.2f} | {wer:.1f} | {cost:.2f} | {len(runs)} |")
    return "\n".join(["# Optimisers, from nothing", "", *origin("torch"), "", *table(HEAD, lines), ""])


if __name__ == "__main__":
    sys.exit(main())
