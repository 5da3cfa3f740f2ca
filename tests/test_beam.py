"""A wide beam finds what looking at every text finds, with and without a language model; a beam of one is greedy."""

from __future__ import annotations

import concurrent.futures
import logging
import math
import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from judge import Judge, summed
from torch import Tensor

from recognizer import lm
from recognizer.alphabet import Alphabet, Form, Split
from recognizer.decoders import Beam, Greedy
from recognizer.decoders.ngram import NGram
from recognizer.errors import ConfigError, DecoderError

EVERYTHING = {"width": 5000, "nbest": 5000, "token_floor": -math.inf, "beam_floor": -math.inf, "threads": 1}
TEXT = "ab a ab b\na ab\nb a a ab\nab ab b a\nba a\na b ab a ba\n"


def chance(rows: int, frames: int, labels: int, seed: int, sharp: float = 2.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(rows, frames, labels, generator=generator) * sharp).log_softmax(-1)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NGram]:
    folder = tmp_path_factory.mktemp("models")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    made = {}
    for name, options in (("words", []), ("characters", ["--characters"])):
        assert lm.main([str(folder / "text.txt"), "--output", str(folder / name), "--order", "3", *options]) == 0
        made[name] = NGram.read(folder / name)
    return made


@given(st.integers(1, 5), st.integers(2, 4), st.integers(0, 10_000))
def test_a_wide_beam_finds_every_text_and_its_whole_sum(frames: int, labels: int, seed: int) -> None:
    matrix = chance(1, frames, labels, seed)
    found = Beam(["", *"abc"[: labels - 1]], **EVERYTHING).decode(matrix, torch.tensor([frames]))[0]
    assert {h.labels: h.score for h in found} == pytest.approx(summed(matrix[0]), abs=1e-5)
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    assert all(h.gain == 0 for h in found)


