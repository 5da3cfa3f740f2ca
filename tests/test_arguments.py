"""What the command line of train.py stands for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny

from recognizer.arguments import begun, continued, folder, named, values
from recognizer.errors import CheckpointError, ConfigError


def test_a_flag_is_found_in_either_way_of_writing():
    assert values(["--a", "1", "--a=2", "--ab=3", "--b", "--a"], "--a") == ["1", "2", ""]
    assert values(["--a=x=y"], "--a") == ["x=y"]


def test_configurations_go_by_name():
    assert named(["--config", "an4", "--config=ink"]) == [
        "--config", str(folder() / "an4.yaml"), f"--config={folder() / 'ink.yaml'}",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="an4"):
        named(["--config", "an5"])


def test_settings_that_are_no_text_are_named(tmp_path):
    (tmp_path / "old.yaml").write_bytes(b"name: caf\xe9\n")
    for given in (["--config", f"{tmp_path}/old.yaml"], [f"--config={tmp_path}/old.yaml"]):
        with pytest.raises(ConfigError, match=r"old\.yaml: is not UTF-8 text \(byte 9\); save it as UTF-8"):
            named(given)


@pytest.mark.parametrize("written", [["--from", "PATH"], ["--from=PATH"], ["--config", "FILE"], ["--config=FILE"]])
def test_a_beginning_brings_its_shape_before_all_else(tmp_path, written):
    path = str(tiny.checkpoint(tmp_path / "a model.ckpt"))
    file = tmp_path / "mine.yaml"
    file.write_text(f"name: mine\nfrom: '{path}'  # ours\n", encoding="utf-8")
    given = [word.replace("PATH", path).replace("FILE", str(file)) for word in written]
    first, kept, *rest = begun(given, tmp_path)
    assert first == "--config" and rest == given
    settings = json.loads(Path(kept).read_text(encoding="utf-8"))
    assert settings["model"]["width"] == 8 and settings["model"]["stem"] == {"name": "stack", "reduction": 2}
    assert settings["data"] == {"form": "NFC", "split": "character"}


def test_without_a_beginning_nothing_changes(tmp_path):
    path = str(tiny.checkpoint(tmp_path / "m.ckpt"))
    for given in (["--config=none.yaml"][:0], ["--model.width", "3"], ["--from", path, "--from=null"]):
        assert begun(given, tmp_path) == given
    with pytest.raises(CheckpointError, match="neither a model of the package nor a file"):
        begun(["--from", "speach"], tmp_path)


@pytest.mark.parametrize("written", [["--resume", "PATH"], ["--resume=PATH"]])
def test_what_follows_a_checkpoint_is_kept(tmp_path, written):
    import torch

    path = tiny.checkpoint(tmp_path / "last.ckpt")
    torch.save(torch.load(path) | {"config": "name: x\n", "optimizer_states": []}, path)
    given = ["--a=1", *(word.replace("PATH", str(path)) for word in written), "--b", "2"]
    (first, file, *rest), resumed = continued(given, tmp_path)
    assert (first, rest, resumed) == ("--config", ["--a=1", "--b", "2"], str(path))
    assert Path(file).read_text(encoding="utf-8") == "name: x\n"
    assert continued(["--a=1"], tmp_path) == (["--a=1"], None)
    with pytest.raises(ConfigError, match="names no checkpoint"):
        continued(["--resume"], tmp_path)
