"""From files to texts on standard output: what is named, in which order, what fails, what is compared."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest
import soundfile
import tiny
from PIL import Image

from recognizer import inputs, lm, manifest, pretrained, reading
from recognizer.alphabet import Alphabet
from recognizer.decoders import Hypothesis
from recognizer.errors import RecognizerError
from recognizer.inputs import Request, kind
from recognizer.manifest import Utterance
from recognizer.model import Recognizer
from recognizer.targets import targets
from recognizer.transcribe import main
from recognizer.transcript import Transcript
from recognizer.writers import WRITERS


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def a(tmp_path: Path) -> str:
    """A speech model that reads `a` in everything."""
    return str(tiny.checkpoint(tmp_path / "models" / "a.ckpt", says="a"))


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, list[str]]:
    """Exit status, standard output, lines of standard error."""
    capsys.readouterr()
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err.splitlines()


# The core: utterances to transcripts.


def outcome(model: Recognizer, utterances: list[Utterance], budget: int) -> list[Transcript | RecognizerError]:
    return list(reading.transcripts(model, utterances, model.greedy, budget))


def test_batches_change_neither_answers_nor_order(tmp_path: Path) -> None:
    model = Recognizer.load(tiny.checkpoint(tmp_path / "m.ckpt"))
    lengths = [0.5, 0.1, 0.9, 0.3, 0.1, 0.7]
    paths = [str(tiny.sound(tmp_path / f"{place}.wav", seconds, seed=place)) for place, seconds in enumerate(lengths)]
    paths.insert(2, "missing.wav")
    utterances = [Utterance(path) for path in paths]
    alone, few, many = (outcome(model, utterances, budget) for budget in (1, 60, 100_000))
    for answers in (alone, few, many):
        assert [isinstance(answer, RecognizerError) for answer in answers] == [False] * 2 + [True] + [False] * 4
        assert "missing.wav" in str(answers[2])
    for answers in zip(alone, few, many, strict=True):
        read = [answer for answer in answers if isinstance(answer, Transcript)]
        for answer in read:
            assert (answer.path, answer.text, answer.duration) == (read[0].path, read[0].text, read[0].duration)
            assert answer.score == pytest.approx(read[0].score, rel=1e-5)
    assert [answer.path for answer in many if isinstance(answer, Transcript)] == [p for p in paths if p[0] != "m"]


def test_files_are_opened_only_as_answers_are_taken(tmp_path: Path) -> None:
    model = Recognizer.load(tiny.checkpoint(tmp_path / "m.ckpt"))
    path = str(tiny.sound(tmp_path / "a.wav", 1.0))
    drawn = itertools.count()

    def endless() -> Iterator[Utterance]:
        while True:
            next(drawn)
            yield Utterance(path)

    answers = reading.transcripts(model, endless(), model.greedy, 100)
    next(answers)
    assert next(drawn) <= reading.AHEAD + 1


def test_a_long_recording_is_cut_at_its_pauses(tmp_path: Path) -> None:
    """Two pauses of 0.5 s in 130 s of noise, and the model says `a` once for each piece."""
    rate = 16_000
    wave = numpy.random.default_rng(0).normal(0, 0.1, 130 * rate)
    pauses = [(50.0, 50.5), (100.2, 100.7)]
    for start, end in pauses:
        wave[int(start * rate) : int(end * rate)] *= 0.01
    soundfile.write(tmp_path / "long.wav", wave, rate)
    model = Recognizer.load(tiny.checkpoint(tmp_path / "m.ckpt", says="a"))
    (answer,) = model.transcribe(tmp_path / "long.wav")
    assert answer.text == "a a a" and answer.duration == pytest.approx(130.0)
    starts = [word.start for word in answer.words]
    assert starts[0] == 0.0
    assert all(start < cut < end for cut, (start, end) in zip(starts[1:], pauses, strict=True))
    assert all(word.end - word.start <= 60.0 for word in answer.words)
    assert answer.words[-1].end == pytest.approx(130.0)
    parts = model.frontend.parts(str(tmp_path / "long.wav"), 3.0, 128.0)
    assert parts[0][0] == 3.0 and parts[-1][1] == 128.0
    assert all(before[1] == after[0] for before, after in itertools.pairwise(parts))


def test_a_part_of_a_file_is_placed_in_the_file(tmp_path: Path) -> None:
    model = Recognizer.load(tiny.checkpoint(tmp_path / "m.ckpt", says="b"))
    path = str(tiny.sound(tmp_path / "a.wav", 2.0))
    (answer,) = outcome(model, [Utterance(path, start=1.0, end=1.5)], 1000)
    assert isinstance(answer, Transcript) and answer.part
    assert (answer.start, answer.duration) == (1.0, pytest.approx(0.5))
    assert (answer.words[0].start, answer.words[0].end) == (1.0, pytest.approx(1.5))


def test_margins_are_no_part_of_the_file(tmp_path: Path) -> None:
    tiny.sound(tmp_path / "a.wav", 0.5)
    plain = Recognizer.load(tiny.checkpoint(tmp_path / "a.ckpt", says="a")).transcribe(str(tmp_path / "a.wav"))[0]
    model = Recognizer.load(tiny.checkpoint(tmp_path / "b.ckpt", says="a", margin=0.2))
    wide = model.transcribe(str(tmp_path / "a.wav"))[0]
    assert (wide.start, wide.duration) == (plain.start, plain.duration) == (0.0, 0.5)
    assert [(word.start, word.end) for word in wide.words] == [(0.0, 0.5)]
    part = next(reading.transcripts(model, [Utterance(str(tmp_path / "a.wav"), None, 0.1, 0.4)], model.greedy, 1000))
    assert isinstance(part, Transcript)
    assert (part.start, round(part.duration, 6)) == (0.1, 0.3)
    assert [(word.start, round(word.end, 6)) for word in part.words] == [(0.1, 0.4)]


def test_silence_is_an_empty_text(tmp_path: Path) -> None:
    model = Recognizer.load(tiny.checkpoint(tmp_path / "m.ckpt", says=""))
    (answer,) = model.transcribe(str(tiny.sound(tmp_path / "a.wav")))
    assert (answer.text, answer.words) == ("", ()) and 0.9 < answer.confidence <= 1.0


# The command line: what is read.


def test_one_file_is_its_text(capsys: pytest.CaptureFixture[str], a: str) -> None:
    tiny.sound(Path("one.wav"))
    assert run(capsys, "one.wav", "--model", a) == (0, "a\n", [])


def test_the_order_is_the_users_and_one_bad_file_stops_no_other(capsys: pytest.CaptureFixture[str], a: str) -> None:
    for place, name in enumerate(("z.wav", "m.flac", "b.wav")):
        tiny.sound(Path(name), 0.2 + 0.3 * place)
    Path("bad.wav").write_text("this is no sound")
    status, out, errors = run(capsys, "z.wav", "bad.wav", "m.flac", "none.wav", "b.wav", "--model", a)
    assert status == 1
    assert out == "z.wav\ta\nm.flac\ta\nb.wav\ta\n"
    assert [line.split(":")[1].strip() for line in errors] == ["bad.wav", "none.wav"]


def test_folders_and_globs(capsys: pytest.CaptureFixture[str], a: str) -> None:
    for name in ("in/2.wav", "in/10.WAV", "in/deep/er/1.flac", "in/.hidden.wav"):
        tiny.sound(Path(name), format="FLAC" if name.endswith("flac") else "WAV")
    Path("in/notes.md").write_text("no sound")
    Image.new("L", (40, 20)).save("in/page.png")
    expected = [str(Path("in", name)) for name in ("10.WAV", "2.wav", "deep/er/1.flac")]
    left = "files in folders that are passed over: 1 for 'line'"
    assert run(capsys, "in", "--model", a) == (0, "".join(f"{path}\ta\n" for path in expected), [left])
    assert run(capsys, "in/**/*.flac", "in/[0-9].wav", "--model", a)[1] == "in/deep/er/1.flac\ta\nin/2.wav\ta\n"
    status, out, errors = run(capsys, "in/*.mp3", "--model", a)
    assert (status, out) == (1, "") and errors == ["error: in/*.mp3: matches no file; check the pattern"]
    Path("in/1_empty").mkdir()
    Path("in/3.tsv").write_text("no manifest")
    tiny.sound(Path("in/4.wav"))
    status, out, errors = run(capsys, "in/[0-9]*", "--model", a)  # what is wrong with one loses none behind it
    assert (status, out) == (1, "in/10.WAV\ta\nin/2.wav\ta\nin/4.wav\ta\n")
    assert [error.split(":")[1].strip() for error in errors] == ["in/1_empty", "in/3.tsv"]
    tiny.sound(Path("a[1].wav"))
    assert run(capsys, "a[1].wav", "--model", a) == (0, "a\n", [])


def test_without_standard_streams_it_reads_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, a: str
) -> None:
    """As of daemons: both may be closed, and then are None."""
    tiny.sound(Path("x.wav"))
    monkeypatch.setattr("sys.stdin", None)
    assert run(capsys, "x.wav", "--model", a) == (0, "a\n", [])
    assert run(capsys, "-", "--model", a)[2] == ["error: -: standard input is empty (0 bytes); pipe a file into it"]
    monkeypatch.setattr("sys.stderr", None)
    assert main(["x.wav", "none.wav", "--model", a]) == 1
    assert capsys.readouterr().out == "x.wav\ta\n"


def test_empty_references_are_told(capsys: pytest.CaptureFixture[str], a: str) -> None:
    tiny.sound(Path("x.wav"))
    Path("all.tsv").write_text("path\ttext\nx.wav\ta\nx.wav\t\n")
    errors = run(capsys, "all.tsv", "--model", a)[2]
    assert "1 of 2 references are empty: what is read there counts as inserted" in errors


def test_what_lies_beside_recordings_is_not_read(capsys: pytest.CaptureFixture[str], a: str) -> None:
    for name in ("0", "1"):
        tiny.sound(Path(f"in/{name}.wav"))
        Path(f"in/{name}.json").write_text("{}")
    Image.new("L", (40, 20)).save("in/1.wav.png")
    left = "files in folders that are passed over: 1 for 'line', 2 for 'pen'"
    expected = "".join(f"{Path('in', name)}\ta\n" for name in ("0.wav", "1.wav"))
    assert run(capsys, "in", "--model", a) == (0, expected, [left])
    folder = list(inputs.requests(["in"], bytes, Path()))
    assert inputs.kinds(folder) == ["speech"]
    assert inputs.kinds([*folder, Request("x.json", Utterance("x.json"))]) == ["pen", "speech"]
    assert set(inputs.passed(folder, ["pen", "speech"]).values()) == {"line", "pen"}
    assert set(inputs.passed(folder, ["pen"]).values()) == {"line", "speech"}  # a model of ink was asked for


def test_a_folder_without_files_to_read(capsys: pytest.CaptureFixture[str], a: str) -> None:
    Path("empty").mkdir()
    status, out, (error,) = run(capsys, "empty", "--model", a)
    assert (status, out) == (1, "") and error.startswith("error: empty: holds no file") and ".wav" in error


def test_standard_input(capsys: pytest.CaptureFixture[str], a: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def pipe(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    for format, given in (
        ("wav", {}),
        ("flac", {}),
        ("ogg", {}),
        ("wav", {"format": "RF64"}),
        ("wav", {"endian": "BIG"}),
    ):
        pipe(tiny.sound(Path(f"x.{format}"), 0.5, **given).read_bytes())
        status, out, errors = run(capsys, "-", "--model", a, "--format", "json")
        assert (status, errors) == (0, []) and json.loads(out)["path"] == "-"
    for content, words in ((b"", "0 bytes"), (b"\x00\x01junk", "00 01 6a"), (b"RIFF1234WAVEjunk", "not a sound file")):
        pipe(content)
        status, out, (error,) = run(capsys, "-", "--model", a)
        assert (status, out) == (1, "") and error.startswith("error: -: ") and words in error


INK = json.dumps({"strokes": [[[k % 7, k] for k in range(1000)]]})
assert len(INK) > 4096
INKML = '<?xml version="1.0" encoding="UTF-16"?><ink><trace>1 2, 3 4, 5 9</trace></ink>'


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (f"{INK}\n{INK}\n".encode(), ["-#0", "-#1"]),
        (f"{INK} \r\n\n{INK}".encode("utf-8-sig"), ["-#0", "-#1"]),
        (INK.encode("utf-8-sig"), ["-"]),
        (INKML.encode("utf-16"), ["-"]),
        (b"\xfe\xff" + INKML.encode("utf-16-be"), ["-"]),
    ],
)
def test_ink_on_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, content: bytes, names: list[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    pen = tiny.checkpoint(Path("pen.ckpt"), says="a", name="pen")
    status, out, errors = run(capsys, "-", "--model", pen, "--format", "tsv")
    assert (status, errors) == (0, []) and [line.split("\t")[0] for line in out.splitlines()[1:]] == names


@pytest.mark.parametrize(
    ("content", "name", "good"),
    [('{"strokes": [[[1,', "-", 0), (f"{INK}\n" + '{"strokes": 3}\n{', "-#1", 1), ("{}", "-", 0), ("[]", "-", 0)],
)
def test_errors_of_standard_input_name_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, content: str, name: str, good: int
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    pen = tiny.checkpoint(Path("pen.ckpt"), says="a", name="pen")
    status, out, errors = run(capsys, "-", "--model", pen)
    assert status == 1 and len(out.splitlines()) == good
    assert errors[0].startswith(f"error: {name}: ") and "stdin.json" not in "".join(errors)


def test_a_manifest(capsys: pytest.CaptureFixture[str], a: str) -> None:
    tiny.sound(Path("set/one.wav"), 2.0)
    Path("set/all.tsv").write_text("path\ttext\tstart\tend\tspeaker\none.wav\ta\t0.5\t1.0\tx\none.wav\tb\t\t\ty\n")
    status, out, errors = run(capsys, "set/all.tsv", "--model", a, "--format", "tsv")
    path = str(Path("set/one.wav"))
    assert status == 0
    assert out.splitlines()[1:] == [f"{path}\ta\t0.5\t1\t0.5", f"{path}\ta\t\t\t2"]
    assert [re.findall(r"WER [\d.]+%", line) for line in errors[:3]] == [["WER 0.0%"], ["WER 100.0%"], ["WER 50.0%"]]
    assert "2 files" in errors[3]
    rows = "".join(f"one.wav\t{'ab'[speaker % 2]}\t{speaker}\n" * 2 for speaker in range(10))
    Path("set/many.tsv").write_text("path\ttext\tspeaker\n" + rows)
    assert "10 speakers" in run(capsys, "set/many.tsv", "--model", a)[2][-1]


def test_a_model_of_another_kind(capsys: pytest.CaptureFixture[str], a: str) -> None:
    Image.new("L", (40, 20)).save("page.png")
    tiny.sound(Path("x.wav"))
    Path("x.odt").write_text("?")
    status, out, errors = run(capsys, "page.png", "x.wav", "x.odt", "--model", a)
    assert (status, out) == (1, "x.wav\ta\n")
    assert errors[0] == (
        "error: page.png: is for a 'line' model, and this one reads 'speech' files; give a line --model"
    )
    assert "x.odt" in errors[1] and ".wav" in errors[1]


# The command line: with which model.


def test_the_newest_model_under_runs_where_the_package_has_none_for_such_files(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path / "no weights")

    def kept(path: str, says: str, age: int, **frontend: object) -> None:
        tiny.checkpoint(Path(path), says=says, **frontend)
        os.utime(path, (1_000_000 - age, 1_000_000 - age))

    tiny.sound(Path("x.wav"))
    status, out, (error,) = run(capsys, "x.wav")
    assert (status, out) == (2, "") and "train.py" in error and "--model" in error
    kept("runs/old/version_1/checkpoints/last.ckpt", "b", 100)
    assert run(capsys, "x.wav")[1] == "b\n"
    kept("runs/new/version_3/checkpoints/best.ckpt", "c", 50)
    kept("runs/new/version_3/checkpoints/last.ckpt", "a", 40)
    kept("runs/line/version_1/checkpoints/best.ckpt", "a", 10, name="line")
    chosen = Path("runs/new/version_3/checkpoints/best.ckpt")
    assert run(capsys, "x.wav") == (0, "c\n", [f"model {chosen}"])
    Path("x.json").write_text("{}")
    status, _, (error,) = run(capsys, "x.json")
    assert status == 2 and "'pen'" in error and "'line'" in error and str(chosen) in error
    status, out, errors = run(capsys, "x.json", "x.wav")
    assert (status, out) == (1, "x.wav\tc\n") and "give a pen --model" in errors[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "x" * 300], ["xxx", "neither a model"]),
        (["--model", "none.ckpt"], ["none.ckpt", "cannot be opened"]),
        (["--model", "A", "--device", "toaster"], ["--device", "toaster", "cpu"]),
        (["--model", "A", "--device", "meta"], ["--device", "meta", "cpu"]),
        (["--model", "A", "--beam", str(10**12)], ["a beam of 1000000000000 over", "memory", "--beam"]),
        (["--model", "A", "--beam", str(10**20)], ["memory", "--beam"]),
        (["--model", "A", "--format", "srt", "x.wav"], ["--format", "srt of 2 files", "--output-dir"]),
        (["--model", "A", "--reference", "one", "x.wav"], ["--reference", "1 line(s)", "2 files"]),
        (["--model", "A", "--reference", "none.txt"], ["--reference", "none.txt"]),
        (["--model", "A", "--reference", "one " * 99, "x.wav"], ["--reference", "1 line(s)", "2 files"]),
        (["--model", "A", "--reference", "none.tsv"], ["none.tsv", "cannot be opened"]),
        (["--model", "A", "--reference", "refs/none"], ["--reference", "there is no file 'refs/none'"]),
        (["--model", "A", "--reference", "none.lab"], ["--reference", "there is no file 'none.lab'"]),
        (["--model", "A", "--reference", "models"], ["--reference", "'models' is a folder"]),
        (["--model", "A", "--lm", "x.wav"], ["x.wav", "binary", "ARPA"]),
        (["--model", "A", "--lm", "x" * 300], ["xxx", "cannot be opened"]),
        (["--model", "A", "--lm", "."], ["folder", "ARPA"]),
        (["--model", "A", "--decoder", "greedy", "--beam", "5"], ["--decoder", "greedy"]),
        (["--model", "A", "--word-bonus", "2"], ["--word-bonus", "--lm"]),
        (["--model", "A", "--lm-weight", "-1", "--lm", "x.arpa"], ["weight", "-1"]),
        (["--model", "A", "--nbest", "3"], ["--nbest", "--format json"]),
        (["--model", "A", "--decoder", "greedy", "--lexicon", "x", "--hotwords", "a"], ["--lexicon, --hotwords"]),
        (["--model", "A", "--hotword-bonus", "3"], ["--hotword-bonus", "--hotwords"]),
        (["--model", "A", "--hotwords", "names.txt"], ["names.txt", "no such file"]),
        (["--model", "A", "--hotwords", ", "], ["names no words"]),
        (["--model", "A", "--lexicon", "names.txt"], ["names.txt"]),
        (["--model", "A", "--align", "--lm", "x.arpa", "--errors"], ["--align", "--lm, --errors"]),
        (["--model", "A", "--tune"], ["--tune", "--lm"]),
        (["--model", "A", "--tune", "--lm", "x.arpa", "--word-bonus", "0", "--words"], ["--word-bonus, --words"]),
        (["--model", "A", "--tune", "--lm", "x.arpa", "--format", "json"], ["--tune", "--format"]),
        (["--model", "A", "--output-dir", "x.wav"], ["x.wav", "cannot be written"]),
    ],
)
def test_what_cannot_be_done_at_all(
    capsys: pytest.CaptureFixture[str], a: str, arguments: list[str], words: list[str]
) -> None:
    tiny.sound(Path("x.wav"))
    status, _, (error,) = run(capsys, "x.wav", *(a if argument == "A" else argument for argument in arguments))
    assert status == 2 and error.startswith("error: ") and all(word in error for word in words), error


def test_unknown_flags_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["x.wav", "--modle", "x"], ["x.wav", "--format", "doc"], ["x.wav", "--batch-frames", "0"]):
        with pytest.raises(SystemExit, match="2"):
            main(arguments)
    assert "0 is no whole number above 0" in capsys.readouterr().err


def test_the_beam_reads_with_a_language_model_and_shows_other_readings(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model = tiny.checkpoint(tmp_path / "models" / "any.ckpt", letters="abc")
    tiny.sound(Path("x.wav"))
    Path("text.txt").write_text("abc cab\nabc\n", encoding="utf-8")
    assert lm.main(["text.txt", "--output", "x.arpa"]) == 0
    assert run(capsys, "x.wav", "--model", model, "--decoder", "beam")[0] == 0
    beam = ("--beam", 200, "--lm", "x.arpa", "--lm-weight", 3, "--word-bonus", 0.5, "--nbest", 4)
    status, out, _ = run(capsys, "x.wav", "--model", model, "--format", "json", *beam)
    row = json.loads(out)
    readings = [(row["text"], row["score"]), *((other["text"], other["score"]) for other in row["alternatives"])]
    scores = [score for _, score in readings]
    assert status == 0 and len(readings) == 4 and scores == sorted(scores, reverse=True)
    assert len({text for text, _ in readings}) == 4


def test_the_readings_of_a_file_are_those_of_its_parts() -> None:
    def reading_of(label: int, score: float) -> Hypothesis:
        return Hypothesis((label,), ((0, 1),), (1.0,), score)

    pieces = [[reading_of(1, -1.0), reading_of(2, -2.0)], [reading_of(3, -1.0), reading_of(1, -1.5)]]
    found = reading.alternatives(Alphabet(["a", "b", "c"]), pieces)
    assert found == (("a a", -2.5),)


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys, recognizer.transcribe as t; t.parser(); sys.exit('torch' in sys.modules)"
    folder = Path(__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=folder, check=False).returncode == 0


def test_lexicons_and_hotwords(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model = tiny.checkpoint(tmp_path / "models" / "any.ckpt", letters="abc")
    tiny.sound(Path("x.wav"))
    Path("lexicon.txt").write_text("Anna\tabca\nCab\tcab\tcaab\n", encoding="utf-8")
    status, out, _ = run(capsys, "x.wav", "--model", model, "--lexicon", "lexicon.txt", "--words")
    assert status == 0 and {line.split("\t")[3] for line in out.splitlines()} <= {"Anna", "Cab"} and out
    (other,) = {"Anna", "Cab"} - {line.split("\t")[3] for line in out.splitlines()}
    Path("hot.list").write_text(f"{other}\n\n", encoding="utf-8")
    for given in ("hot.list", other, f"bb , {other}", ",".join([*("bb" * k for k in range(1, 30)), other])):
        hot = ("--lexicon", "lexicon.txt", "--hotwords", given, "--hotword-bonus", 100)
        assert run(capsys, "x.wav", "--model", model, *hot)[:2] == (0, f"{other}\n")


def test_tuning(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model = tiny.checkpoint(tmp_path / "models" / "any.ckpt", letters="abc ")
    for name in ("x.wav", "y.wav", "z.wav"):
        tiny.sound(Path(name), 0.2)
    Path("text.txt").write_text("abc cab\nabc\n", encoding="utf-8")
    Path("set.tsv").write_text("path\ttext\nx.wav\tabc\ny.wav\tabc cab\nnone.wav\ta\nz.wav\t\n", encoding="utf-8")
    assert lm.main(["text.txt", "--output", "x y.arpa"]) == 0
    status, out, errors = run(capsys, "set.tsv", "--model", model, "--lm", "x y.arpa", "--beam", 4, "--tune")
    lines = out.splitlines()
    assert status == 1 and len([line for line in errors if line.startswith("error: ")]) == 2
    assert any("z.wav: has no text to compare with" in line for line in errors)
    assert any(line.startswith("WER/CER of 2 files; greedy: ") for line in errors)
    flags = re.fullmatch(r"--beam 4 --lm 'x y.arpa' --lm-weight (\S+) --word-bonus (\S+) --prior-weight \S+", lines[-1])
    assert flags is not None
    heads, rows = lines[0].split()[3:], {line.split()[0]: line for line in lines[1:-1]}
    assert out.count("*") == 1 and "*" in rows[flags[1]] and flags[2] in heads
    status, _, errors = run(capsys, "z.wav", "--model", model, "--lm", "x y.arpa", "--tune")
    assert status == 2 and "no file with a text" in errors[-1]


# The command line: where known texts stand, and words with their places.


def test_aligning_texts_beside_the_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model = tiny.checkpoint(tmp_path / "models" / "any.ckpt", letters="abc ")
    for name, text in (("1.wav", "ab c"), ("2.gt.wav", None), ("3.wav", "a z"), ("4.wav", "c")):
        tiny.sound(Path("in") / name)
        if text:
            Path("in", name).with_suffix(".txt").write_text(text)
    Path("in/5.wav").write_text("no sound")
    Path("in/5.txt").write_bytes(b"\xff")
    status, out, errors = run(capsys, "in", "--model", model, "--align")
    assert status == 1
    rows = [line.split("\t") for line in out.splitlines()]
    names = [str(Path("in", name)) for name in ("1.wav", "1.wav", "4.wav")]
    assert [(row[0], row[4]) for row in rows] == list(zip(names, ["ab", "c", "c"], strict=True))
    assert all(0 <= float(row[1]) < float(row[2]) <= 0.5 and 0 <= float(row[3]) <= 1 for row in rows)
    assert float(rows[0][2]) <= float(rows[1][1])
    assert [line.split(": ")[1] for line in errors] == [
        str(Path("in", name)) for name in ("2.gt.wav", "3.wav", "5.txt")
    ]
    assert "no text to align" in errors[0] and "'z' x 1" in errors[1] and "UTF-8" in errors[2]


def test_aligning_in_every_format(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model = tiny.checkpoint(tmp_path / "models" / "any.ckpt", letters="abc ")
    tiny.sound(Path("x.wav"))

    def aligned(*flags: str) -> str:
        status, out, errors = run(capsys, "x.wav", "--model", model, "--align", "--reference", " ab  c", *flags)
        assert (status, errors) == (0, [])
        return out

    row = json.loads(aligned("--format", "json"))
    assert row["text"] == "ab c"
    assert [[mark["text"] for mark in word["characters"]] for word in row["words"]] == [["a", "b"], ["c"]]
    table = [line.split("\t") for line in aligned("--format", "tsv").splitlines()]
    assert [line[1] for line in table] == ["text", "ab", "c"]
    assert [float(line[2]) for line in table[1:]] == [word["start"] for word in row["words"]]
    assert aligned("--format", "srt").endswith("\nab c\n") and aligned("--format", "srt").count("-->") == 1
    assert aligned("--format", "vtt", "--words").count("-->") == 2


@pytest.mark.parametrize("format", WRITERS)
def test_word_by_word(capsys: pytest.CaptureFixture[str], a: str, format: str) -> None:
    tiny.sound(Path("x.wav"))
    status, out, errors = run(capsys, "x.wav", "--model", a, "--words", "--format", format)
    assert (status, errors) == (0, [])
    if format == "txt":
        start, end, confidence, word = out.removesuffix("\n").split("\t")
        assert (float(start), float(end), word) == (0.0, 0.5, "a") and 0.9 < float(confidence) <= 1
    if format == "json":
        (word,) = json.loads(out)["words"]
        assert word["characters"] == [{**word["characters"][0], "text": "a", "start": 0.0, "end": 0.5}]


# The command line: what is written.


@pytest.mark.parametrize("format", WRITERS)
def test_one_file_in_a_folder_for_each_input(capsys: pytest.CaptureFixture[str], a: str, format: str) -> None:
    tiny.sound(Path("in/one.wav"))
    tiny.sound(Path("in/two.wav"), 1.0)
    assert run(capsys, "in", "--model", a, "--output-dir", "out/new", "--format", format) == (0, "", [])
    written = sorted(path.name for path in Path("out/new").iterdir())
    assert written == [f"one.{format}", f"two.{format}"]
    assert "a" in Path(f"out/new/one.{format}").read_text(encoding="utf-8")
    status, out, _ = run(capsys, "in/one.wav", "--model", a, "--format", format)
    one = Path(f"out/new/one.{format}").read_text(encoding="utf-8")
    assert status == 0 and out == (one.replace("../../in/one.wav", "in/one.wav") if format == "tsv" else one)


@pytest.mark.parametrize("words", [(), ("--words",)])
def test_a_manifest_in_a_folder_leads_to_its_files(
    capsys: pytest.CaptureFixture[str], a: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Also where the folder, or the way to a file, is a link."""
    tiny.sound(Path("set/x.wav"))
    tiny.sound(Path("set/deep/y.wav"))
    Path("far/off").mkdir(parents=True)
    Path("set/linked").symlink_to(tmp_path / "far" / "off")
    Path("set/way").symlink_to("deep")
    monkeypatch.chdir("set")
    for folder, name in itertools.product(
        ("corrected", "linked", "."), ("x.wav", "way/y.wav", str(tmp_path / "set/x.wav"))
    ):
        assert run(capsys, name, "--model", a, "--format", "tsv", "--output-dir", folder, *words) == (0, "", [])
        (row,) = manifest.read(Path(folder, Path(name).stem + ".tsv"))
        assert Path(row.path).samefile(name) and row.text == "a"
        assert not Path(Path(folder, Path(name).stem + ".tsv").read_text().splitlines()[1].split("\t")[0]).is_absolute()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("format", ["json", "tsv"])
