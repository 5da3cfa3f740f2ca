"""Whatever is wrong with a file, one line names it, says what was found and what to do; the other files go on."""

from __future__ import annotations

import json
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import soundfile
import tiny
import torch
from PIL import Image

from recognizer import manifest, train
from recognizer.errors import ManifestError
from recognizer.transcribe import main

Make = Callable[[Path], Any]

INK = '{"strokes": [[[10, 0], [9, 14], [8, 28], [7, 42], [6, 56], [6, 70]]]}'
INKML = """<ink xmlns="http://www.w3.org/2003/InkML"><trace>10 0, 9 14, 8 28, 7 42, 6 56, 6 70</trace></ink>"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {kind: tiny.checkpoint(folder / f"{kind}.ckpt", says="a", name=kind) for kind in ("speech", "pen", "line")}


def samples(path: Path, wave: object, **given: Any) -> None:
    soundfile.write(path, wave, 16_000, **given)


def cut(path: Path, share: float) -> None:
    """The file without its end."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def image(path: Path, width: int = 60, height: int = 30) -> None:
    grey = numpy.full((height, width), 255, numpy.uint8)
    grey[height // 3 : -height // 3, width // 4 : -width // 4] = numpy.random.default_rng(0).integers(0, 255)
    Image.fromarray(grey).save(path)


def not_finite(path: Path, value: float) -> None:
    wave = numpy.zeros(800, numpy.float32)
    wave[7] = value
    samples(path, wave, subtype="FLOAT")


BROKEN: dict[str, tuple[str, str, Make, str]] = {
    # what: (kind of model, file name, how it is made, what the message says was found)
    "no such sound": ("speech", "a.wav", lambda path: None, "no such file"),
    "a name too long for a file": ("speech", f"{'a' * 300}.wav", lambda path: None, "no such file"),
    "an empty sound": ("speech", "a.wav", lambda path: path.touch(), "0 bytes"),
    "a sound of no length": ("speech", "a.wav", lambda path: samples(path, numpy.zeros(0)), "no samples"),
    "text renamed to .wav": ("speech", "a.wav", lambda path: path.write_text("hello\n" * 99), "not a sound file"),
    "text renamed to .mp3": ("speech", "a.mp3", lambda path: path.write_text("hello\n" * 99), ""),
    "a wav that breaks off in its header": (
        "speech",
        "a.wav",
        lambda path: cut(tiny.sound(path), 0.001),
        "not a sound",
    ),
    "a wav that breaks off": ("speech", "a.wav", lambda path: cut(tiny.sound(path), 0.5), "breaks off"),
    "a flac that breaks off": ("speech", "a.flac", lambda path: cut(tiny.sound(path), 0.5), "breaks off"),
    "NaN samples": ("speech", "a.wav", lambda path: not_finite(path, numpy.nan), "1 samples are NaN"),
    "infinite samples": ("speech", "a.wav", lambda path: not_finite(path, numpy.inf), "1 samples are NaN, infinite"),
    "absurd samples": ("speech", "a.wav", lambda path: not_finite(path, 1e30), "1 samples are NaN"),
    "a folder called .wav": ("speech", "a.wav", lambda path: path.mkdir(), "holds no file"),
    "an image for a speech model": ("speech", "a.png", image, "'line' model"),
    "an unknown ending": ("speech", "a.xyz", lambda path: path.write_text("?"), "this ending"),
    "a film": ("speech", "a.MP4", lambda path: path.write_text("?"), "ffmpeg -i"),
    "no such image": ("line", "a.png", lambda path: None, "no such file"),
    "an empty image": ("line", "a.png", lambda path: path.touch(), ""),
    "an image of one pixel": ("line", "a.png", lambda path: image(path, 1, 1), "1 x 1"),
    "text renamed to .png": ("line", "a.png", lambda path: path.write_text("hello"), ""),
    "an image that breaks off": ("line", "a.jpg", lambda path: (image(path, 400, 300), cut(path, 0.5)), ""),
    "no such ink": ("pen", "a.inkml", lambda path: None, "no such file"),
    "empty InkML": ("pen", "a.inkml", lambda path: path.touch(), ""),
    "broken InkML": ("pen", "a.inkml", lambda path: path.write_text(INKML[:90]), ""),
    "InkML without a trace": ("pen", "a.inkml", lambda path: path.write_text("<ink/>"), ""),
    "InkML with words for numbers": ("pen", "a.inkml", lambda path: path.write_text(INKML.replace("9 14", "nine")), ""),
    "NaN points": ("pen", "a.json", lambda path: path.write_text(json.dumps({"strokes": [[[1, float("nan")]]]})), ""),
    "no strokes": ("pen", "a.json", lambda path: path.write_text('{"strokes": []}'), ""),
    "JSON that breaks off": ("pen", "a.json", lambda path: path.write_text('{"strokes": [[[1, 2'), ""),
    "a manifest of nonsense": ("speech", "a.tsv", lambda path: path.write_text("nonsense\n"), "unknown column"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_one_line(
    case: str,
    models: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    model, name, make, found = BROKEN[case]
    make(Path(name))
    good = {"speech": "good.wav", "line": "good.png", "pen": "good.json"}[model]
    {"speech": tiny.sound, "line": image, "pen": lambda path: path.write_text(INK)}[model](Path(good))
    assert main([name, good, "--model", str(models[model])]) == 1
    captured = capsys.readouterr()
    assert captured.out == f"{good}\ta\n"
    (error,) = captured.err.splitlines()
    assert re.fullmatch(rf"error: {re.escape(name)}\b.*: .+; .+", error), error
    assert found in error


WHOLE: dict[str, Make] = {
    "8 bits": lambda path: tiny.sound(path, subtype="PCM_U8"),
    "24 bits": lambda path: tiny.sound(path, subtype="PCM_24"),
    "96 kHz": lambda path: tiny.sound(path, rate=96_000),
    "8 kHz": lambda path: tiny.sound(path, rate=8_000),
    "6 channels": lambda path: tiny.sound(path, channels=6),
    "one sample": lambda path: samples(path, numpy.zeros(1)),
    "digital silence": lambda path: samples(path, numpy.zeros(8000)),
    "samples of 16 bits as numbers": lambda path: samples(path, numpy.full(8000, 3e4), subtype="FLOAT"),
}


@pytest.mark.parametrize("case", WHOLE)
def test_odd_sounds_are_read(
    case: str, models: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    WHOLE[case](tmp_path / "a.wav")
    status = main([str(tmp_path / "a.wav"), "--model", str(models["speech"])])
    captured = capsys.readouterr()
    assert (status, captured.out, captured.err) == (0, "a\n", "")


ROWS = {
    "path\ttext\tstart\na.wav\tone\tsoon\n": "line 2: start is 'soon'; give a number",
    "path\ttext\na.wav\tone\ttwo\n": "line 2: 3 fields for 2 columns",
    "path\ttext\n\tone\n": "line 2: the path is empty",
    "path\ttext\na\0.wav\tone\n": "line 2: the path 'a\\x00.wav' has a NUL byte",
    "path\tstart\tend\na.wav\t2\t1\n": "line 2: end 1 is not after start 2",
    "path\ttxet\na.wav\tone\n": "unknown column 'txet' in line 1; did you mean 'text'?",
    "text\none\n": "line 1 names no column 'path'",
    "": "unknown column ''",
}


@pytest.mark.parametrize("table", ROWS)
def test_a_row_that_cannot_be_read_is_named(table: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.tsv"
    path.write_text(table)
    with pytest.raises(ManifestError) as caught:
        manifest.read(path)
    assert str(caught.value).startswith(str(path)) and ROWS[table] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_manifest_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "bad.tsv").write_bytes(b"path\ttext\na.wav\t\xff\n")
    with pytest.raises(ManifestError, match=r"bad\.tsv: is not UTF-8 text \(byte 16\); save it as UTF-8"):
        manifest.read(tmp_path / "bad.tsv")


class _Bomb:
    """Pickled, it writes a file when it is opened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("bomb", "w"))


def changed(path: Path, **values: Any) -> None:
    checkpoint = torch.load(tiny.checkpoint(path), weights_only=True)
    torch.save({**checkpoint, **values}, path)


CHECKPOINTS: dict[str, tuple[Make, str]] = {
    "missing": (lambda path: None, "cannot be opened"),
    "a folder": (lambda path: path.mkdir(), "cannot be opened"),
    "empty": (lambda path: path.touch(), "is no checkpoint"),
    "text": (lambda path: path.write_text("weights"), "is no checkpoint"),
    "sound": (lambda path: tiny.sound(path.with_suffix(".wav"), 0.2).rename(path), "is no checkpoint"),
    "cut": (lambda path: cut(tiny.checkpoint(path), 0.7), "is no checkpoint"),
    "of another program": (lambda path: torch.save({"state_dict": {}}, path), "is no checkpoint of recognizer"),
    "a tensor": (lambda path: torch.save(torch.zeros(3), path), "is no checkpoint of recognizer"),
    "of another version": (lambda path: changed(path, recognizer_version=99), "has version 99"),
    "with other weights": (lambda path: changed(path, state_dict={}), "does not fit"),
    "with an unknown setting": (lambda path: changed(path, hyper_parameters={"size": 3}), "does not fit"),
    "with code in it": (lambda path: path.write_bytes(pickle.dumps(_Bomb())), "is no checkpoint"),
    "with code in its archive": (lambda path: torch.save({"x": _Bomb()}, path), "is no checkpoint"),
}


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_a_checkpoint_that_cannot_be_used_is_one_line(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, found = CHECKPOINTS[case]
    make(Path("old.ckpt"))
    tiny.sound(Path("a.wav"))
    assert main(["a.wav", "--model", "old.ckpt"]) == 2
    captured = capsys.readouterr()
    (error,) = captured.err.splitlines()
    assert captured.out == "" and re.fullmatch(r"error: old\.ckpt: .+; .+", error) and found in error, error
    assert not Path("bomb").exists()


SETTINGS = {
    "model: {dpeth: 2}\n": "depth",
    "modle: {depth: 2}\n": "model",
    "trainer: {max_epoch: 2}\n": "max_epochs",
    "data: {tarin: a.tsv}\n": "train",
    "data: {sample: digits, frontend: {name: speach}}\n": "speech",
    "data: {sample: digits, frontend: {name: speech, bandz: 9}}\n": "bands",
}


@pytest.mark.parametrize("settings", SETTINGS)
def test_an_unknown_key_is_refused_with_the_nearest_name(
    settings: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])  # Lightning looks there, too
    Path("mine.yaml").write_text(settings)
    assert train.main(["--config", "mine.yaml"]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ") and f"did you mean {SETTINGS[settings]!r}?" in error
