"""Variants of signals: a function of the signal and the chance, off means untouched, and each does what it says."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import Any

import numpy
import pytest
import soundfile
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as some
from numpy.typing import NDArray

from recognizer import frontends, variations
from recognizer.errors import ConfigError, InputError
from recognizer.ink import Ink
from recognizer.noise import hiss
from recognizer.sound import Folder
from recognizer.variations import VARIATIONS
from recognizer.variations.line import Line, blurred, placed, spread
from recognizer.variations.pen import Pen
from recognizer.variations.speech import Speech, filtered, gated, mixed, reverberant

STRONG: dict[str, dict[str, Any]] = {
    "speech": {"speed": 0.5, "cut": 0.1, "rooms": "rooms", "noise": "noise", "equaliser": 12.0, "telephone": 1.0,
               "hiss": 1.0, "gate": 1.0, "gain": 20.0},
    "pen": {"slant": 0.5, "rotation": 0.3, "scale": 0.5, "waver": 0.4, "ripple": 0.2, "shake": 0.2, "jitter": 0.05,
            "dropped": 0.9},
    "line": {"shear": 0.6, "tilt": 0.1, "stretch": 0.5, "size": 0.4, "move": 0.2, "wave": 0.2, "thickness": 1.0,
             "blur": 1.0, "contrast": 1.0, "noise": 60.0},
}  # fmt: skip
"""Every kind of every member, and an amount of it that is far above the default."""
EACH = [(name, kind) for name, kinds in STRONG.items() for kind in kinds]


def voice(seconds: float = 1.0, seed: int = 0) -> torch.Tensor:
    """Harmonics that come and go, and some breath, nearly silent in the end."""
    chance, time = numpy.random.default_rng(seed), numpy.arange(round(seconds * 16_000)) / 16_000
    wave = sum(numpy.sin(2 * numpy.pi * 140 * k * time + chance.uniform(0, 6)) / k for k in range(1, 40))
    wave = 0.05 * wave * (0.3 + numpy.sin(2 * numpy.pi * 3 * time) ** 2) + chance.normal(0, 0.002, len(time))
    wave[round(0.9 * len(wave)) :] *= 0.01
    return torch.from_numpy(wave.astype(numpy.float32))


def hand() -> Ink:
    """Loops, then a dot above the third."""
    turn = numpy.linspace(0, 20, 200)
    loops = numpy.stack([8 * turn + 9 * numpy.sin(turn), 10 * numpy.cos(turn)], 1).astype(numpy.float32)
    return Ink((loops[:90], loops[90:], numpy.float32([[60, 20]])))


def bars(columns: int = 240) -> NDArray[numpy.uint8]:
    """Strokes of ink, upright and level, with paper all around."""
    line = numpy.zeros((48, columns), numpy.uint8)
    for left in range(20, columns - 30, 24):
        line[12:36, left : left + 4] = 220
        line[20:23, left : left + 14] = 180
    return line


SIGNALS: dict[str, Any] = {"speech": voice(), "pen": hand(), "line": bars()}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Ink):
        pairs = list(zip(one.strokes, other.strokes, strict=True))
        return all(numpy.array_equal(first, second) for first, second in pairs)
    return bool(numpy.array_equal(numpy.asarray(one), numpy.asarray(other)))


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`noise` and `rooms`, with files of several kinds and rates in them."""
    chance = numpy.random.default_rng(0)
    (tmp_path / "noise" / "street").mkdir(parents=True)
    (tmp_path / "rooms").mkdir()
    soundfile.write(tmp_path / "noise" / "fan.wav", 0.1 * chance.standard_normal(8000), 8000)
    soundfile.write(tmp_path / "noise" / "street" / "cars.flac", 0.1 * chance.standard_normal((66_150, 2)), 44_100)
    soundfile.write(tmp_path / "noise" / "street" / "rain.ogg", 0.1 * chance.standard_normal(32_000), 16_000)
    (tmp_path / "noise" / "read me.txt").write_text("no sound")
    decay = chance.standard_normal(4000) * 0.3 * 10 ** (-numpy.arange(4000) / 2000)
    decay[:50], decay[50] = 0, 1
    soundfile.write(tmp_path / "rooms" / "hall.wav", decay, 16_000, subtype="FLOAT")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def alone(name: str, kind: str, **more: Any) -> Any:
    """The member with one kind on and all others off."""
    return variations.build(name, VARIATIONS[name].off() | {kind: STRONG[name][kind]} | more)