def test_names_that_are_not_utf8(capsys: pytest.CaptureFixture[str], a: str, format: str) -> None:
    latin = os.fsdecode(b"caf\xe9.wav")
    tiny.sound(Path("x.wav")).rename(latin)
    tiny.sound(Path("ok.wav"))
    assert run(capsys, latin, "ok.wav", "--model", a, "--output-dir", "out", "--format", format) == (0, "", [])
    assert b"caf\xe9.wav" in (Path("out") / os.fsdecode(b"caf\xe9." + format.encode())).read_bytes()
    assert (Path("out") / f"ok.{format}").exists()


def test_files_keep_their_folders_where_names_clash() -> None:
    def named(*paths: str) -> list[str]:
        found = targets([Request(path, Utterance(path)) for path in paths], Path("out"), "txt")
        return [path.relative_to("out").as_posix() for path in found]

    assert named("x/a.wav", "y/b.wav") == ["a.txt", "b.txt"]
    assert named("x/a.wav", "x/y/a.wav") == ["a.txt", "y/a.txt"]
    assert named("x/a.wav", "y/a.wav", "y/b.wav") == ["x/a.txt", "y/a.txt", "y/b.txt"]
    assert named("x/a.wav", "x/a.flac") == ["a.wav.txt", "a.flac.txt"]
    assert named("a.b.wav", "c#d.wav", "x.jsonl#3", "-") == ["a.b.txt", "c#d.txt", "x#3.txt", "stdin.txt"]
    assert named("x/a.wav", "./x/a.wav") == ["a.txt", "a.txt"]
    parts = [Request("a.wav", Utterance("a.wav", start=begin, end=2.0)) for begin in (None, 1.5)]
    assert [path.name for path in targets(parts, Path("out"), "srt")] == ["a@0-2.srt", "a@1.5-2.srt"]
    assert named() == []


