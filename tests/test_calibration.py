"""Confidences: the curve is found again, never falls, stays finite; checkpoints carry it, old ones load."""

import logging

import numpy
import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_lightning import Trainer
from torch.utils.data import DataLoader

from recognizer import Recognizer, calibrate, kneserney, manifest
from recognizer.batch import Sample, collate
from recognizer.calibration import NEUTRAL, Calibration, curve, error, fitted, reliability
from recognizer.decoders.base import Hypothesis
from recognizer.manifest import Utterance
from recognizer.metrics import Verdicts, hits
from recognizer.network import FOUND, Network
from recognizer.reading import ENOUGH, judged
from recognizer.transcript import Mark, Word, words

shares = st.floats(0, 1)
QUIET = ("ignore:.*does not have many workers", "ignore:.*isinstance.treespec")


def drawn(parameters, size=40_000):
    chance = numpy.random.default_rng(0)
    raw = chance.beta(2, 0.7, size)
    return raw, (chance.random(size) < curve(parameters, raw)).astype(float)


@pytest.mark.parametrize("parameters", [(0.4, 1.2, -0.5), (1.0, 1.0, 0.0), (2.0, 0.1, 1.0), (0.0, 0.8, -1.0)])
def test_the_curve_that_made_the_answers_is_found(parameters):
    raw, right = drawn(parameters)
    assert fitted(raw, right) == pytest.approx(parameters, abs=0.1)
    assert error(curve(fitted(raw, right), raw), right) < 0.01


def test_confidences_become_right_as_often_as_they_say():
    raw, right = drawn((0.4, 0.6, -1.0))
    parameters = fitted(raw[::2], right[::2])
    assert error(raw[1::2], right[1::2]) > 0.2
    assert error(curve(parameters, raw[1::2]), right[1::2]) < 0.02


@given(st.lists(st.tuples(shares, st.booleans()), max_size=30), shares, shares)
def test_it_never_falls_and_stays_a_probability(pairs, one, other):
    raw, right = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    parameters = fitted(raw, right)
    low, high = curve(parameters, [min(one, other), max(one, other)])
    assert 0 <= low <= high <= 1


@given(shares)
def test_uncalibrated_means_unchanged(raw):
    judge = Calibration()
    judge.fit([], [])
    assert judge.words.tolist() == judge.texts.tolist() == list(NEUTRAL)
    assert judge.word(raw) == pytest.approx(raw, abs=2e-6) == judge.text(raw)


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_all_right_or_all_wrong_stays_finite(right):
    for raw in ([1.0], [0.0, 1.0], numpy.linspace(0, 1, 999)):
        parameters = fitted(raw, numpy.full(len(raw), right))
        assert numpy.isfinite(parameters).all() and 0 < curve(parameters, 0.5) < 1


def test_reliability_and_error_by_hand():
    sure, right = [0.05, 0.95, 0.93, 0.97, 1.0], [0, 1, 1, 0, 1]
    assert reliability(sure, right, 10) == [pytest.approx((0.05, 0.0, 1)), pytest.approx((0.9625, 0.75, 4))]
    assert error(sure, right, 10) == pytest.approx((0.05 + 4 * 0.2125) / 5)
    assert error([], []) == 0.0


@pytest.mark.parametrize(
    "reference, read, expected",
    [
        ("seven four one", ["seven", "for", "one"], [True, False, True]),
        ("seven four", ["oh", "seven", "four"], [False, True, True]),
        ("", ["seven"], [False]),
        ("seven", [], []),
        ("a b c", ["a b", "", "x"], [True, True, False]),
    ],
)
def test_which_words_are_right(reference, read, expected):
    assert hits(reference, read) == expected


def test_a_word_is_as_sure_as_its_characters_and_the_spaces_beside_it():
    marks = [Mark(text, 0.0, 1.0, sure) for text, sure in (("a", 0.5), ("b", 0.8), (" ", 0.9), ("c", 0.7))]
    first, second = words(marks, str)
    assert (first.confidence, second.confidence) == (pytest.approx(0.5 * 0.8 * 0.9), pytest.approx(0.9 * 0.7))


