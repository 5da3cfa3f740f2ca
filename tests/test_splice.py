"""New sentences in people's own voices: what is cut is what was said, what is joined is what was cut."""

import itertools

import numpy
import pytest
import soundfile
import tiny

from recognizer import frontends, manifest, pretrained, splice
from recognizer.espeak import Espeak
from recognizer.manifest import Utterance
from recognizer.sound import RATE
from recognizer.transcript import Transcript, Word

NUMBERS = ["one two three", "four five six", "seven eight nine", "ten eleven twelve", "six nine two", "one four seven"]


def bursts(*seconds):
    """Noise and silence by turns, the noise first."""
    chance = numpy.random.default_rng(0)
    parts = [chance.normal(0, 0.2 if number % 2 == 0 else 1e-4, round(length * RATE))
             for number, length in enumerate(seconds)]  # fmt: skip
    return numpy.concatenate(parts).astype(numpy.float32)


def answer(*words, start=0.0, duration=3.0):
    return Transcript("a.wav", "", 0.0, 1.0, tuple(Word(*word) for word in words), "seconds", duration, start)


def text(pieces):
    return [piece.text for piece in pieces]


@pytest.mark.parametrize("start", [0.0, 7.0])
def test_it_cuts_in_pauses_and_nowhere_else(start):
    wave = bursts(0.5, 0.2, 1.3, 0.2, 0.8)
    words = [("a", 0.1, 0.4, 1.0), ("b", 0.8, 1.2, 1.0), ("c", 1.4, 1.9, 1.0), ("d", 2.3, 2.9, 1.0)]
    placed = [(word, start + first, start + last, sure) for word, first, last, sure in words]
    given = Utterance("a.wav", "a b c d", start=start, end=start + 3, speaker="ann")
    pieces = list(splice.cut(given, answer(*placed, start=start), wave))
    assert text(pieces) == ["a", "b c", "d"]
    assert {(piece.path, piece.speaker) for piece in pieces} == {("a.wav", "ann")}
    assert [piece.start - start for piece in pieces] == pytest.approx([0, 0.6, 2.1], abs=0.1)
    assert pieces[-1].end == start + 3
    for piece, other in itertools.pairwise(pieces):
        assert piece.end == other.start


def test_a_piece_with_a_doubtful_word_is_left_out():
    wave = bursts(0.5, 0.2, 1.3, 0.2, 0.8)
    words = [("a", 0.1, 0.4, 1.0), ("b", 0.8, 1.2, 0.01), ("c", 1.4, 1.9, 1.0), ("d", 2.3, 2.9, 1.0)]
    pieces = list(splice.cut(Utterance("a.wav"), answer(*words), wave))
    assert text(pieces) == ["a", "d"] and pieces[0].speaker == "a.wav"


