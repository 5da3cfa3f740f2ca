"""Words of a text -> spelled words, numbers, dates and codes, as people say them to machines; a saying a line.

    python benchmarks/drills.py TEXT [--count 2500] > corpora/drills.txt

Letters to be spelt are capitals. TEXT is the table of a corpus, whose words of four letters and more are spelled.
"""

from __future__ import annotations

import argparse
import string
import sys
from pathlib import Path

import numpy

from recognizer import manifest

DIGITS = ["zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
MONTHS = [
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
]  # fmt: skip
TO_NINTH = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"]
TO_NINETEENTH = [f"{teen.removesuffix('e')}th" if teen != "twelve" else "twelfth" for teen in TEENS]
ORDINALS = [
    *TO_NINTH, *TO_NINETEENTH, "twentieth", *(f"twenty {day}" for day in TO_NINTH), "thirtieth", "thirty first",
]  # fmt: skip


def main() -> int:
    """Print the sayings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--count", type=int, default=2500)
    options = parser.parse_args()
    words = sorted({word for row in manifest.read(options.text) for word in (row.text or "").split() if len(word) > 3})
    for index in range(options.count):
        print(saying(words, numpy.random.default_rng([11, index])))
    return 0


def saying(words: list[str], chance: numpy.random.Generator) -> str:
    """One of them."""

    def some(things: list[str] | str, least: int, most: int) -> str:
        return " ".join(chance.choice(list(things), chance.integers(least, most + 1)).tolist())

    def pair() -> str:
        tens, one = str(chance.choice(TENS)), str(chance.choice(DIGITS[2:]))
        return str(chance.choice([tens, f"{tens} {one}", f"{tens} {one}", str(chance.choice(TEENS))]))

    kind = chance.choice(["digits", "word", "code", "date", "pairs", "letters"], p=[0.25, 0.3, 0.15, 0.1, 0.1, 0.1])
    if kind == "digits":
        return some(DIGITS, 1, 10)
    if kind == "word":
        return " ".join(letter for letter in str(chance.choice(words)).upper() if letter.isalpha())
    if kind == "code":
        return f"{some(string.ascii_uppercase, 1, 5)} {pair()}"
    if kind == "date":
        return f"{chance.choice(MONTHS)} {chance.choice(ORDINALS)} nineteen {pair()}"
    return (
        " ".join(pair() for _ in range(chance.integers(1, 5)))
        if kind == "pairs"
        else some(string.ascii_uppercase, 1, 6)
    )


if __name__ == "__main__":
    sys.exit(main())