def test_a_reference_is_never_overwritten(capsys: pytest.CaptureFixture[str], a: str) -> None:
    tiny.sound(Path("x.wav"))
    Path("x.txt").write_text("b")
    status, _, (error,) = run(capsys, "x.wav", "--model", a, "--output-dir", ".")
    assert status == 2 and "x.txt: would be overwritten" in error
    assert Path("x.txt").read_text() == "b"
    tiny.sound(Path("y.gt.wav"))
    tiny.sound(Path("y.wav"))
    Path("y.gt.txt").write_text("b")
    status, _, (error,) = run(capsys, "y.gt.wav", "y.wav", "--model", a, "--output-dir", ".")
    assert status == 2 and "y.gt.txt: would be overwritten" in error


def test_what_the_user_gave_is_never_overwritten(capsys: pytest.CaptureFixture[str], a: str) -> None:
    """Inputs, manifests and what options name, by whatever name of the same file."""
    tiny.sound(Path("x.wav"))
    ink = tiny.ink(Path("ink/note.json"))
    Path("man").mkdir()
    Path("man/x.tsv").write_text("path\ttext\n../x.wav\ta\n")
    Path("words").mkdir()
    Path("words/x.txt").write_text("a\n")
    Path("link").symlink_to("words")

    def refused(target: str, *arguments: object) -> None:
        held = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
        status, out, (error,) = run(capsys, *arguments)
        assert (status, out) == (2, "") and error.startswith(f"error: {Path(target)}: would be overwritten"), error
        assert held == {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}

    pen = tiny.checkpoint(Path("models/pen.ckpt"), says="a", name="pen")
    for named in (ink, f"{ink}#0", "ink", "ink/*.json"):
        refused("ink/note.json", named, "--model", pen, "--format", "json", "--output-dir", "ink")
    for named in ("man/x.tsv", "man/*.tsv"):
        refused("man/x.tsv", named, "--model", a, "--format", "tsv", "--output-dir", "man")
    refused("man/x.tsv", "x.wav", "--reference", "man/x.tsv", "--model", a, "--format", "tsv", "--output-dir", "man")
    for option in ("--reference", "--lexicon", "--hotwords"):
        refused("words/x.txt", "x.wav", option, "words/x.txt", "--model", a, "--output-dir", "words")
        refused("link/x.txt", "x.wav", option, "words/x.txt", "--model", a, "--output-dir", "link")


