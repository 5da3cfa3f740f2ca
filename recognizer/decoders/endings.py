"""The nodes of a back-off model -> the longest listed proper ending of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from recognizer.decoders.fusion import find
from recognizer.native import compiled

SOUND, STRANGE, UNSORTED = range(3)
"""What `endings` finds: all is well; a token that is not listed; children that do not rise."""


def _endings(token: Any, first: Any, words: int, suffix: Any) -> int:
    """Fill `suffix` of all nodes, and make `token`, of each what it lies above its elder sibling's, the token itself.

    Args:
        token: int32 [N], changed; -1 for node 0.
        first: int32 [top + 1], see `NGram`; sound, with all single tokens below node 0.
        words: how many tokens there are.
        suffix: int32 [N], filled.
    """
    suffix[0] = 0
    for node in range(len(first) - 1):
        last = np.int64(-1)
        for child in range(first[node], first[node + 1]):
            word = np.int64(token[child]) + max(last, 0)
            if not 0 <= word < words:
                return STRANGE
            if word <= last:
                return UNSORTED
            token[child] = last = word
            ending, state = np.int64(0 if node == 0 else 1 + word), np.int64(suffix[node])
            while state > 0:
                found = find(first, token, state, word)
                if found >= 0:
                    ending, state = found, np.int64(0)
                else:
                    state = np.int64(suffix[state])
            suffix[child] = ending
    return SOUND


endings = compiled(_endings)
