"""Log-probabilities -> the likeliest texts, by prefix beam search; with an n-gram model, a lexicon, hotwords."""

from __future__ import annotations

import concurrent.futures
import copy
import dataclasses
import itertools
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recognizer import cores
from recognizer.alphabet import BLANK, Alphabet, pieces
from recognizer.arpa import BEGIN, END, OTHER, SPACE
from recognizer.decoders.base import Decoder, Hypothesis
from recognizer.decoders.hotwords import Hotwords
from recognizer.decoders.lexicon import Given, Lexicon, Speller
from recognizer.decoders.ngram import NGram, opened
from recognizer.decoders.spellings import Rows, Spellings
from recognizer.errors import ConfigError, DecoderError

log = logging.getLogger(__name__)

DIVIDED = 0.2
"""The usual weight of a prior beside a language model."""
WAYS = 64  # in which a phrase may be spelt, at most


class Beam(Decoder):
    """Prefix beam search (Hannun et al. 2014): sums the paths of each text, as the greedy decoder does not.

    With a language model, texts are ranked by ln p(text | matrix) + `weight` ln p(text) + `bonus` x tokens. Words that
    the model does not list may be written, at the cost `unknown`; a word that is not finished counts as the likeliest
    that begins so. Hypotheses keep the two parts apart, as `score` and `gain`. A beam of 1 without a model is the
    best path, exactly.

    With a lexicon only its words are written, parted by single spaces (one word, where no label is a space); then a
    hypothesis names them. Of words that are spelt alike the one is written that the language model finds likeliest
    among the words on both sides of it, or else the first of the list. If no text in the beam ends with a whole word,
    the answer is the likeliest one, back to where it was whole.

    With a prior p(label), what is searched is not the matrix but p(label | frame) / p(label) ^ `prior_weight`, brought
    to the sum 1 again: what a network thinks of labels before it hears anything, a language model knows better
    (Bourlard & Morgan 1994; Miao, Gowayyed & Metze 2015). Scores and confidences are those of what is searched.

    Hotwords earn `hotword_bonus` for each time that one is written as a word of its own (where no label is a space:
    anywhere), whatever its case, and get back what `unknown` costs those of their words that the model does not list.
    A part of that is lent while one is being written, and taken back if it turns out to be another.

    Args:
        labels: an Alphabet, or what each label writes, one string each; what stands at `blank` is of no matter.
        lm: an ARPA file, plain or gzipped, a binary of KenLM, or an NGram. Its tokens are words or, for a character
            model, what the labels write, with `<space>` for the space.
        width: prefixes that are kept from frame to frame.
        weight: of the language model's logarithms.
        bonus: for each word (of a character model: each character) that is written; None: 1 with a language model, and
            0 with a lexicon alone.
        unknown: ln, added to the model's own value of `<unk>` for what it does not list.
        nbest: how many hypotheses a row is answered with, at most.
        token_floor: ln; less likely labels begin nothing new in a frame, unless they are its likeliest. -inf: all may.
        beam_floor: ln; prefixes this far below the frame's best are dropped. -inf: none is.
        blank: the label that writes nothing.
        space: what parts words.
        characters: whether the tokens of `lm` are single labels; None looks.
        threads: rows that are searched at once; None: as many as there are cores.
        lexicon: the only words that may be written: a `Lexicon`, or what `Lexicon.of` makes one of.
        hotwords: words and phrases that are expected.
        hotword_bonus: ln, added for each of them that is written.
        prior: for each label ln of how often it is taken, up to a constant; None: all alike, which changes nothing.
        prior_weight: see above; None: 0.2 with a language model, and 0 without.

    Raises:
        ConfigError: a setting outside its range, or labels that do not fit together.
        DecoderError: `lm` is no ARPA file or `lexicon` no list of words, or the labels can spell nothing in it.
    """

    def __init__(
        self,
        labels: Alphabet | Sequence[str],
        lm: str | Path | NGram | None = None,
        width: int = 100,
        weight: float = 0.5,
        bonus: float | None = None,
        unknown: float = -10.0,
        nbest: int = 1,
        token_floor: float = -7.0,
        beam_floor: float = -15.0,
        blank: int = BLANK,
        space: str = " ",
        characters: bool | None = None,
        threads: int | None = None,
        lexicon: Given | Lexicon | None = None,
        hotwords: Sequence[str] = (),
        hotword_bonus: float = 2.0,
        prior: Sequence[float] | None = None,
        prior_weight: float | None = None,
    ) -> None:
        self.alphabet = labels if isinstance(labels, Alphabet) else None
        self.labels = ("", *labels.characters) if isinstance(labels, Alphabet) else tuple(labels)
        self.width, self.nbest, self.blank, self.threads = width, nbest, blank, threads
        self.bonus = (0.0 if lm is None else 1.0) if bonus is None else float(bonus)
        self.weight, self.unknown, self.hotword_bonus = float(weight), float(unknown), float(hotword_bonus)
        self.token_floor, self.beam_floor = float(token_floor), float(beam_floor)
        self.prior = None if prior is None else torch.tensor(prior, dtype=torch.float32)
        self.prior_weight = (0.0 if lm is None else DIVIDED) if prior_weight is None else float(prior_weight)
        for name, count in (("width", width), ("nbest", nbest), ("threads", 1 if threads is None else threads)):
            if count < 1:
                raise ConfigError(name, f"is {count}", "give a whole number of at least 1")
        if not (0 <= self.weight < math.inf and math.isfinite(self.bonus)):
            raise ConfigError("weight, bonus", f"are {weight} and {bonus}", "give finite numbers, no negative weight")
        for name, factor in (("hotword_bonus", self.hotword_bonus), ("prior_weight", self.prior_weight)):
            if not 0 <= factor < math.inf:
                raise ConfigError(name, f"is {factor}", "give a finite number of at least 0")
        if self.prior is not None and not (len(self.prior) == len(self.labels) and self.prior.isfinite().all()):
            raise ConfigError("prior", f"is {prior}", f"give {len(self.labels)} finite numbers, one for each label")
        if isinstance(hotwords, str):
            raise ConfigError("hotwords", f"is one text, {hotwords!r}", "give a list of words and phrases")
        for name, floor in (("unknown", unknown), ("token_floor", token_floor), ("beam_floor", beam_floor)):
            if not floor <= 0:
                raise ConfigError(name, f"is {floor}", "give a logarithm of at most 0")
        if not 0 <= blank < len(self.labels):
            raise ConfigError("blank", f"is {blank}, of {len(self.labels)} labels", "give the number of a label")
        written = [label for place, label in enumerate(self.labels) if place != blank]
        if "" in written or len(set(written)) < len(written):
            raise ConfigError("labels", "one is empty or stands twice", "list what each label writes, once")
        self.speller = Speller(self.labels, blank, space, self.alphabet)
        self.space = self.speller.space
        made = lexicon if isinstance(lexicon, Lexicon) or lexicon is None else Lexicon.of(lexicon, self.speller)
        self.lexicon = made
        self.lm = opened(lm)
        self.characters = self.lm is not None and (self._looks_spelt() if characters is None else characters)
        self._tokens = np.full(len(self.labels), -1, np.int32)
        tree, entries = Spellings.of(Rows.of([]), np.zeros(0), len(self.labels)), np.zeros((0, 3), np.int32)
        if self.lm is not None and self.characters:
            self._letters(self.lm)
        elif self.lm is not None and self.lexicon is None:
            tree = self._vocabulary(self.lm)
        if self.lexicon is not None:
            tree, entries = self._closed(self.lexicon)
        self._known = tree, entries, tuple(hotwords)
        self._tell()

    def varied(self, weight: float, bonus: float, prior_weight: float) -> Beam:
        """The same beam with other weights; the models, the largest part, are shared."""
        other = copy.copy(self)
        other.weight, other.bonus, other.prior_weight = weight, bonus, prior_weight
        if self._known[-1]:
            other._tell()  # what hotwords earn depends on the weight
        return other

    def _looks_spelt(self) -> bool:
        """Whether its tokens are characters; some may be no labels, for texts of others have other signs."""
        assert self.lm is not None
        index = self.lm.index.keys() - {BEGIN, END, *OTHER}
        if self.space >= 0:
            return SPACE in index
        others = index - {SPACE} - self.speller.numbers.keys()
        return bool(index) and all(len(pieces(token, "grapheme")) == 1 for token in others)

    def _letters(self, lm: NGram) -> None:
        """Find the labels among the tokens of a character model."""
        for label, place in self.speller.numbers.items():
            self._tokens[place] = lm.index.get(SPACE if place == self.space else label, -1)
        fitting, total = int((self._tokens >= 0).sum()), len(self.labels) - 1
        self._fits(fitting, total, "labels are among its characters", lm)
        known = {BEGIN, END, SPACE, *OTHER, *self.speller.numbers}
        torn = [token for token in lm.tokens if token not in known and self.speller.spell(token)]
        if torn:
            form = f" --form {self.alphabet.form} --split {self.alphabet.split}" if self.alphabet else ""
            told = "%s: %d of its characters are several labels each: %s; build it with --characters%s"
            log.warning(told, lm.name, len(torn), " ".join(torn[:10]), form)

    def _vocabulary(self, lm: NGram) -> Spellings:
        """The words of a language model that can be spelt; behind each its token."""
        words = [word for word in lm.tokens if word not in (BEGIN, END, *OTHER)]
        spelt = {lm.index[word]: labels for word in words if (labels := self.speller.spell(word))}
        self._fits(len(spelt), len(words), "words can be spelt with the labels", lm)
        tokens = np.array([*spelt], np.int32)
        tree = Spellings.of(Rows.of([*spelt.values()]), lm.value[tokens + 1].astype(np.float64), len(self.labels))
        return dataclasses.replace(tree, spelt=np.where(tree.spelt < 0, np.int32(-1), tokens[tree.spelt]))

    def _closed(self, lexicon: Lexicon) -> tuple[Spellings, NDArray[np.int32]]:
        """The spellings of a lexicon; behind each the first of its entries; and these."""
        total = len(lexicon.words) + len(lexicon.missing)
        log.info("%s: %d of %d words can be spelt with the labels", lexicon.name, len(lexicon.words), total)
        if lexicon.missing:
            shown = " ".join(lexicon.missing[:10])
            log.warning("%s: %d words cannot be spelt with the labels: %s", lexicon.name, len(lexicon.missing), shown)
        tokens, values = [-1] * len(lexicon.words), np.zeros(len(lexicon.words))
        if (lm := self.lm) is not None and not self.characters:
            tokens = [lm.index.get(word, -1) for word in lexicon.words]
            fitting = sum(token >= 0 for token in tokens)
            if not fitting:
                remedy = "build both from words in the same case"
                raise DecoderError(lm.name, f"lists none of the {total} words of {lexicon.name}", remedy)
            log.info("%s: lists %d of the %d words of %s", lm.name, fitting, total, lexicon.name)
            unknown = self.unknown + (float(lm.value[lm.other + 1]) if lm.other >= 0 else 0.0)
            values = np.where(np.array(tokens) >= 0, lm.value[np.array(tokens) + 1], unknown)
        tree = Spellings.of(lexicon.rows, values[lexicon.word], len(self.labels))
        entries, first = lexicon.entries(tree, tokens)
        return dataclasses.replace(tree, spelt=first), entries

    def _fits(self, fitting: int, total: int, what: str, lm: NGram) -> None:
        """Say how much of a language model can be used, and refuse it if that is nothing."""
        if not fitting:
            words = [word for word in lm.tokens if word not in (BEGIN, END, *OTHER)]
            remedy = self.speller.remedy(words, "build it from texts as the labels write them")
            raise DecoderError(lm.name, f"none of its {total} {what} (it begins: {' '.join(words[:5])})", remedy)
        log.info("%s: %d of %d %s", lm.name, fitting, total, what)

    def _expected(self, hotwords: Sequence[str]) -> Hotwords:
        """The hotwords as the labels write them; those that a lexicon spells otherwise, as it does."""
        listed: dict[str, list[list[int]]] = {}
        if self.lexicon is not None and hotwords:
            for word, spelling in self.lexicon.spelt(" ".join(hotwords).split()):
                listed.setdefault(word.casefold(), []).append([self.speller.folds[label] for label in spelling])
        phrases, lost = dict[tuple[int, ...], float](), list[str]()
        for phrase in hotwords:
            ways = [listed.get(word.casefold()) or [self.speller.fold(word)] for word in phrase.split()]
            if not ways or not all(map(all, ways)) or (len(ways) > 1 and self.space < 0):
                lost.append(phrase)
                continue
            worth = self.hotword_bonus + self._strange(phrase.split())
            for way in itertools.islice(itertools.product(*ways), WAYS):
                labels = tuple(label for word in way for label in (self.space, *word))[1:]
                phrases[labels] = max(worth, phrases.get(labels, 0.0))
        if lost:
            log.warning("hotwords: %d cannot be spelt with the labels: %s", len(lost), ", ".join(lost[:10]))
        return Hotwords.of(phrases, len(self.labels), self.space)

    def _strange(self, words: Sequence[str]) -> float:
        """What `unknown` costs these words if they are written, to be given back: they are expected."""
        if self.lm is None or self.characters:
            return 0.0
        count = sum(not {word, word.casefold()} & self.lm.index.keys() for word in words)
        return -self.weight * self.unknown * count

    def text(self, hypothesis: Hypothesis) -> str:
        """What the labels of a hypothesis write, one after the other; with a lexicon the words that they stand for."""
        if hypothesis.words is not None:
            return " ".join(hypothesis.words)
        return "".join(self.labels[label] for label in hypothesis.labels)

    @property
    def most(self) -> int:
        """`nbest`, if the beam is as wide."""
        return min(self.nbest, self.width)

    def search(self, log_probs: Tensor, lengths: Tensor) -> list[list[Hypothesis]]:
        """`nbest` hypotheses a row or fewer, best first; a label's confidence is its peak on the text's best path."""
        rows, _, labels = log_probs.shape
        if labels != len(self.labels):
            remedy = "give the labels of the network that made them, the blank among them"
            raise DecoderError("log_probs", f"have {labels} labels, the decoder {len(self.labels)}", remedy)
        matrices = self._divided(log_probs.detach().to("cpu", torch.float32)).contiguous().numpy()
        parts = [matrices[row, :length] for row, length in enumerate(lengths.tolist())]
        workers = min(self.threads or cores.count(), rows)
        if workers < 2:
            return [self._row(part) for part in parts]
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            return list(pool.map(self._row, parts))

    def _divided(self, log_probs: Tensor) -> Tensor:
        """Without the prior, as far as `prior_weight` says."""
        if self.prior is None or not self.prior_weight:
            return log_probs
        return (log_probs - self.prior_weight * self.prior).log_softmax(-1)

    def _row(self, matrix: NDArray[np.float32]) -> list[Hypothesis]:
        from recognizer.decoders.answers import Tables, total  # Numba takes a second to load
        from recognizer.decoders.prefixes import search

        tables = Tables.of(len(matrix), self.width, len(self.labels))
        floors = self.token_floor, self.beam_floor
        size = search(matrix, self.blank, self.width, *floors, self._language(), *tables)
        found = []
        for place in tables.best(size, self.nbest):
            labels = tables.written(place)
            spans, peaks = tables.stood(place, len(matrix))
            confidences = tuple(math.exp(min(peak, 0.0)) for peak in peaks[: len(labels)])
            score, gain = float(tables.beam["sum"][place]), float(tables.beam["gain"][place])
            if math.isnan(score):
                score = total(matrix, labels, self.blank)
            words = None
            if self.lexicon is not None:
                words = tuple(self.lexicon.words[number] for number in tables.listed(place, self._table))
            found.append(Hypothesis(labels, tuple(spans[: len(labels)]), confidences, min(score, 0.0), gain, words))
        return found or [Hypothesis((), (), (), -math.inf, words=None if self.lexicon is None else ())]

    def _tell(self) -> None:
        """Write what is known of spellings, labels, words and hotwords one below the other: `table` of `Language`."""
        tree, entries, expected = self._known
        hotwords = self._expected(expected)
        self._each = len(tree.branch)
        listed = self._each + len(self.labels)
        self._match = listed + len(entries)
        table = np.zeros((self._match + len(hotwords.nodes), 3), np.int32)
        spelt, each, words, hot = np.split(table, (self._each, listed, self._match))
        spelt[:-1, 0], spelt[:, 1], spelt[:-1, 2] = tree.letter, tree.branch, tree.spelt
        each[:, 0], each[:, 1] = self._tokens, self.speller.folds
        words[:], hot[:] = entries, hotwords.nodes
        for column, base in ((hot[:, 1], self._match), (hot[:, 2], self._match), (words[:, 2], listed)):
            column[column >= 0] += base
        if self.lexicon is not None:
            spelt[spelt[:, 2] >= 0, 2] += listed
        self._table = table
        self._hot = self._match + hotwords.dead if hotwords.dead > 1 else -1
        self._best, self._earned = tree.best, hotwords.earned

    def _language(self) -> tuple[object, ...]:
        """What is known of texts, as the search asks it."""
        from recognizer.decoders.fusion import CHARACTERS, NONE, WORDS, Language

        closed, bases = self.lexicon is not None, (self._each, self._match)
        tables = (self._table, self._best, self._earned)
        if (lm := self.lm) is None:
            zero, none = np.zeros(1, np.float32), np.zeros(2, np.int32)
            nothing = (NONE, closed, self._hot, self.space, 0, -1, -1, 0, *bases, 0.0, self.bonus, 0.0)
            return Language(*nothing, none, zero, zero, none, none, *tables)
        kind, end = CHARACTERS if self.characters else WORDS, lm.index.get(END, -1)
        numbers = (kind, closed, self._hot, self.space, lm.start, end, lm.other, lm.top, *bases)
        factors, arrays = (self.weight, self.bonus, self.unknown), (lm.token, lm.value, lm.backoff, lm.suffix, lm.first)
        known: tuple[Any, ...] = (*numbers, *factors, *arrays, *tables)
        return Language(*known)
