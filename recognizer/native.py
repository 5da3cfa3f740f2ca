"""A function -> machine code, by Numba. A first call compiles; what it made is kept on disk.

What is kept is that of the function which is called, all of its parts within, and Numba looks for changes in that
function's own file only: who changes a part in another file touches the file of the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def compiled(function: Callable[..., Any]) -> Any:
    """What Python calls; kept on disk where a folder for it can be written; runs without the GIL."""
    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # Numba finds no such folder
        return numba.njit(**OPTIONS)(function)


def part(function: Callable[..., Any]) -> Any:
    """What only compiled functions call: without the wrappers through which Python would."""
    bare = OPTIONS | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(**bare)(function)
