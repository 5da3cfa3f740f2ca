"""The examples of WordNet's glosses -> a sentence a line, in lower case, for language models and synthetic speech.

    python benchmarks/wordnet.py /usr/share/wordnet > corpora/wordnet.txt

Debian's package wordnet-base has the files (WordNet 3.0, Princeton University, its own free licence).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

EXAMPLE = re.compile(r'"([^"]+)"')
PLAIN = re.compile(r"[a-z' ]+")


def main() -> int:
    """Print each example that needs no letters but a to z."""
    found = {}
    for path in sorted(Path(sys.argv[1]).glob("data.*")):
        for line in path.read_text(encoding="utf-8", errors="ignore").splitlines():
            _, _, gloss = line.partition("|")
            for example in EXAMPLE.findall(gloss):
                text = " ".join(re.sub(r"[,.;:!?-]", " ", example.lower()).split())
                if PLAIN.fullmatch(text) and not text.startswith("'"):
                    found[text] = None
    print("\n".join(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
