"""Speech and handwriting -> text, with deep bidirectional LSTMs and CTC."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from recognizer import cores

if TYPE_CHECKING:
    from recognizer.alphabet import Alphabet
    from recognizer.corpus import Corpus
    from recognizer.errors import RecognizerError
    from recognizer.manifest import Utterance
    from recognizer.model import Recognizer
    from recognizer.network import Network
    from recognizer.pretrained import load
    from recognizer.transcript import Transcript, Word

__all__ = ["Alphabet", "Corpus", "Network", "Recognizer", "RecognizerError", "Transcript", "Utterance", "Word", "load"]
__version__ = "0.1.0"

_HOMES = {
    "Alphabet": "alphabet",
    "Corpus": "corpus",
    "Network": "network",
    "Recognizer": "model",
    "RecognizerError": "errors",
    "Transcript": "transcript",
    "Utterance": "manifest",
    "Word": "transcript",
    "load": "pretrained",
}

if "OMP_WAIT_POLICY" not in os.environ:
    # Threads of GNU's OpenMP, which torch brings, spin while they wait for one another: beside a second busy process
    # that made both of them many times slower. It must be said before torch is loaded (docs/LOG.md).
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
if cores.quota() is not None:  # of a container; torch sees all cores of the machine, and its threads would be halted
    os.environ.setdefault("OMP_NUM_THREADS", str(cores.count()))


def __getattr__(name: str) -> Any:
    """Public names are imported when they are first asked for: torch takes seconds, and `--help` does not need it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
