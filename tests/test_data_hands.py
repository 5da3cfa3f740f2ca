"""The recipes of pen strokes, line images and pages, each given a tiny imitation of its corpus."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from layouts import IAM, alto_xml, make_page, make_unipen, page_line, page_xml, people, picture, put, told

import data
from data import alto, cut, iam, iamondb, lines, page, unipen
from recognizer import image, ink
from recognizer.errors import InputError, ManifestError, RecognizerError


def test_unipen_items_are_those_that_ink_reads(corpus: Any, tmp_path: Path) -> None:
    parts = unipen.prepare(corpus("unipen"), tmp_path / "out")
    assert told(parts["train"]) == [("train.jsonl#0", "Bad Œynhausen", "abm-2"), ("train.jsonl#1", "x", "aga")]
    for row in parts["train"] + parts["val"]:
        (item,) = ink.items(row.path)
        assert item.text == row.text and len(ink.read(row.path).strokes) == 1


def test_unipen_that_is_cut_off(tmp_path: Path) -> None:
    make_unipen(tmp_path / "u")
    packed = tmp_path / "u/train.jsonl.xz"
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(ManifestError, match="unpacked"):
        unipen.prepare(tmp_path / "u", tmp_path / "out")
    assert not (tmp_path / "out/train.jsonl").exists()


@pytest.mark.parametrize("line", ['{"text": 5}', '{"text": "a", "writer": 5}', "[]", b'{"text": "\xe9"}', "{"])
def test_unipen_items_that_are_no_objects_with_a_text(tmp_path: Path, line: str | bytes) -> None:
    make_unipen(tmp_path / "u")
    good = b'{"text": "on\xe2\x80\xa8off", "writer": "abm", "strokes": []}\n'
    (tmp_path / "u/train.jsonl").write_bytes(good)
    assert unipen.prepare(tmp_path / "u", tmp_path)["train"][0].text == "on\u2028off"
    (tmp_path / "u/train.jsonl").write_bytes(good + b"\n" + (line if isinstance(line, bytes) else line.encode()))
    with pytest.raises(ManifestError, match="item 1: is no object with a text"):
        unipen.prepare(tmp_path / "u", tmp_path)


def test_unipen_without_a_part(tmp_path: Path) -> None:
    make_unipen(tmp_path / "u")
    (tmp_path / "u/val.jsonl.gz").unlink()
    with pytest.raises(ManifestError, match="not both"):
        unipen.prepare(tmp_path / "u", tmp_path / "out")


def segments(path: Path) -> list[Any]:
    """What `ink.items` tells of a file of the release, whose writer has the name of the file."""
    if path.stat().st_size == 0:
        raise InputError(path, "is empty", "give a file with ink in it")
    told_ = [("TEXT", "two words"), ("WORD", "two"), ("WORD", "words"), ("WORD", None)]
    return [
        SimpleNamespace(path=f"{path}#{number}", text=text, writer=path.stem, level=level)
        for number, (level, text) in enumerate(told_)
    ]


def test_unipen_files_of_the_release(tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setattr(ink, "items", segments)
    for category, writer in (("8", "aga-1"), ("8", "aga-2"), ("6", "aga-3")):
        put(tmp_path / f"u/data/{category}/aga/{writer}.dat", ".VERSION 1.0")
    parts = unipen.prepare(tmp_path / "u", tmp_path, category="8")
    rows = parts["train"] + parts["val"]
    assert {(row.text, row.speaker) for row in rows} == {("two words", "aga-1"), ("two words", "aga-2")}
    put(tmp_path / "u/data/6/aga/broken.dat", "")
    rows = unipen.prepare(tmp_path / "u", tmp_path, levels="WORD")["train"]
    assert {row.text for row in rows} == {"two", "words"} and len(people(rows)) == 2
    assert "broken.dat" in caplog.text
    with pytest.raises(ManifestError, match="levels PAGE in 4"):
        unipen.prepare(tmp_path / "u", tmp_path, levels="PAGE")


def test_iamondb(corpus: Any, tmp_path: Path) -> None:
    source = corpus("iamondb")
    parts = iamondb.prepare(source, tmp_path / "out")
    assert {name: [row.text for row in rows] for name, rows in parts.items()} == {
        "train": ["First of a01-000u", "second."],
        "val": ["First of a01-001", "second."],
        "val2": ["First of b02-010z", "second."],
        "test": ["First of c03-003w", "second."],
    }
    assert people(parts["test"]) == {"4"}
    first = json.loads((tmp_path / "out/train.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first["strokes"] == [[[1, -10], [2.5, -8]], [[0, 0]]]  # y upwards
    assert ink.items(parts["val"][1].path)[0].text == "second."
    put(source / "lineStrokes/a01/a01-001/a01-001-01.xml", "<a><Stroke><Point x='1'/></Stroke></a>")
    with pytest.raises(RecognizerError, match=r"a01-001-01\.xml"):
        iamondb.prepare(source, tmp_path / "out")
    put(source / "lineStrokes/a01/a01-001/a01-001-xx.xml", "<a/>")
    with pytest.raises(InputError, match=r"a01-001-xx\.xml.*number of a line"):
        iamondb.prepare(source, tmp_path / "out")


def test_iamondb_without_lists_keeps_writers_apart(corpus: Any, tmp_path: Path) -> None:
    source = corpus("iamondb")
    for file in (source / "task1").iterdir():
        file.unlink()
    parts = iamondb.prepare(source, tmp_path / "out")
    assert set(parts) == {"train", "val"} and not people(parts["train"]) & people(parts["val"])


def test_iam_lists(corpus: Any, tmp_path: Path) -> None:
    source = corpus("iam")
    parts = iam.prepare(source, tmp_path)
    rows = parts["train"] + parts["val"]
    assert {(Path(row.path).stem, row.speaker, row.text) for row in rows} == {
        (name, writer, text) for name, (writer, text) in IAM.items()
    }
    put(source / "task/trainset.txt", "a01-000u-00\n")
    put(source / "task/validationset1.txt", "a01-003\n")
    put(source / "task/validationset2.txt", "b02-000-00\n")
    parts = iam.prepare(source, tmp_path)
    assert [people(parts[part]) for part in ("train", "val", "val2")] == [{"000"}, {"001"}, {"002"}]


def test_iam_as_xml(corpus: Any, tmp_path: Path) -> None:
    source = corpus("iam")
    for number, name in enumerate(IAM):
        line = f'<line id="{name}" text="&amp;quot;It&apos;s {number}.&amp;quot;"/>'
        put(source / f"xml/{name[:-3]}.xml", f'<form writer-id="w{number}"><part>{line}</part></form>')
    parts = iam.prepare(source, tmp_path)
    assert ("b02-000-00.png", '"It\'s 2."', "w2") in told(parts["train"] + parts["val"])


def test_lines_without_folders_keep_pages_apart(tmp_path: Path) -> None:
    for name in ("ms_1_01", "ms_1_02", "ms_2_01", "ms_2_02"):
        put(tmp_path / f"l/{name}.gt.txt", f"{name}\n")
        put(tmp_path / f"l/{name}.tif")
    parts = lines.prepare(tmp_path / "l", tmp_path)
    assert len(parts["train"]) == len(parts["val"]) == 2
    assert len({row.text.split("_")[1] for row in parts["val"] if row.text}) == 1


def test_lines_of_folders_that_are_pages(tmp_path: Path, caplog: Any) -> None:
    """Plain names tell no pages, but folders do; where neither does, that is said."""
    for name in ("1/0", "1/1", "1/2", "2/0", "2/1", "2/2"):
        put(tmp_path / f"l/{name}.gt.txt", f"{name}\n")
        put(tmp_path / f"l/{name}.png")
    parts = lines.prepare(tmp_path / "l", tmp_path)
    assert [len({row.text.split("/")[0] for row in parts[part] if row.text}) for part in ("train", "val")] == [1, 1]
    assert not caplog.text
    parts = lines.prepare(tmp_path / "l/1", tmp_path)
    assert len(parts["train"]) == 2 and len(parts["val"]) == 1 and "may be on both sides" in caplog.text


def test_lines_without_their_other_half_are_counted(tmp_path: Path, caplog: Any) -> None:
    for name in ("a_1.gt.txt", "a_1.png", "a_1.bin.png", "a_2.gt.txt", "b_1.gt.txt", "b_1.png", "b_2.png", "b_3.tif"):
        put(tmp_path / f"l/{name}", "x\n")
    parts = lines.prepare(tmp_path / "l", tmp_path)
    assert len(parts["train"]) == len(parts["val"]) == 1
    assert "1 text(s) without an image left out, such as a_2.gt.txt" in caplog.text
    assert "2 image(s) without a text left out, such as b_2.png" in caplog.text


def test_one_page_cannot_be_parted_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "l/ms_1_01.gt.txt", "one\n"), put(tmp_path / "l/ms_1_01.tif")
    put(tmp_path / "p/p.xml", page_xml("p.png", page_line("10,20 130,20 130,50 10,50", "x")))
    picture(tmp_path / "p/p.png")
    for recipe, name in ((lines, "l"), (page, "p")):
        assert data.run(recipe.prepare, [str(tmp_path / name), "--out", str(tmp_path / "out")]) == 1
        (said,) = [line for line in capsys.readouterr().err.splitlines() if "it/s" not in line and "page/s" not in line]
        assert said.startswith(f"{tmp_path / name}: holds one page only") and "train and val" in said
        assert not (tmp_path / "out").exists()


def test_lines_as_the_makers_split_them(corpus: Any, tmp_path: Path) -> None:
    source = corpus("lines")
    parts = lines.prepare(source, tmp_path)
    assert [row.text for row in parts["train"]] == ["train/ms_0001_01 ſ", "train/ms_0001_02 ſ"]
    (source / "val/ms_0002_01.gt.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ManifestError, match=r"ms_0002_01\.gt\.txt.*UTF-8"):
        lines.prepare(source, tmp_path)


def test_page_lines_are_cut_along_their_outline(corpus: Any, tmp_path: Path) -> None:
    parts = page.prepare(corpus("page"), tmp_path / "out")
    assert sorted(str(row.text) for row in parts["train"] + parts["val"]) == ["line 1", "line 2"]
    pixels = image.grey(parts["val"][0].path)
    assert pixels.shape == (31, 121)  # from (10, 20) to (130, 50), both counted in
    assert (pixels[10:20, 10:110] == 0).all()  # the bar
    # Beyond the slanted edges lies the paper's own shade, which falls along the line.
    assert abs(int(pixels[0, 120]) - 221) < 9 and abs(int(pixels[30, 0]) - 247) < 9


def test_page_of_another_scale(tmp_path: Path) -> None:
    for number in (1, 2):
        put(tmp_path / f"p/p{number}.xml", page_xml(f"p{number}.png", page_line("10,20 130,20 130,50 10,50", "x")))
        picture(tmp_path / f"p/p{number}.png", (100, 50))
    row = page.prepare(tmp_path / "p", tmp_path / "out")["val"][0]
    assert image.grey(row.path).shape == (16, 61)


def test_pages_that_their_makers_split(tmp_path: Path) -> None:
    for part in ("train", "dev"):
        make_page(tmp_path / "all" / part)
    parts = page.prepare(tmp_path / "all", tmp_path / "out")
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 2, "val": 2}
    assert not {row.path for row in parts["train"]} & {row.path for row in parts["val"]}


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("<PcGts>", "no XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><PcGts>&b;</PcGts>', "no XML"),
        (page_xml("p.png", page_line("1,2 3", "x")), "outline"),
        (page_xml("p.png", page_line("1,2 3,4 5,6", "x")).replace('"200"', '"wide"'), "no number"),
        (page_xml("p.png", page_line("1,2 3,nan 5,6", "x")), "outline"),
        (page_xml("p.png", page_line("1,2 3,4 5,6", "x")).replace('"200"', '"1e400"'), "page of inf x"),
        ('<?xml version="1.0" encoding="nosuchenc"?><PcGts/>', "nosuchenc"),
    ],
)
def test_page_files_that_are_broken(tmp_path: Path, xml: str, message: str) -> None:
    put(tmp_path / "p/bad.xml", xml)
    with pytest.raises(RecognizerError, match=rf"bad\.xml.*{message}"):
        page.prepare(tmp_path / "p", tmp_path / "out")


def test_page_images_that_are_broken(corpus: Any, tmp_path: Path) -> None:
    source = corpus("page")
    put(source / "p1.png", "no picture")
    with pytest.raises(RecognizerError, match=r"p1\.png.*image"):
        page.prepare(source, tmp_path / "out")


def test_pages_without_image_are_named(tmp_path: Path, caplog: Any) -> None:
    put(tmp_path / "p/alone.xml", page_xml("gone.png", page_line("1,2 3,4 5,9", "x")))
    with pytest.raises(ManifestError, match="no page"):
        page.prepare(tmp_path / "p", tmp_path / "out")
    assert "alone.xml" in caplog.text and "gone.png" in caplog.text


def test_page_of_early_years(tmp_path: Path) -> None:
    corners = '<Point x="1" y="2"/><Point x="30" y="4"/><Point x="5" y="16"/>'
    words = "".join(f"<Word><TextEquiv><Unicode>{word}</Unicode></TextEquiv></Word>" for word in ("old", "file"))
    for number in (1, 2):
        line = f"<TextLine><Coords>{corners}</Coords>{words}</TextLine>"
        put(tmp_path / f"p/p{number}.xml", page_xml(f"p{number}.png", line))
        picture(tmp_path / f"p/p{number}.png")
    assert page.prepare(tmp_path / "p", tmp_path / "out")["train"][0].text == "old file"


def test_alto(corpus: Any, tmp_path: Path) -> None:
    parts = alto.prepare(corpus("alto"), tmp_path / "out")
    rows = {row.text: image.grey(row.path).shape for row in parts["train"] + parts["val"]}
    assert rows == {"a finely-": (31, 121), "two words": (31, 121)}


@pytest.mark.parametrize("left", ["nan", "1e400", "-inf", "1e308"])
def test_alto_at_no_finite_place(tmp_path: Path, left: str) -> None:
    line = f'<TextLine HPOS="{left}" VPOS="2" WIDTH="100" HEIGHT="30"><String CONTENT="x"/></TextLine>'
    put(tmp_path / "a/x.xml", alto_xml(line))
    picture(tmp_path / "a/p.png")
    with pytest.raises(InputError, match=r"x\.xml: has an outline.*finite"):
        alto.prepare(tmp_path / "a", tmp_path / "out")


def test_alto_in_units_that_nothing_explains(tmp_path: Path) -> None:
    put(tmp_path / "a/x.xml", alto_xml("", "inch1200", ""))
    with pytest.raises(RecognizerError, match="inch1200"):
        alto.prepare(tmp_path / "a", tmp_path)


def test_points_are_read_with_and_without_commas() -> None:
    assert cut.points("1,2 3,4.5", Path("x")) == cut.points("1 2 3 4.5", Path("x")) == ((1, 2), (3, 4.5))
