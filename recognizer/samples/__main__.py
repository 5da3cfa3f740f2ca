"""`python -m recognizer.samples digits --out DIR` -> an embedded corpus in DIR."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from recognizer.errors import RecognizerError
from recognizer.samples import SAMPLES


def main(argv: Sequence[str] | None = None) -> int:
    """Make one corpus; 0 when it lies there whole, 1 when it could not be made."""
    parser = argparse.ArgumentParser(prog="python -m recognizer.samples", description=__doc__)
    parser.add_argument("name", choices=sorted(SAMPLES), help="which corpus to make")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where (default: corpora/NAME)")
    given = parser.parse_args(argv)
    folder = given.out or Path("corpora") / given.name
    try:
        SAMPLES[given.name](folder)
    except RecognizerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
