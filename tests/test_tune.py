"""Tuning looks at a coarse grid, then closely around the best; it counts what the decoder makes of the files."""

from __future__ import annotations

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recognizer.alphabet import Alphabet
from recognizer.decoders import Beam, Greedy, Hypothesis
from recognizer.metrics import Counts, Edits
from recognizer.tune import BONUSES, FINER, WEIGHTS, Cell, Readings, search, table


def bowl(weight: float, bonus: float) -> Counts:
    """Errors that grow with the distance from a place that no coarse cell has."""
    far = round(100 * abs(weight - 0.7) + 20 * abs(bonus - 1.75))
    return Counts(Edits(1000, far), Edits(5000, 2 * far))


def test_the_best_is_found_between_the_cells_of_the_coarse_grid() -> None:
    cells = search(lambda weight, bonus: Cell(weight, bonus, bowl(weight, bonus)))
    assert (cells[0].weight, cells[0].bonus) == (0.7, 1.75)
    tried = [(cell.weight, cell.bonus) for cell in cells]
    assert len(set(tried)) == len(tried) < 60
    assert set(itertools.product(WEIGHTS, BONUSES)) <= set(tried)


@given(st.floats(0, 4), st.floats(-4, 7))
def test_the_best_is_found_beyond_the_coarse_grid(weight: float, bonus: float) -> None:
    def measure(*place: float) -> Cell:
        errors = round(1000 * abs(place[0] - weight) + 400 * abs(place[1] - bonus))
        return Cell(*place, Counts(Edits(0, errors), Edits(0, errors)))

    best = search(measure)[0]
    assert abs(best.weight - weight) <= FINER[-1][0] and abs(best.bonus - bonus) <= FINER[-1][1]


def test_no_weight_below_nothing_and_ties_go_to_the_smaller() -> None:
    cells = search(lambda weight, bonus: Cell(weight, bonus, Counts()))
    assert min(cell.weight for cell in cells) == 0
    assert (cells[0].weight, cells[0].bonus) == (0.0, 0.0)


def test_a_model_of_characters_is_judged_by_characters() -> None:
    def measure(weight: float, bonus: float) -> Cell:
        return Cell(weight, bonus, Counts(Edits(0, round(10 * weight)), Edits(0, round(100 - 10 * weight))))

    assert search(measure)[0].weight == 0
    assert search(measure, spelt=True)[0].weight > WEIGHTS[-1]


def test_the_table() -> None:
    cells = [
        Cell(0.5, 1.0, Counts(Edits(9, 1), Edits(19, 1))),
        Cell(0.5, -1.0, Counts(Edits(8, 2), Edits(18, 2))),
        Cell(0.25, 1.0, Counts(Edits(0, 10), Edits(0, 20))),
    ]
    assert table(cells) == (
        "weight \\ bonus           -1               1\n"
        "          0.25                100.0%/100.0%\n"
        "           0.5  20.0%/10.0%      10.0%/5.0%*\n"
    )


ALPHABET = Alphabet(list(" abc"))


def saying(text: str, sure: float = 0.9) -> Tensor:
    """[T, A]: three frames for each character, the last a blank."""
    labels = [label for written in ALPHABET.encode(text) for label in (written, written, 0)]
    probs = torch.full((len(labels), len(ALPHABET)), (1 - sure) / (len(ALPHABET) - 1))
    probs[torch.arange(len(labels)), torch.tensor(labels)] = sure
    return probs.log()


def test_files_of_several_pieces_are_counted_whole_and_in_their_order() -> None:
    texts = [["ab", "c a"], ["cab cab cab"], ["b"], []]
    files = [[saying(text) for text in pieces] for pieces in texts]
    readings = Readings(ALPHABET, files, ["ab c  a", "cab cab cab", "c", "a"])
    counts = readings.counts(Greedy())
    assert counts == Counts.over(["ab c a", "cab cab cab", "c", "a"], ["ab c a", "cab cab cab", "b", ""])
    assert (counts.words.errors, counts.words.reference) == (2, 8)
    assert Readings(ALPHABET, [[saying("a")]] * 150, ["a"] * 150).counts(Greedy()).words == Edits(150)


def test_a_cell_is_what_a_beam_with_its_settings_makes() -> None:
    noise = torch.randn(6, 20, 5, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    beam = Beam(ALPHABET, width=5, threads=1, weight=0.5, bonus=1.0)
    readings = Readings(ALPHABET, [[row] for row in noise], ["a b"] * 6)
    cell = readings.cell(beam, 0.25, 2.0)
    read = Beam(ALPHABET, width=5, threads=1, weight=0.25, bonus=2.0).decode(noise, torch.full((6,), 20))
    texts = [ALPHABET.decode(row[0].labels) for row in read]
    assert cell == Cell(0.25, 2.0, Counts.over(["a b"] * 6, map(ALPHABET.normalise, texts)))
    assert (beam.weight, beam.bonus) == (0.5, 1.0)


def test_a_lexicons_words_are_what_was_written() -> None:
    class Lexicon(Greedy):
        def search(self, log_probs: Tensor, lengths: Tensor) -> list[list[Hypothesis]]:
            return [[Hypothesis((1,), ((0, 1),), (1.0,), 0.0, words=("b", "c"))] for _ in log_probs]

    assert Readings(ALPHABET, [[saying("a")]], ["b c"]).counts(Lexicon()).words == Edits(2)
