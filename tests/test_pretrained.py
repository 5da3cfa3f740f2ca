"""The models in the package: small, opened without running code, described, found by name, reading at once."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import torch

import recognizer
from recognizer import manifest, pretrained
from recognizer.compact import restored
from recognizer.errors import CheckpointError
from recognizer.frontends import FRONTENDS
from recognizer.model import Recognizer
from recognizer.network import Network, language
from recognizer.release import LIMIT
from recognizer.samples import SAMPLES, digits, ink, lines
from recognizer.transcribe import main

MAKERS = {"speech": digits.make, "pen": ink.make, "line": lines.make}
ROOT = Path(__file__).parent.parent
NAMES = pretrained.names()


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A synthetic file of each kind."""
    folder, found = tmp_path_factory.mktemp("samples"), {}
    for name, make in MAKERS.items():
        make(folder / name, 1)
        found[name] = manifest.read(folder / name / "train.tsv")[0].path
    return found


def test_there_are_models_and_each_is_called_after_what_it_reads() -> None:
    assert set(NAMES) == {"speech", "pen", "line"} <= set(FRONTENDS) and len(MAKERS) == len(SAMPLES)
    for name in NAMES:
        assert recognizer.load(name).frontend.name == name


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_runs_no_code(name: str) -> None:
    path = pretrained.find(name)
    held = torch.load(path, weights_only=True)
    assert {weight.dtype for weight in held["state_dict"].values()} <= {
        torch.float16,
        torch.float32,
        torch.int64,
        torch.int8,
    }
    assert b"/home" not in path.read_bytes() and "datamodule_hyper_parameters" not in held
    assert 0 < sum(file.stat().st_size for file in pretrained.WEIGHTS.glob(f"{name}.*")) <= LIMIT


@pytest.mark.parametrize("name", NAMES)
def test_its_weights_are_those_of_the_file(name: str) -> None:
    held = restored(torch.load(pretrained.find(name), weights_only=True))
    model = pretrained.load(name)
    assert not model.training
    for key, weight in model.state_dict().items():
        if key in held:
            assert weight.dtype in (torch.float32, torch.float64, torch.int64) and bool((weight == held[key]).all()), (
                key
            )
    assert {key for key, _ in model.named_parameters()} <= held.keys()


@pytest.mark.parametrize("name", NAMES)
def test_all_settings_of_its_front_end_are_kept(name: str) -> None:
    held = torch.load(pretrained.find(name), weights_only=True)["hyper_parameters"]["frontend"]
    assert held == pretrained.load(name).frontend.config() and len(held) > 3


@pytest.mark.parametrize("name", NAMES)
def test_its_card_says_whose_data_and_how_good(name: str) -> None:
    text = (pretrained.WEIGHTS / f"{name}.md").read_text(encoding="utf-8")
    said, mark, measured = text.partition("<!-- below")
    assert mark and "CC BY" in said and "**What it is bad at.**" in said
    assert re.search(r"\| \w+/val\.tsv \| [\d,]+ \|.* \d+\.\d+ \| \d+\.\d+ \|", measured)
    assert "seed: " in measured and "python -m recognizer.release" in measured
    settings = json.loads(measured.partition("```json")[2].partition("```")[0])
    assert settings["model"]["frontend"]["name"] == name and settings["data"]["train"]


