"""The whole chain learns: from files of each kind to their texts, without a mistake."""

import json
from pathlib import Path

import numpy
import pytest
import soundfile
from PIL import Image
from pytorch_lightning import Trainer, seed_everything

from recognizer import manifest
from recognizer.corpus import Corpus
from recognizer.manifest import Utterance
from recognizer.model import Recognizer

TEXTS = ["a", "b", "ab", "ba", "aab", "abb", "aabb", "bab"]


def tones(path, text, chance):
    """a is a low tone, b a high one; pauses between."""
    parts = [numpy.zeros(1600)]
    for letter in text:
        time = numpy.arange(2400) / 16_000
        parts += [0.3 * numpy.sin(2 * numpy.pi * (400 if letter == "a" else 2500) * time), numpy.zeros(1200)]
    wave = numpy.concatenate(parts)
    soundfile.write(path, wave + 0.002 * chance.standard_normal(len(wave)), 16_000)


def bars(path, text, chance):
    """a is a low block, b a high one."""
    grey = numpy.full((32, 24 + 24 * len(text)), 230.0)
    for place, letter in enumerate(text):
        rows = slice(18, 26) if letter == "a" else slice(6, 14)
        grey[rows, 14 + 24 * place : 26 + 24 * place] = 30
    Image.fromarray((grey + chance.normal(0, 3, grey.shape)).clip(0, 255).astype(numpy.uint8)).save(path)


def strokes(path, text, chance):
    """a is a round, b a zigzag."""
    turn, drawn = numpy.linspace(0, 2 * numpy.pi, 30), []
    for place, letter in enumerate(text):
        shape = (numpy.cos(turn), numpy.sin(turn)) if letter == "a" else (turn / 3 - 1, 2 * ((turn * 0.64) % 2 > 1) - 1)
        drawn.append((10 * numpy.stack(shape, 1) + [30 * place, 0] + chance.normal(0, 0.3, (30, 2))).tolist())
    Path(path).write_text(json.dumps({"strokes": drawn}))


KINDS = {
    "pen": (strokes, "json", {"name": "pen"}),
    "speech": (tones, "wav", {"name": "speech", "bands": 20}),
    "line": (bars, "png", {"name": "line", "height": 16, "squeeze": 0.5, "body": False, "deskew": False}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*isinstance.treespec", "ignore:.*log_every")
def test_files_are_learnt_and_read(tmp_path, kind):
    seed_everything(0, verbose=False)
    make, suffix, frontend = KINDS[kind]
    chance = numpy.random.default_rng(0)
    rows = [Utterance(str(tmp_path / f"{number:02}.{suffix}"), text) for number, text in enumerate(TEXTS * 3)]
    for row in rows:
        make(row.path, row.text, chance)
    manifest.write(tmp_path / "train.tsv", rows[:16])
    manifest.write(tmp_path / "val.tsv", rows[16:])
    corpus = Corpus(
        str(tmp_path / "train.tsv"), str(tmp_path / "val.tsv"), frontend=frontend, vary=False, batch_most=4, nothing=0.1
    )
    model = Recognizer(
        corpus.alphabet, frontend, {"name": "stack", "reduction": 3}, depth=1, width=24, dropout=0.0, lr=0.02
    )
    trainer = Trainer(
        max_epochs=50, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, gradient_clip_val=1.0, check_val_every_n_epoch=50,
        default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(model, corpus)
    assert trainer.callback_metrics["val_cer"] == 0
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    read = Recognizer.load(tmp_path / "model.ckpt").transcribe([row.path for row in rows[16:]])
    assert [transcript.text for transcript in read] == TEXTS
    assert all(0 <= word.start < word.end <= one.duration + 1e-6 for one in read for word in one.words)
    assert all(one.confidence > 0.5 for one in read)
    if kind == "speech":
        soundfile.write(tmp_path / "silence.wav", numpy.zeros(24_000), 16_000)
        soundfile.write(tmp_path / "hiss.wav", 0.001 * chance.standard_normal(24_000), 16_000)
        quiet = Recognizer.load(tmp_path / "model.ckpt").transcribe([tmp_path / "silence.wav", tmp_path / "hiss.wav"])
        assert [transcript.text for transcript in quiet] == ["", ""]
