"""Every configuration builds a model that takes a step on data of its kind."""

import re
from pathlib import Path

import pytest
import tiny
import yaml

from recognizer import frontends, manifest, train
from recognizer.manifest import Utterance
from recognizer.model import Recognizer

FOLDER = Path(__file__).parent.parent / "configs"
CONFIGS = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "base")


def data(folder: Path, kind: str) -> Path:
    """Three files of a kind and their manifest."""
    make, suffix = {"speech": (tiny.sound, "wav"), "pen": (tiny.ink, "json"), "line": (tiny.line, "png")}[kind]
    rows = [Utterance(str(make(folder / f"{number}.{suffix}", seed=number)), "ab") for number in range(3)]
    manifest.write(folder / "all.tsv", rows)
    return folder / "all.tsv"


@pytest.mark.parametrize("name", CONFIGS)
def test_it_builds_and_takes_a_step(tmp_path, monkeypatch, name):
    settings = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    table = str(data(tmp_path, settings["data"]["frontend"]["name"]))
    monkeypatch.chdir(tmp_path)
    flags = [f"--data.train={table}", f"--data.val={table}", "--data.weights=null", "--data.sample=null"]
    flags += ["--trainer.fast_dev_run=true", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    if "pronunciations" in settings["data"]:
        (tmp_path / "words.dict").write_text("ab A B\n", encoding="utf-8")
        flags.append("--data.pronunciations=words.dict")
    trainer = train.train(["--config", name, *flags])
    assert trainer.global_step == 1 and isinstance(trainer.lightning_module, Recognizer)
    assert trainer.callback_metrics["train_loss"].isfinite()


@pytest.mark.parametrize("name", CONFIGS)
def test_it_says_what_it_is_for_and_keeps_runs_apart(name):
    text = (FOLDER / f"{name}.yaml").read_text()
    settings = yaml.safe_load(text)
    assert text.startswith("# ") and settings["name"] == name
    assert settings["data"]["frontend"]["name"] in frontends.FRONTENDS
    if "train" in settings["data"]:
        recipes = re.findall(r"data\.(\w+)", text.partition("\n")[0].partition("python -m ")[2])
        assert recipes and all((FOLDER.parent / "data" / f"{recipe}.py").is_file() for recipe in recipes)
        tables = settings["data"]["train"]
        tables = [tables] if isinstance(tables, str) else tables
        assert f"corpora/{name}/train.tsv" in tables or len(tables) > 1
        assert all(re.fullmatch(r"corpora/\w+/(train|val)\.tsv", table) for table in tables)
        val = settings["data"]["val"]
        assert not set(tables) & set([val] if isinstance(val, str) else val)


@pytest.mark.parametrize("name", CONFIGS)
def test_its_recipe_names_programs_and_flags_that_there_are(name):
    lines = [line for line in (FOLDER / f"{name}.yaml").read_text().splitlines() if line.startswith("# ")]
    named = re.findall(r"(?<!-)(?:benchmarks/\w+\.py|(?:data|recognizer)\.\w+)(?=[\s,;:]|$)", "\n".join(lines))
    files = [FOLDER.parent / (one if one.endswith(".py") else one.replace(".", "/") + ".py") for one in named]
    known = "".join(file.read_text() for file in [*files, FOLDER.parent / "data/__init__.py"])
    for line in lines:
        for flag in re.findall(r" --(\S+?)[,;]?(?= |$)", line):
            assert f'"--{flag}"' in known or flag == "from" or "train.py --config" in line, f"{name}: --{flag}"


def test_base_names_no_modality_and_no_corpus():
    assert "data" not in yaml.safe_load((FOLDER / "base.yaml").read_text())
