"""How much of this process lies in memory, by the kernel's own account.

getrusage's ru_maxrss would not do: it begins with what the parent had when it started the process.
"""

from __future__ import annotations

from pathlib import Path

MOST = "VmHWM"
"""At most so far."""


def mebibytes(name: str = "VmRSS") -> float:
    """MiB now, or `MOST`."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1]) / 1024
