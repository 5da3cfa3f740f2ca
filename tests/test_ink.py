"""Files of pen strokes: each format gives the same ink, and every fault is named with its file and the way out."""

from __future__ import annotations

import gzip
import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recognizer import ink
from recognizer.errors import InputError

STROKES = [[[10, 20], [12, 25], [15, 21]], [[30, 20]]]
WANTED = [[[0, 0], [2, 5], [5, 1]], [[20, 0]]]
ENTRY = {"strokes": STROKES, "text": "ab", "writer": "w1"}
INKML = """<ink xmlns="http://www.w3.org/2003/InkML">
<annotation type="truth">ab</annotation><annotation type="writer">w1</annotation>
<trace>10 -20, 12 -25, 15 -21</trace><trace>30 -20</trace></ink>"""
UNIPEN = """.VERSION 1.0
.COORD X Y T
.WRITER_ID w1
.SEGMENT WORD 0-1 OK "ab"
.PEN_DOWN
10 20 0
12 25 1
15 21 2
.PEN_UP
.PEN_DOWN
30 20 9
.PEN_UP
"""


def put(path: Path, content: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def points(path: str) -> list[Any]:
    read = ink.read(path)
    assert all(stroke.dtype == np.float32 and stroke.shape[1] == 2 for stroke in read.strokes)
    return [stroke.tolist() for stroke in read.strokes]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", json.dumps(ENTRY)),
        ("a.json", json.dumps([ENTRY])),
        ("A.JSON", json.dumps({**ENTRY, "strokes": [[[*point, 7, 8] for point in stroke] for stroke in STROKES]})),
        ("a.json.xz", lzma.compress(json.dumps(ENTRY).encode())),
        ("a.json.gz", gzip.compress(json.dumps(ENTRY, indent=1).encode())),
        ("a.jsonl", "\n" + json.dumps(ENTRY) + "\r\n\n"),
        ("a.jsonl.xz", lzma.compress(json.dumps(ENTRY).encode() + b"\n")),
        ("a.jsonl.gz", gzip.compress(json.dumps(ENTRY).encode())),
        ("a.inkml", INKML),
        ("a.dat", UNIPEN),
        ("a.unipen", UNIPEN.replace("\n", "\r\n")),
    ],
)
def test_each_format(tmp_path: Path, name: str, content: str | bytes) -> None:
    path = put(tmp_path / name, content)
    assert points(path) == points(path + "#0") == WANTED
    (item,) = ink.items(path)
    assert (item.path, item.text, item.writer) == (path, "ab", "w1")
    with pytest.raises(InputError, match=r"#1: the file holds 1 item"):
        ink.read(path + "#1")


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.xz", ".json"])
def test_many_items_in_any_order(tmp_path: Path, ending: str) -> None:
    entries = [{"strokes": [[[0, 0], [k, k + 1]]], "text": f"ü{k}"} for k in range(20)]
    whole = json.dumps(entries) if ending == ".json" else "\n".join(map(json.dumps, entries))
    path = put(tmp_path / f"a{ending}", lzma.compress(whole.encode()) if ending.endswith("xz") else whole)
    assert [item.text for item in ink.items(path)] == [f"ü{k}" for k in range(20)]
    for k in (13, 2, 19, 0):
        assert points(f"{path}#{k}") == [[[0, 0], [k, k + 1]]]
        assert [item.path for item in ink.items(f"{path}#{k}")] == [f"{path}#{k}"]
    with pytest.raises(InputError, match=r"holds 20 items.*#0 to"):
        ink.read(path)
    with pytest.raises(InputError, match=r"#20.*20 item"):
        ink.read(f"{path}#20")


