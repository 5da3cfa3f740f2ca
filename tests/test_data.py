"""Each recipe, given a tiny imitation of its corpus -> its manifests; and the recipes of speech one by one."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from layouts import MAKERS, make_an4, make_kaldi, people, put, told

import data
from data import an4, commonvoice, fsdd, kaldi, librispeech, nemo, speechocean762, table
from recognizer import image, manifest
from recognizer.errors import ManifestError, RecognizerError
from recognizer.frontends.speech import Speech
from recognizer.manifest import Utterance

SHARED = {"__init__", "cut", "shards"}
RECIPES = sorted(path.stem for path in Path(data.__file__).parent.glob("*.py") if path.stem not in SHARED)


def module(recipe: str) -> Any:
    return importlib.import_module(f"data.{recipe}")


def test_each_recipe_has_an_imitation() -> None:
    assert sorted(MAKERS) == RECIPES


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_is_documented(recipe: str) -> None:
    text = module(recipe).__doc__
    assert "manifests" in text.splitlines()[0] and "Expected" in text and "Texts:" in text


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_is_written_is_read_back(recipe: str, corpus: Any, tmp_path: Path, capsys: Any) -> None:
    source, out = corpus(recipe), tmp_path / "out"
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    assert data.run(module(recipe).prepare, [str(source), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    train, val = manifest.read(out / "train.tsv"), manifest.read(out / "val.tsv")
    assert train and val and all(row.text for row in train + val)
    assert f"{len(train)} utterances" in printed and "val.tsv" in printed
    assert not {row.path for row in train if row.start is None} & {row.path for row in val}
    if recipe != "table":  # whose one speaker is in both
        assert not people(train) & people(val) - {None}
    for row in train + val:
        if recipe not in ("nemo", "table"):  # these take their maker's word for it
            assert Path(row.path.split("#")[0]).is_file()
    assert before == {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("kind", ["missing", "empty", "other"])
def test_wrong_folder_is_named(recipe: str, kind: str, tmp_path: Path, capsys: Any) -> None:
    source = tmp_path / "wrong"
    if kind != "missing":
        source.mkdir()
    if kind == "other":
        put(source / "holiday/photo.txt")
    with pytest.raises(RecognizerError, match="wrong"):
        module(recipe).prepare(source, tmp_path / "out")
    assert data.run(module(recipe).prepare, [str(source), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert str(source) in error and error.count("\n") == 1


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("out", ["a file", "a file/below"])
def test_where_nothing_can_be_written_is_named(
    recipe: str, out: str, corpus: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "a file", "kept")
    assert data.run(module(recipe).prepare, [str(corpus(recipe)), "--out", str(tmp_path / out)]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(str(tmp_path / "a file")) and "cannot be written (" in said
    assert (tmp_path / "a file").read_text() == "kept"


@pytest.mark.parametrize("fraction", ["nan", "inf", "-3", "5", "1"])
def test_a_fraction_is_a_share(fraction: str, corpus: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(corpus("table")), "--out", str(tmp_path / "out"), "--fraction", fraction]
    assert data.run(table.prepare, given) == 1
    assert "--fraction: is " in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_endings_are_those_the_front_ends_read() -> None:
    assert set(data.SOUNDS) <= Speech.suffixes
    assert set(data.IMAGES) <= image.SUFFIXES


def test_endings_have_a_preference_and_any_case(tmp_path: Path) -> None:
    for name in ("a.b.MP3", "a.b.wav", "a.b.txt", "c.Flac"):
        put(tmp_path / name)
    found = data.Finder(data.SOUNDS)
    assert found.find(tmp_path / "a.b").name == "a.b.wav"
    assert found.find(tmp_path / "c").name == "c.Flac"
    assert found.get(tmp_path / "d") is None
    with pytest.raises(ManifestError, match="endings"):
        found.find(tmp_path / "d")


def test_texts_that_are_empty_are_left_out_and_counted(tmp_path: Path) -> None:
    said = data.write(tmp_path, {"train": [Utterance("a", "x", duration=1800.0), Utterance("b", " "), Utterance("c")]})
    assert "1 utterances, 0.50 h" in said and "2 without a text" in said
    with pytest.raises(ManifestError, match="not one"):
        data.write(tmp_path, {"val": [Utterance("b", "")]})


def test_an4(corpus: Any, tmp_path: Path) -> None:
    source = corpus("an4")
    parts = an4.prepare(source, tmp_path)
    assert len(people(parts["train"])) == 8 and len(people(parts["val"])) == 2
    assert told(parts["train"])[0] == ("an1-fa-b.flac", "yes go", "fa") and "test" not in parts
    make_an4(source, "test")
    assert len(an4.prepare(source, tmp_path)["test"]) == 10
    put(source / "etc/an4_train.transcription", "<s> YES </s> (other)\n" * 10)
    with pytest.raises(ManifestError, match="other"):
        an4.prepare(source, tmp_path)


def test_fsdd_leaves_a_speaker_out(corpus: Any, tmp_path: Path) -> None:
    source = corpus("fsdd")
    parts = fsdd.prepare(source, tmp_path)
    assert people(parts["val"]) == {"zoe"} and told(parts["train"])[-1] == ("9_bob_12.wav", "nine", "bob")
    assert data.run(fsdd.prepare, [str(source), "--out", str(tmp_path / "out"), "--leave-out", "anna"]) == 0
    assert {row.text for row in manifest.read(tmp_path / "out/val.tsv")} == {"zero", "seven"}
    with pytest.raises(ManifestError, match="did you mean 'anna'"):
        fsdd.prepare(source, tmp_path, leave_out="ana")


def test_librispeech_keeps_the_makers_parts(corpus: Any, tmp_path: Path) -> None:
    parts = librispeech.prepare(corpus("librispeech"), tmp_path)
    assert {name: people(rows) for name, rows in parts.items()} == {
        "train": {"19", "20"},
        "val": {"30"},
        "test-other": {"40"},
    }
    assert [row.text for row in parts["val"]] == ["it's a", "book"]


def test_speechocean762_finds_other_endings(corpus: Any, tmp_path: Path) -> None:
    parts = speechocean762.prepare(corpus("speechocean762"), tmp_path)
    assert {name: len(rows) for name, rows in parts.items()} == {"train": 2, "val": 1, "test": 3}
    assert told(parts["test"])[0] == ("test0.opus", "we call it bear", "test0")


def test_kaldi_segments(corpus: Any) -> None:
    source = corpus("kaldi")
    rows = kaldi.read(source)
    assert [(row.text, row.start, row.end, row.duration, row.speaker) for row in rows] == [
        ("ja", 0.5, 1.5, 1.0, "anna"),
        ("nein doch", 1.5, None, None, "anna"),
        ("oh", 0.0, 2.25, 2.25, "bob"),
    ]
    assert [Path(row.path).name for row in rows] == ["a.wav", "a.wav", "b.flac"]
    put(source / "segments", "a1 c 0 1\n")
    with pytest.raises(ManifestError, match="cut from c"):
        kaldi.read(source)


@pytest.mark.parametrize(
    ("table_", "row", "message"),
    [
        ("wav.scp", "a sph2pipe -f wav a.sph |\nb rec/b.flac\n", "is a command"),
        ("wav.scp", "a rec/none.wav\n", "no such file"),
        ("wav.scp", "a rec/a.wav\na rec/a.wav\n", "twice"),
        ("segments", "a1 a 0.5\n", "recording start end"),
        ("segments", "a1 a zero 1\n", "where seconds belong"),
        ("segments", "a1 a -0.01 1\n", "a1 has '-0.01' where seconds belong"),
        ("segments", "a1 a 0.5 nan\n", "a1 has 'nan' where seconds belong"),
        ("segments", "a1 a 0.5 0.5\n", "a1 ends at 0.5, not after 0.5"),
    ],
)
def test_kaldi_tables_that_cannot_be_used(corpus: Any, table_: str, row: str, message: str) -> None:
    source = corpus("kaldi")
    put(source / table_, row)
    with pytest.raises(ManifestError, match=message) as caught:
        kaldi.read(source)
    assert table_ in str(caught.value)


def test_kaldi_parts(tmp_path: Path) -> None:
    make_kaldi(tmp_path / "data/train")
    make_kaldi(tmp_path / "data/dev")
    parts = kaldi.prepare(tmp_path / "data", tmp_path)
    assert len(parts["train"]) == len(parts["val"]) == 3


def test_nemo(corpus: Any, tmp_path: Path) -> None:
    source = corpus("nemo")
    parts = nemo.prepare(source, tmp_path)
    assert parts["train"] == [
        Utterance(str(source / "clips/a.wav"), "eins", duration=1.5),
        Utterance(str(source / "clips/b.wav"), "zwei", 3.5, 5.5, 2.0, "7"),
    ]
    assert parts["val"][0].path == "/somewhere/c.wav"
    alone = nemo.prepare(source / "train_manifest.json", tmp_path)
    assert len(alone["train"]) == len(alone["val"]) == 1
    put(source / "dev.jsonl", '{"text": "no file"}\n')
    with pytest.raises(ManifestError, match=r"object 1.*audio_filepath"):
        nemo.prepare(source, tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ('"offset": -0.01, "duration": 1', r"object 1: offset is -0\.01"),
        ('"offset": 2, "duration": 0', "object 1: lasts 0 s from 2 s"),
        ('"duration": -3', "object 1: duration is -3"),
        ('"offset": NaN', "object 1: offset is nan"),
    ],
)
def test_nemo_parts_that_no_sound_has(tmp_path: Path, values: str, message: str) -> None:
    put(tmp_path / "train.jsonl", f'{{"audio_filepath": "a.wav", "text": "eins", {values}}}\n')
    with pytest.raises(ManifestError, match=message):
        nemo.prepare(tmp_path, tmp_path)


def test_commonvoice(corpus: Any, tmp_path: Path) -> None:
    source = corpus("commonvoice")
    parts = commonvoice.prepare(source, tmp_path)
    assert [rows[0].text for rows in parts.values()] == ["it's a co op isn't it", "quoted ärger til", "نمی‌خواهم"]
    assert parts["train"][0].duration == 1.5 and parts["val"][0].duration is None
    written = commonvoice.prepare(source, tmp_path, written=True)
    assert written["train"][0].text == "“It’s\" a co-op, isn't it?"
    put(source / "dev.tsv", "client_id\tpath\nx\ty\n")
    with pytest.raises(ManifestError, match="sentence"):
        commonvoice.prepare(source, tmp_path)
    put(source / "clip_durations.tsv", "")
    with pytest.raises(ManifestError, match=r"clip_durations\.tsv: no column 'clip'"):
        commonvoice.prepare(source, tmp_path)


@pytest.mark.parametrize("mark", "\u2028\u2029\x85\v\f\x1c")
def test_lines_end_at_line_ends_alone(corpus: Any, tmp_path: Path, mark: str) -> None:
    """Unicode's other ends of lines stand within sentences; none of them parts a row, or loses the rest of a text."""
    put(tmp_path / "names", f"a {mark}b\r\n\r\nc\n")
    assert data.listed(tmp_path / "names", "names") == [f"a {mark}b", "c"]
    source = corpus("commonvoice")
    put(source / "dev.tsv", f"client_id\tpath\tsentence\nx\tcv_2.mp3\teins{mark}zwei\n")
    assert commonvoice.prepare(source, tmp_path, written=True)["val"][0].text == f"eins{mark}zwei"


def test_table_of_one_speaker_shares_no_sentence(corpus: Any, tmp_path: Path) -> None:
    parts = table.prepare(corpus("table"), tmp_path)
    texts = [{row.text for row in parts[part]} for part in ("train", "val")]
    assert not texts[0] & texts[1] and people(parts["val"]) == {"me"}
    assert len(parts["train"]) + len(parts["val"]) == 4