# ---- laws of all members


def test_each_front_end_has_a_variation_and_the_laws_are_tested_for_each_kind() -> None:
    assert VARIATIONS.keys() == frontends.FRONTENDS.keys() == STRONG.keys()
    for name, member in VARIATIONS.items():
        assert member.name == name and tuple(STRONG[name]) == member.kinds == tuple(member.off())


@pytest.mark.parametrize("name", VARIATIONS)
def test_all_off_is_the_same_bit_for_bit(name: str) -> None:
    still = variations.build(name, VARIATIONS[name].off())
    assert still is not None
    for seed in range(5):
        assert same(still(SIGNALS[name], numpy.random.default_rng(seed)), SIGNALS[name])


@pytest.mark.parametrize(("name", "kind"), [*EACH, *((name, None) for name in VARIATIONS)])
def test_a_variant_is_a_function_of_signal_and_chance_and_the_signal_stays(
    folders: Path, name: str, kind: str | None
) -> None:
    signal = SIGNALS[name]
    kept = pickle.loads(pickle.dumps(signal))
    member = alone(name, kind) if kind else variations.build(name, True)
    assert member is not None
    once = [member(signal, numpy.random.default_rng(seed)) for seed in range(12)]
    again = pickle.loads(pickle.dumps(member))  # as another process has it
    assert all(same(variant, again(signal, numpy.random.default_rng(seed))) for seed, variant in enumerate(once))
    assert same(signal, kept)
    changed = [not same(variant, signal) for variant in once if not isinstance(variant, torch.Tensor)]
    changed += [len(variant) != len(signal) or not torch.equal(variant, signal) for variant in once if
                isinstance(variant, torch.Tensor)]  # fmt: skip
    assert any(changed)


@pytest.mark.parametrize(("name", "kind"), [*EACH, *((name, None) for name in VARIATIONS)])
def test_a_variant_is_a_signal_of_the_same_kind_and_passes_the_front_end(
    folders: Path, name: str, kind: str | None
) -> None:
    frontend = frontends.build({"name": name})
    member = alone(name, kind) if kind else variations.build(name, STRONG[name])
    assert member is not None
    for seed in range(6):
        signal = SIGNALS[name]
        variant = member(signal, numpy.random.default_rng(seed))
        assert type(variant) is type(signal)
        if name == "speech":
            assert variant.dtype == torch.float32 and variant.dim() == 1 and variant.isfinite().all()
            assert len(variant) == len(signal) or kind in (None, "speed", "cut")
            assert 0.5 * len(signal) < len(variant) < 1.5 * len(signal)
        if name == "pen":
            assert len(variant.strokes) == len(signal.strokes)
            for before, after in zip(signal.strokes, variant.strokes, strict=True):
                assert after.dtype == numpy.float32 and after.shape[1] == 2 and numpy.isfinite(after).all()
                assert len(after) == len(before) or (kind in (None, "dropped") and 1 <= len(after) < len(before))
        if name == "line":
            assert variant.dtype == numpy.uint8 and variant.shape[0] == 48
            assert variant.shape[1] == signal.shape[1] or kind in (None, "stretch")
            assert 0.2 < variant.mean() / signal.mean() < 3.5 or kind in (None, "noise")
        frames = frontend.frames(variant)
        assert frames.isfinite().all() and len(frames) >= 1 and frames.shape[1] == frontend.size


@pytest.mark.parametrize("name", VARIATIONS)
def test_the_shortest_signals_are_taken(folders: Path, name: str) -> None:
    short: dict[str, list[Any]] = {
        "speech": [torch.zeros(1), torch.full((200,), 0.1), torch.zeros(4000)],
        "pen": [Ink((numpy.float32([[0, 0]]),)), Ink((numpy.float32([[0, 0], [1, 0]]), numpy.float32([[2, 1]])))],
        "line": [numpy.full((48, width), 200, numpy.uint8) for width in (1, 2, 4, 9)],
    }
    frontend, member = frontends.build({"name": name}), variations.build(name, STRONG[name])
    assert member is not None
    for signal in short[name]:
        for seed in range(10):
            assert frontend.frames(member(signal, numpy.random.default_rng(seed))).isfinite().all()


