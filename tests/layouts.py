"""Tiny imitations of each corpus, in its makers' layout: what the recipes' tests read."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import numpy
from PIL import Image

from recognizer.manifest import Utterance


def put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def told(rows: list[Utterance]) -> list[tuple[str, str | None, str | None]]:
    return [(Path(row.path).name, row.text, row.speaker) for row in rows]


def people(rows: list[Utterance]) -> set[str | None]:
    return {row.speaker for row in rows}


def make_an4(root: Path, part: str = "train") -> None:
    names = [(f"{kind}{who}", f"an{number}") for who in "abcde" for kind, number in (("f", 1), ("m", 2))]
    put(root / f"etc/an4_{part}.fileids", "".join(f"an4_clstk/{who}/{name}-{who}-b\n" for who, name in names))
    rows = "".join(f"<s> YES  GO </s> ({name}-{who}-b)\n" for who, name in names)
    put(root / f"etc/an4_{part}.transcription", rows)
    for who, name in names:
        put(root / f"wav/an4_clstk/{who}/{name}-{who}-b.flac")


def make_fsdd(root: Path) -> None:
    for name in ("7_anna_0", "0_anna_1", "3_zoe_0", "9_bob_12"):
        put(root / f"recordings/{name}.wav")


def make_librispeech(root: Path) -> None:
    for part, speaker in (
        ("train-clean-100", "19"),
        ("train-other-500", "20"),
        ("dev-clean", "30"),
        ("test-other", "40"),
    ):
        folder = root / "LibriSpeech" / part / speaker / "198"
        put(folder / f"{speaker}-198.trans.txt", f"{speaker}-198-0000 IT'S A\n{speaker}-198-0001 BOOK\n")
        put(folder / f"{speaker}-198-0000.flac")
        put(folder / f"{speaker}-198-0001.opus")


def make_speechocean762(root: Path) -> None:
    for part in ("train", "test"):
        keys = [f"{part}{index}" for index in range(3)]
        put(root / part / "text", "".join(f"{key}\tWE CALL  IT BEAR\n" for key in keys))
        put(root / part / "wav.scp", "".join(f"{key}\tWAVE/SPEAKER{key}/{key}.WAV\n" for key in keys))
        put(root / part / "utt2spk", "".join(f"{key}\t{key}\n" for key in keys))
        for key in keys:
            put(root / f"WAVE/SPEAKER{key}/{key}.opus")


def make_kaldi(root: Path) -> None:
    put(root / "text", "a1 ja\na2 nein doch\nb1 oh\n")
    put(root / "wav.scp", "a rec/a.wav\nb rec/b.flac\n")
    put(root / "utt2spk", "a1 anna\na2 anna\nb1 bob\n")
    put(root / "segments", "a1 a 0.5 1.5\na2 a 1.5 -1\nb1 b 0 2.25 1\n")
    put(root / "rec/a.wav"), put(root / "rec/b.flac")


def make_nemo(root: Path) -> None:
    rows = [
        {"audio_filepath": "clips/a.wav", "text": "eins", "duration": 1.5},
        {"audio_filepath": "clips/b.wav", "text": "zwei", "duration": 2, "offset": 3.5, "speaker": 7},
    ]
    put(root / "train_manifest.json", "".join(json.dumps(row) + "\n" for row in rows))
    put(root / "dev.jsonl", json.dumps({"audio_filepath": "/somewhere/c.wav", "text": "drei"}) + "\n")


def make_commonvoice(root: Path) -> None:
    head = "client_id\tpath\tsentence_id\tsentence\tup_votes\n"
    put(root / "train.tsv", head + "c1\tcv_1.mp3\ts\t“It’s\" a co-op, isn't it?\t2\n")
    put(root / "dev.tsv", head + "c2\tcv_2\ts\t'Quoted' ÄRGER 'til\t2\n")
    put(root / "test.tsv", head + "c3\tcv_3.mp3\ts\tنمی‌خواهم.\t2\n")
    put(root / "clip_durations.tsv", "clip\tduration[ms]\ncv_1.mp3\t1500\n")
    for number in (1, 2, 3):
        put(root / f"clips/cv_{number}.mp3")


def make_table(root: Path) -> None:
    rows = [f"audio/{number}.wav\t{text}\tme\n" for number, text in enumerate(("a", "b", "a", "c"))]
    put(root / "manifest.tsv", "path\ttext\tspeaker\n" + "".join(rows))


def entry(text: str, writer: str) -> str:
    return json.dumps({"text": text, "writer": writer, "strokes": [[[0, 0], [5, 9]]]}) + "\n"


def make_unipen(root: Path) -> None:
    root.mkdir(parents=True)
    with lzma.open(root / "train.jsonl.xz", "wt", encoding="utf-8") as file:
        file.write(entry("Bad Œynhausen", "abm-2") + "\n" + entry("x", "aga"))
    with gzip.open(root / "val.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(entry("y.", "zzz"))


def make_iamondb(root: Path) -> None:
    for form, writer in (("a01-000u", "1"), ("a01-001", "2"), ("b02-010z", "3"), ("c03-003w", "4")):
        folder = f"{form[:3]}/{form.rstrip('uzw')}"
        put(root / f"ascii/{folder}/{form}.txt", f"OCR:\n\nBad\n\nCSR:\n\nFirst of {form}\nsecond.\n\n")
        letter = form[-1] if form[-1].isalpha() else ""
        put(root / f"original/{folder}/strokes{letter}.xml", f'<a><Form id="{form}" writerID="{writer}"/></a>')
        for number in (1, 2):
            first = '<Stroke><Point x="1" y="10" time="0"/><Point x="2.5" y="8"/></Stroke>'
            strokes = f'<StrokeSet>{first}<Stroke><Point x="0" y="0"/></Stroke></StrokeSet>'
            xml = f"<WhiteboardCaptureSession>{strokes}</WhiteboardCaptureSession>"
            put(root / f"lineStrokes/{folder}/{form}-{number:02d}.xml", xml)
    for name, form in (
        ("trainset", "a01-000u"),
        ("testset_v", "a01-001"),
        ("testset_t", "b02-010z"),
        ("testset_f", "c03-003w"),
    ):
        put(root / f"task1/{name}.txt", f" {form}\nz99-999\n")


IAM = {"a01-000u-00": ("000", "A MOVE, to"), "a01-003-01": ("001", "“stop” Mr."), "b02-000-00": ("002", "x")}


def make_iam(root: Path) -> None:
    put(root / "ascii/forms.txt", "#head\n" + "".join(f"{name[:-3]} {who} 2 prt\n" for name, (who, _) in IAM.items()))
    rows = [
        f"{name} ok 154 19 408 746 1661 89 {text.replace(',', ' ,').replace(' ', '|')}"
        for name, (_, text) in IAM.items()
    ]
    put(root / "ascii/lines.txt", "#--- lines ---#\n" + "\n".join(rows) + "\n")
    for name in IAM:
        put(root / f"lines/{name[:3]}/{name[:-3]}/{name}.png")


def make_lines(root: Path) -> None:
    for name in ("train/ms_0001_01", "train/ms_0001_02", "val/ms_0002_01", "train/lonely"):
        put(root / f"{name}.gt.txt", f"{name} ſ\n")
        if "lonely" not in name:
            put(root / f"{name}.png")


def picture(path: Path, size: tuple[int, int] = (200, 100)) -> None:
    """Paper that darkens from left to right, with a black bar from (20, 30) to (120, 40)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = numpy.tile(numpy.linspace(250, 200, 200), (100, 1)).astype(numpy.uint8)
    pixels[30:40, 20:120] = 0
    Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST).save(path)


