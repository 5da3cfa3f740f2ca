"""Log-probabilities with their texts -> the weight and bonus of a language model that read them best, and the grid."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from recognizer.alphabet import Alphabet
from recognizer.decoders import Beam, Decoder
from recognizer.metrics import Counts
from recognizer.reading import written

WEIGHTS, BONUSES = (0.0, 0.4, 0.8, 1.2, 1.6), (-1.0, 0.0, 1.0, 2.0, 3.0)
"""The coarse grid."""
FINER = ((0.4, 1.0), (0.2, 0.5), (0.1, 0.25))
"""Steps of weight and bonus in which the best cell's neighbours are tried until it is better than they; the first leads
out of the coarse grid where the best lies on its edge."""
FURTHEST = 8  # moves of one length: far beyond any weight that was ever of use
ROWS = 64  # are padded to one length together


@dataclasses.dataclass(frozen=True)
class Cell:
    """One setting, and the errors that it makes."""

    weight: float
    bonus: float
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

    def cell(self, beam: Beam, weight: float, bonus: float) -> Cell:
        """The errors of a beam with another weight and bonus."""
        varied = copy.copy(beam)  # the model, the largest part, is shared
        varied.weight, varied.bonus = weight, bonus
        return Cell(weight, bonus, self.counts(varied))


def search(measure: Callable[[float, float], Cell], spelt: bool = False) -> list[Cell]:
    """The cells that were tried, of a coarse grid and then in ever smaller steps around the best; best first.

    Args:
        measure: the errors with a weight and a bonus.
        spelt: fewer errors are judged by characters first, not by words.
    """

    def order(cell: Cell) -> tuple[float, ...]:
        errors = cell.counts.words.errors, cell.counts.characters.errors
        return *(errors[::-1] if spelt else errors), cell.weight, abs(cell.bonus)

    tried: dict[tuple[float, float], Cell] = {}

    def look(weights: Sequence[float], bonuses: Sequence[float]) -> Cell:
        for place in itertools.product(weights, bonuses):
            rounded = round(place[0], 4), round(place[1], 4)
            if rounded[0] >= 0 and rounded not in tried:
                tried[rounded] = measure(*rounded)
        return min(tried.values(), key=order)

    best = look(WEIGHTS, BONUSES)
    for far, wide in FINER:
        for _ in range(FURTHEST):
            before = best
            around = (best.weight - far, best.weight, best.weight + far)
            best = look(around, (best.bonus - wide, best.bonus, best.bonus + wide))
            if best is before:
                break
    return sorted(tried.values(), key=order)


def table(cells: Sequence[Cell]) -> str:
    """The grid: a row for each weight, a column for each bonus, in them WER/CER, and `*` at the first of the cells."""
    shown = {
        (cell.weight, cell.bonus): f"{cell.counts.wer:.1%}/{cell.counts.cer:.1%}{'*' if cell is cells[0] else ' '}"
        for cell in cells
    }
    weights, bonuses = (sorted({key[part] for key in shown}) for part in (0, 1))
    rows = [["weight \\ bonus", *(f"{bonus:g} " for bonus in bonuses)]]
    rows += [[f"{weight:g}", *(shown.get((weight, bonus), "") for bonus in bonuses)] for weight in weights]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(field.rjust(width) for field, width in zip(row, widths, strict=True)) for row in rows]
    return "".join(f"{line.rstrip()}\n" for line in lines)