# ---- settings


def test_settings_differ_from_the_defaults_and_false_is_nothing() -> None:
    assert variations.build("speech", False) is None
    assert variations.build("glove", True) is None
    assert same(
        variations.build("pen", True)(hand(), numpy.random.default_rng(1)),  # type: ignore[misc]
        variations.build("pen", {"slant": 0.15})(hand(), numpy.random.default_rng(1)),  # type: ignore[misc]
    )


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("speech", {"spede": 0.1}, "data.vary.spede: 'speech' has no such setting; did you mean 'speed'"),
        ("speech", {"slant": 0.1}, "data.vary.slant: 'speech' has no such setting"),
        ("line", {"name": "pen"}, "data.vary.name: is no setting"),
        ("glove", {"speed": 0.1}, "data.vary: unknown name 'glove'"),
        ("speech", {"speed": -0.1}, "data.vary.speed: is -0.1; give a number from 0"),
        ("speech", {"telephone": 1.1}, "data.vary.telephone: is 1.1"),
        ("speech", {"hiss": True}, "data.vary.hiss: is True"),
        ("speech", {"gain": "loud"}, "data.vary.gain: is 'loud'"),
        ("speech", {"snr": [20, 10]}, "data.vary.snr: is \\[20, 10\\]"),
        ("speech", {"snr": 10}, "data.vary"),
        ("speech", {"noise": "nowhere"}, "data.vary.noise: there is no folder 'nowhere'"),
        ("pen", {"dropped": 1.0}, "data.vary.dropped: is 1.0; .* to 0.95"),
        ("line", {"noise": float("nan")}, "data.vary.noise: is nan"),
    ],
)
def test_what_cannot_be_is_refused_by_name(name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        variations.build(name, given)


def test_what_was_never_shown_to_help_is_off() -> None:
    for name, kinds in {
        "speech": ["rooms", "noise", "gate"],
        "pen": ["jitter", "dropped"],
        "line": ["shear", "blur", "contrast"],
    }.items():
        member = variations.build(name, True)
        assert not any(getattr(member, kind) for kind in kinds)


# ---- speech


@pytest.mark.parametrize(("name", "signal"), [("speech", voice(2.0)), ("line", bars())])
def test_it_is_known_beforehand_how_long_a_variant_will_be(name: str, signal: Any) -> None:
    settings = {"cut": 0.0} if name == "speech" else {}
    vary = variations.build(name, settings)
    assert vary is not None
    told = [vary.stretch(numpy.random.default_rng(seed)) for seed in range(50)]
    for seed, stretch in enumerate(told):
        variant = vary(signal, numpy.random.default_rng(seed))
        assert variant.shape[-1] == pytest.approx(stretch * signal.shape[-1], abs=2)
    assert min(told) < 0.95 and max(told) > 1.05


def test_speed_alone_changes_the_duration() -> None:
    member, signal = alone("speech", "speed", speed=0.25), voice(0.5)
    lengths = [len(member(signal, numpy.random.default_rng(seed))) / len(signal) for seed in range(100)]
    assert 0.8 - 1e-3 <= min(lengths) < 0.82 and 1.2 < max(lengths) <= 1.25


@pytest.mark.parametrize("snr", [-5.0, 0.0, 12.5, 40.0])
@pytest.mark.parametrize("kind", ["noise", "hiss"])
def test_the_noise_is_as_loud_as_was_asked_for(folders: Path, kind: str, snr: float) -> None:
    signal = voice().double()
    member = alone("speech", kind, snr=[snr, snr], noise_share=1.0)
    for seed in range(8):
        added = member(voice(), numpy.random.default_rng(seed)).double() - signal
        assert 10 * float((signal.square().mean() / added.square().mean()).log10()) == pytest.approx(snr, abs=0.1)


def above(wave: numpy.ndarray, hertz: float) -> float:
    """Share of a wave's power above so many Hz."""
    power = numpy.abs(numpy.fft.rfft(wave)) ** 2
    return float(power[round(len(power) * hertz / 8000) :].sum() / power.sum())


def test_hiss_has_power_one_in_every_colour_from_bright_to_deep() -> None:
    noises = [hiss(32_000, numpy.random.default_rng(seed)) for seed in range(60)]
    assert all(numpy.mean(noise**2) == pytest.approx(1, rel=0.5) for noise in noises)
    bright = [above(noise, 4000) for noise in noises]
    assert min(bright) < 0.01 and max(bright) > 0.6


def test_half_of_the_hiss_passes_through_the_telephone() -> None:
    member = alone("speech", "hiss", telephone=1.0, snr=[0.0, 0.0], hiss=1.0)
    wide = [above(member(voice(), numpy.random.default_rng(seed)).numpy(), 4100) > 1e-4 for seed in range(60)]
    assert 15 <= sum(wide) <= 45  # those in whose device it arose


def test_noise_to_silence_and_silence_to_noise_change_nothing() -> None:
    wave, still = voice().numpy(), numpy.zeros(16_000, numpy.float32)
    assert numpy.array_equal(mixed(wave, still, 10), wave) and numpy.array_equal(mixed(still, wave, 10), still)
    assert numpy.array_equal(reverberant(wave, still), wave) and not reverberant(still, wave).any()


@pytest.mark.parametrize("before", [0, 1, 700])
@pytest.mark.parametrize("height", [1.0, 0.01])
def test_a_room_without_echo_changes_nothing(before: int, height: float) -> None:
    response = numpy.zeros(1000, numpy.float32)
    response[before] = height
    numpy.testing.assert_allclose(reverberant(voice().numpy(), response), voice().numpy(), atol=1e-6)


def test_a_room_moves_no_word_and_keeps_the_level() -> None:
    wave, chance = voice().numpy(), numpy.random.default_rng(0)
    response = (0.1 * chance.standard_normal(8000) * 10 ** (-numpy.arange(8000) / 4000)).astype(numpy.float32)
    response[:400] *= 0.01
    response[400] = 1.0
    out = reverberant(wave, response)
    assert len(out) == len(wave)
    assert numpy.mean(out**2) == pytest.approx(numpy.mean(wave**2), rel=1e-3)
    expected = numpy.convolve(wave, response[400:])[: len(wave)]
    numpy.testing.assert_allclose(out, expected * numpy.sqrt(numpy.mean(wave**2) / numpy.mean(expected**2)), atol=1e-5)
    click = numpy.zeros(4000, numpy.float32)
    click[1234] = 1.0
    assert int(numpy.argmax(numpy.abs(reverberant(click, response)))) == 1234


def test_a_telephone_takes_away_what_lies_above_4_khz() -> None:
    member = alone("speech", "telephone")
    hertz = numpy.fft.rfftfreq(16_000, 1 / 16_000)
    for seed in range(10):
        wave = torch.from_numpy(numpy.random.default_rng([seed]).standard_normal(16_000).astype(numpy.float32))
        heard, window = member(wave, numpy.random.default_rng(seed)), numpy.hanning(16_000)  # lest the edges ring
        power = [numpy.abs(numpy.fft.rfft(window * part.numpy())) ** 2 for part in (wave, heard)]
        above, within = hertz > 4050, (hertz > 400) & (hertz < 2500)
        assert 10 * numpy.log10(power[1][above].mean() / power[0][above].mean()) < -40
        assert 10 * numpy.log10(power[1][within].mean() / power[0][within].mean()) == pytest.approx(0, abs=0.1)


def test_the_share_of_telephones_is_as_told_and_each_is_equalised_too() -> None:
    wave = torch.from_numpy(numpy.random.default_rng(0).standard_normal(1600).astype(numpy.float32))

    def dull(**given: float) -> int:
        member = variations.build("speech", Speech.off() | given)
        assert member is not None
        spectra = (torch.fft.rfft(member(wave, numpy.random.default_rng(seed))).abs() for seed in range(200))
        return sum(bool(spectrum[450:].mean() < 0.1 * spectrum[100:300].mean()) for spectrum in spectra)

    assert 30 < dull(telephone=0.25) < 70 and dull(telephone=1.0) == 200 and dull(equaliser=2.0) == 0


def test_the_equaliser_has_the_gains_it_was_given() -> None:
    time = numpy.arange(16_000) / 16_000
    for hertz, gain in ((500, 6.0), (2000, -12.0)):
        wave = numpy.sin(2 * numpy.pi * hertz * time).astype(numpy.float32)
        out = filtered(wave, [0, 0, 0, 6, 0, -12, 0, 0])
        loud = [float(numpy.mean(part[2000:-2000] ** 2)) for part in (out, wave)]
        assert 10 * numpy.log10(loud[0] / loud[1]) == pytest.approx(gain, abs=0.1)


def test_a_gate_takes_as_much_as_told_from_what_is_quiet_and_nothing_from_what_is_not() -> None:
    loudness = numpy.repeat([0.01, 1.0, 0.05, 1.0, 0.001], 4000)
    wave = (numpy.random.default_rng(0).standard_normal(20_000) * loudness).astype(numpy.float32)
    out = gated(wave, threshold=30, depth=25)
    parts = [slice(4000 * k + 400, 4000 * k + 3600) for k in range(5)]  # 40, 0, 26, 0 and 60 dB below the loudest
    lost = [20 * numpy.log10(numpy.std(wave[part]) / numpy.std(out[part])) for part in parts]
    assert lost == pytest.approx([25, 0, 0, 0, 25], abs=1e-3)
    assert numpy.array_equal(gated(wave * 0, 30, 25), wave * 0)


def test_a_gate_shuts_before_the_hiss_of_the_device_or_behind_it() -> None:
    """What is silent is full of hiss, where that comes last, or lost 10 to 60 dB of it, where the gate comes last."""
    wave = torch.zeros(16_000)
    wave[4000:12_000] = torch.sin(torch.arange(8000) / 5)
    member, levels = Speech(**Speech.off() | {"hiss": 1.0, "gate": 1.0, "snr": (46.0, 46.0)}), []
    for seed in range(200):
        silence = member(wave, numpy.random.default_rng(seed))[:3000]
        levels.append(20 * float(silence.std().log10()) + 46 + 6)  # dB over what is meant: the tone's mean power is 1/4
    shares = numpy.array([sum(level > -6 for level in levels), sum(level < -9 for level in levels)]) / 200
    assert 0.15 < shares[0] < 0.35 and shares[1] > 0.6


def test_gain_is_exact_and_within_its_bounds() -> None:
    signal, found = voice(), []
    member = alone("speech", "gain", gain=6.0)
    for seed in range(100):
        factor = member(signal, numpy.random.default_rng(seed)) / signal
        assert float(factor.std()) < 1e-6
        found.append(20 * float(factor.mean().log10()))
    assert -6.001 < min(found) < -5.5 and 2.5 < max(found) < 3.001


def test_stretches_of_long_files_are_read_by_themselves_and_short_ones_begin_again(tmp_path: Path) -> None:
    ramp = numpy.linspace(0, 0.9, 70 * 16_000).astype(numpy.float32)
    soundfile.write(tmp_path / "long.wav", ramp, 16_000, subtype="FLOAT")
    folder = Folder(str(tmp_path), "here")
    for seed in range(5):
        stretch = folder.draw(numpy.random.default_rng(seed), 16_000)
        begin = int(numpy.argmin(numpy.abs(ramp - float(stretch[0]))))
        numpy.testing.assert_allclose(stretch.numpy(), ramp[begin : begin + 16_000], atol=1e-5)
    assert len(folder.draw(numpy.random.default_rng(0))) == 60 * 16_000
    (tmp_path / "long.wav").unlink()
    soundfile.write(tmp_path / "short.wav", ramp[::2000], 16_000, subtype="FLOAT")
    stretch = Folder(str(tmp_path), "here").draw(numpy.random.default_rng(0), 2000).numpy()
    assert numpy.array_equal(stretch[560:1120], stretch[:560]) and (numpy.diff(stretch) < 0).sum() == 4
    assert len(Folder(str(tmp_path), "here").draw(numpy.random.default_rng(0), 100)) == 100


def test_a_bad_file_of_noise_is_named_once_and_another_one_is_taken(
    folders: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folders / "noise" / "a.wav").write_bytes(b"RIFF no sound at all")
    folder, good = Folder("noise", "data.vary.noise"), Folder("noise", "data.vary.noise")
    with caplog.at_level(logging.WARNING):
        drawn = [folder.draw(numpy.random.default_rng(seed), 1000) for seed in range(20)]
    assert len(caplog.records) == 1
    assert "data.vary.noise: left out: noise/a.wav: is not a sound file" in caplog.records[0].message
    assert all(torch.equal(good.draw(numpy.random.default_rng(seed), 1000), drawn[seed]) for seed in (19, 3, 7))


def test_folders_without_sound_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no sound")
    with pytest.raises(ConfigError, match=r"here: no sound file lies below .*; use \.aif"):
        Folder(str(tmp_path), "here")
    (tmp_path / "a.wav").write_text("no sound")
    with pytest.raises(ConfigError, match="here: none of the 1 sound files below"):
        Folder(str(tmp_path), "here").draw(numpy.random.default_rng(0), 10)


# ---- pen

point = some.tuples(some.floats(-1e6, 1e6, width=32), some.floats(-1e6, 1e6, width=32))


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(some.lists(some.lists(point, min_size=1, max_size=12), min_size=1, max_size=6))
def test_any_ink_has_finite_variants(strokes: list[list[tuple[float, float]]]) -> None:
    ink = Ink(tuple(numpy.array(stroke, dtype=numpy.float32) for stroke in strokes))
    frontend = frontends.build({"name": "pen"})
    varied = Pen()(ink, numpy.random.default_rng(1))
    assert [len(points) for points in varied.strokes] == [len(points) for points in ink.strokes]
    assert frontend.frames(varied).isfinite().all()
    assert frontend.frames(Pen(jitter=0.1, dropped=0.9)(ink, numpy.random.default_rng(1))).isfinite().all()


def test_variants_of_ink_differ_but_not_much() -> None:
    frontend, chance = frontends.build({"name": "pen"}), numpy.random.default_rng(3)
    frames = frontend.frames(hand())
    for _ in range(5):
        other = frontend.frames(Pen()(hand(), chance))
        assert 0.6 * len(frames) < len(other) < 1.6 * len(frames)
        assert other.shape != frames.shape or not other.equal(frames)


def test_dropped_points_are_lost_and_nothing_else_moves() -> None:
    member = alone("pen", "dropped", dropped=0.6)
    shares = []
    for seed in range(60):
        for before, after in zip(hand().strokes, member(hand(), numpy.random.default_rng(seed)).strokes, strict=True):
            places = [int(numpy.flatnonzero((before == row).all(1))[0]) for row in after]
            assert places == sorted(set(places)) and places[0] == 0 and places[-1] == len(before) - 1
            shares += [1 - len(after) / len(before)] if len(before) > 50 else []
    assert min(shares) < 0.1 and 0.5 < max(shares) < 0.75


@pytest.mark.parametrize("kind", ["rotation", "slant", "scale"])
def test_ink_is_turned_sheared_or_widened_as_a_whole(kind: str) -> None:
    """One matrix maps all points: of determinant 1 and orthogonal, of determinant 1, or diagonal."""
    for seed in range(5):
        before = numpy.concatenate(hand().strokes) - hand().strokes[0][0]
        after = numpy.concatenate(alone("pen", kind)(hand(), numpy.random.default_rng(seed)).strokes)
        matrix, rest, *_ = numpy.linalg.lstsq(before, after, rcond=None)
        assert rest.max() < 1e-4 and not numpy.allclose(matrix, numpy.eye(2), atol=1e-3)
        if kind == "rotation":
            numpy.testing.assert_allclose(matrix @ matrix.T, numpy.eye(2), atol=1e-5)
        elif kind == "slant":
            numpy.testing.assert_allclose([matrix[0, 0], matrix[0, 1], matrix[1, 1]], [1, 0, 1], atol=1e-5)
        else:
            numpy.testing.assert_allclose([matrix[0, 1], matrix[1, 0], matrix[1, 1]], [0, 0, 1], atol=1e-5)


def test_jitter_is_as_strong_as_told() -> None:
    line = numpy.stack([numpy.arange(5000.0), 10 * numpy.sin(numpy.arange(5000.0) / 20)], 1).astype(numpy.float32)
    moved = Pen(**Pen.off() | {"jitter": 0.05})(Ink((line,)), numpy.random.default_rng(0)).strokes[0]
    spreads = (moved - (line - line[0])).std(0)  # 0.05 of a core height, which is some 15 here
    assert spreads[0] == pytest.approx(spreads[1], rel=0.05) and 0.4 < spreads[0] < 1.2


# ---- line


@pytest.mark.parametrize("shear", [-0.3, 0.1, 0.3])
def test_a_sheared_line_keeps_its_ink(shear: float) -> None:
    line = bars()
    out = placed(line, line.shape[1], shear=shear)
    assert out.astype(float).sum() == pytest.approx(line.astype(float).sum(), rel=0.03)
    rows = [(part.astype(float) @ numpy.arange(240)) / part.astype(float).sum(1) for part in (out[14:34], line[14:34])]
    steps = numpy.diff(rows[0] - rows[1])
    assert steps.mean() == pytest.approx(-shear, abs=0.01)  # columns by which a row moves against the one above


@pytest.mark.parametrize("columns", [200, 240, 290])
def test_a_stretched_line_has_its_ink_in_proportion(columns: int) -> None:
    line = bars()
    out = placed(line, columns)
    assert out.shape == (48, columns)
    assert out.astype(float).sum() / columns == pytest.approx(line.astype(float).sum() / 240, rel=0.03)


def test_ink_spreads_shrinks_and_blurs_as_told() -> None:
    line = numpy.zeros((9, 9), numpy.float32)
    line[4, 4] = 160
    assert spread(line, numpy.maximum).sum() == 9 * 160 and spread(line, numpy.minimum).sum() == 0
    assert blurred(line).sum() == 160 and blurred(line)[4, 4] == 40 and blurred(line)[3, 3] == 10
    thick, thin = numpy.full((9, 9), 70, numpy.float32), spread(spread(line, numpy.maximum), numpy.minimum)
    assert numpy.array_equal(spread(thick, numpy.minimum), thick) and numpy.array_equal(thin, line)


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("thickness", 0.5, 2.2), ("contrast", 0.15, 1.6), ("blur", 0.9, 1.1)]
)
def test_strokes_become_thicker_and_thinner_darker_and_paler(kind: str, low: float, high: float) -> None:
    member, line = alone("line", kind), bars()
    masses = [member(line, numpy.random.default_rng(seed)).mean() / line.mean() for seed in range(60)]
    assert low < min(masses) and max(masses) < high
    assert kind == "blur" or (min(masses) < 0.9 and max(masses) > 1.04)


def test_defaults_keep_a_line_much_as_it_was() -> None:
    line = bars()
    variants = [Line()(line, numpy.random.default_rng(seed)) for seed in range(60)]
    assert len({variant.tobytes() for variant in variants}) > 50
    for variant in variants:
        assert 0.84 < variant.shape[1] / line.shape[1] < 1.16 and 0.3 < variant.mean() / line.mean() < 2.5


# ---- front ends


@pytest.mark.parametrize("path", ["a#1.wav", "take #3/b.wav", "a#b#2.WAV", "#1.flac"])
def test_a_hash_in_a_name_is_part_of_it(path: str) -> None:
    assert frontends.of(path) == "speech"


def test_the_number_of_an_item_is_no_ending() -> None:
    assert frontends.of("notes#2.jsonl#3") == "pen"
    with pytest.raises(InputError, match="no front end reads"):
        frontends.of("a.wav#b")


def test_settings_are_plain_values() -> None:
    for name, kinds in STRONG.items():
        assert yaml.safe_load(yaml.safe_dump(kinds)) == kinds and VARIATIONS[name].off().keys() == kinds.keys()