@pytest.mark.parametrize("task", [(), ("--align", "--reference", "lines.text")])
def test_what_cannot_be_written_stops_no_other(
    capsys: pytest.CaptureFixture[str], a: str, task: tuple[str, ...]
) -> None:
    for name in ("x.wav", "y.wav"):
        tiny.sound(Path(name))
    Path("lines.text").write_text("a\na\n")
    Path("out/x.txt").mkdir(parents=True)
    status, out, (error, *_) = run(capsys, "x.wav", "y.wav", "--model", a, "--output-dir", "out", *task)
    assert (status, out) == (1, "") and error.startswith(f"error: {Path('out/x.txt')}: cannot be written")
    assert "a" in Path("out/y.txt").read_text()


@pytest.mark.parametrize("format", ["srt", "vtt"])
def test_ink_has_no_subtitles_and_stops_no_recording(
    capsys: pytest.CaptureFixture[str], a: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, format: str
) -> None:
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path / "no weights")
    tiny.checkpoint(Path("runs/pen/best.ckpt"), says="a", name="pen")
    tiny.checkpoint(Path("runs/speech/best.ckpt"), says="a")
    tiny.ink(Path("note.json"))
    tiny.sound(Path("x.wav"))
    arguments = ("--format", format, "--output-dir", "out")
    status, out, errors = run(capsys, "note.json", "x.wav", *arguments)
    (error,) = (line for line in errors if not line.startswith("model "))
    assert (status, out) == (1, "") and error.startswith("error: note.json: is measured in points")
    assert [path.name for path in Path("out").iterdir()] == [f"x.{format}"]