@pytest.mark.parametrize("name", NAMES)
def test_it_reads_at_once_and_the_same_each_time(
    name: str, samples: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (read,) = pretrained.load(name).transcribe(samples[name])
    assert read.text.strip() and read.words
    for flags in ([], ["--model", name]):
        assert main([samples[name], *flags]) == 0
        shown = capsys.readouterr()
        assert shown.out == f"{read.text}\n"
        assert (f"model {name}, of the package" in shown.err) == (not flags)


def test_files_of_several_kinds_are_read_each_by_its_model(
    samples: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    wanted = [samples[name] for name in ("line", "pen", "line")]
    assert main(wanted) == 0
    together = capsys.readouterr().out.splitlines()
    alone = []
    for path in wanted:
        assert main([path]) == 0
        alone.append(f"{path}\t{capsys.readouterr().out.rstrip()}")
    assert [row.partition("\t")[0].partition("#")[0] for row in together] == [path.partition("#")[0] for path in wanted]
    assert [row.partition("\t")[2] for row in together] == [row.partition("\t")[2] for row in alone]
    assert main([*wanted, "--tune", "--lm", "x.arpa"]) == 2
    assert "files are for 2 models (line, pen)" in capsys.readouterr().err


def test_of_a_folder_the_commonest_kind_is_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for place in range(2):
        tiny.line(tmp_path / f"{place}.png", place)
    tiny.ink(tmp_path / "a.json")
    assert main([str(tmp_path)]) == 0
    told = capsys.readouterr().err
    assert "model pen" not in told and "passed over: 1 for 'pen'" in told
    assert main([str(tmp_path), str(tmp_path / "a.json")]) == 0
    assert "model pen" in capsys.readouterr().err


def test_names_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"pne: is neither a model of the package nor a file; did you mean 'pen'"):
        recognizer.load("pne")
    with pytest.raises(CheckpointError, match="choose one of: line, pen"):
        recognizer.load("orchestra")
    with pytest.raises(CheckpointError, match=r"x\.ckpt: cannot be opened"):
        recognizer.load("x.ckpt")
    made = tiny.checkpoint(tmp_path / "own", says="a")
    assert pretrained.find("own") == Path("own") and recognizer.load(made).alphabet.encode("a")
    shutil.copy(made, tmp_path / "pen")
    assert recognizer.load("pen").frontend.name == "pen" and recognizer.load("./pen").frontend.name == "speech"


def test_a_packaged_model_is_a_beginning_for_another() -> None:
    """What `--from line` does: rows of characters that both have are kept, and single precision learns on."""
    small = pretrained.load("line")
    settings = torch.load(pretrained.find("line"), weights_only=True)["hyper_parameters"]
    characters = [*small.alphabet.characters, "ß"]
    model = Recognizer(**settings | {"alphabet": {**settings["alphabet"], "characters": characters}})
    model.adopt(pretrained.find("line"))
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    old, new = small.alphabet.encode("e")[0], model.alphabet.encode("e")[0]
    torch.testing.assert_close(model.linear.weight[new], small.linear.weight[old])
    assert model.load(pretrained.find("line")).hparams["lr"] == settings["lr"]


def test_a_language_model_beside_a_checkpoint_is_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from recognizer import lm
    from recognizer.decoders import Beam

    monkeypatch.chdir(tmp_path)
    made = tiny.checkpoint(tmp_path / "own.ckpt", letters="abc")
    tiny.sound(Path("x.wav"))
    Path("text.txt").write_text("abc cab\nabc\n", encoding="utf-8")
    bare = Network.load(made)
    assert bare.usual == (bare, bare.greedy) and not bare.advice
    assert lm.main(["text.txt", "--output", str(language(made))]) == 0
    kept = torch.load(made, weights_only=True)
    torch.save(kept | {"beam": {"weight": 3.0, "bonus": 0.5}}, made)
    _, beam = Network.load(made).usual
    assert isinstance(beam, Beam) and beam.lm is not None and (beam.weight, beam.bonus) == (3.0, 0.5)
    capsys.readouterr()

    def read(*flags: str) -> str:
        assert main(["x.wav", "--model", str(made), "--format", "json", *flags]) == 0
        return capsys.readouterr().out

    given = ("--lm", str(language(made)), "--lm-weight", "3", "--word-bonus", "0.5")
    assert read() == read(*given) == read("--lm-weight", "3")
    assert read("--lm", "none") == read("--lm", "none", "--decoder", "beam") != read()
    assert (
        json.loads(read("--decoder", "greedy"))["text"]
        == Network.load(made).transcribe("x.wav", Network.load(made).greedy)[0].text
    )
    assert main(["x.wav", "--model", str(made), "--lm", "none", "--lm-weight", "3"]) == 2
    assert "without a language model" in capsys.readouterr().err


def test_reading_waits_for_nothing_that_only_training_needs(tmp_path: Path) -> None:
    """Lightning and torchmetrics take longer to load than torch itself."""
    path = tiny.sound(tmp_path / "x.wav")
    made = tiny.checkpoint(tmp_path / "m.ckpt", says="a")
    code = (
        "import sys; from recognizer.transcribe import main; main(sys.argv[1:]);"
        "sys.exit(', '.join({'pytorch_lightning', 'torchmetrics', 'jiwer', 'tensorboard'} & set(sys.modules)) or 0)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, path, "--model", made], cwd=ROOT, check=False, capture_output=True
    )
    assert ran.returncode == 0, ran.stderr.decode()
