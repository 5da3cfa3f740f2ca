"""Lines and progress -> the terminal, neither in the other's way."""

from __future__ import annotations

import sys
from typing import Any, TextIO


def say(text: str, file: TextIO | None = None, end: str = "\n") -> None:
    """Write at once, to standard error if no file is given, above the progress bar if there is one.

    Nothing where that is closed, as it is for some programs that run without anybody.
    """
    import tqdm  # here and below: `--help` does not wait for it

    if (wanted := file or sys.stderr) is not None:
        tqdm.tqdm.write(text, file=wanted, end=end)
        wanted.flush()


def bar(total: int | None, unit: str) -> Any:
    """A progress bar, where someone watches, once the work has taken some seconds."""
    import tqdm

    return tqdm.tqdm(total=total, unit=unit, delay=3, disable=not (sys.stderr and sys.stderr.isatty()), leave=False)