def test_silence_is_of_any_length_and_no_error():
    for count in (0, 1, 159, 160, 161, 999):
        levels = splice.loudness(numpy.zeros(count, numpy.float32))
        assert len(levels) == max(1, count // splice.MOMENT) and (levels == levels[0]).all()
        out = splice.levelled(numpy.zeros(count, numpy.float32), numpy.random.default_rng(0))
        assert len(out) == count and not out.any()


def test_runs_are_loud_alike_and_end_in_silence():
    chance = numpy.random.default_rng(1)
    for level in (0.01, 0.1, 1.0):
        wave = numpy.concatenate([numpy.zeros(RATE), level * bursts(0.5, 0.3, 0.5), numpy.zeros(RATE)])
        out = splice.levelled(wave.astype(numpy.float32), chance)
        assert numpy.percentile(splice.loudness(out), splice.LOUD) == pytest.approx(-20, abs=0.5)
        assert out[0] == out[-1] == 0 and 1.3 < len(out) / RATE < 1.3 + 2 * splice.PAUSE[1] + 0.02


def held(folder, spoken=20):
    """Pieces of one speaker, each of two of an utterance; the wave of piece n is the number n everywhere."""
    found = []
    for number in range(spoken):
        path = folder / f"{number}.wav"
        soundfile.write(path, numpy.full(2 * RATE, (number + 1) / 100), RATE)
        found += [
            Utterance(str(path), f"a{number}", 0, 1, 1, "ann"),
            Utterance(str(path), f"b{number}", 1, 2, 1, "ann"),
        ]
    return found


def test_a_new_text_is_said_in_it_and_by_nobody_else(tmp_path):
    pieces, frontend = held(tmp_path), frontends.build({"name": "speech"})
    of = {piece.text: piece for piece in pieces}
    lengths, runs = set(), 0
    for seed in range(60):
        wave, text = splice.joined(frontend, pieces, numpy.random.default_rng(seed))
        words = text.split()
        assert len(words) == len(set(words)) and set(words) <= set(of)
        assert len(words) <= splice.WORDS[1] and len(wave) / RATE <= splice.LONGEST
        assert len(wave) == len(words) * RATE  # nothing of it is silence
        runs += sum(word == "b" + last[1:] and last[0] == "a" for last, word in itertools.pairwise(words))
        lengths.add(len(words))
    assert len(lengths) > 8 and 50 < runs < 250


def test_the_same_seed_gives_the_same_corpus_and_who_says_little_is_left_out(tmp_path):
    pieces = held(tmp_path)
    few = [Utterance(piece.path, piece.text, piece.start, piece.end, 1, "bob") for piece in pieces[:10]]
    made = []
    for name, seed in (("x", 1), ("y", 1), ("z", 2)):
        (tmp_path / name).mkdir()
        made.append(splice.splice([*pieces, *few], tmp_path / name, 6, seed))
    assert text(made[0]) == text(made[1]) != text(made[2])
    for one, other in zip(*made[:2], strict=True):
        assert numpy.array_equal(soundfile.read(one.path)[0], soundfile.read(other.path)[0])
    assert text(manifest.read(tmp_path / "x/train.tsv")) == text(made[0])
    assert {one.speaker for one in manifest.read(tmp_path / "x/train.tsv")} == {"ann"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Three numbers at a time, said by a voice of eSpeak NG that pauses between them."""
    folder, voice = tmp_path_factory.mktemp("numbers"), Espeak()
    for number, said in enumerate(NUMBERS):
        words = [numpy.asarray(voice.say(word, "en-us", 150, 50, 50), float) for word in said.split()]
        gap = numpy.zeros(voice.rate // 5)
        wave = numpy.concatenate([part for word in words for part in (gap, word, gap)])
        soundfile.write(folder / f"{number}.wav", wave / numpy.abs(wave).max() / 2, voice.rate)
    (folder / "broken.wav").write_bytes(b"")
    rows = [Utterance(str(folder / f"{number}.wav"), said, speaker="en") for number, said in enumerate(NUMBERS)]
    manifest.write(folder / "train.tsv", [*rows, Utterance(str(folder / "broken.wav"), "one", speaker="en")])
    return folder


def test_what_is_joined_can_be_read(corpus, tmp_path, caplog):
    assert splice.main(["speech", str(corpus / "train.tsv"), "--out", str(tmp_path / "out"), "--count", "8"]) == 0
    assert "broken.wav" in caplog.text
    assert (
        splice.main(["--pieces", str(tmp_path / "out/pieces.tsv"), "--out", str(tmp_path / "again"), "--count", "8"])
        == 0
    )
    made, again = (manifest.read(tmp_path / name / "train.tsv") for name in ("out", "again"))
    assert text(made) == text(again) and not {*text(made)} & {*NUMBERS}
    read = pretrained.load("speech").transcribe([one.path for one in made])
    pairs = [(one.text.split(), other.text.split()) for one, other in zip(made, read, strict=True)]
    assert sum(len(one) for one, _ in pairs) > 30
    assert sum(len({*one} & {*other}) for one, other in pairs) > 0.8 * sum(len({*one}) for one, _ in pairs)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["speech"], "name MODEL and MANIFEST"),
        (["speech", "a.tsv", "--pieces", "b.tsv"], "name MODEL and MANIFEST"),
        (["speech", "a.tsv", "--count", "0"], "--count 0: give a whole number"),
        (["speech", "a.tsv", "--seed", "-1"], "--seed -1: give a whole number"),
    ],
)
def test_a_wrong_command_line_says_how(arguments, says, tmp_path, capsys):
    with pytest.raises(SystemExit):
        splice.main([*arguments, "--out", str(tmp_path)])
    assert says in capsys.readouterr().err


def test_what_cannot_be_spliced_is_named(corpus, tmp_path, capsys):
    out = ["--out", str(tmp_path / "out")]
    assert splice.main(["pen", str(corpus / "train.tsv"), *out]) == 2
    assert "pen reads pen" in capsys.readouterr().err
    few = tmp_path / "few.tsv"
    manifest.write(few, manifest.read(corpus / "train.tsv")[:2])
    assert splice.main([str(tiny.checkpoint(tmp_path / "a.ckpt", letters=" abc")), str(few), *out]) == 2
    assert "nobody of 0 speakers has 12 pieces" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert splice.main(["speech", str(few), "--out", str(tmp_path / "file/out")]) == 2
    assert "cannot be written" in capsys.readouterr().err
