"""The sources become a wheel that holds every room, the configurations and the commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy, so that no build/ is left in the checkout; with the tools of this environment, offline."""
    sources, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources / name)
    for name in ("recognizer", "configs"):
        shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = "from setuptools import build_meta; import sys; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(out)], cwd=sources, check=True, capture_output=True)
    return zipfile.ZipFile(next(out.glob("*.whl")))


def test_the_wheel_holds_everything(wheel: zipfile.ZipFile) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "recognizer").rglob("*.py")}
    settings = {f"recognizer/configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")}
    weights = {f"recognizer/weights/{path.name}" for path in (ROOT / "recognizer" / "weights").iterdir()}
    assert settings and len(weights) >= 4
    assert modules | settings | weights | {"recognizer/py.typed"} <= set(wheel.namelist())
    extra = {name for name in wheel.namelist() if not name.startswith(("recognizer/", "recognizer-"))}
    assert not extra, "only the package is installed"


def test_the_commands_and_the_licence(wheel: zipfile.ZipFile) -> None:
    about = next(name.rpartition("/")[0] for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    commands = wheel.read(f"{about}/entry_points.txt").decode()
    assert "recognizer-train = recognizer.train:main" in commands
    assert "recognizer-transcribe = recognizer.transcribe:run" in commands
    metadata = wheel.read(f"{about}/METADATA").decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert f"{about}/licenses/LICENSE" in wheel.namelist()


def test_the_lock_pins_everything_and_names_no_place() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert pins
    assert all("==" in line.split(";")[0] for line in pins)
    assert "://" not in text
    assert "--" not in text


@pytest.mark.parametrize(
    ("given", "found"),
    [({}, "1000 None"), ({"GOMP_SPINCOUNT": "7"}, "7 None"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None ACTIVE")],
)
def test_threads_that_wait_let_others_work_unless_the_user_says_otherwise(given: dict[str, str], found: str) -> None:
    """Before torch is loaded, since OpenMP looks but once."""
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    environment = {name: value for name, value in os.environ.items() if name not in names} | given
    program = f"import sys, os, recognizer; assert 'torch' not in sys.modules; print(*map(os.environ.get, {names}))"
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip() == found


@pytest.mark.parametrize(
    ("quota", "given", "found"),
    [(None, {}, "None"), (1, {}, "1"), (1, {"OMP_NUM_THREADS": "3"}, "3")],
)
def test_torch_has_no_more_threads_than_a_container_has_cores(
    quota: int | None, given: dict[str, str], found: str, tmp_path: Path
) -> None:
    if quota:
        (tmp_path / "cpu.max").write_text(f"{quota * 100_000} 100000\n")
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"} | given
    program = f"""
import pathlib, os
real = pathlib.Path.read_text
def read(path, *rest, **more):
    return real(pathlib.Path({str(tmp_path)!r}) / path.name if "cgroup" in str(path) else path, *rest, **more)
pathlib.Path.read_text = read
import recognizer
print(os.environ.get("OMP_NUM_THREADS"))
"""
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip() == found
