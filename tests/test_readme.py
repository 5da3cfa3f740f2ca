"""What the documentation says is so: its commands run, its Python runs, its links and pictures are right."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import soundfile
import tiny
import torch

from recognizer.frontends import FRONTENDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "data").glob("*.md")])
TINY = [
    *("--model.width", "8", "--model.depth", "1", "--trainer.max_epochs", "1"),
    *("--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"),
]
"""What makes a training of the README short enough for a test; each flag stands behind those of the README."""


def title(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


COMMANDS = [
    " ".join(words) for block in blocks(README, "bash") for line in block.splitlines()
    if (words := [shlex.quote(word) for word in shlex.split(line, comments=True)])
]  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with what the README takes for granted: recordings with their table, settings, and a first run."""
    folder = tmp_path_factory.mktemp("world")
    chance = numpy.random.default_rng(0)
    rows = ["path\ttext\tspeaker"]
    for place, text in enumerate(["seven four", "four seven", "two", "two", "nine", "nine"], start=1):
        path = folder / "recordings" / "day1" / f"rec{place:02}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, chance.normal(0, 0.1, 16_000 + 800 * place), 16_000)
        rows.append(f"day1/{path.name}\t{text}\t{'anna' if place % 2 else 'otto'}")
    (folder / "recordings" / "manifest.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    soundfile.write(folder / "recording.wav", chance.normal(0, 0.1, 16_000), 16_000)
    tiny.ink(folder / "ink.jsonl")
    tiny.line(folder / "line.png")
    (folder / "texts.txt").write_text("seven four\nnine two two\n", encoding="utf-8")
    (folder / "words.txt").write_text("seven\nfour\nnine\ntwo\n", encoding="utf-8")
    (folder / "mine.yaml").write_text(blocks(README, "yaml")[0], encoding="utf-8")
    home = Path.cwd()
    os.chdir(folder)
    try:
        run("python -m data.table recordings --out corpora/mine")
        run("python train.py --config mine.yaml --name digits")
        yield folder
    finally:
        os.chdir(home)


def run(command: str) -> None:
    """A command of the README, inside this process: the programs themselves, with trainings cut short."""
    words = shlex.split(command)
    if words[:2] == ["python", "-m"]:
        arguments, module = words[3:], importlib.import_module(words[2])
        code = module.main(arguments) if hasattr(module, "main") else _recipe(words[2], arguments)
        # The check finds fault with noise that is called speech; it is right, and 2 would mean it could not look.
        assert code in ((0, 1) if words[2] == "recognizer.check" else (0,)), command
    elif words[0] == "recognizer-train" or words[:2] == ["python", "train.py"]:
        _train(words[1:] if words[0] == "recognizer-train" else words[2:])
    elif words[0] == "recognizer-transcribe" or words[:2] == ["python", "transcribe.py"]:
        from recognizer.transcribe import main

        assert main(words[1:] if words[0] == "recognizer-transcribe" else words[2:]) == 0, command
    else:
        known = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        installed = importlib.util.find_spec("tensorboard") is not None
        # The wheel of `pip install .` is the business of test_package.
        standing = {"pip install .", *(f"make {name}" for name in known)}
        assert command in standing or (command == "tensorboard --logdir runs" and installed), command


def _recipe(name: str, arguments: list[str]) -> Any:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(sys, "argv", [name, *arguments])
        patch.delitem(sys.modules, name)
        runpy.run_module(name, run_name="__main__")
    return end.value.code


def _train(arguments: list[str]) -> None:
    from recognizer.train import main

    if "--resume" in arguments or ("mine.yaml" in arguments and "--trainer.devices" not in arguments):
        short = ["--trainer.max_epochs", "2", *TINY[6:]] if "--resume" in arguments else TINY  # its shape is settled
        assert main([*arguments, *short]) == 0
        return
    # Embedded corpora are trained on by test_learns, clusters are not at hand: here their settings are parsed.
    with pytest.raises(SystemExit) as end:
        main(arguments if "--help" in arguments else [*arguments, "--print_config"])
    assert end.value.code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_readme(world: Path, command: str) -> None:
    run(command)


@pytest.mark.parametrize(
    ("page", "code"),
    [pytest.param(page, code, id=f"{title(page)}-{i}") for page in PAGES
     for i, code in enumerate(blocks(page.read_text(encoding="utf-8"), "python"))],
)  # fmt: skip
def test_python_in_the_documentation(page: Path, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, title(page), "exec"), {"__name__": "page"})


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), f"{title(page)} links to {target}"


def test_the_table_of_front_ends() -> None:
    table = README.partition("\n| front end |")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", table, re.MULTILINE))
    assert rows.keys() == FRONTENDS.keys()
    for name, files in rows.items():
        assert set(re.findall(r"`(\.\w+)`", files)) <= FRONTENDS[name].suffixes


def test_torchrun_lets_the_nodes_find_each_other() -> None:
    """With torch's default each node would call itself the first."""
    (command,) = re.findall(r"`torchrun ([^`]*) \.\.\.`", README)
    from torch.distributed.run import config_from_args, parse_args

    settings, _, script = config_from_args(parse_args(command.split()))
    assert settings.rdzv_backend == "c10d" and settings.rdzv_endpoint and script[:2] == ["-u", "train.py"]
    assert (settings.min_nodes, settings.nproc_per_node) == (2, 4)


def test_the_recipes_that_are_named() -> None:
    for name in re.findall(r"python -m (data\.\w+)", README):
        assert importlib.util.find_spec(name) is not None


@pytest.fixture(scope="module")
def drawing() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "draw_ctc.py"))


def test_the_picture_computes_what_torch_computes(drawing: dict[str, Any]) -> None:
    """Both recursions give the probability that torch's CTC loss gives, and every frame's shares add up to 1."""
    probabilities, word = drawing["PROBABILITIES"], drawing["WORD"]
    assert numpy.allclose(probabilities.sum(0), 1)
    row = drawing["states"](word)
    alpha, beta = drawing["forward"](probabilities, row), drawing["backward"](probabilities, row)
    frames = probabilities.shape[1]
    log_probs = torch.tensor(probabilities.T).log()[:, None]
    loss = torch.nn.functional.ctc_loss(
        log_probs, torch.tensor([word]), torch.tensor([frames]), torch.tensor([len(word)])
    )
    total = float(torch.exp(-loss * len(word)))
    assert numpy.allclose((alpha * beta).sum(0), total)


def test_the_picture_is_drawn_and_is_the_one_that_is_kept(drawing: dict[str, Any], tmp_path: Path) -> None:
    """Other releases of matplotlib draw other curves; the texts, and so all numbers, must be the same."""
    drawing["draw"](str(tmp_path / "ctc.svg"))
    files = (tmp_path / "ctc.svg", ROOT / "docs" / "ctc.svg")
    texts = [re.findall(r">([^<>]+)</text>", file.read_text(encoding="utf-8")) for file in files]
    assert texts[0]
    assert texts[0] == texts[1]
