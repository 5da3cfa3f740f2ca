"""Words and phrases that are expected -> an automaton that finds them label by label, and what each step earns.

Aho and Corasick, *Efficient string matching* (1975). Where there is a label between words, a match begins at the
beginning of a word and counts once the word is over; elsewhere anywhere. A part of the bonus is lent to a match that is
under way, so that the beam keeps it; it is taken back when the match breaks. What a text earns in the end is the bonus
for each occurrence, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recognizer.decoders.spellings import Rows, Spellings

LETTER, BRANCH, LINK = range(3)
"""A row of `Hotwords.nodes`: the label that led here, where the children begin, where a match goes on that breaks."""
WHOLE, PART, RISE = range(3)
"""A row of `Hotwords.earned`: for those that end here; lent to those under way; the most that one label can add."""


class Hotwords(NamedTuple):
    """The automaton. Node 0 is where a match may begin, the last but one where none can until the word is over.

    Attributes:
        nodes: int32 [N + 1, 3], rows of LETTER, BRANCH, LINK; a node's children end where the next one's begin.
        earned: float64 [N + 1, 3], rows of WHOLE, PART, RISE.
        dead: the node where no match can begin.
    """

    nodes: NDArray[np.int32]
    earned: NDArray[np.float64]
    dead: int

    @classmethod
    def of(cls, phrases: Mapping[tuple[int, ...], float], labels: int, space: int) -> Hotwords:
        """The automaton of these phrases, with what each earns; `labels` is above every label, `space` parts words."""
        listed = sorted(phrases)
        tree = Spellings.of(Rows.of(listed), np.zeros(len(listed)), labels)
        bonus = [phrases[listed[place]] if place >= 0 else 0.0 for place in tree.spelt.tolist()]
        letter, branch = tree.letter.tolist(), tree.branch.tolist()
        dead = len(letter)
        children = [{letter[child]: child for child in range(*branch[node : node + 2])} for node in range(dead)]
        parent, depth = [-1] * dead, [0] * dead
        link, whole = [-1] * (dead + 1), [0.0] * (dead + 1)
        for node in range(dead):  # level by level, so that what a node needs is there
            for label, child in children[node].items():
                parent[child], depth[child] = node, depth[node] + 1
                state = link[node]
                while 0 <= state < dead and label not in children[state]:
                    state = link[state]
                begins = 0 if space < 0 or label == space else dead
                link[child] = children[state][label] if 0 <= state < dead else begins
            whole[node] = bonus[node] + (whole[link[node]] if node else 0.0)
        each = [0.0] * dead  # what a label is worth, of the phrase below of whose labels each is worth most
        for node in range(dead - 1, 0, -1):
            each[node] = max(each[node], bonus[node] / depth[node])
            each[parent[node]] = max(each[parent[node]], each[node])
        earned = np.zeros((dead + 2, 3))
        spaced = float(space >= 0)  # whether what ends here waits for the end of the word; elsewhere it is paid at once
        for node in range(1, dead):
            earned[node, WHOLE] = whole[node]
            earned[node, PART] = max(depth[node] * each[node], spaced * earned[node, WHOLE], earned[link[node], PART])
        for node in range(dead):
            steps = [earned[child, PART] + (1 - spaced) * earned[child, WHOLE] for child in children[node].values()]
            if node:
                steps.append(earned[link[node], RISE])
            earned[node, RISE] = max(steps, default=0.0)
        earned[:, RISE] += spaced * earned[:, WHOLE]
        nodes = np.zeros((dead + 2, 3), np.int32)
        nodes[:, LETTER] = [*letter, -1, -1]
        nodes[:, BRANCH] = [*branch, branch[-1]]
        nodes[:, LINK] = [*link, -1]
        return cls(nodes, earned, dead)
