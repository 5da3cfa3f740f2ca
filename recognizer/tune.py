"""Log-probabilities with their texts -> the weights of language model, word bonus and prior that read them best."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from recognizer.alphabet import Alphabet
from recognizer.decoders import Beam, Decoder
from recognizer.decoders.beam import DIVIDED
from recognizer.metrics import Counts
from recognizer.reading import written

WEIGHTS, BONUSES = (0.0, 0.4, 0.8, 1.2, 1.6), (-1.0, 0.0, 1.0, 2.0, 3.0)
"""The coarse grid, with the usual weight of the prior."""
FINER = ((0.4, 1.0, 0.2), (0.2, 0.5, 0.2), (0.1, 0.25, 0.1))
"""Steps of weight, bonus and prior in which the best cell's neighbours are tried until it is better than they; the
first leads out of the coarse grid where the best lies on its edge."""
FURTHEST = 8  # moves of one length: far beyond any weight that was ever of use
ROWS = 64  # are padded to one length together


@dataclasses.dataclass(frozen=True)
class Cell:
    """One setting, and the errors that it makes."""

    weight: float
    bonus: float
    prior: float
    counts: Counts


class Readings:
    """What the network said of some files, kept, to be read by one decoder after the other.

    Args:
        alphabet: of the network.
        files: for each the log-probabilities [T, A] of its pieces.
        references: for each its text.
    """

    def __init__(self, alphabet: Alphabet, files: Sequence[Sequence[Tensor]], references: Sequence[str]) -> None:
        self.alphabet = alphabet
        self.references = [alphabet.normalise(reference) for reference in references]
        pieces = [(file, place, matrix) for file, row in enumerate(files) for place, matrix in enumerate(row)]
        pieces.sort(key=lambda piece: len(piece[2]))  # little padding, and threads that are done at about one time
        self.keys = [(file, place) for file, place, _ in pieces]
        rows = [[matrix for _, _, matrix in pieces[first : first + ROWS]] for first in range(0, len(pieces), ROWS)]
        self.batches = [(pad_sequence(row, True), torch.tensor([len(matrix) for matrix in row])) for row in rows]

    def texts(self, decoder: Decoder) -> list[str]:
        """What it reads, file by file."""
        answers = itertools.chain.from_iterable(decoder.decode(*batch) for batch in self.batches)
        texts = ["" for _ in self.references]
        best = {key: written(self.alphabet, answer[0]) for key, answer in zip(self.keys, answers, strict=True)}
        for (file, _), text in sorted(best.items()):
            texts[file] += f" {text}"
        return [*map(self.alphabet.normalise, texts)]

    def counts(self, decoder: Decoder) -> Counts:
        """The errors of all files together."""
        return Counts.over(self.references, self.texts(decoder))

    def cell(self, beam: Beam, weight: float, bonus: float, prior: float = 0.0) -> Cell:
        """The errors of a beam with another weight, bonus and weight of the prior."""
        return Cell(weight, bonus, prior, self.counts(beam.varied(weight, bonus, prior)))


def search(measure: Callable[[float, float, float], Cell], spelt: bool = False) -> list[Cell]:
    """The cells that were tried, of a coarse grid and then in ever smaller steps around the best; best first.

    The more of the prior is taken away, the less of a bonus is wanted, so these two are moved together.

    Args:
        measure: the errors with a weight, a bonus and a weight of the prior.
        spelt: fewer errors are judged by characters first, not by words.
    """

    def order(cell: Cell) -> tuple[float, ...]:
        errors = cell.counts.words.errors, cell.counts.characters.errors
        return *(errors[::-1] if spelt else errors), cell.weight, abs(cell.bonus), cell.prior

    tried: dict[tuple[float, float, float], Cell] = {}

    def look(weights: Iterable[float], bonuses: Iterable[float], priors: Iterable[float]) -> Cell:
        for place in itertools.product(weights, bonuses, priors):
            weight, bonus, prior = (round(number, 4) for number in place)
            if min(weight, prior) >= 0 and (weight, bonus, prior) not in tried:
                tried[weight, bonus, prior] = measure(weight, bonus, prior)
        return min(tried.values(), key=order)

    best = look(WEIGHTS, BONUSES, (DIVIDED,))
    for far, wide, deep in FINER:
        for _ in range(FURTHEST):
            before = best
            bonuses = (best.bonus - wide, best.bonus, best.bonus + wide)
            look((best.weight,), bonuses, (best.prior - deep, best.prior + deep))
            best = look((best.weight - far, best.weight, best.weight + far), bonuses, (best.prior,))
            if best is before:
                break
    return sorted(tried.values(), key=order)


def table(cells: Sequence[Cell]) -> str:
    """A row for each weight, a column for each bonus, in them WER/CER with the best prior, `*` at the first cell."""
    shown = {
        (cell.weight, cell.bonus): f"{cell.counts.wer:.1%}/{cell.counts.cer:.1%}{'*' if cell is cells[0] else ' '}"
        for cell in reversed(cells)
    }
    weights, bonuses = (sorted({key[part] for key in shown}) for part in (0, 1))
    rows = [["weight \\ bonus", *(f"{bonus:g} " for bonus in bonuses)]]
    rows += [[f"{weight:g}", *(shown.get((weight, bonus), "") for bonus in bonuses)] for weight in weights]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(field.rjust(width) for field, width in zip(row, widths, strict=True)) for row in rows]
    return "".join(f"{line.rstrip()}\n" for line in lines)