def page_xml(image_name: str, lines_: str) -> str:
    space = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
    head = f'<PcGts xmlns="{space}"><Page imageFilename="{image_name}" imageWidth="200" imageHeight="100"><TextRegion>'
    return head + lines_ + "</TextRegion></Page></PcGts>"


def page_line(points: str, text: str) -> str:
    other = '<TextEquiv index="1"><Unicode>second</Unicode></TextEquiv>'
    first = f'<TextEquiv index="0"><Unicode>{text}</Unicode></TextEquiv>'
    words = "<Word><TextEquiv><Unicode>never</Unicode></TextEquiv></Word>"
    return f'<TextLine><Coords points="{points}"/>{words}{other}{first}</TextLine>'


def make_page(root: Path) -> None:
    for number in (1, 2):
        body = page_line("10,20 130,25 130,50 10,45", f"line {number}") + page_line("10,60 20,60 20,70", "")
        put(root / f"page/p{number}.xml", page_xml(f"p{number}.jpg", body + page_line("1,1 2,2", "a dot")))
        picture(root / f"p{number}.png")
    put(root / "mets.xml", "<mets/>")


def alto_xml(body: str, unit: str = "pixel", size: str = 'WIDTH="200" HEIGHT="100"', name: str = "p.png") -> str:
    head = f"<Description><MeasurementUnit>{unit}</MeasurementUnit><sourceImageInformation><fileName>{name}</fileName>"
    layout = f"<Layout><Page {size}><PrintSpace><TextBlock>{body}</TextBlock></PrintSpace></Page></Layout>"
    close = "</sourceImageInformation></Description>"
    return f'<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#">{head}{close}{layout}</alto>'


def make_alto(root: Path) -> None:
    words = '<String CONTENT="a"/><SP/><String CONTENT="fine"/><String CONTENT="ly"/><HYP CONTENT="-"/>'
    outline = '<Shape><Polygon POINTS="10 20 130 25 130 50 10 45"/></Shape>'
    put(root / "one.xml", alto_xml(f"<TextLine>{outline}{words}</TextLine>"))
    words = '<String CONTENT="two"/><String CONTENT="words"/>'
    line = f'<TextLine HPOS="100" VPOS="200" WIDTH="1200" HEIGHT="300">{words}</TextLine>'
    put(root / "two.xml", alto_xml(line, "mm10", 'WIDTH="2000" HEIGHT="1000"'))
    picture(root / "p.png")


MAKERS: dict[str, Callable[[Path], None]] = {
    name.removeprefix("make_"): maker for name, maker in list(globals().items()) if name.startswith("make_")
}