# The command line: compared with what should stand there.


def test_references_beside_the_files(capsys: pytest.CaptureFixture[str], a: str) -> None:
    for name in ("1.wav", "2.wav", "3.wav", "4.wav"):
        tiny.sound(Path("in") / name)
    Path("in/1.txt").write_text("a\n", encoding="utf-8-sig")
    Path("in/2.gt.txt").write_text("a b")
    Path("in/2.txt").write_text("not this one")
    Path("in/3.txt").write_text("")
    status, out, errors = run(capsys, "in", "--model", a, "--errors")
    assert status == 0 and len(out.splitlines()) == 4
    assert errors[0].endswith("1.wav: WER 0.0%  CER 0.0%  MER 0.0%  WIL 0.0%  words S 0 D 0 I 0 of 1,"
                              " characters S 0 D 0 I 0 of 1")  # fmt: skip
    assert "2.wav: WER 50.0%  CER 66.7%  MER 50.0%  WIL 50.0%  words S 0 D 1 I 0 of 2" in errors[1]
    assert errors[2:5] == ["REF: a b", "HYP: a *", "       D"]
    assert "3.wav: WER 100.0%" in errors[5] and "I 1 of 0" in errors[5]
    assert errors[6:9] == ["REF: *", "HYP: a", "     I"]
    assert errors[9].startswith("all 3 files: WER 66.7%") and "D 1 I 1 of 3" in errors[9]
    assert errors[10].startswith("WER lies within 0.0% and ") and "3 files" in errors[10]


