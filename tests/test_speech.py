"""Sound of any rate and layout becomes nearly the same frames; broken files are named."""

import itertools
import logging
import math

import numpy
import pytest
import soundfile
import torch
import torchaudio

from recognizer import sound
from recognizer.errors import ConfigError, InputError
from recognizer.frontends import speech
from recognizer.frontends.speech import Speech
from recognizer.variations.speech import filtered


def tone(seconds=1.2, rate=16_000, seed=0):
    """A voice-like sound below 3 kHz: harmonics that come and go."""
    time = numpy.arange(round(seconds * rate)) / rate
    chance = numpy.random.default_rng(seed)
    wave = sum(
        chance.uniform(0.2, 1) * numpy.sin(2 * numpy.pi * 140 * k * time + chance.uniform(0, 6)) for k in range(1, 21)
    )
    return (0.05 * wave * (0.3 + numpy.sin(2 * numpy.pi * 3 * time) ** 2)).astype(numpy.float32)


@pytest.fixture
def frontend():
    return Speech()


def frames(frontend, path, *part):
    return frontend.frames(frontend.read(str(path), *part))


@pytest.mark.parametrize("settings, size", [({}, 80), ({"bands": 40}, 40), ({"features": "mfcc"}, 39)])
def test_shape_is_as_told_and_bands_are_normal(tmp_path, settings, size):
    soundfile.write(tmp_path / "a.wav", tone(), 16_000)
    frontend = Speech(**settings)
    out = frames(frontend, tmp_path / "a.wav")
    assert out.shape == (120, size) == (frontend.length(str(tmp_path / "a.wav")), frontend.size)
    assert out.dtype == torch.float32 and out.isfinite().all()
    torch.testing.assert_close(out.mean(0), torch.zeros(size), atol=1e-4, rtol=0)
    assert torch.equal(out, frames(frontend, tmp_path / "a.wav"))


