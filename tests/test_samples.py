"""The embedded corpora: made twice they are the same, made half they are nothing, and the front ends read them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import soundfile
from PIL import Image

from recognizer import frontends, manifest
from recognizer.errors import SampleError
from recognizer.espeak import Espeak, Wave
from recognizer.manifest import Utterance
from recognizer.samples import SAMPLES, base, digits, ink, lines
from recognizer.samples.__main__ import main

MAKERS: dict[str, Callable[..., None]] = {"digits": digits.make, "ink": ink.make, "lines": lines.make}
LETTERS = {"digits": r"[a-z ]+", "ink": r"[A-Za-z0-9]+[.,!?]?", "lines": r"[A-Za-z0-9 .,!?]+"}
READ_BY = {"digits": "speech", "ink": "pen", "lines": "line"}
COUNT = 10


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    for name, make in MAKERS.items():
        make(folder / name, COUNT)
    return folder


def parts(folder: Path) -> dict[str, list[Utterance]]:
    return {part: manifest.read(folder / f"{part}.tsv") for part in base.PARTS}


def digest(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_room_lists_them_all() -> None:
    assert SAMPLES.keys() == MAKERS.keys()


@pytest.mark.parametrize("name", MAKERS)
def test_made_twice_it_is_the_same(name: str, made: Path, tmp_path: Path) -> None:
    MAKERS[name](tmp_path / "again", COUNT)
    assert digest(tmp_path / "again") == digest(made / name)


@pytest.mark.parametrize("name", MAKERS)
def test_every_part_has_its_share_of_plain_texts(name: str, made: Path) -> None:
    found = parts(made / name)
    assert {part: len(utterances) for part, utterances in found.items()} == base.sizes(COUNT)
    texts = [utterance.text for utterances in found.values() for utterance in utterances]
    assert all(text is not None and re.fullmatch(LETTERS[name], text) for text in texts), texts
    assert len(set(texts)) > COUNT / 2


@pytest.mark.parametrize("name", MAKERS)
def test_nobody_is_in_two_parts(name: str, made: Path) -> None:
    people = [{utterance.speaker for utterance in utterances} for utterances in parts(made / name).values()]
    assert all(people)
    assert len(set.union(*people)) == sum(map(len, people))


def test_no_mouth_and_no_hand_is_in_two_parts() -> None:
    """Whatever the count: of all voices and hands, not only of those that a small corpus happens to hold."""
    voices = [set(names) for names in digits.variants().values()]
    assert len(set.union(*voices)) == sum(map(len, voices))
    assert min(map(len, voices)) >= 5
    hands = [hand.name for part in base.PARTS for hand in ink.hands(part)]
    assert len(set(hands)) == len(hands)


@pytest.mark.parametrize("name", MAKERS)
def test_the_front_end_reads_it(name: str, made: Path) -> None:
    frontend = frontends.build({"name": READ_BY[name]})
    for utterances in parts(made / name).values():
        for utterance in utterances:
            assert frontends.of(utterance.path.split("#")[0]) == READ_BY[name]
            frames = frontend.frames(frontend.read(utterance.path))
            assert frames.isfinite().all()
            assert len(frames) >= len(utterance.text or "")  # more frames than letters, or CTC cannot write it


@pytest.mark.parametrize("name", MAKERS)
def test_durations_are_true(name: str, made: Path) -> None:
    for utterance in parts(made / name)["train"]:
        if name == "digits":
            found: float = soundfile.info(utterance.path).duration
        elif name == "lines":
            with Image.open(utterance.path) as image:
                found = image.width
        else:
            file, number = utterance.path.split("#")
            entry = json.loads(Path(file).read_text().splitlines()[int(number)])
            assert entry["text"] == utterance.text and entry["writer"] == utterance.speaker
            found = sum(map(len, entry["strokes"]))
        assert utterance.duration == pytest.approx(found, rel=1e-5)


def test_a_finished_folder_is_kept_and_another_recipe_replaces_it(tmp_path: Path) -> None:
    folder = tmp_path / "ink"
    ink.make(folder, 2)
    (folder / "witness").touch()
    ink.make(folder, 2)
    assert (folder / "witness").exists()
    ink.make(folder, 3)
    assert not (folder / "witness").exists()
    assert len(manifest.read(folder / "train.tsv")) == 3
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("blow", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_making_leaves_nothing(blow: type[BaseException], tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "ink"

    def fill(building: Path) -> None:
        for part in base.PARTS:
            manifest.write(building / f"{part}.tsv", [])
        raise blow

    with pytest.raises(blow):
        base.make(folder, "a", fill)
    assert list(folder.parent.iterdir()) == []


def test_what_a_killed_maker_left_is_never_taken_for_whole(tmp_path: Path) -> None:
    """Killed at once, it leaves its sibling behind; a folder without its mark or a manifest is not whole either."""
    folder = tmp_path / "ink"
    ink.make(folder, 2)
    recipe = (folder / base.MARK).read_text()
    assert base.whole(folder, recipe)
    assert not base.whole(folder, recipe + "0")
    (folder / "val.tsv").rename(folder / "val")
    assert not base.whole(folder, recipe)
    ink.make(folder, 2)
    assert base.whole(folder, recipe)
    (folder / base.MARK).unlink()
    assert not base.whole(folder, recipe)


def test_other_peoples_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SampleError, match="no embedded corpus"):
        ink.make(tmp_path, 2)
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    with pytest.raises(SampleError, match="no embedded corpus"):
        ink.make(tmp_path / "thesis.txt", 2)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SampleError, match="cannot be written"):
        ink.make(tmp_path / "file" / "ink", 2)


def test_a_library_that_does_not_load_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "libespeak-ng.so"
    broken.write_bytes(b"no library")
    monkeypatch.setattr("espeakng_loader.get_library_path", lambda: str(broken))
    with pytest.raises(SampleError, match=r"cannot be loaded.*install"):
        Espeak()


def test_voices_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SampleError, match="no voice 'en-nowhere'"):
        Espeak().say("one", "en-nowhere")
    monkeypatch.setattr("espeakng_loader.get_data_path", lambda: str(tmp_path / "none"))
    with pytest.raises(SampleError, match="does not find its voices"):
        Espeak()


def test_a_long_path_to_the_voices_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import espeakng_loader

    deep = tmp_path / ("d" * 120) / ("e" * 120)
    deep.mkdir(parents=True)
    (deep / "espeak-ng-data").symlink_to(espeakng_loader.get_data_path(), target_is_directory=True)
    monkeypatch.setattr("espeakng_loader.get_data_path", lambda: str(deep / "espeak-ng-data"))
    assert len(Espeak().say("one", "en-us+f3")) > 1000


def test_speech_follows_its_settings() -> None:
    espeak = Espeak()
    slow, fast = (espeak.say("nine hundred and two", "en-gb-x-rp+m3", rate) for rate in (120, 240))
    assert len(slow) > 1.3 * len(fast)
    low, high = (espeak.say("nine nine nine", "en-us", pitch=pitch, spread=0) for pitch in (20, 80))
    assert _pitch(high, espeak.rate) > 1.2 * _pitch(low, espeak.rate)


def _pitch(wave: Wave, rate: int) -> float:
    """The frequency, from 60 to 400 Hz, at which the sound repeats itself best."""
    spectrum = numpy.fft.rfft(wave, 2 * len(wave))
    likeness = numpy.fft.irfft(numpy.abs(spectrum) ** 2)
    shortest, longest = rate // 400, rate // 60
    return rate / (shortest + int(likeness[shortest:longest].argmax()))


def test_a_tone_keeps_its_frequency_and_its_length() -> None:
    rate = 22_050
    time = numpy.arange(rate) / rate
    chance: Any = numpy.random.default_rng(3)
    heard = digits.disturb(0.5 * numpy.sin(2 * numpy.pi * 1000 * time), rate, chance)
    assert 1.1 < len(heard) / digits.RATE < 1.7  # and 0.05 to 0.35 s of silence at either end
    assert 0.05 < numpy.abs(heard).max() < 1
    peak = numpy.abs(numpy.fft.rfft(heard)).argmax() * digits.RATE / len(heard)
    assert peak == pytest.approx(1000, abs=2)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (84, "eighty four"),
        (100, "one hundred"),
        (407, "four hundred and seven"),
        (1000, "one thousand"),
        (1001, "one thousand and one"),
        (9999, "nine thousand nine hundred and ninety nine"),
    ],
)
def test_numbers_in_words(number: int, words: str) -> None:
    assert digits.spell(number) == words


def test_every_letter_has_its_shape() -> None:
    """Letters that share a shape in a font could never be told apart."""
    for font in ("rowmans", "cursive"):
        letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?"
        shapes = {letter: [points.tolist() for points in ink.glyph(font, letter)[0]] for letter in letters}
        assert all(shapes.values())
        assert len({str(shape) for shape in shapes.values()}) == len(letters)


def test_the_command_names_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setitem(SAMPLES, "ink", lambda folder: ink.make(folder, 2))
    assert main(["ink", "--out", str(tmp_path / "x")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "x")
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "z").touch()
    assert main(["ink", "--out", str(tmp_path / "y")]) == 1
    assert "no embedded corpus" in capsys.readouterr().err
