"""What the user wrote on the command line of train.py -> the same with what it stands for, as the parser reads it."""

from __future__ import annotations

import json
import os.path
import re
from collections.abc import Sequence
from pathlib import Path

from recognizer import pretrained
from recognizer.errors import CheckpointError, ConfigError, nearest
from recognizer.lines import content
from recognizer.network import opened
from recognizer.resuming import SHAPE


def folder() -> Path:
    """Where the YAML files lie: in the installed package, or beside it in a checkout."""
    here = Path(__file__).parent
    return here / "configs" if (here / "configs").is_dir() else here.parent / "configs"


def continued(arguments: list[str], scratch: Path) -> tuple[list[str], str | None]:
    """`--resume PATH` -> the settings kept in that checkpoint, laid in `scratch`, then the flags that follow."""
    paths = values(arguments, "--resume")
    if not paths:
        return arguments, None
    path = paths[-1]
    if not path:
        raise ConfigError("--resume", "names no checkpoint", "give the path of a last.ckpt")
    checkpoint = opened(path)
    if "config" not in checkpoint or "optimizer_states" not in checkpoint:
        raise CheckpointError(path, "holds weights only, no state to go on from", "resume from the last.ckpt beside it")
    places = [place for place, argument in enumerate(arguments) if argument.partition("=")[0] == "--resume"]
    gone = {*places, *(place + 1 for place in places if arguments[place] == "--resume")}
    rest = [argument for place, argument in enumerate(arguments) if place not in gone]
    return ["--config", _written(checkpoint["config"], scratch / "resumed.yaml"), *rest], path


def _written(config: str, path: Path) -> str:
    path.write_text(config, encoding="utf-8")
    return str(path)


def begun(arguments: list[str], scratch: Path) -> list[str]:
    """`--from MODEL` -> its shape, and how it takes texts, before all other settings, which may say otherwise.

    They are laid in `scratch`.
    """
    models = values(arguments, "--from")
    if not models:
        files = [Path(path).read_text(encoding="utf-8", errors="replace") for path in values(arguments, "--config")]
        models = [found for file in files for found in re.findall(r"""^from: *["']?([^"'#\n]*[^"'#\s])""", file, re.M)]
    if not models or models[-1] == "null":
        return arguments
    kept = opened(pretrained.find(models[-1]))["hyper_parameters"]
    shape = {key: kept[key] for key in SHAPE if key in kept}
    texts = {key: kept["alphabet"][key] for key in ("form", "split")}
    return ["--config", _written(json.dumps({"model": shape, "data": texts}), scratch / "begun.yaml"), *arguments]


def values(arguments: Sequence[str], flag: str) -> list[str]:
    """What is given to a flag, each time that it is, in either way of writing it; "" where nothing follows."""
    found = []
    for argument, after in zip(arguments, [*arguments[1:], ""], strict=False):
        if argument.partition("=")[0] == flag:
            found.append(argument.partition("=")[2] if "=" in argument else after)
    return found


def named(arguments: list[str]) -> list[str]:
    """`--config an4` means the YAML of that name that comes with the program."""
    out = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if before == "--config" or argument.startswith("--config="):
            flag, _, name = argument.rpartition("=")
            for path in (name, str(folder() / Path(name).name), str(folder() / f"{name}.yaml")):
                if os.path.isfile(path):
                    argument = f"{flag}={path}" if flag else path
                    break
            else:
                known = [path.stem for path in folder().glob("*.yaml")]
                raise ConfigError("--config", f"there is no file {name!r}", nearest(name, known))
            content(path, ConfigError, "check the rights")
        out.append(argument)
    return out
