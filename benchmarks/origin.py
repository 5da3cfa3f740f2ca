"""A benchmark in progress -> the lines that tell how its table was made: command, commit, versions, machine, day."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path


def origin(*packages: str, processes: int = 1) -> list[str]:
    """Markdown. `packages` are those whose versions matter; `processes` how many, or threads, the benchmark used."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    versions = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    return [
        f"- command: `python {' '.join(shlex.quote(part) for part in sys.argv)}`",
        f"- commit {commit}, {', '.join([*versions, f'Python {platform.python_version()}'])}",
        f"- {processor()}, {processes} of {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f},"
        f" {datetime.date.today().isoformat()}",
    ]


def table(head: str, rows: Iterable[str]) -> list[str]:
    """The lines of a Markdown table; `head` and `rows` with bars around and between their cells."""
    return [head, "|" + "---|" * (head.count("|") - 1), *rows]


def processor() -> str:
    """The machine's name for its processor."""
    path = Path("/proc/cpuinfo")
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