def hypothesis(labels, score, sure=0.81, gain=0.0):
    spans = tuple((place, place + 1) for place in range(len(labels)))
    return Hypothesis(tuple(labels), spans, (sure,) * len(labels), score, gain)


def test_readings_that_agree_raise_what_they_agree_on(tmp_path):
    model = Recognizer.load(tiny.checkpoint(tmp_path / "tiny.ckpt", letters=" ab"))
    a, b = model.alphabet.encode("a")[0], model.alphabet.encode("b")[0]
    space = model.alphabet.encode(" ")[0]
    steps = [(float(place), place + 1.0) for place in range(3)]
    others = [hypothesis([a, space, b], -9.0 - place) for place in range(ENOUGH)]
    few, sure = judged(model, [hypothesis([a, space, a], 0.0), *others[: ENOUGH - 2]], steps, ENOUGH - 1)
    assert [word.confidence for word in few] == pytest.approx([0.81**2] * 2) and sure == pytest.approx(0.81**3)
    both = [hypothesis([a, space, a], 0.0), hypothesis([a, space, b], 0.0)]
    for readings in (both, [*both, *others]):  # a beam that is asked for many and has two has left nothing likely out
        spoken, sure = judged(model, readings, steps, ENOUGH)
        assert [word.confidence for word in spoken] == pytest.approx([0.81, 0.81 * 0.5**0.5], abs=1e-3)
        assert sure == pytest.approx(0.5, abs=1e-3)
    (word, _), sure = judged(model, both[:1], steps, ENOUGH)
    assert word.confidence == pytest.approx(0.81) and sure == 1
    told = [hypothesis([a, space, a], 0.0, gain=-3.0), hypothesis([a, space, b], -1.0, gain=-2.0), *others]
    spoken, _ = judged(
        model, told, steps, ENOUGH
    )  # what a language model says, the characters by themselves do not know
    own, share = 0.81**2, 0.5
    assert [word.confidence for word in spoken] == pytest.approx([own**0.05, own**0.05 * share**0.95], abs=1e-3)
    assert judged(model, [hypothesis([], -0.25)], steps) == ([], pytest.approx(0.7788, abs=1e-4))


def batch(model, texts=("ab", "a b", "c", "")):
    labels = [torch.tensor(model.alphabet.encode(text), dtype=torch.long) for text in texts]
    rows = [torch.randn(20, model.frontend.size) for _ in texts]
    kept = [Utterance(f"{place}.wav", text) for place, text in enumerate(texts)]
    return collate([Sample(*sample) for sample in zip(rows, labels, kept, strict=True)])


@pytest.mark.filterwarnings(*QUIET)
def test_a_trained_checkpoint_carries_its_calibration_bit_for_bit(tmp_path):
    model = Recognizer.load(tiny.checkpoint(tmp_path / "tiny.ckpt")).train()
    loader = DataLoader([batch(model)] * 2, batch_size=None)
    settings = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(max_epochs=1, default_root_dir=tmp_path, enable_checkpointing=False, **settings)
    trainer.fit(model, loader, loader)
    trainer.save_checkpoint(tmp_path / "trained.ckpt")
    kept = torch.load(tmp_path / "trained.ckpt", weights_only=True)["state_dict"]
    again = Recognizer.load(tmp_path / "trained.ckpt")
    for name in ("words", "texts"):
        curve_of = getattr(model.calibration, name)
        assert curve_of.isfinite().all()
        assert torch.equal(kept[f"calibration.{name}"], curve_of)
        assert torch.equal(getattr(again.calibration, name), curve_of)
    assert model.calibration.texts.tolist() != list(NEUTRAL)


def test_a_checkpoint_without_a_calibration_loads_neutral(tmp_path):
    path = tiny.checkpoint(tmp_path / "tiny.ckpt")
    kept = torch.load(path, weights_only=True)
    for name in ("words", "texts"):
        del kept["state_dict"][f"calibration.{name}"]
    torch.save(kept, path)
    assert Recognizer.load(path).calibration.words.tolist() == list(NEUTRAL)


