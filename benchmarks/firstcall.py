"""Fresh processes -> a table: what the first decoding with a beam costs before what is compiled is kept, and after.

    python benchmarks/firstcall.py [--rounds 3] [--output benchmarks/results/firstcall.md]

Every round has an empty folder for what Numba keeps, and two processes after each other: the first one compiles the
search, the second one loads it. Seconds are those of the processor, in the call alone and in the whole process, which
also loads Python, PyTorch and Numba.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from origin import origin, table

HERE = Path(__file__).parent
CALL = """
import time
import torch
from recognizer.decoders import Beam

matrix = torch.randn(1, 50, 28, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
beam = Beam(["", *"abcdefghijklmnopqrstuvwxyz '"[:27]], threads=1)
began = time.process_time()
beam.decode(matrix, torch.tensor([50]))
print(time.process_time() - began, time.process_time())
"""
HEAD = "| process | the call, s: median | least | most | whole process, s: median |"


def main() -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "firstcall.md")
    options = parser.parse_args()
    first, second = [], []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            first.append(called(folder))
            second.append(called(folder))
    lines = [
        "# The first call of a beam",
        "",
        *origin("numba", "llvmlite", "torch"),
        f"- one matrix of 50 frames and 28 labels, width 100; {options.rounds} rounds; seconds of the processor, which"
        " another load on its cores lengthens",
        "",
        *table(HEAD, (row("compiles", first), row("finds it compiled", second))),
        "",
    ]
    options.output.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))
    return 0


def called(folder: str) -> tuple[float, float]:
    """Seconds of the processor: the first call of a new process that keeps in `folder` what it compiles, and all."""
    paths = os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"NUMBA_CACHE_DIR": folder, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", CALL], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    call, whole = map(float, run.stdout.split())
    return call, whole


def row(name: str, found: list[tuple[float, float]]) -> str:
    """A line of the table."""
    calls, wholes = zip(*found, strict=True)
    told = (statistics.median(calls), min(calls), max(calls), statistics.median(wholes))
    return f"| {name} | " + " | ".join(f"{seconds:.2f}" for seconds in told) + " |"


if __name__ == "__main__":
    sys.exit(main())
