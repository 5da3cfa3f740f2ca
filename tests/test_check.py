"""Manifests with known faults -> each is found and named; what is sound passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
import soundfile

from recognizer import check, manifest
from recognizer.errors import ConfigError, InputError, ManifestError
from recognizer.manifest import Utterance

RATE = 16_000


def sound(path: Path, seconds: float) -> str:
    """Noise of that length."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = numpy.random.default_rng(0)
    soundfile.write(path, 0.1 * chance.standard_normal(round(seconds * RATE)), RATE)
    return str(path)


def table(path: Path, rows: list[Utterance]) -> str:
    manifest.write(path, rows)
    return str(path)


def faulty(folder: Path) -> str:
    """One sound item, and one of each kind that is not."""
    (folder / "text.wav").write_text("this is no sound")
    good = sound(folder / "good.wav", 1.0)
    rows = [
        Utterance(good, "good", speaker="anna"),
        Utterance(str(folder / "text.wav"), "broken", speaker="bob"),
        Utterance(str(folder / "none.wav"), "missing"),
        Utterance(good, " ", start=0.5),
        Utterance(sound(folder / "short.wav", 0.2), "oodles", speaker="bob"),
        Utterance(good, "good", speaker="anna"),
    ]
    return table(folder / "faulty.tsv", rows)


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    report = check.check(faulty(tmp_path), quiet=True)
    assert report.items == 6 and report.unit == "seconds" and not report.ok
    assert report.amount == pytest.approx(1 + 0.5 + 0.2 + 1)
    assert report.speakers == {"anna": 2, "bob": 2} and report.unnamed == 2
    assert [Path(finding.path).name for finding in report.unreadable] == ["text.wav", "none.wav"]
    assert [Path(finding.path).name for finding in report.empty] == ["good.wav from 0.5 to its end"]
    assert [Path(finding.path).name for finding in report.doubled] == ["good.wav"]
    # 20 frames are 5 steps; o-o-d-l-e-s needs one more for each letter, and one between the two equal ones.
    (short,) = report.short
    assert "20 frames, 5 after reduction by 4; 'oodles' needs 7" in short.what


@pytest.mark.parametrize(("reduction", "short"), [(1, 0), (2, 0), (3, 0), (4, 1)])
def test_the_reduction_decides_what_is_too_short(tmp_path: Path, reduction: int, short: int) -> None:
    path = table(tmp_path / "a.tsv", [Utterance(sound(tmp_path / "a.wav", 0.2), "oodles")])
    assert len(check.check(path, reduction=reduction, quiet=True).short) == short


def test_the_alphabet_is_counted_in_normal_form(tmp_path: Path) -> None:
    file = sound(tmp_path / "a.wav", 1.0)
    path = table(tmp_path / "a.tsv", [Utterance(file, "e\u0301 \u00e9"), Utterance(file, "a a a", start=0.1)])
    report = check.check(path, quiet=True)
    assert report.characters == {"\u00e9": 2, " ": 3, "a": 3}
    text = check.describe(report)
    assert "3 characters, 3 of them rare" in text and "space:3*" in text


def test_texts_that_hardly_belong_to_their_files_are_named(tmp_path: Path) -> None:
    file = sound(tmp_path / "a.wav", 8.0)
    rows = [Utterance(file, "ten letters"[: 8 + k % 3], start=k / 4, end=k / 4 + 1) for k in range(25)]
    rows.append(Utterance(file, "x", start=7, end=8))
    rows.append(Utterance(file, "a far too long text for a quarter of a second", start=7, end=7.25))
    report = check.check(table(tmp_path / "a.tsv", rows), reduction=1, quiet=True)
    assert [finding.what.split(" times ")[1][:5] for finding in report.odd] == ["fewer", "more "]


def test_people_and_items_in_two_manifests_are_named(tmp_path: Path) -> None:
    one = [Utterance(str(tmp_path / "a.wav"), "a", speaker="anna"), Utterance(str(tmp_path / "b.wav"), "b")]
    two = [Utterance(str(tmp_path / "c.wav"), "c", speaker="anna"), Utterance(str(tmp_path / "b.wav"), "b")]
    paths = [table(tmp_path / "one.tsv", one), table(tmp_path / "deep/two.tsv", two)]
    found = check.shared(paths)
    assert ["speaker anna" in found[0].what, found[1].path] == [True, str(tmp_path / "b.wav")] and len(found) == 2
    assert check.shared(paths[:1]) == []


def test_processes_find_what_one_finds(tmp_path: Path) -> None:
    path = faulty(tmp_path)
    assert check.check(path, workers=1, quiet=True) == check.check(path, workers=0, quiet=True)


def test_command_line(tmp_path: Path, capsys: Any) -> None:
    bad = faulty(tmp_path)
    assert check.main([bad, "--most", "1"]) == 1
    out = capsys.readouterr().out
    assert "unreadable: 2" in out and "and 1 more" in out and "6 items, 0.00 hours, 2 speakers" in out
    good = table(tmp_path / "good.tsv", [Utterance(sound(tmp_path / "good.wav", 1.0), "good", speaker="anna")])
    assert check.main([good]) == 0
    assert "unreadable" not in capsys.readouterr().out
    assert check.main([good, bad]) == 1
    assert "in more than one manifest: 2" in capsys.readouterr().out


def test_what_cannot_be_checked_is_one_line(tmp_path: Path, capsys: Any) -> None:
    assert check.main([str(tmp_path / "none.tsv")]) == 2
    error = capsys.readouterr().err
    assert "none.tsv" in error and error.count("\n") == 1
    with pytest.raises(ManifestError, match="no rows"):
        check.check(table(tmp_path / "empty.tsv", []))
    strange = table(tmp_path / "strange.tsv", [Utterance("a.docx", "a")])
    with pytest.raises(InputError, match=r"a\.docx"):
        check.check(strange)
    with pytest.raises(ConfigError, match="did you mean 'speech'"):
        check.check(strange, frontend="speach")
    with pytest.raises(ConfigError, match="reduction"):
        check.check(strange, reduction=0)