def test_what_is_written_is_no_reference_of_the_same_run(capsys: pytest.CaptureFixture[str], a: str) -> None:
    tiny.sound(Path("own/r.gt.wav"))
    tiny.sound(Path("own/r.wav"))
    assert run(capsys, "own", "--model", a, "--output-dir", "own") == (0, "", [])
    assert sorted(path.name for path in Path("own").glob("*.txt")) == ["r.gt.txt", "r.txt"]


def test_references_that_are_given(capsys: pytest.CaptureFixture[str], a: str) -> None:
    tiny.sound(Path("x.wav"))
    tiny.sound(Path("y.wav"))
    Path("x.txt").write_text("not this one")
    assert "WER 0.0%" in run(capsys, "x.wav", "--model", a, "--reference", " a ")[2][0]
    assert "WER 99.5%" in run(capsys, "x.wav", "--model", a, "--reference", "a " * 200)[2][0]  # no file's name
    Path("lines.text").write_text("a\nb\n")
    errors = run(capsys, "x.wav", "y.wav", "--model", a, "--reference", "lines.text")[2]
    assert "x.wav: WER 0.0%" in errors[0] and "y.wav: WER 100.0%" in errors[1]
    Path("set.tsv").write_text("path\ttext\nx.wav\tc\n")
    errors = run(capsys, "y.wav", "./x.wav", "--model", a, "--reference", "set.tsv")[2]
    assert len(errors) == 1 and errors[0].startswith("./x.wav: WER 100.0%")