def test_a_broken_line_hides_no_other(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", "\n".join([json.dumps(ENTRY), '{"strokes": [[[1,', "3", json.dumps(ENTRY)]))
    assert ink.names(path) == [f"{path}#{k}" for k in range(4)] and ink.names(f"{path}#2") == [f"{path}#2"]
    assert points(f"{path}#0") == points(f"{path}#3") == WANTED
    for k, told in ((1, "broken JSON"), (2, "strokes")):
        with pytest.raises(InputError, match=f"#{k}: .*{told}"):
            ink.read(f"{path}#{k}")


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", json.dumps(ENTRY))
    assert points(path) == WANTED
    put(tmp_path / "a.jsonl", json.dumps({"strokes": [[[1, 1]]]}) + "\n" + json.dumps(ENTRY))
    os.utime(path, ns=(1, 1))
    assert points(path + "#1") == WANTED


def test_a_sign_in_the_name_is_no_item(tmp_path: Path) -> None:
    folder = tmp_path / "c#1"
    assert points(put(folder / "a.json", json.dumps(ENTRY))) == WANTED


def test_units_and_direction(tmp_path: Path) -> None:
    strokes = {"strokes": [[[0, 0], [100, 200]]]}
    for extra, wanted in (
        ({"xppi": 100, "yppi": 200}, [100, 100]),
        ({"xppi": 100, "yppi": None}, [100, 200]),
        ({"y": "down"}, [100, -200]),
        ({"y": "up", "xppi": 50.0, "yppi": 25.0}, [100, 400]),
    ):
        assert points(put(tmp_path / "a.json", json.dumps(strokes | extra)))[0][1] == wanted
    large = {"strokes": [[[1e9, 1e9], [1e9 + 1, 1e9 + 2]]]}
    assert points(put(tmp_path / "large.json", json.dumps(large)))[0][1] == [1, 2]


TRACES = {
    "differences": ("'10 '-20, 2 -5, 3 4", [[0, 0], [2, 5], [5, 1]]),
    "the standard's example": (
        "1125 18432, '23'43, \"7\"-8, 3-5, 7 -3",
        [[0, 0], [23, -43], [53, -78], [86, -108], [126, -135]],
    ),
    "explicit again": ("1 1, '1'1, !5!5, 6 7", [[0, 0], [1, -1], [4, -4], [5, -6]]),
    "goes on as before": ("0 0, '2'3, * *, * 1", [[0, 0], [2, -3], [4, -6], [6, -7]]),
    "unknown points": ("0 0, ? 4, 3 ?, 3 3", [[0, 0], [3, -3]]),
    "decimals": ("1.5 -.5,2.5e0 1", [[0, 0], [1, -1.5]]),
}


@pytest.mark.parametrize(("text", "wanted"), TRACES.values(), ids=TRACES)
def test_inkml_values(tmp_path: Path, text: str, wanted: list[Any]) -> None:
    (stroke,) = points(put(tmp_path / "a.inkml", f"<ink><trace>{text}</trace></ink>"))
    np.testing.assert_allclose(stroke, wanted, atol=1e-6)


def channels(*names: str, **y: str) -> str:
    more = " ".join(f'{key}="{value}"' for key, value in y.items())
    inner = "".join(f'<channel name="{name}" {more if name == "Y" else ""}/>' for name in names)
    return f'<traceFormat xml:id="f">{inner}</traceFormat>'


def test_inkml_channels_and_contexts(tmp_path: Path) -> None:
    def read(body: str) -> list[Any]:
        return points(put(tmp_path / "a.inkml", f"<ink>{body}</ink>"))

    assert read(channels("T", "Y", "X") + "<trace>0 0 1, 9 3 5</trace>") == [[[0, 0], [4, -3]]]
    assert read(channels("X", "Y", orientation="-ve") + "<trace>0 0, 4 3</trace>") == [[[0, 0], [4, 3]]]
    context = '<definitions>{}</definitions><context xml:id="c" traceFormatRef="#f"/>'
    assert read(context.format(channels("Y", "X")) + '<trace contextRef="#c">0 0, 3 4</trace>') == [[[0, 0], [4, -3]]]
    resolution = "".join(
        f'<channelProperty channel="{name}" name="resolution" value="{value}" units="1/mm"/>'
        for name, value in (("X", 10), ("Y", 20))
    )
    source = f'<definitions><inkSource xml:id="s">{channels("X", "Y")}{resolution}</inkSource></definitions>'
    assert read(source + '<context inkSourceRef="#s"/><trace>0 0, 10 20</trace>') == [[[0, 0], [10, -10]]]
    assert read('<trace>0 0</trace><trace type="penUp">1 1</trace><trace>2 2, 3 3</trace>') == [
        [[0, 0]],
        [[2, -2], [3, -3]],
    ]
    joined = '<trace id="a" continuation="begin">0 0, 1 1</trace><trace continuation="end" priorRef="#a">2 2</trace>'
    assert read(joined) == [[[0, 0], [1, -1], [2, -2]]]


def test_inkml_groups_are_items(tmp_path: Path) -> None:
    group = '<traceGroup><annotation type="truth">{0}</annotation><traceGroup><trace>{0} 0, 9 9</trace></traceGroup>'
    body = '<annotation type="writer">me</annotation>' + "".join(group.format(k) + "</traceGroup>" for k in (1, 2))
    items = ink.items(path := put(tmp_path / "a.inkml", f"<ink>{body}</ink>"))
    assert [(item.path, item.text, item.writer) for item in items] == [
        (f"{path}#0", "1", "me"),
        (f"{path}#1", "2", "me"),
    ]
    assert points(items[1].path) == [[[0, 0], [7, -9]]]
    one = put(tmp_path / "b.inkml", f"<ink><trace>0 0</trace>{group.format(3)}</traceGroup></ink>")
    assert len(ink.items(one)) == 1 and len(points(one)) == 2


def test_inkml_groups_lie_in_each_other_as_deep_as_they_like(tmp_path: Path) -> None:
    deep = "<traceGroup>" * 20_000 + "<trace>0 0, 9 9</trace>" + "</traceGroup>" * 20_000
    path = put(tmp_path / "a.inkml", f'<ink><trace>0 0</trace><traceGroup contextRef="#c">{deep}</traceGroup></ink>')
    assert points(path) == [[[0, 0]], [[0, 0], [9, -9]]]


SEGMENTS = """.COORD X Y
.X_POINTS_PER_INCH 254
.Y_POINTS_PER_MM 20
.HIERARCHY TEXT WORD
.WRITER_ID jo doe
.SEGMENT TEXT 0-3 OK "a \\"b\\\\
 c"
.SEGMENT WORD 0:1-2:0 ? "x"
.SEGMENT WORD 0,3 OK
.SEGMENT WORD 3:1
.PEN_DOWN
0 0
1 2
2 4
.PEN_UP
5 5
6 6
.PEN_DOWN
7 14
8 8
.PEN_UP
.DT 30
.PEN_DOWN
9 18
10 20
.PEN_UP
"""


def test_unipen_segments(tmp_path: Path) -> None:
    items = ink.items(put(tmp_path / "a.dat", SEGMENTS))
    assert [(item.level, item.text) for item in items] == [
        ("TEXT", 'a "b\\ c'),
        ("WORD", "x"),
        ("WORD", None),
        ("WORD", None),
    ]
    assert {item.writer for item in items} == {"jo doe"}
    assert [points(item.path) for item in items] == [  # y is twice as dense; component 1 is the raised pen
        [[[0, 0], [1, 1], [2, 2]], [[7, 7], [8, 4]], [[9, 9], [10, 10]]],
        [[[0, 0], [1, 1]], [[6, 6]]],
        [[[0, 0], [1, 1], [2, 2]], [[9, 9], [10, 10]]],
        [[[0, 0]]],
    ]


def test_unipen_without_segments_and_with_includes(tmp_path: Path) -> None:
    put(tmp_path / "u/include/aga/aga.doc", ".COORD Y X\n.WRITER_ID k\n")
    put(tmp_path / "u/include/aga/data/a.dat", ".PEN_DOWN\n0 0\n3 4\n")
    path = put(tmp_path / "u/data/8/aga/a.dat", ".INCLUDE aga/aga.doc\n.INCLUDE aga/data/a.dat\n")
    assert points(path) == [[[0, 0], [4, 3]]]
    assert ink.items(path)[0] == ink.Item(path, None, "k")


def swap(old: str, new: str, text: str) -> Callable[[Path], object]:
    assert old in text
    return lambda path: put(path, text.replace(old, new))


def whole(content: str | bytes) -> Callable[[Path], object]:
    return lambda path: put(path, content)


BAD: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "missing": ("a.json", lambda path: None, "cannot be opened"),
    "a folder": ("a.json", lambda path: path.mkdir(), "cannot be"),
    "another kind": ("a.txt", whole("hello"), "no kind of ink"),
    "empty JSON": ("a.json", whole(""), "empty"),
    "empty list": ("a.json", whole("[]"), "empty"),
    "empty JSONL": ("a.jsonl", whole("\n\n"), "empty"),
    "broken JSON": ("a.json", whole('{"strokes": [[[1,'), "line 1"),
    "broken line": ("a.jsonl", whole('{"strokes": [[[1,'), "broken JSON"),
    "not UTF-8": ("a.json", whole(b'{"text": "\xff"}'), "UTF-8"),
    "packed badly": ("a.jsonl.xz", whole(lzma.compress(b"{}")[:-9]), "unpacked"),
    "not packed": ("a.json.gz", whole("{}"), "unpacked"),
    "sound renamed": ("a.json", whole(b"RIFF\x00\x00\x00\x00WAVEfmt "), "JSON"),
    "a number": ("a.json", whole("3"), "strokes"),
    "no strokes": ("a.json", whole('{"text": "a"}'), "strokes"),
    "strokes in words": ("a.json", whole('{"strokes": "a"}'), "strokes"),
    "no points": ("a.json", whole('{"strokes": []}'), "no points"),
    "empty strokes": ("a.json", whole('{"strokes": [[], []]}'), "no points"),
    "points in words": ("a.json", whole('{"strokes": [[["a", "b"]]]}'), "stroke 0"),
    "points of one number": ("a.json", whole('{"strokes": [[[1, 2]], [[1], [2]]]}'), "stroke 1"),
    "bare numbers": ("a.json", whole('{"strokes": [[1, 2]]}'), "stroke 0"),
    "a stroke that is none": ("a.json", whole('{"strokes": [7]}'), "stroke 0"),
    "an object for a point": ("a.json", whole('{"strokes": [[{"x": 1}]]}'), "stroke 0"),
    "NaN": ("a.json", whole('{"strokes": [[[1, NaN]]]}'), "nan"),
    "infinity": ("a.json", whole('{"strokes": [[[1, -Infinity]]]}'), "inf"),
    "too large": ("a.json", whole('{"strokes": [[[1, 1e300]]]}'), r"1e\+300"),
    "a number of 5,000 digits": ("a.json", whole('{"strokes": [[[1, %s]]]}' % ("9" * 5000)), "broken JSON: Exceeds"),
    "a number of 400 digits": ("a.json", whole('{"strokes": [[[1, %s]]]}' % ("9" * 400)), r"stroke 0.*1e\+30"),
    "a density of 400 digits": (
        "a.json",
        whole('{"strokes": [[[1, 2]]], "xppi": %s, "yppi": 1}' % ("9" * 400)),
        "xppi.*999;",
    ),
    "too large once scaled": (
        "a.json",
        whole('{"strokes": [[[1e29, 2], [1, 1e29]]], "xppi": 1e300, "yppi": 1e-300}'),
        r"xppi.*1e\+300.*yppi.*1e-300",
    ),
    "density zero": ("a.json", whole('{"strokes": [[[1, 2]]], "xppi": 0, "yppi": 1}'), "xppi.*0"),
    "density in words": ("a.json", whole('{"strokes": [[[1, 2]]], "xppi": 1, "yppi": "x"}'), "yppi.*'x'"),
    "sideways": ("a.json", whole('{"strokes": [[[1, 2]]], "y": "left"}'), "left"),
    "empty InkML": ("a.inkml", whole(" "), "empty"),
    "broken InkML": ("a.inkml", swap("</ink>", "", INKML), "line 3"),
    "other XML": ("a.inkml", whole("<svg/>"), "<svg>"),
    "InkML without traces": ("a.inkml", whole("<ink/>"), "no points"),
    "InkML with words": ("a.inkml", swap("12 -25", "twelve", INKML), "point 1.*twelve"),
    "InkML with too few values": ("a.inkml", swap("12 -25", "12", INKML), "point 1.*'12'"),
    "InkML with too many values": ("a.inkml", swap("12 -25", "1 2 3", INKML), "point 1.*'1 2 3'"),
    "InkML without Y": ("a.inkml", whole(f"<ink>{channels('X', 'Z')}<trace>1 2</trace></ink>"), "channels X Z"),
    "InkML with entities": (
        "a.inkml",
        whole('<!DOCTYPE ink [<!ENTITY a "b">]><ink><trace>&a;</trace></ink>'),
        "entities",
    ),
    "InkML in no encoding": ("a.inkml", whole(f'<?xml version="1.0" encoding="nosuchenc"?>{INKML}'), "nosuchenc"),
    "InkML with a number of 500 digits": ("a.inkml", swap("12 -25", f"#{'F' * 500} 1", INKML), "too large"),
    "InkML with a bad resolution": (
        "a.inkml",
        whole('<ink><channelProperty channel="X" name="resolution" value="fine"/><trace>1 2</trace></ink>'),
        "fine",
    ),
    "text for UNIPEN": ("a.dat", whole("hello\n"), "no UNIPEN statement"),
    "UNIPEN without points": ("a.dat", whole(".PEN_DOWN\n.PEN_UP\n"), "no points"),
    "UNIPEN with words": ("a.dat", swap("12 25 1", "12 x 1", UNIPEN), "line 5"),
    "UNIPEN with too few numbers": ("a.dat", swap("12 25 1", "12 25", UNIPEN), "multiple of 3"),
    "UNIPEN without Y": ("a.dat", swap("X Y T", "X P", UNIPEN), "X P"),
    "UNIPEN with too few components": ("a.dat", swap("0-1", "0-7", UNIPEN), "component 7"),
    "UNIPEN with a bad range": ("a.dat", swap("0-1", "0-a", UNIPEN), "'0-a'"),
    "UNIPEN with a range backwards": ("a.dat", swap("0-1", "1-0", UNIPEN), "no points"),
    "UNIPEN with a bad density": ("a.dat", whole(".X_POINTS_PER_INCH fine\n" + UNIPEN), "line 1.*fine"),
    "UNIPEN with a density of 0": (
        "a.dat",
        whole(".X_POINTS_PER_INCH 0\n.Y_POINTS_PER_INCH 1\n" + UNIPEN),
        "points per inch",
    ),
    "UNIPEN without its include": ("a.dat", whole(".INCLUDE there/b.dat\n"), "there/b.dat"),
    "UNIPEN with an include too long for a file": ("a.dat", whole(f".INCLUDE {'b' * 300}\n"), "bbb"),
    "UNIPEN that includes itself": ("a.dat", whole(".INCLUDE a.dat\n"), "circle"),
}


@pytest.mark.parametrize(("name", "make", "told"), BAD.values(), ids=BAD)
def test_bad_files_are_named(tmp_path: Path, name: str, make: Callable[[Path], object], told: str) -> None:
    make(tmp_path / name)
    with pytest.raises(InputError, match=told) as caught:
        ink.read(tmp_path / name)
    line = str(caught.value)
    assert str(tmp_path / name) in line and "\n" not in line and "; " in line
