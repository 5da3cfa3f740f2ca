"""Tuning looks at a coarse grid, then closely around the best; it counts what the decoder makes of the files."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recognizer import lm
from recognizer.alphabet import Alphabet
from recognizer.decoders import Beam, Greedy, Hypothesis
from recognizer.decoders.beam import DIVIDED
from recognizer.decoders.ngram import NGram
from recognizer.metrics import Counts, Edits
from recognizer.tune import BONUSES, FINER, WEIGHTS, Cell, Readings, search, table


def bowl(weight: float, bonus: float, prior: float) -> Counts:
    """Errors that grow with the distance from a place that no coarse cell has."""
    far = round(100 * abs(weight - 0.7) + 20 * abs(bonus - 1.75) + 100 * abs(prior - 0.5))
    return Counts(Edits(1000, far), Edits(5000, 2 * far))


def test_the_best_is_found_between_the_cells_of_the_coarse_grid() -> None:
    cells = search(lambda *place: Cell(*place, bowl(*place)))
    assert (cells[0].weight, cells[0].bonus, cells[0].prior) == (0.7, 1.75, 0.5)
    tried = [(cell.weight, cell.bonus, cell.prior) for cell in cells]
    assert len(set(tried)) == len(tried) < 100
    assert set(itertools.product(WEIGHTS, BONUSES, [DIVIDED])) <= set(tried)


@given(st.tuples(st.floats(0, 4), st.floats(-4, 7), st.floats(0, 1.5)))
def test_the_best_is_found_beyond_the_coarse_grid(wanted: tuple[float, float, float]) -> None:
    def measure(*place: float) -> Cell:
        far = [abs(one - other) for one, other in zip(place, wanted, strict=True)]
        errors = round(1000 * far[0] + 400 * far[1] + 1000 * far[2])
        return Cell(*place, Counts(Edits(0, errors), Edits(0, errors)))

    best = search(measure)[0]
    found = (best.weight, best.bonus, best.prior)
    assert all(abs(one - other) <= step for one, other, step in zip(found, wanted, FINER[-1], strict=True))


def test_no_weight_below_nothing_and_ties_go_to_the_smaller() -> None:
    cells = search(lambda *place: Cell(*place, Counts()))
    assert min(cell.weight for cell in cells) == min(cell.prior for cell in cells) == 0
    assert (cells[0].weight, cells[0].bonus, cells[0].prior) == (0.0, 0.0, 0.0)


def test_a_model_of_characters_is_judged_by_characters() -> None:
    def measure(weight: float, *others: float) -> Cell:
        return Cell(weight, *others, Counts(Edits(0, round(10 * weight)), Edits(0, round(100 - 10 * weight))))

    assert search(measure)[0].weight == 0
    assert search(measure, spelt=True)[0].weight > WEIGHTS[-1]


def test_the_table() -> None:
    cells = [
        Cell(0.5, 1.0, 0.2, Counts(Edits(9, 1), Edits(19, 1))),
        Cell(0.5, -1.0, 0.2, Counts(Edits(8, 2), Edits(18, 2))),
        Cell(0.5, 1.0, 0.4, Counts(Edits(7, 3), Edits(17, 3))),
        Cell(0.25, 1.0, 0.2, Counts(Edits(0, 10), Edits(0, 20))),
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


def test_a_cell_is_what_a_beam_with_its_settings_makes(tmp_path: Path) -> None:
    noise = torch.randn(6, 20, 5, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    (tmp_path / "text.txt").write_text("ab cab\nab\n", encoding="utf-8")
    assert lm.main([str(tmp_path / "text.txt"), "--output", str(tmp_path / "lm.npz"), "--order", "2"]) == 0
    settings: dict[str, Any] = {"width": 5, "threads": 1, "prior": [-0.1, -3, -4, -5, -1]}
    settings |= {"lm": NGram.read(tmp_path / "lm.npz"), "hotwords": ["a b", "ab"]}
    beam = Beam(ALPHABET, weight=0.5, bonus=1.0, **settings)
    readings = Readings(ALPHABET, [[row] for row in noise], ["a b"] * 6)
    cell = readings.cell(beam, 0.25, 2.0, 0.7)
    read = Beam(ALPHABET, weight=0.25, bonus=2.0, prior_weight=0.7, **settings).decode(noise, torch.full((6,), 20))
    texts = [ALPHABET.decode(row[0].labels) for row in read]
    assert cell == Cell(0.25, 2.0, 0.7, Counts.over(["a b"] * 6, map(ALPHABET.normalise, texts)))
    assert (beam.weight, beam.bonus, beam.prior_weight) == (0.5, 1.0, 0.2)


def test_a_lexicons_words_are_what_was_written() -> None:
    class Lexicon(Greedy):
        def search(self, log_probs: Tensor, lengths: Tensor) -> list[list[Hypothesis]]:
            return [[Hypothesis((1,), ((0, 1),), (1.0,), 0.0, words=("b", "c"))] for _ in log_probs]

    assert Readings(ALPHABET, [[saying("a")]], ["b c"]).counts(Lexicon()).words == Edits(2)