@pytest.mark.parametrize("rows", ["other.wav\ta\n", "x.wav\ta\t0.1\t0.2\n", ""])
def test_a_manifest_without_a_text_for_any_input(capsys: pytest.CaptureFixture[str], a: str, rows: str) -> None:
    tiny.sound(Path("x.wav"))
    Path("x.txt").write_text("not this one")
    columns = "path\ttext\tstart\tend\n" if rows.count("\t") > 1 else "path\ttext\n"
    Path("other.tsv").write_text(columns + rows)
    status, out, (error,) = run(capsys, "x.wav", "--model", a, "--reference", "other.tsv")
    assert (status, out) == (2, "") and f"none of the {len(rows.splitlines())} rows of other.tsv has a text" in error
    status, _, errors = run(capsys, "none.wav", "--model", a, "--reference", "other.tsv")
    assert status == 1 and "none.wav: no such file" in errors[0]


@pytest.mark.parametrize("text", ["a", "he and/or she", "3.5", "she left.", "read setup.py", "a b " * 300])
def test_texts_are_no_paths(capsys: pytest.CaptureFixture[str], a: str, text: str) -> None:
    tiny.sound(Path("x.wav"))
    status, out, errors = run(capsys, "x.wav", "--model", a, "--reference", text)
    assert (status, out) == (0, "a\n") and errors[0].startswith("x.wav: WER ")


