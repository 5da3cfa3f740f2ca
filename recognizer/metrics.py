"""References and hypotheses -> word and character error rates, as counts that add up over files and devices."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import jiwer
import numpy
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from recognizer.transcript import Word


@dataclasses.dataclass(frozen=True)
class Edits:
    """The steps of a shortest way (Levenshtein 1966) from a reference to a hypothesis, counted. They add up."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def errors(self) -> int:
        """S + D + I."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def reference(self) -> int:
        """The length of the reference, H + S + D."""
        return self.hits + self.substitutions + self.deletions

    @property
    def hypothesis(self) -> int:
        """The length of the hypothesis, H + S + I."""
        return self.hits + self.substitutions + self.insertions

    def __add__(self, other: Edits) -> Edits:
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Edits(*(mine + theirs for mine, theirs in pairs))


@dataclasses.dataclass(frozen=True)
class Counts:
    """What is right and wrong in a hypothesis, by words and by characters; the rates are views of it.

    Words are what white space parts; characters are Unicode code points, the space between two words among them. So
    an accent that NFD splits off counts by itself: bring both texts to the same normal form first.

    The empty cases, as jiwer has them: nothing read where nothing stands is no error (all rates 0). Words read where
    nothing stands are insertions into a reference that is taken to be one word (character) long, so WER is their
    number and MER and WIL are 1. Nothing read where words stand is WER = CER = MER = WIL = 1.
    """

    words: Edits = Edits()
    characters: Edits = Edits()

    @classmethod
    def of(cls, reference: str, hypothesis: str) -> Counts:
        """The counts of one pair."""
        return cls.over([reference], [hypothesis])

    @classmethod
    def over(cls, references: Iterable[str], hypotheses: Iterable[str]) -> Counts:
        """The counts of many pairs, added up. As many hypotheses as references."""
        pairs = list(zip(map(_fold, references), map(_fold, hypotheses), strict=True))
        if not pairs:
            return cls()
        texts = [reference for reference, _ in pairs], [hypothesis for _, hypothesis in pairs]
        return cls(_edits(jiwer.process_words(*texts)), _edits(jiwer.process_characters(*texts)))

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.words + other.words, self.characters + other.characters)

    @property
    def wer(self) -> float:
        """Word error rate: (S + D + I) / (H + S + D) over words; above 1 where more is inserted than stands there."""
        return self.words.errors / max(1, self.words.reference)

    @property
    def cer(self) -> float:
        """Character error rate: the same over characters."""
        return self.characters.errors / max(1, self.characters.reference)

    @property
    def mer(self) -> float:
        """Match error rate: (S + D + I) / (H + S + D + I) over words, in [0, 1] (Morris, Maier and Green 2004)."""
        return self.words.errors / max(1, self.words.errors + self.words.hits)

    @property
    def wil(self) -> float:
        """Word information lost: 1 - (H / reference)(H / hypothesis), in [0, 1] (Morris, Maier and Green 2004)."""
        words = self.words
        if words.reference == words.hypothesis == 0:
            return 0.0
        return 1.0 - words.hits**2 / max(1, words.reference * words.hypothesis)

    def rates(self) -> dict[str, float]:
        """The four rates by name."""
        return {"wer": self.wer, "cer": self.cer, "mer": self.mer, "wil": self.wil}


def _fold(text: str) -> str:
    """White space folded to single spaces: jiwer takes only the space for what parts words."""
    return " ".join(text.split())


def _edits(output: jiwer.WordOutput | jiwer.CharacterOutput) -> Edits:
    return Edits(output.hits, output.substitutions, output.deletions, output.insertions)


class ErrorRates(Metric):
    """WER, CER, MER and WIL over all texts of an epoch; the counts are summed over devices, never the rates."""

    full_state_update = False
    words: Tensor
    characters: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        zeros = torch.zeros(len(dataclasses.fields(Edits)), dtype=torch.long)
        self.add_state("words", zeros, dist_reduce_fx="sum")
        self.add_state("characters", zeros.clone(), dist_reduce_fx="sum")

    def update(self, references: Sequence[str], hypotheses: Sequence[str]) -> None:
        """Count some more pairs, all in one normal form."""
        counts = Counts.over(references, hypotheses)
        self.words += torch.tensor(dataclasses.astuple(counts.words), device=self.words.device)
        self.characters += torch.tensor(dataclasses.astuple(counts.characters), device=self.characters.device)

    def counts(self) -> Counts:
        """All that has been counted on this device."""
        return Counts(Edits(*self.words.tolist()), Edits(*self.characters.tolist()))

    def compute(self) -> dict[str, Tensor]:
        """`wer`, `cer`, `mer` and `wil`, each a scalar."""
        return {name: torch.tensor(rate, device=self.words.device) for name, rate in self.counts().rates().items()}


class Ratio(Metric):
    """A sum, or several in a row, divided by another one, all over all batches of an epoch and all devices."""

    full_state_update = False
    over: Tensor
    under: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("over", "under"):
            self.add_state(name, torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, over: Tensor, under: Tensor | float) -> None:
        """Add to both sums."""
        self.over = self.over + over
        self.under = self.under + under

    def compute(self) -> Tensor:
        """The ratio of each, or the upper sum alone where the lower one is below 1."""
        return (self.over / self.under.clamp_min(1)).float()


def hits(reference: str, words: Sequence[str]) -> list[bool]:
    """For each of the words that were read whether it is right: whether a shortest way from the reference keeps it."""
    parts = [word.split() for word in words]  # a normal form may part a word, or leave nothing of it
    read = [part for word in parts for part in word]
    kept = [False] * len(read)
    if read and reference.split():
        for step in jiwer.process_words(_fold(reference), " ".join(read)).alignments[0]:
            if step.type == "equal":
                kept[step.hyp_start_idx : step.hyp_end_idx] = [True] * (step.hyp_end_idx - step.hyp_start_idx)
    rest = iter(kept)
    return [False not in [next(rest) for _ in part] for part in parts]


class Verdicts(Metric):
    """The confidences of all words and texts of an epoch, on all devices, each with whether it was right: 1 or 0."""

    full_state_update = False
    words: list[Tensor]
    texts: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("words", "texts"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, references: Sequence[str], answers: Sequence[tuple[Sequence[Word], float]]) -> None:
        """Take some more: for each text its reference, in the same normal form, the words read and its confidence."""
        words, texts = list[float](), list[float]()
        for reference, (read, confidence) in zip(references, answers, strict=True):
            right = hits(reference, [word.text for word in read])
            for word, hit in zip(read, right, strict=True):
                words += [word.confidence, float(hit)]
            texts += [confidence, float(_fold(reference) == _fold(" ".join(word.text for word in read)))]
        self.words.append(torch.tensor(words, device=self.device))
        self.texts.append(torch.tensor(texts, device=self.device))

    def compute(self) -> tuple[Tensor, Tensor]:
        """Words [N, 2] and texts [M, 2], both (confidence, right)."""
        return dim_zero_cat(self.words).view(-1, 2), dim_zero_cat(self.texts).view(-1, 2)


def alignment(reference: str, hypothesis: str) -> str:
    """The two texts word under word and below them S, D or I where they differ; "" where they do not.

    Three lines (more for texts wider than 100 columns), as jiwer lays them out.
    """
    output = jiwer.process_words(_fold(reference), _fold(hypothesis))
    if not _edits(output).errors:
        return ""
    shown = jiwer.visualize_alignment(output, show_measures=False, line_width=100)
    return "\n".join(line.rstrip() for line in shown.splitlines() if not line.startswith("===")).strip("\n")


def bootstrap(counts: Sequence[Counts], samples: int = 1000, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of the WER over `counts`, one entry for each independent part (a speaker, or a file).

    Parts are drawn with replacement `samples` times; the 2.5th and the 97.5th percentile of the WERs bound the interval
    (Bisani and Ney 2004, "Bootstrap estimates for confidence intervals in ASR performance evaluation"). Where files of
    one speaker are given as if independent, the interval comes out too narrow.
    """
    if not counts:
        return 0.0, 0.0
    errors = numpy.array([count.words.errors for count in counts])
    lengths = numpy.array([count.words.reference for count in counts])
    chance = numpy.random.default_rng(seed)
    rates = []
    for _ in range(samples):  # one draw at a time: samples x files at once would not fit for large corpora
        drawn = chance.integers(len(counts), size=len(counts))
        rates.append(errors[drawn].sum() / max(1, lengths[drawn].sum()))
    low, high = numpy.percentile(rates, [2.5, 97.5])
    return float(low), float(high)
