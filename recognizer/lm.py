"""Texts -> a word or character n-gram model: python -m recognizer.lm TEXT... --output lm.npz.

A file .npz holds the arrays that the beam decoder asks, and opens at once; an ARPA file is read by other programs, too.
With `--mix`, texts of one's own have their share in what a model of many others says; a model may stand for either.
With `--keep`, what was built, mixed or read loses the n-grams that it needs least.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import itertools
import logging
import lzma
import sys
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from recognizer import arpa, binary, kneserney, manifest, sphinx
from recognizer.alphabet import FORMS, SPLITS, Form, Split, pieces
from recognizer.arpa import BEGIN, END, OTHER, SPACE
from recognizer.decoders.ngram import NGram
from recognizer.errors import ConfigError, InputError, RecognizerError
from recognizer.mixture import mixed
from recognizer.pruning import pruned

log = logging.getLogger(__name__)
PACKED = {".gz": gzip.open, ".xz": lzma.open}
ARRAYS = ".npz"
"""How a file of `NGram.write` ends."""
MODELS = (".arpa", ".arpa.gz", ARRAYS)


def sentences(
    paths: Iterable[str | Path], characters: bool = False, form: Form = "NFC", split: Split = "character"
) -> Iterator[list[str]]:
    """The tokens of each line of text files (plain, .gz, .xz), and of each text of manifests (.tsv).

    Texts are brought to a Unicode normal form. With `characters` each character, as `split` counts them, is a token,
    and the space is `<space>`.

    Raises:
        InputError: a file cannot be read, is not UTF-8, or holds one of the marks `<s>`, `</s>`, `<unk>` as a word.
        ManifestError: a manifest cannot be read.
    """
    for path in map(Path, paths):
        for number, line in enumerate(_lines(path), start=1):
            words = unicodedata.normalize(form, line).split()
            if characters:
                words = [SPACE if character == " " else character for character in pieces(" ".join(words), split)]
            elif marks := {BEGIN, END, *OTHER} & set(words):
                raise InputError(f"{path}, line {number}", f"holds the mark {marks.pop()}", "delete it")
            if words:
                yield words


def _lines(path: Path) -> Iterator[str]:
    if path.suffix.lower() == ".tsv":
        yield from (utterance.text or "" for utterance in manifest.read(path))
        return
    opened: Any = PACKED.get(path.suffix.lower(), open)
    try:
        with opened(path, "rt", encoding="utf-8-sig") as file:
            yield from file
    except UnicodeDecodeError as error:
        raise InputError(path, "is not UTF-8 text", "give texts (.txt, .gz, .xz) or manifests (.tsv)") from error
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise InputError(path, f"cannot be read ({error})", "check the path, or fetch it again") from error


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m recognizer.lm",
        description="Build an n-gram model for the beam decoder from texts, or turn one into another kind of file.",
    )
    texts = "text files (plain, .gz, .xz) or manifests (.tsv); or one model: ARPA, .npz, KenLM or CMU Sphinx binary"
    made.add_argument("texts", nargs="+", metavar="TEXT", help=texts)
    output = "lm.npz, which opens at once, or lm.arpa.gz, which other programs read, too"
    made.add_argument("--output", required=True, metavar="FILE", type=Path, help=output)
    made.add_argument("--order", type=int, default=4, metavar="N", help="tokens of the longest n-gram (default 4)")
    made.add_argument("--characters", action="store_true", help="of characters instead of words")
    made.add_argument("--form", choices=FORMS, default="NFC", help="Unicode normal form, that of the model's alphabet")
    made.add_argument("--split", choices=SPLITS, default="character", help="what --characters counts as one")
    made.add_argument(
        "--prune", type=int, default=0, metavar="N", help="leave out n-grams of 3 tokens and more seen N times or less"
    )
    keep = "keep at most N n-grams of 2 tokens and more, those without which the model would change most (Stolcke 1998)"
    made.add_argument("--keep", type=int, metavar="N", help=keep)
    mix = (
        "other texts, whose model is not pruned, or one model, with its share of every probability: --mix 0.3 mine.tsv"
    )
    made.add_argument("--mix", nargs="+", default=[], metavar=("SHARE", "TEXT"), help=mix)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Build what the command line asks for; 0 if it is written, 2 if not."""
    options = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        model = built(options)
        if options.output.suffix == ARRAYS:
            model.write(options.output)
        else:
            arpa.write(options.output, model.tokens, model.sections())
    except RecognizerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    listed = ", ".join(f"{len(grams)} {length}-grams" for length, (grams, _) in enumerate(model.sections(), start=1))
    log.info("%s: %s", options.output, listed)
    return 0


def built(options: argparse.Namespace) -> NGram:
    """The model that the command line asks for.

    Raises:
        RecognizerError: a text cannot be read, there is none, or a setting is out of range.
    """
    for name, value, least in (("order", options.order, 1), ("prune", options.prune, 0), ("keep", options.keep, 0)):
        if value is not None and value < least:
            raise ConfigError(f"--{name}", f"is {value}", f"give at least {least}")
    whole = _whole(options)
    return whole if options.keep is None else pruned(whole, options.keep)


def _whole(options: argparse.Namespace) -> NGram:
    """It, before n-grams are taken out of it."""
    tokenised = functools.partial(sentences, characters=options.characters, form=options.form, split=options.split)
    if not options.mix:
        return given(options.texts) or kneserney.built(tokenised(options.texts), options.order, options.prune)
    share, *others = options.mix
    try:
        if not others or not 0 < float(share) < 1:
            raise ValueError
    except ValueError:
        remedy = "give a share between 0 and 1, and texts or a model behind it"
        raise ConfigError("--mix", f"is {' '.join(options.mix)}", remedy) from None
    sides, prunes = (options.texts, others), (options.prune, 0)
    models = [given(side) for side in sides]
    texts = [[] if model else list(tokenised(side)) for model, side in zip(models, sides, strict=True)]
    known = dict.fromkeys(token for line in itertools.chain(*texts) for token in line)
    known |= dict.fromkeys(token for model in models if model for token in model.tokens if token not in OTHER)
    one, two = (
        model or kneserney.built(lines, options.order, prune, tuple(known))
        for model, lines, prune in zip(models, texts, prunes, strict=True)
    )
    return mixed(one, two, float(share))


def given(texts: Sequence[str]) -> NGram | None:
    """The model that stands in place of texts, if one does.

    Raises:
        RecognizerError: it cannot be read, or there are texts beside it.
    """
    models = [text for text in texts if text.endswith(MODELS) or binary.is_one(text) or sphinx.is_one(text)]
    if models and len(texts) > 1:
        remedy = "give texts only, or one model alone, and what it is mixed with behind --mix"
        raise ConfigError(models[0], "is a model, and there is more beside it", remedy)
    return NGram.read(models[0]) if models else None


if __name__ == "__main__":
    sys.exit(main())
