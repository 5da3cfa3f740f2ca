"""Manifests come back as they were written; a bad row is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer import manifest
from recognizer.errors import ManifestError
from recognizer.manifest import Utterance

plain = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)
words = st.lists(plain, max_size=4).map(" ".join)
utterances = st.builds(
    Utterance,
    path=plain.map(lambda name: "/audio/" + name.replace("/", "_").replace(".", "_")),
    text=words,
    speaker=st.none() | plain,
    duration=st.none() | st.integers(0, 9999).map(lambda number: number / 8),
)


@given(st.lists(utterances, max_size=5))
def test_what_is_written_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("m") / "deep" / "train.tsv"
    manifest.write(path, rows)
    assert manifest.read(path) == rows


def test_paths_below_the_manifest_move_with_it(tmp_path):
    manifest.write(tmp_path / "one" / "all.tsv", [Utterance(str(tmp_path / "one" / "a.wav"), "a", 0.5, 1.25)])
    assert "/" not in (tmp_path / "one" / "all.tsv").read_text().splitlines()[1]
    (tmp_path / "one").rename(tmp_path / "two")
    assert manifest.read(tmp_path / "two" / "all.tsv") == [Utterance(str(tmp_path / "two" / "a.wav"), "a", 0.5, 1.25)]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"path\ttext\na.wav\n", r"line 2: 1 fields for 2 columns"),
        (b"path\tstart\na.wav\tsoon\n", r"line 2: start is 'soon'"),
        (b"path\tstart\na.wav\tnan\n", r"line 2: start is 'nan'"),
        (b"path\tstart\tend\na.wav\t2\t1\n", r"line 2: end 1 is not after start 2"),
        (b"path\ttext\n\ta\n", r"line 2: the path is empty"),
        (b"path\tspeeker\na.wav\tx\n", r"unknown column 'speeker' in line 1; did you mean 'speaker'"),
        (b"text\nhello\n", r"names no column 'path'"),
        (b"path\ttext\na.wav\t\xff\xfe\n", r"not UTF-8"),
    ],
)
def test_a_bad_row_is_named(tmp_path, content, message):
    (tmp_path / "bad.tsv").write_bytes(content)
    with pytest.raises(ManifestError, match=message):
        manifest.read(tmp_path / "bad.tsv")


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(ManifestError, match=r"none\.tsv: cannot be opened \(No such file"):
        manifest.read(tmp_path / "none.tsv")


def test_without_a_text_column_there_is_no_text(tmp_path):
    (tmp_path / "list.tsv").write_text("path\na.wav\n")
    assert manifest.read(tmp_path / "list.tsv")[0].text is None


def test_a_tab_cannot_be_written(tmp_path):
    with pytest.raises(ManifestError, match="tab"):
        manifest.write(tmp_path / "x.tsv", [Utterance("a\tb.wav", "")])


def test_of_a_manifest_with_a_name_that_is_not_utf8_nothing_is_written(tmp_path):
    with pytest.raises(ManifestError, match=r"path.*is not UTF-8; rename"):
        manifest.write(tmp_path / "x.tsv", [Utterance("a.wav", ""), Utterance("caf\udce9.wav", "")])
    assert not (tmp_path / "x.tsv").exists()


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("people", [2, 7, 50])
def test_split_keeps_people_apart(people, fraction):
    rows = [Utterance(f"{number}.wav", "", speaker=f"s{number % people}") for number in range(200)]
    train, val = manifest.split(rows, fraction)
    assert train and val and sorted(train + val, key=rows.index) == rows
    assert not {row.speaker for row in train} & {row.speaker for row in val}
    assert abs(len({row.speaker for row in val}) - fraction * people) <= 1


def test_one_speaker_cannot_be_split():
    with pytest.raises(ManifestError, match="1 speaker"):
        manifest.split([Utterance("a.wav", speaker="x"), Utterance("b.wav", speaker="x")], 0.5)
