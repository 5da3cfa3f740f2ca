"""The benchmark of variations: its lines, a run of three steps, and that nothing is done twice."""

from __future__ import annotations

import json
from pathlib import Path

import augmentation
import pytest
import tiny

from recognizer import manifest
from recognizer.manifest import Utterance


def test_each_kind_has_a_line_and_what_is_off_by_default_is_tried_beside_the_defaults() -> None:
    titles = [way.title for way in augmentation.ways("unipen", {"noise": None, "rooms": None})]
    assert titles[0] == "none" and {"slant", "jitter", "dropped", "defaults", "defaults, masks, jitter"} <= {*titles}
    titles = [way.title for way in augmentation.ways("an4", {"noise": "a folder", "rooms": None})]
    assert {"noise", "defaults, masks, noise"} <= {*titles} and "rooms" not in titles
    for way in augmentation.ways("froc", {}):
        assert way.against in {"", "none", "defaults", "defaults, masks"}
        on = {kind for kind, amount in way.vary.items() if amount} if isinstance(way.vary, dict) else set()
        usual = {"tilt", "stretch", "size", "move", "wave", "thickness", "noise"} if "defaults" in way.title else set()
        assert on == usual | {way.title.rpartition(", ")[2]} - {"none", "masks", "defaults"}
    assert {"stretch", "shear", "defaults, masks, shear"} <= {way.title for way in augmentation.ways("froc", {})}


def test_a_line_named_alone_brings_what_it_is_compared_with() -> None:
    found = augmentation.chosen(augmentation.ways("unipen", {}), ["defaults, masks, jitter", "slant"])
    assert [way.title for way in found] == ["none", "slant", "defaults, masks", "defaults, masks, jitter"]


def test_changes_are_paired_by_seed() -> None:
    way = augmentation.Way("slant", {"slant": 0.15, "jitter": 0.0}, False, "none")
    results = [{"cer": cer, "wer": 1.0, "seconds": 60.0} for cer in (0.50, 0.40)]
    line = augmentation.row(way, results, {"slant": [50.0, 40.0], "none": [52.0, 41.0]})
    assert line == "| slant 0.15 | no | 45.00 | 100.0 | -1.50 ± 0.50 | 2 | 1.0 |"


def test_runs_are_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [Utterance(str(tiny.ink(tmp_path / f"{seed}.json", seed)), "ab") for seed in range(2)]
    manifest.write(tmp_path / "all.tsv", rows)
    flags = ["--data.sample=null", f"--data.train={tmp_path / 'all.tsv'}", f"--data.val={tmp_path / 'all.tsv'}"]
    flags += ["--model.width=8", "--trainer.accelerator=cpu", "--steps", "3", "--only", "jitter"]
    kept = ["--runs", str(tmp_path / "runs.jsonl"), "--output", str(tmp_path / "out.md")]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["augmentation.py", "ink", *flags, *kept])
    assert augmentation.main() == 0
    lines = (tmp_path / "runs.jsonl").read_text().splitlines()
    assert [json.loads(line)["title"] for line in lines] == ["none", "jitter"]
    assert "| jitter 0.02 | no |" in (tmp_path / "out.md").read_text()
    assert augmentation.main() == 0
    assert (tmp_path / "runs.jsonl").read_text().splitlines() == lines
    assert not list(tmp_path.rglob("*.ckpt"))