def test_references_are_brought_to_the_alphabets_normal_form(capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny.checkpoint(Path("e.ckpt"), says="\u00e9", letters="\u00e9a")
    tiny.sound(Path("x.wav"))
    assert "WER 0.0%  CER 0.0%" in run(capsys, "x.wav", "--model", model, "--reference", "e\u0301")[2][0]


def test_characters_that_the_model_cannot_write_are_told(capsys: pytest.CaptureFixture[str], a: str) -> None:
    tiny.sound(Path("x.wav"))
    errors = run(capsys, "x.wav", "--model", a, "--reference", "A ZZ")[2]
    assert errors[1] == "3 characters of the references are not in the model's alphabet ('Z' x 2, 'A' x 1)"


def test_a_reference_that_cannot_be_read(capsys: pytest.CaptureFixture[str], a: str) -> None:
    tiny.sound(Path("x.wav"))
    Path("x.txt").write_bytes(b"ok \xff")
    status, out, (error,) = run(capsys, "x.wav", "--model", a)
    assert (status, out) == (1, "a\n") and "x.txt: is not UTF-8 text (byte 3)" in error


@pytest.mark.parametrize(("path", "expected"), [("a.WAV", "speech"), ("b/c.png", "line"), ("x.odt", None), ("-", None)])
def test_kinds(path: str, expected: str | None) -> None:
    assert kind(path) == expected
