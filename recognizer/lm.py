"""Texts -> a word or character n-gram model: python -m recognizer.lm TEXT... --output lm.npz.

A file .npz holds the arrays that the beam decoder asks, and opens at once; an ARPA file is read by other programs, too.

Interpolated modified Kneser-Ney (Chen and Goodman, *An Empirical Study of Smoothing Techniques for Language Modeling*,
1999). Below the highest order an n-gram counts as often as different words are seen before it.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import logging
import lzma
import sys
import tempfile
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recognizer import arpa, binary, manifest
from recognizer.arpa import BEGIN, END, OTHER, SPACE
from recognizer.decoders.ngram import NGram
from recognizer.errors import ConfigError, InputError, RecognizerError

log = logging.getLogger(__name__)
PACKED = {".gz": gzip.open, ".xz": lzma.open}
USUAL = (0.5, 1.0, 1.5)
"""Discounts of n-grams seen once, twice and more often, where a text is too small to say them itself."""
ARRAYS = ".npz"
"""How a file of `NGram.write` ends."""
MODELS = (".arpa", ".arpa.gz")
NEVER = -99.0  # ARPA for log10 0

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclasses.dataclass
class Order:
    """The n-grams of one length.

    Attributes:
        last: [N], the number of each one's last token.
        prefix: [N], which n-gram of the length below it begins with (0 for the empty one).
        suffix: [N], which one it ends with.
        seen: [N], how often it occurs.
        count: [N], how often it counts.
        chance: [N], its probability after its prefix, interpolated.
        weight: [N], of the shorter context, where this one is the context.
    """

    last: Ints
    prefix: Ints
    suffix: Ints
    seen: Ints
    count: Floats
    chance: Floats
    weight: Floats


def sentences(paths: Iterable[str | Path], characters: bool = False) -> Iterator[list[str]]:
    """The tokens of each line of text files (plain, .gz, .xz), and of each text of manifests (.tsv).

    Texts are brought to Unicode NFC. With `characters` each character is a token, and the space is `<space>`.

    Raises:
        InputError: a file cannot be read, is not UTF-8, or holds one of the marks `<s>`, `</s>`, `<unk>` as a word.
        ManifestError: a manifest cannot be read.
    """
    for path in map(Path, paths):
        for number, line in enumerate(_lines(path), start=1):
            words = unicodedata.normalize("NFC", line).split()
            if characters:
                words = [SPACE if character == " " else character for character in " ".join(words)]
            elif marks := {BEGIN, END, *OTHER} & set(words):
                raise InputError(f"{path}, line {number}", f"holds the mark {marks.pop()}", "delete it")
            if words:
                yield words


def _lines(path: Path) -> Iterator[str]:
    if path.suffix == ".tsv":
        yield from (utterance.text or "" for utterance in manifest.read(path))
        return
    opened: Any = PACKED.get(path.suffix, open)
    try:
        with opened(path, "rt", encoding="utf-8-sig") as file:
            yield from file
    except UnicodeDecodeError as error:
        raise InputError(path, "is not UTF-8 text", "give texts (.txt, .gz, .xz) or manifests (.tsv)") from error
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise InputError(path, f"cannot be read ({error})", "check the path, or fetch it again") from error


def counted(texts: Iterable[Sequence[str]], order: int) -> tuple[list[str], list[Order]]:
    """Tokens (the marks first) and the n-grams of each length up to `order`, counted.

    Raises:
        ConfigError: there is no text.
    """
    index = {OTHER[0]: 0, BEGIN: 1, END: 2}
    stream: list[int] = []
    for words in texts:
        stream.append(1)
        stream.extend(index.setdefault(word, len(index)) for word in words)
        stream.append(2)
    if not stream:
        raise ConfigError("text", "there is none in the files", "give texts that are not empty")
    tokens = np.array(stream, np.int64)
    size = len(index)
    ends = np.flatnonzero(tokens == 2)
    until = ends[np.searchsorted(ends, np.arange(len(tokens)))]  # the end of the sentence in which a token stands
    # An order's n-grams are numbered as they sort by prefix and last token; `which` holds the number of that which
    # begins at each place. Order 1 lists all tokens, also the unknown one, which never occurs.
    which = tokens
    seen = np.bincount(tokens, minlength=size)
    nothing = np.zeros(size, np.int64)
    orders = [_order(np.arange(size), nothing, nothing, seen)]
    for length in range(2, order + 1):
        places = np.flatnonzero(np.arange(len(tokens)) + length - 1 <= until)
        if not len(places):
            break
        keys = which[places] * size + tokens[places + length - 1]
        found, first, inverse, seen = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        suffix = which[places[first] + 1]
        orders.append(_order(found % size, found // size, suffix, seen))
        which = np.full(len(tokens), -1)
        which[places] = inverse.ravel()
        # What begins a sentence has nothing before it, so it counts as often as it is seen.
        before = np.bincount(suffix, minlength=len(orders[-2].seen)).astype(np.float64)
        orders[-2].count = np.where(_begins(orders, length - 1), orders[-2].seen, before)
    orders[0].count[1] = 0.0  # a text's beginning is given, never guessed
    return list(index), orders


def _order(last: Ints, prefix: Ints, suffix: Ints, seen: Ints) -> Order:
    return Order(last, prefix, suffix, seen, seen.astype(np.float64), np.zeros(len(last)), np.ones(len(last)))


def _begins(orders: list[Order], length: int) -> NDArray[np.bool_]:
    """Which n-grams of a length begin with `<s>`."""
    found = orders[0].last == 1
    for order in orders[1:length]:
        found = found[order.prefix]
    return found


def discounts(count: Floats) -> tuple[float, float, float]:
    """What is taken from n-grams that count 1, 2, and 3 or more (Chen and Goodman 1999, equation 26)."""
    n1, n2, n3, n4 = (float((count == number).sum()) for number in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return USUAL
    share = n1 / (n1 + 2 * n2)
    found = (1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3)
    sound = all(0 < discount <= number for number, discount in enumerate(found, start=1))
    return found if sound else USUAL


def smooth(orders: list[Order], prune: int = 0) -> None:
    """Fill in `chance` and `weight`, so that over all tokens but `<s>` each context's probabilities sum to 1.

    Args:
        prune: n-grams of 3 tokens and more seen so often or less are taken out; the shorter context gets their share.
    """
    lower = np.full(1, 1.0 / (len(orders[0].last) - 1))  # below the unigrams all tokens but `<s>` are alike
    contexts = 1
    for length, order in enumerate(orders, start=1):
        taken = np.take(np.array([0.0, *discounts(order.count)]), np.minimum(order.count, 3).astype(np.int64))
        if length >= 3:
            taken = np.where(order.seen <= prune, order.count, taken)
        sums = np.bincount(order.prefix, order.count, contexts)
        full = np.maximum(sums, 1.0)
        weight = np.where(sums > 0, np.bincount(order.prefix, taken, contexts) / full, 1.0)
        order.chance = (order.count - taken) / full[order.prefix] + weight[order.prefix] * lower[order.suffix]
        if length > 1:
            orders[length - 2].weight = weight
        lower, contexts = order.chance, len(order.last)


def listing(tokens: Sequence[str], orders: Sequence[Order], prune: int = 0) -> Iterator[list[arpa.Row]]:
    """The rows of each length, as an ARPA file lists them."""
    names: list[str] = []
    for length, order in enumerate(orders, start=1):
        begun = (names[prefix] + " " if length > 1 else "" for prefix in order.prefix.tolist())
        names = [start + tokens[last] for start, last in zip(begun, order.last.tolist(), strict=True)]
        chance, weight = np.log10(order.chance), np.log10(order.weight)
        if length == 1:
            chance[1] = NEVER
        kept = np.flatnonzero((order.seen > prune) | (length < 3)).tolist()
        yield [(float(chance[n]), names[n], float(weight[n])) for n in kept]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m recognizer.lm",
        description="Build an n-gram model for the beam decoder from texts, or turn one into what opens at once.",
    )
    texts = "text files (plain, .gz, .xz) or manifests (.tsv); or one model: .arpa, .arpa.gz, or a binary of KenLM"
    made.add_argument("texts", nargs="+", metavar="TEXT", help=texts)
    output = "lm.npz, which opens at once, or lm.arpa.gz, which other programs read, too"
    made.add_argument("--output", required=True, metavar="FILE", type=Path, help=output)
    made.add_argument("--order", type=int, default=4, metavar="N", help="tokens of the longest n-gram (default 4)")
    made.add_argument("--characters", action="store_true", help="of characters instead of words")
    made.add_argument(
        "--prune", type=int, default=0, metavar="N", help="leave out n-grams of 3 tokens and more seen N times or less"
    )
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Build what the command line asks for; 0 if it is written, 2 if not."""
    options = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        models = [text for text in options.texts if text.endswith(MODELS) or binary.is_one(text)]
        said = _turned(models[0], options) if models else _built(options)
    except RecognizerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    log.info("%s: %s", options.output, said)
    return 0