def test_the_pairs_are_those_of_all_parts():
    spoken = [Word("a", 0.0, 1.0, 0.5), Word("b", 1.0, 2.0, 0.25)]
    found = Verdicts()
    found.update(["a b", "a"], [(spoken, 0.125), ([], 0.75)])
    found.update(["a"], [(spoken, 0.125)])
    read, texts = found.compute()
    assert read.tolist() == [[0.5, 1], [0.25, 1], [0.5, 1], [0.25, 0]]
    assert texts.tolist() == [[0.125, 1], [0.75, 0], [0.125, 0]]


def test_a_checkpoint_is_calibrated_on_a_manifest(tmp_path, caplog):
    path = tiny.checkpoint(tmp_path / "tiny.ckpt", says="a")
    rows = ["path\ttext", "0.wav\ta", "1.wav\tb", "2.wav\tb", "lost.wav\ta"]
    for place in range(3):
        tiny.sound(tmp_path / f"{place}.wav", seed=place)
    (tmp_path / "val.tsv").write_text("\n".join(rows) + "\n")
    before = path.read_bytes()
    with caplog.at_level(logging.INFO):
        assert calibrate.main([str(path), str(tmp_path / "val.tsv"), "--output", str(tmp_path / "new.ckpt")]) == 0
    assert "3 words, 33.3% right" in caplog.text and "lost.wav" in caplog.text
    assert path.read_bytes() == before and not list(tmp_path.glob(".*"))
    assert (tmp_path / "new.ckpt").stat().st_mode == path.stat().st_mode
    old, new = Recognizer.load(path), Recognizer.load(tmp_path / "new.ckpt")
    for name, weight in old.state_dict().items():
        assert name.startswith(FOUND) or torch.equal(weight, new.state_dict()[name]), name
    (was,), (now,) = (model.transcribe(tmp_path / "1.wav") for model in (old, new))
    assert now.text == was.text == "a" and now.words[0].confidence < was.words[0].confidence
    assert 0 < now.confidence < was.confidence


@pytest.mark.parametrize("led", [False, True])
def test_the_curve_is_that_of_the_usual_reading(tmp_path, led):
    """With a language model beside the checkpoint that is the beam's with it, or else the greedy one."""
    path = tiny.checkpoint(tmp_path / "tiny.ckpt")
    rows = ["path\ttext"]
    for place in range(8):
        tiny.sound(tmp_path / f"{place}.wav", seed=place)
        rows.append(f"{place}.wav\t{'ab' if place % 2 else 'ab ab'}")
    (tmp_path / "val.tsv").write_text("\n".join(rows) + "\n")
    if led:
        kneserney.built([["ab"], ["ab", "ab"]], 2).write(tmp_path / "tiny.npz")
    assert calibrate.main([str(path), str(tmp_path / "val.tsv")]) == 0
    model = Network.load(path)
    assert bool(model.advice) == led and model.usual[0] is model
    curves = model.calibration.words.clone()
    (tmp_path / "there").mkdir()
    new = tmp_path / "there" / "new.ckpt"  # as what it is read with does
    assert calibrate.main([str(path), str(tmp_path / "val.tsv"), "--output", str(new)]) == 0
    assert bool(Network.load(new).advice) == led and torch.equal(Network.load(new).calibration.words, curves)
    model.calibration = Calibration()
    calibrate.fit(model, model.usual[1], manifest.read(tmp_path / "val.tsv"), 24_000)
    assert torch.equal(curves, model.calibration.words)
    calibrate.fit(model, model.greedy, manifest.read(tmp_path / "val.tsv"), 24_000)
    assert torch.equal(curves, model.calibration.words) != led


def test_what_cannot_be_calibrated_is_said(tmp_path, capsys):
    path = tiny.checkpoint(tmp_path / "tiny.ckpt")
    (tmp_path / "val.tsv").write_text("path\ttext\nlost.wav\ta\n")
    assert calibrate.main([str(path), str(tmp_path / "val.tsv")]) == 2
    assert "nothing could be read that has a text" in capsys.readouterr().err
    assert calibrate.main([str(tmp_path / "none.ckpt"), str(tmp_path / "val.tsv")]) == 2