@given(st.integers(1, 20), st.integers(2, 6), st.integers(0, 10_000))
def test_a_beam_of_one_is_greedy(frames: int, labels: int, seed: int) -> None:
    matrix, lengths = chance(2, frames, labels, seed), torch.tensor([frames, frames // 2])
    narrow = Beam(["", *"abcde"[: labels - 1]], width=1, threads=1).decode(matrix, lengths)
    for (ours,), (best,) in zip(narrow, Greedy().decode(matrix, lengths), strict=True):
        assert (ours.labels, ours.spans) == (best.labels, best.spans)
        assert ours.confidences == pytest.approx(best.confidences) and ours.score == pytest.approx(best.score, abs=1e-4)


LEXICON = {"a": [], "ab": ["ab", "b"], "be": ["b"], "ba": [], "Zz": ["aA", "a"]}


@pytest.mark.parametrize("hot", [False, True])
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("kind", ["none", "words", "characters"])
@pytest.mark.parametrize(("weight", "bonus"), [(0.0, 0.0), (0.7, 0.5), (1.5, 2.0), (0.5, -1.0)])
def test_the_order_is_that_of_every_text(
    models: dict[str, NGram], kind: str, closed: bool, hot: bool, weight: float, bonus: float
) -> None:
    settings = {"weight": weight, "bonus": bonus, "unknown": -3.0, "lexicon": LEXICON if closed else None}
    if hot:
        settings |= {"hotwords": ["aB", "a", "b ab", "a a b", "bb", "a bba"], "hotword_bonus": 1.25}
    labels = ["", *"ab A"]  # A is in no word of the models
    decoder = Beam(labels, lm=models.get(kind), **settings, **EVERYTHING)
    judge = Judge(labels, models.get(kind), kind, **settings)
    assert decoder.characters == (kind == "characters")
    for seed in range(2):
        matrix = chance(1, 5, 5, seed)
        compare(decoder, judge, matrix)


@pytest.mark.parametrize("hot", [False, True])
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("kind", ["none", "words", "characters"])
def test_so_it_is_in_scripts_without_spaces(models: dict[str, NGram], kind: str, closed: bool, hot: bool) -> None:
    settings = {"lexicon": LEXICON if closed else None, "bonus": 0.5}
    if hot:
        settings |= {"hotwords": ["aab", "Ab", "b"], "hotword_bonus": 0.75}
    labels = ["", *"abA"]
    decoder = Beam(labels, lm=models.get(kind), characters=kind == "characters", **settings, **EVERYTHING)
    judge = Judge(labels, models.get(kind), kind, **settings)
    for seed in range(2):
        compare(decoder, judge, chance(1, 6, 4, seed))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("kind", ["words", "characters"])
def test_so_it_is_with_shorter_n_grams(tmp_path: Path, order: int, kind: str, closed: bool) -> None:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    spelt = ["--characters"] if kind == "characters" else []
    assert lm.main([str(tmp_path / "text.txt"), "--output", str(tmp_path / "lm"), "--order", str(order), *spelt]) == 0
    model, labels = NGram.read(tmp_path / "lm"), ["", *"ab A"]
    settings = {"weight": 0.7, "bonus": 0.5, "unknown": -3.0, "lexicon": LEXICON if closed else None}
    judge = Judge(labels, model, kind, **settings)
    compare(Beam(labels, lm=model, **settings, **EVERYTHING), judge, chance(1, 5, 5, seed=0))


def compare(decoder: Beam, judge: Judge, matrix: Tensor) -> None:
    """Hold what a wide beam finds against every text that the matrix can hold."""
    found = {h.labels: h for h in decoder.decode(matrix, torch.tensor([matrix.shape[1]]))[0]}
    wanted = {labels: (total, judge.verdict(labels)) for labels, total in summed(matrix[0]).items()}
    assert found.keys() == {labels for labels, (_, verdict) in wanted.items() if verdict is not None}
    for labels, h in found.items():
        total, verdict = wanted[labels]
        assert verdict is not None and h.words == verdict[1]
        assert (h.score, h.gain) == pytest.approx((total, verdict[0]), abs=1e-4)
    ranks = [h.score + h.gain for h in found.values()]
    assert ranks == sorted(ranks, reverse=True)


def test_a_model_settles_what_the_matrix_leaves_open(models: dict[str, NGram]) -> None:
    labels = ["", "a", "b", " "]
    probs = torch.full((1, 6, 4), 0.02)
    for frame, label in enumerate([1, 2, 3, 2, 0]):
        probs[0, frame, label] = 0.94
    probs[0, 5] = torch.tensor([0.01, 0.46, 0.52, 0.01])  # "bb", or "ba", which is a word
    matrix, lengths = probs.log(), torch.tensor([6])
    plain, helped = Beam(labels), Beam(labels, lm=models["words"], weight=1.0)
    assert plain.text(plain.decode(matrix, lengths)[0][0]) == "ab bb"
    assert helped.text(helped.decode(matrix, lengths)[0][0]) == "ab ba"


@pytest.mark.parametrize("blank", [0, 2, 3])
def test_the_blank_may_stand_anywhere(blank: int) -> None:
    matrix = chance(1, 5, 4, 7)
    moved = matrix[..., [*range(1, blank + 1), 0, *range(blank + 1, 4)]]
    names = ["a", "b", "c"]
    here, there = (
        Beam(["", *names], **EVERYTHING),
        Beam([*names[:blank], "", *names[blank:]], blank=blank, **EVERYTHING),
    )
    ours, theirs = (beam.decode(m, torch.tensor([5]))[0] for beam, m in ((here, matrix), (there, moved)))
    assert [here.text(h) for h in ours] == [there.text(h) for h in theirs]
    assert [h.spans for h in ours] == [h.spans for h in theirs]


def test_repeated_letters_survive() -> None:
    labels = ["", *"helo"]
    path = [1, 1, 0, 2, 3, 3, 0, 3, 4, 4, 0]
    matrix = torch.full((1, len(path), 5), 0.01)
    matrix[0, range(len(path)), path] = 0.96
    beam = Beam(labels)
    best = beam.decode(matrix.log(), torch.tensor([len(path)]))[0][0]
    assert beam.text(best) == "hello"
    assert best.spans == ((0, 2), (3, 4), (4, 6), (7, 8), (8, 10))


def test_it_takes_numpy_and_an_alphabet() -> None:
    matrix = chance(3, 9, 5, 3)
    alphabet = Alphabet(["a", "b", "c", "d"])
    by_tensor = Beam(alphabet).decode(matrix, torch.tensor([9, 4, 0]))
    array = matrix.numpy().copy()
    array.flags.writeable = False
    assert Beam(["", *alphabet.characters]).decode(array, np.array([9, 4, 0])) == by_tensor


def test_rows_searched_at_once_read_as_one_by_one_also_in_another_process(models: dict[str, NGram]) -> None:
    matrix, lengths = chance(6, 30, 4, 5), torch.tensor([30, 3, 0, 17, 30, 1])
    one = Beam(["", *"ab "], lm=models["words"], threads=1, nbest=3)
    many = pickle.loads(pickle.dumps(Beam(["", *"ab "], lm=models["words"], threads=4, nbest=3)))
    assert one.decode(matrix, lengths) == many.decode(matrix, lengths)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_however_started_read_alike(models: dict[str, NGram], method: str) -> None:
    beam = Beam(["", *"ab "], lm=models["words"], lexicon={"Ab": ["ab"], "a": []}, hotwords=["ab"], threads=2)
    matrix, lengths = chance(2, 20, 4, 9).numpy(), np.array([20, 11])
    here = beam.decode(matrix, lengths)
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
        assert pool.submit(beam.decode, matrix, lengths).result() == here


def test_impossible_frames_are_no_mistake() -> None:
    matrix = torch.full((1, 2, 3), -torch.inf)
    best = Beam(["", "a", "b"]).decode(matrix, torch.tensor([2]))[0][0]
    assert (best.labels, best.score) == ((), -math.inf)


def test_words_that_the_labels_cannot_write_are_counted(
    models: dict[str, NGram], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        Beam(["", "a", " "], lm=models["words"])
    assert "1 of 4 words can be spelt" in caplog.text


@pytest.mark.parametrize(("form", "split"), [("NFC", "character"), ("NFD", "character"), ("NFD", "grapheme")])
def test_a_model_of_characters_is_known_as_one_also_with_characters_that_are_no_labels(
    form: Form, split: Split, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Texts of others have signs that an alphabet lacks; taken for a model of words, it would deny every word."""
    (tmp_path / "texts.txt").write_text("\u00e4ab ba\nab \u20ac\u00e4\nba b\u00e4\n", encoding="utf-8")
    command = [str(tmp_path / "texts.txt"), "--output", str(tmp_path / "lm.npz"), "--characters", "--order", "2"]
    assert lm.main([*command, "--form", form, "--split", split]) == 0
    alphabet = Alphabet.of(["ab\u00e4 b"], form, split)
    known = Beam(alphabet, lm=tmp_path / "lm.npz", **EVERYTHING)
    assert known.characters and "several labels" not in caplog.text
    matrix = chance(1, 5, len(alphabet), seed=5)
    told = Beam(alphabet, lm=tmp_path / "lm.npz", characters=True, **EVERYTHING)
    assert known.decode(matrix, [5]) == told.decode(matrix, [5])
    wrong = Beam(alphabet, lm=tmp_path / "lm.npz", characters=False, **EVERYTHING)
    assert known.decode(matrix, [5]) != wrong.decode(matrix, [5])
    Beam(Alphabet.of(["ab\u00e4 b"], "NFD"), lm=tmp_path / "lm.npz")
    other = "1 of its characters are several labels each: \u00e4; build it with --characters --form NFD"
    assert (other in caplog.text) == (form == "NFC")


def test_so_is_one_of_a_script_without_spaces(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("\u6f22\u5b57\n\u4e00\u6f22\n", encoding="utf-8")
    (tmp_path / "words.txt").write_text("\u6f22\u5b57\n\u4e00\n", encoding="utf-8")
    for name, options in (("texts", ["--characters"]), ("words", [])):
        assert lm.main([str(tmp_path / f"{name}.txt"), "--output", str(tmp_path / name), *options]) == 0
    labels = ["", "\u6f22", "\u5b57"]  # the third character is no label
    assert Beam(labels, lm=tmp_path / "texts").characters and not Beam(labels, lm=tmp_path / "words").characters


def test_a_model_of_another_alphabet_is_refused(models: dict[str, NGram], tmp_path: Path) -> None:
    with pytest.raises(DecoderError, match="none of its 4 words") as caught:
        Beam(["", *"AB "], lm=models["words"])
    assert "upper case" in str(caught.value)
    (tmp_path / "folder").mkdir()
    with pytest.raises(DecoderError, match="folder"):
        Beam(["", "a"], lm=tmp_path / "folder")


def test_a_matrix_of_other_labels_is_refused() -> None:
    with pytest.raises(DecoderError, match="have 4 labels, the decoder 3"):
        Beam(["", "a", "b"]).decode(chance(1, 3, 4, 0), torch.tensor([3]))


@pytest.mark.parametrize(
    "settings",
    [
        {"width": 0},
        {"nbest": 0},
        {"threads": 0},
        {"weight": -1.0},
        {"weight": math.nan},
        {"bonus": math.inf},
        {"unknown": 1.0},
        {"token_floor": 0.5},
        {"beam_floor": math.nan},
        {"blank": 3},
        {"labels": ["", "a", "a"]},
        {"labels": ["", "a", ""]},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Beam(**{"labels": ["", "a", "b"], **settings})  # type: ignore[arg-type]