def _turned(model: str, options: argparse.Namespace) -> str:
    """Write a model that is there already as arrays; what is told of it."""
    if len(options.texts) > 1:
        raise ConfigError(model, "is a language model, among texts", "give texts only, or one model alone")
    if options.output.suffix != ARRAYS:
        raise ConfigError("--output", f"{options.output} is not {ARRAYS}", f"a model is turned into {ARRAYS} only")
    read = NGram.read(model)
    read.write(options.output)
    return f"{len(read.token) - 1} n-grams of up to {read.order} tokens"


def _built(options: argparse.Namespace) -> str:
    """Write the model of texts; what is told of it."""
    if options.order < 1 or options.prune < 0:
        what = f"are {options.order} and {options.prune}"
        raise ConfigError("--order, --prune", what, "give at least 1 and at least 0")
    tokens, orders = counted(sentences(options.texts, options.characters), options.order)
    smooth(orders, options.prune)
    rows = listing(tokens, orders, options.prune)
    if options.output.suffix == ARRAYS:
        with tempfile.TemporaryDirectory() as scratch:
            counts = arpa.write(listed := Path(scratch) / "lm.arpa", rows)
            NGram.read(listed).write(options.output)
    else:
        counts = arpa.write(options.output, rows)
    each = ", ".join(f"{count} {length}-grams" for length, count in enumerate(counts, start=1))
    return f"{each}, from {int(orders[0].seen[2:].sum())} tokens"


if __name__ == "__main__":
    sys.exit(main())