def test_mel_energies_are_those_of_torchaudio(frontend):
    wave = torch.from_numpy(tone(0.5))
    mel = torchaudio.transforms.MelSpectrogram(16_000, 512, 400, 160, 20.0, n_mels=80, center=False)
    # Without centring, a window of 512 that starts at sample 160 t - 176 is centred on 160 t + 80.
    padded = torch.nn.functional.pad(wave, (176, 512))
    expected = (mel(padded)[:, :50] + 1e-6).log()
    expected = expected - expected.mean(1, keepdim=True)
    expected = expected / expected.square().mean(1, keepdim=True).sqrt().clamp_min(1.0)
    torch.testing.assert_close(frontend.frames(wave), expected.T, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("step", [0.01, 0.009, 0.0083, 0.0025, 0.025])
def test_frames_stand_in_the_middle_of_their_steps(tmp_path, step):
    """A click is loudest in the frame whose step it falls into; lengths, margins and pieces are told in seconds."""
    frontend = Speech(step=step, margin=0.1)
    hop = round(16_000 * step)
    assert frontend.step == hop / 16_000 and frontend.config()["step"] == step
    for frame in (0, 7, 30):
        wave = torch.zeros(16_000)
        wave[frame * hop + hop // 2] = 1.0
        energy, _ = frontend.energy(wave)
        assert energy.shape[1] == -(-16_000 // hop)
        heard = energy.mean(0)
        assert heard[frame] == heard.max()
        reach = min(frame, 200 // hop)
        torch.testing.assert_close(heard[frame - reach : frame], heard[frame + 1 : frame + 1 + reach].flip(0))
    soundfile.write(tmp_path / "a.wav", tone(), 16_000)
    assert frontend.length(str(tmp_path / "a.wav")) == len(frames(frontend, tmp_path / "a.wav"))


def vowel(seconds, tilt):
    """A steady sound whose harmonics fall off by `tilt` dB each."""
    time = numpy.arange(round(seconds * 16_000)) / 16_000
    return torch.tensor(sum(10 ** (-tilt * k / 20) * numpy.sin(2 * numpy.pi * 200 * k * time) for k in range(1, 30)))


def test_average_speech_keeps_the_spectrum_of_a_short_word_and_fades_from_a_long_one():
    alone, beside = Speech(), Speech(prior=1.0)
    difference = [
        [(front.frames(vowel(seconds, 0.3).float()) - front.frames(vowel(seconds, 3).float())).mean(0).abs().mean()]
        for front in (alone, beside)
        for seconds in (0.3, 60)
    ]
    short_alone, long_alone, short_beside, long_beside = (value[0] for value in difference)
    assert short_alone < 1e-3 and long_alone < 1e-3  # each band is at its own mean
    assert short_beside > 0.3 and long_beside < short_beside / 10
    wave = torch.from_numpy(tone(40.0))
    assert (beside.frames(wave) - alone.frames(wave))[:, :30].abs().mean() < 0.15  # where the tone has any power


def whisper(seed):
    """0.4 s of noise that is loud in other bands for each seed."""
    chance = numpy.random.default_rng(seed)
    return torch.from_numpy(filtered(chance.normal(0, 0.1, 6400).astype(numpy.float32), chance.normal(0, 6, 8)))


def test_whoever_is_unknown_sounds_as_ever():
    frontend, wave = Speech(prior=1.0, floor=60.0, margin=0.12), torch.from_numpy(tone(0.4))
    assert torch.equal(frontend.accustomed([]).frames(wave), frontend.frames(wave))


def test_a_microphone_is_of_little_matter_once_it_is_known():
    frontend = Speech(prior=1.0, floor=60.0)
    here = [whisper(seed) for seed in range(20)]
    there = [torch.from_numpy(filtered(wave.numpy(), octaves=(9, 6, -6, -3, 3, -6, 3, 6))) for wave in here]

    def distance(one, other):
        return torch.stack([one.frames(a) - other.frames(b) for a, b in zip(here, there, strict=True)]).abs().mean()

    known = frontend.accustomed(iter(here)), frontend.accustomed(iter(there))
    assert distance(*known) < 0.35 * distance(frontend, frontend)
    assert distance(frontend, known[1]) > distance(*known)  # each is at home with its own microphone alone


@pytest.mark.parametrize("samples", [1, 4000])
def test_silence_has_nobodys_voice(samples):
    frontend = Speech(prior=1.0, floor=60.0, margin=0.12)
    known = frontend.accustomed([whisper(1)] * 10)
    assert known.frames(torch.zeros(samples)).abs().max() < 1e-4


def test_average_speech_has_no_accent():
    """A voice whose bands are those of AVERAGE leaves the frames as they are, but for what average speech weighs."""
    frontend = Speech(prior=1.0)
    usual = numpy.interp(speech.places(80), numpy.linspace(0, 1, len(speech.AVERAGE)), speech.AVERAGE)
    energy = torch.from_numpy(usual).float()[:, None].expand(80, 50)
    frontend.energy = lambda signal: (energy, energy.min())
    known = frontend.accustomed([torch.zeros(1)] * 100)
    torch.testing.assert_close(known._voice, torch.full((80, 1), known._voice.mean().item()), atol=1e-5, rtol=0)


@pytest.mark.parametrize("settings", [{}, {"features": "mfcc", "prior": 1.0}])
def test_there_is_nothing_to_get_accustomed_to_where_each_utterance_is_normal_by_itself(settings):
    with pytest.raises(ConfigError, match=r"mean 0 by itself; leave it out, or train with frontend\.prior"):
        Speech(**settings).accustomed([])


@pytest.mark.parametrize("features", ["mel", "mfcc"])
def test_with_a_floor_and_average_speech_loudness_is_of_no_matter(features):
    frontend = Speech(features, prior=1.0, floor=50.0, margin=0.1)
    wave = torch.from_numpy(tone(0.4))
    torch.testing.assert_close(frontend.frames(0.5 * wave), frontend.frames(wave), atol=5e-2, rtol=1e-2)


@pytest.mark.parametrize("settings", [{}, {"prior": 1.0, "floor": 50.0}])
def test_margins_are_silence_and_move_nothing(tmp_path, settings):
    plain, wide = Speech(**settings), Speech(**settings, margin=0.12)
    soundfile.write(tmp_path / "a.wav", tone(0.5), 16_000)
    ours, wider = frames(plain, tmp_path / "a.wav"), frames(wide, tmp_path / "a.wav")
    assert len(wider) == len(ours) + 24 == wide.length(str(tmp_path / "a.wav"))
    torch.testing.assert_close(wider[12:-12], ours)
    assert (wider[:12] == wider[0]).all() and (wider[-12:] == wider[0]).all()
    assert (wider[0] <= ours.min(0).values + 1e-4).all()


@pytest.mark.parametrize("samples", [1, 2, 159, 160, 161, 399, 400, 5000])
def test_even_the_shortest_sound_has_finite_frames(frontend, samples):
    out = frontend.frames(torch.randn(samples))
    assert out.shape == (-(-samples // 160), 80) and out.isfinite().all()


def test_silence_stays_quiet(frontend):
    assert frontend.frames(torch.zeros(16_000)).abs().max() < 1e-4
    assert Speech(prior=1.0, floor=50.0, margin=0.1).frames(torch.zeros(16_000)).abs().max() < 1e-4
    assert frontend.frames(1e-4 * torch.randn(16_000)).abs().mean() < 1.0


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 22_254, 44_100, 44_101, 48_000, 96_000])
def test_other_rates_give_nearly_the_same_frames(tmp_path, frontend, rate):
    soundfile.write(tmp_path / "a.wav", tone(), 16_000)
    soundfile.write(tmp_path / "b.wav", tone(rate=rate), rate)
    low = slice(0, 40)  # bands below 2 kHz, which every rate has
    ours, other = frames(frontend, tmp_path / "a.wav")[:, low], frames(frontend, tmp_path / "b.wav")[:, low]
    assert abs(len(ours) - len(other)) <= 1
    difference = (ours[2:118] - other[2:118]).abs()
    assert difference.mean() < 0.03 and difference.max() < 1.0


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_usual_rates_are_resampled_by_torchaudio_and_the_other_way_is_the_same(rate):
    wave = torch.randn(rate + 3)
    expected = torchaudio.functional.resample(wave, rate, 16_000)
    assert torch.equal(sound.resampled(wave, rate), expected)
    # In single precision torchaudio's filters are off by 1e-4 where there are many of them.
    exact = torchaudio.functional.resample(wave.double(), rate, 16_000)
    other = sound.interpolated(wave, rate)
    assert len(other) == len(expected)
    torch.testing.assert_close(other.double(), exact, atol=3e-6, rtol=0)


@pytest.mark.parametrize("rate", [15_999, 16_001, 22_254, 44_101, 383_999])
def test_odd_rates_keep_time_and_need_no_filter_for_each_phase(rate, monkeypatch):
    monkeypatch.setattr(torchaudio.functional, "resample", None)
    time = torch.arange(2 * rate, dtype=torch.float64) / rate
    wave = sound.resampled(torch.cos(2 * torch.pi * 200 * time).float(), rate)
    wanted = torch.cos(2 * torch.pi * 200 * torch.arange(32_000) / 16_000)
    torch.testing.assert_close(wave[99:-99], wanted[99:-99], atol=0.01, rtol=0)


@pytest.mark.parametrize("rate, count", [(1, 3), (13, 1), (44_101, 1), (2**31 - 1, 300_000)])
def test_absurd_rates_give_as_many_samples_as_they_last(rate, count):
    wave = sound.resampled(torch.ones(count), rate)
    assert len(wave) == -(-count * 16_000 // rate) and wave.isfinite().all()


@pytest.mark.parametrize(
    "suffix, subtype, tolerance",
    [
        ("wav", "PCM_U8", 0.25),
        ("wav", "FLOAT", 1e-06),
        ("wav", "ULAW", 0.25),
        ("flac", "PCM_16", 0.02),
        ("ogg", "VORBIS", 0.25),
        ("mp3", "MPEG_LAYER_III", 0.25),
        ("aiff", "PCM_24", 0.001),
    ],
)
def test_every_coding_is_read(tmp_path, frontend, suffix, subtype, tolerance):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone(), 16_000, subtype=subtype)
    out = frames(frontend, path)[:120]
    loud = frontend.frames(torch.from_numpy(tone()))[: len(out), :40]
    assert (out[:, :40] - loud).abs().mean() < tolerance


def test_channels_are_averaged_and_said_once(tmp_path, frontend, caplog):
    parts = numpy.stack([tone(seed=seed) for seed in range(6)], axis=1)
    soundfile.write(tmp_path / "six.wav", parts, 16_000, subtype="FLOAT")
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            signal = frontend.read(str(tmp_path / "six.wav"))
    torch.testing.assert_close(signal, torch.from_numpy(parts.mean(1)))
    assert [record.message for record in caplog.records] == [
        f"{tmp_path / 'six.wav'}: 16000 Hz, 6 channel(s), read as 16000 Hz mono (said once)"
    ]


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_parts_equal_the_whole(tmp_path, frontend, suffix):
    path = str(tmp_path / f"a.{suffix}")
    soundfile.write(path, tone(3.0), 16_000)
    whole = frontend.read(path)
    cuts = [0.0, 0.37, 1.5, 2.99, 3.0]
    parts = [frontend.read(path, start, end) for start, end in itertools.pairwise(cuts)]
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-4, rtol=0)
    assert frontend.length(path, 0.37, 1.5) == len(frontend.frames(parts[1])) == 113


def test_long_recordings_are_cut_in_pauses(tmp_path, frontend):
    wave = numpy.concatenate([tone(1.2, seed=number) for number in range(120)])
    pauses = [50.0, 95.5]
    for pause in pauses:
        wave[round((pause - 0.25) * 16_000) : round((pause + 0.25) * 16_000)] = 0
    soundfile.write(tmp_path / "long.wav", wave, 16_000)
    parts = frontend.parts(str(tmp_path / "long.wav"))
    assert [start for start, _ in parts[1:]] == [end for _, end in parts[:-1]]
    assert parts[0][0] is None and parts[-1][1] is None
    assert [part[1] for part in parts[:-1]] == pytest.approx(pauses, abs=0.3)


@pytest.mark.parametrize(
    "part, message", [((5.0, None), "from 5 s to its end, it lasts 1.2 s"), ((0.5, 9.0), "to 9 s, it lasts 1.2 s")]
)
def test_parts_that_do_not_exist_are_refused(tmp_path, frontend, part, message):
    soundfile.write(tmp_path / "a.wav", tone(), 16_000)
    with pytest.raises(InputError, match=message):
        frontend.read(str(tmp_path / "a.wav"), *part)


@pytest.mark.parametrize(
    "settings", [{"features": "plp"}, {"bands": 0}, {"coefficients": 99}, {"step": 0.0}, {"step": math.nan}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        Speech(**settings)


def test_nothing_is_as_long_as_asked_and_finite(frontend):
    for seed in range(20):
        out = frontend.frames(frontend.nothing(50, numpy.random.default_rng(seed)))
        assert out.shape == (50, 80) and out.isfinite().all()
