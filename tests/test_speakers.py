"""Who a manifest names, or whose files a folder holds, is a speaker; all that a speaker says tells of the voice."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch

from recognizer import frontends, manifest, reading
from recognizer.errors import ConfigError, RecognizerError
from recognizer.frontends import FRONTENDS
from recognizer.frontends.speech import Speech
from recognizer.manifest import Utterance
from recognizer.model import Recognizer
from recognizer.speakers import Speakers
from recognizer.transcribe import main


@pytest.fixture
def frontend() -> Speech:
    return Speech(bands=20, prior=1.0, floor=60.0)


def files(folder: Path, count: int) -> list[Utterance]:
    return [Utterance(str(tiny.sound(folder / f"{place}.wav", 0.3, seed=place))) for place in range(count)]


def test_speakers_are_those_of_the_manifest_and_else_of_the_folders(tmp_path: Path, frontend: Speech) -> None:
    here, there = files(tmp_path / "here", 2), files(tmp_path / "there", 2)
    named = [Utterance(one.path, speaker="ann") for one in (here[0], there[0])]
    speakers = Speakers(frontend, [*here, *there, *named])
    assert len(speakers) == 3
    assert speakers(here[0]) is speakers(here[1]) is not speakers(there[0])
    assert speakers(named[0]) is speakers(named[1]) is not speakers(here[0])


def test_all_that_is_said_tells_of_the_voice_and_nothing_else_does(tmp_path: Path, frontend: Speech) -> None:
    said = files(tmp_path / "a", 3)
    waves = [frontend.read(one.path) for one in said]
    broken = tmp_path / "a" / "b.wav"
    broken.write_text("no sound")
    found = Speakers(frontend, [*said, Utterance(str(broken)), *files(tmp_path / "b", 2)])(said[0])
    assert torch.equal(found.frames(waves[0]), frontend.accustomed(waves).frames(waves[0]))
    assert not torch.equal(found.frames(waves[0]), frontend.frames(waves[0]))


def test_a_part_of_a_file_and_a_long_file_are_heard_in_pieces(tmp_path: Path, frontend: Speech) -> None:
    path = str(tiny.sound(tmp_path / "long.wav", 70, seed=1))
    pieces = [frontend.read(path, *part) for part in frontend.parts(path)]
    assert len(pieces) == 2
    wave = pieces[0][:5000]
    whole = Speakers(frontend, [Utterance(path)])(Utterance(path))
    assert torch.equal(whole.frames(wave), frontend.accustomed(pieces).frames(wave))
    part = Utterance(path, start=1.0, end=2.0)
    expected = frontend.accustomed([frontend.read(path, 1.0, 2.0)])
    assert torch.equal(Speakers(frontend, [part])(part).frames(wave), expected.frames(wave))


@pytest.mark.parametrize("name", sorted(set(FRONTENDS) - {"speech"}))
def test_other_kinds_know_no_people(name: str) -> None:
    with pytest.raises(ConfigError, match=f"per speaker: a front end for '{name}' files knows no people"):
        frontends.build({"name": name}).accustomed([])


def test_reading_by_speaker_is_reading_what_the_speakers_front_end_makes_of_each(tmp_path: Path) -> None:
    model = Recognizer.load(tiny.checkpoint(tmp_path / "m.ckpt", prior=1.0))
    said = [*files(tmp_path / "a", 3), *files(tmp_path / "b", 2)]
    speakers = Speakers(model.frontend, said)
    for utterance, found in zip(said, reading.matrices(model, said, 1000, speakers), strict=True):
        frontend = speakers(utterance)
        expected, _ = model.infer([frontend.frames(frontend.read(utterance.path))])
        assert not isinstance(found, RecognizerError)
        torch.testing.assert_close(found[0], expected[0], atol=1e-5, rtol=1e-4)
    texts = [one.text for one in model.transcribe([one.path for one in said], per_speaker=True)]
    answers = list(reading.transcripts(model, said, model.greedy, 1000, speakers))
    assert texts == [answer.text for answer in answers if not isinstance(answer, RecognizerError)]


@pytest.mark.parametrize("task", [[], ["--align"], ["--tune"]])
def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], task: list[str]) -> None:
    model = tiny.checkpoint(tmp_path / "models" / "m.ckpt", says="a", prior=1.0)
    said = files(tmp_path / "sound", 3)
    broken = tmp_path / "sound" / "broken.wav"
    broken.write_text("no sound")
    texts = [Utterance(one.path, "a", speaker=who) for one, who in zip(said, "xyx", strict=True)]
    manifest.write(tmp_path / "all.tsv", [*texts, Utterance(str(broken), "a", speaker="x")])
    lm = []
    if task == ["--tune"]:
        (tmp_path / "lm.arpa").write_text(
            "\\data\\\nngram 1=4\n\n\\1-grams:\n-0.5\t<s>\n-0.5\t</s>\n-0.5\ta\n-1\t<unk>\n\n\\end\\\n"
        )
        lm = ["--lm", str(tmp_path / "lm.arpa")]
    status = main([str(tmp_path / "all.tsv"), "--model", str(model), "--per-speaker", *task, *lm])
    captured = capsys.readouterr()
    assert status == 1  # the broken file, which is told of once
    assert captured.err.count("broken.wav") == 1 and "accustomed to 2 speaker(s)" in captured.err
    if not task:
        assert [line.rpartition("\t")[2] for line in captured.out.splitlines()] == ["a"] * 3


def test_a_model_that_can_make_no_use_of_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny.checkpoint(tmp_path / "m.ckpt", says="a")
    sound = tiny.sound(tmp_path / "a.wav")
    assert main([str(sound), "--model", str(model), "--per-speaker"]) == 2
    assert "train with frontend.prior" in capsys.readouterr().err
