"""Log-probabilities -> the likeliest texts, by prefix beam search, with an n-gram model of words or characters."""

from __future__ import annotations

import concurrent.futures
import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recognizer.alphabet import BLANK, Alphabet
from recognizer.arpa import BEGIN, END, OTHER, SPACE
from recognizer.decoders.base import Decoder, Hypothesis
from recognizer.decoders.ngram import NGram, Spellings
from recognizer.errors import ConfigError, DecoderError

log = logging.getLogger(__name__)


class Beam(Decoder):
    """Prefix beam search (Hannun et al. 2014): sums the paths of each text, as the greedy decoder does not.

    With a language model, texts are ranked by ln p(text | matrix) + `weight` ln p(text) + `bonus` x tokens. Words that
    the model does not list may be written, at the cost `unknown`; a word that is not finished counts as the likeliest
    that begins so. Hypotheses keep the two parts apart, as `score` and `gain`. A beam of 1 without a model is the
    best path, exactly.

    Args:
        labels: an Alphabet, or what each label writes, one string each; what stands at `blank` is of no matter.
        lm: an ARPA file, plain or gzipped, or an NGram. Its tokens are words or, for a character model, what the labels
            write, with `<space>` for the space.
        width: prefixes that are kept from frame to frame.
        weight: of the language model's logarithms.
        bonus: for each word (of a character model: each character) that is written.
        unknown: ln, added to the model's own value of `<unk>` for what it does not list.
        nbest: how many hypotheses a row is answered with, at most.
        token_floor: ln; less likely labels begin nothing new in a frame, unless they are its likeliest. -inf: all may.
        beam_floor: ln; prefixes this far below the frame's best are dropped. -inf: none is.
        blank: the label that writes nothing.
        space: what parts words.
        characters: whether the tokens of `lm` are single labels; None looks.
        threads: rows that are searched at once; None: as many as there are cores.

    Raises:
        ConfigError: a setting outside its range, or labels that do not fit together.
        DecoderError: `lm` is no ARPA file, or the labels can spell nothing in it.
    """

    def __init__(
        self,
        labels: Alphabet | Sequence[str],
        lm: str | Path | NGram | None = None,
        width: int = 100,
        weight: float = 0.5,
        bonus: float = 1.0,
        unknown: float = -10.0,
        nbest: int = 1,
        token_floor: float = -7.0,
        beam_floor: float = -15.0,
        blank: int = BLANK,
        space: str = " ",
        characters: bool | None = None,
        threads: int | None = None,
    ) -> None:
        self.alphabet = labels if isinstance(labels, Alphabet) else None
        self.labels = ("", *labels.characters) if isinstance(labels, Alphabet) else tuple(labels)
        self.width, self.nbest, self.blank, self.threads = width, nbest, blank, threads
        self.weight, self.bonus, self.unknown = float(weight), float(bonus), float(unknown)
        self.token_floor, self.beam_floor = float(token_floor), float(beam_floor)
        for name, count in (("width", width), ("nbest", nbest), ("threads", 1 if threads is None else threads)):
            if count < 1:
                raise ConfigError(name, f"is {count}", "give a whole number of at least 1")
        if not (0 <= self.weight < math.inf and math.isfinite(self.bonus)):
            raise ConfigError("weight, bonus", f"are {weight} and {bonus}", "give finite numbers, no negative weight")
        for name, floor in (("unknown", unknown), ("token_floor", token_floor), ("beam_floor", beam_floor)):
            if not floor <= 0:
                raise ConfigError(name, f"is {floor}", "give a logarithm of at most 0")
        if not 0 <= blank < len(self.labels):
            raise ConfigError("blank", f"is {blank}, of {len(self.labels)} labels", "give the number of a label")
        written = [label for place, label in enumerate(self.labels) if place != blank]
        if "" in written or len(set(written)) < len(written):
            raise ConfigError("labels", "one is empty or stands twice", "list what each label writes, once")
        self._numbers = {label: place for place, label in enumerate(self.labels) if place != blank}
        self.space = self._numbers.get(space, -1)
        self.lm = lm if isinstance(lm, NGram) or lm is None else NGram.read(lm)
        self._name = "the language model" if isinstance(lm, NGram) else str(lm)
        self.characters = self.lm is not None and (self._looks_spelt() if characters is None else characters)
        self._tokens = np.full(len(self.labels), -1, np.int32)
        self._spellings = Spellings.of([], len(self.labels))
        if self.lm is not None:
            self._fit(self.lm)

    def _looks_spelt(self) -> bool:
        assert self.lm is not None
        index = self.lm.index.keys() - {BEGIN, END, *OTHER}
        single = index - {SPACE} <= self._numbers.keys()
        return bool(index) and single and (SPACE in index or self.space < 0)

    def _fit(self, lm: NGram) -> None:
        """Find the model's tokens among the labels."""
        if self.characters:
            names = [SPACE if place == self.space else label for place, label in enumerate(self.labels)]
            self._tokens[:] = [-1 if p == self.blank else lm.index.get(name, -1) for p, name in enumerate(names)]
            fitting, total, kind = (
                int((self._tokens >= 0).sum()),
                len(self.labels) - 1,
                "labels are among its characters",
            )
        else:
            words = [word for word in lm.tokens if word not in (BEGIN, END, *OTHER)]
            spelt = [(labels, lm.index[word]) for word in words if (labels := self._spelt(word))]
            values = [float(lm.value[token + 1]) for _, token in spelt]
            triples = [(labels, token, value) for (labels, token), value in zip(spelt, values, strict=True)]
            self._spellings = Spellings.of(triples, len(self.labels))
            fitting, total, kind = len(spelt), len(words), "words can be spelt with the labels"
        if not fitting:
            sample = [word for word in lm.tokens if word not in (BEGIN, END, *OTHER)][:5]
            remedy = "build it from texts as the labels write them"
            for case, fold in (("lower", str.lower), ("upper", str.upper)):
                if any(self._spelt(fold(word)) for word in sample):
                    remedy = f"build it from {case} case text"
            shown = " ".join(sample)
            raise DecoderError(self._name, f"none of its {total} {kind} (it begins: {shown})", remedy)
        log.info("%s: %d of %d %s", self._name, fitting, total, kind)

    def _spelt(self, word: str) -> list[int]:
        """The labels of a word, the longest first where several begin alike; none if it cannot be written."""
        if self.alphabet is not None:
            missing = self.alphabet.missing(word)
            return [] if missing else self.alphabet.encode(word)
        longest = max(map(len, self._numbers), default=0)
        found, place = list[int](), 0
        while place < len(word):
            for size in range(longest, 0, -1):
                label = self._numbers.get(word[place : place + size], -1)
                if label >= 0 and label != self.space:
                    break
            else:
                return []
            found.append(label)
            place += size
        return found

    def text(self, hypothesis: Hypothesis) -> str:
        """What the labels of a hypothesis write, one after the other."""
        return "".join(self.labels[label] for label in hypothesis.labels)

    def search(self, log_probs: Tensor, lengths: Tensor) -> list[list[Hypothesis]]:
        """`nbest` hypotheses a row or fewer, best first; a label's confidence is its peak on the text's best path."""
        rows, _, labels = log_probs.shape
        if labels != len(self.labels):
            remedy = "give the labels of the network that made them, the blank among them"
            raise DecoderError("log_probs", f"have {labels} labels, the decoder {len(self.labels)}", remedy)
        matrices = log_probs.detach().to("cpu", torch.float32).contiguous().numpy()
        parts = [matrices[row, :length] for row, length in enumerate(lengths.tolist())]
        workers = min(self.threads or _cores(), rows)
        if workers < 2:
            return [self._row(part) for part in parts]
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            return list(pool.map(self._row, parts))

    def _row(self, matrix: NDArray[np.float32]) -> list[Hypothesis]:
        from recognizer.decoders import prefixes  # Numba takes a second to load

        room = len(matrix) * self.width + 1  # pages that are never touched take no memory
        nodes, costs, chains = np.empty((room, 9), np.int32), np.empty((room, 3)), np.empty((room, 4))
        floors, spaces = (self.token_floor, self.beam_floor), (nodes, costs, chains)
        size, beam, marks, sums, order = prefixes.search(
            matrix, self.blank, self.width, *floors, self._language(), *spaces
        )
        found = []
        for place in order[: min(size, self.nbest)]:
            labels = prefixes.written(nodes, marks[place, prefixes.NODE])
            spans, peaks = prefixes.stood(beam[place], chains, len(matrix))
            confidences = tuple(math.exp(min(peak, 0.0)) for peak in peaks)
            score, gain = sums[place, :2].tolist()
            found.append(Hypothesis(labels, spans, confidences, min(score, 0.0), gain))
        return found or [Hypothesis((), (), (), -math.inf)]

    def _language(self) -> tuple[object, ...]:
        """The model as the search asks it."""
        from recognizer.decoders.fusion import CHARACTERS, NONE, WORDS, Language

        tree, zero, none = self._spellings, np.zeros(1, np.float32), np.zeros(2, np.int32)
        # fmt: off
        if (lm := self.lm) is None:
            return Language(
                NONE, 0.0, 0.0, 0.0, -1, 0, -1, -1, 0, none, zero, zero, none, none,
                self._tokens, tree.letter, tree.branch, tree.spelt, tree.best,
            )
        return Language(
            CHARACTERS if self.characters else WORDS, self.weight, self.bonus, self.unknown,
            self.space, lm.start, lm.index.get(END, -1), lm.other,
            lm.top, lm.token, lm.value, lm.backoff, lm.suffix, lm.first,
            self._tokens, tree.letter, tree.branch, tree.spelt, tree.best,
        )
        # fmt: on


def _cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
