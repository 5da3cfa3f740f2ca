"""A checkpoint becomes a small model with a card that says what was measured; nothing is left half done."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
import torch

from recognizer import card, lm, release
from recognizer.network import Network


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkpoint of a run that wrote its log, with its corpus and a language model, in the working folder."""
    monkeypatch.chdir(tmp_path)
    made = tiny.checkpoint(Path("runs/mine/version_1/checkpoints/best.ckpt"), letters="abc ")
    for part, texts in (("train", ["a b", "abc"]), ("val", ["ab", "c"])):
        rows = ["path\ttext\tspeaker"]
        for place, text in enumerate(texts):
            tiny.sound(Path(f"corpora/mine/{part}{place}.wav"), 0.9, seed=place)
            rows.append(f"{part}{place}.wav\t{text}\t{part}{place}")
        Path(f"corpora/mine/{part}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    kept = torch.load(made, weights_only=True)
    data = {"train": ["corpora/mine/train.tsv"], "val": "corpora/mine/val.tsv", "batch_frames": 500, "cache": 7}
    torch.save(kept | {"epoch": 4, "global_step": 50, "datamodule_hyper_parameters": data}, made)
    folder = made.parent.parent
    (folder / "config.yaml").write_text("name: mine\nseed: 7\nfrom: null\n")
    rows = [f"{epoch},9,{1 - epoch / 10},,0.5,{0.9 - epoch / 30}" for epoch in range(30)]
    (folder / "metrics.csv").write_text("\n".join(["epoch,step,train_loss_epoch,lr,val_cer,val_wer", *rows]))
    Path("text.txt").write_text("abc ab\nc\n")
    assert lm.main(["text.txt", "--order", "2", "--output", "text.arpa.gz"]) == 0
    Path("out").mkdir()
    Path("out/mine.md").write_text(f"# mine\n\nCC BY.\n\n{card.MARK}\nold figures\n", encoding="utf-8")
    return made


def pack(run: Path, *more: str) -> int:
    return release.main([str(run), "out/mine", "--val", "corpora/mine/val.tsv", *more])


def test_it_is_half_the_size_and_reads_the_same(run: Path) -> None:
    assert pack(run) == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["mine.ckpt", "mine.md"]
    before, after = torch.load(run, weights_only=True), torch.load("out/mine.ckpt", weights_only=True)
    for name, weight in before["state_dict"].items():
        torch.testing.assert_close(after["state_dict"][name].float(), weight.float(), atol=1e-3, rtol=1e-3)
    assert after.keys() == {"recognizer_version", "hyper_parameters", "state_dict"}
    sound = "corpora/mine/val0.wav"
    assert Network.load("out/mine.ckpt").transcribe(sound)[0].text == Network.load(run).transcribe(sound)[0].text


def test_the_card_keeps_what_people_say_and_tells_what_is_known(run: Path) -> None:
    assert pack(run) == 0
    once = Path("out/mine.md").read_text(encoding="utf-8")
    assert once.startswith(f"# mine\n\nCC BY.\n\n{card.MARK}\n") and "old figures" not in once
    for told in (
        "| mine/val.tsv | 2 | 2 |",
        "| mine/train.tsv | 2 | 2 | 0.00 |",
        "Epochs: 5; steps: 50; seed: 7; begun with: weights of chance",
        '"batch_frames": 500',
        "| 30 | -1.900 | 50.00 | -6.67 |",
        "out/mine --val corpora/mine/val.tsv",
    ):
        assert told in once, told
    assert '"cache"' not in once and once.count("| 50.00 |") <= card.SHOWN
    assert pack(run) == 0 and Path("out/mine.md").read_text(encoding="utf-8") == once


def test_a_language_model_goes_with_it_and_is_left_out_again(run: Path) -> None:
    assert pack(run, "--lm", "text.arpa.gz", "--lm-weight", "0.7", "--word-bonus", "2", "--beam", "70") == 0
    model = Network.load("out/mine.ckpt")
    assert model.advice == {"lm": Path("out/mine.npz"), "weight": 0.7, "bonus": 2.0, "prior_weight": 0.2, "width": 70}
    assert "with its language model" in Path("out/mine.md").read_text(encoding="utf-8")
    assert pack(run) == 0
    assert not Path("out/mine.npz").exists() and not Network.load("out/mine.ckpt").advice


def test_what_cannot_be_packed(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*more: str) -> str:
        capsys.readouterr()
        before = sorted(Path("out").iterdir())
        assert pack(run, *more) == 2 and sorted(Path("out").iterdir()) == before
        return capsys.readouterr().err

    assert "no ARPA file" in refused("--lm", "text.txt")
    assert "gone.tsv" in refused("--train", "gone.tsv")
    assert "would give 24 features, and the network reads" in refused("--frontend", "bands=24")
    assert "pace" in refused("--frontend", "pace=2")
    for idle in (("--dictionary", "gone.dict"), ("--beam", "70"), ("--lm-weight", "0.5")):
        assert "--lm: is not given" in refused(*idle)
    with monkeypatch.context() as patch:
        patch.setattr(release, "LIMIT", 100)
        assert "100 are allowed" in refused()
    Path("corpora/mine/val1.wav").write_text("no sound")
    assert "val1.wav" in refused()
    Path("out/mine.md").write_text("# no mark")
    assert card.MARK in refused()
    Path("out/mine.md").unlink()
    assert "no model card" in refused()
    kept = torch.load(run, weights_only=True)
    kept["state_dict"]["linear.bias"][0] = 1e9
    torch.save(kept, run)
    Path("out/mine.md").write_text(card.MARK)
    assert "half precision" in refused()


def test_another_step_of_the_front_end_goes_along(run: Path) -> None:
    assert pack(run, "--frontend", "step=0.008", "margin=0.1") == 0
    made, before = Network.load("out/mine.ckpt"), Network.load(run)
    assert made.frontend.config() == before.frontend.config() | {"step": 0.008, "margin": 0.1}
    sound = "corpora/mine/val0.wav"
    assert made.frontend.length(sound) > 1.2 * before.frontend.length(sound)
    assert made.transcribe(sound)[0].duration == pytest.approx(before.transcribe(sound)[0].duration, abs=0.01)


def test_eight_bits_are_smaller_and_the_card_says_so(run: Path) -> None:
    assert pack(run) == 0
    half = Path("out/mine.ckpt").stat().st_size
    assert pack(run, "--bits", "8") == 0
    assert Path("out/mine.ckpt").stat().st_size < half
    assert "With matrices in eight bits " in Path("out/mine.md").read_text(encoding="utf-8")
    assert Network.load("out/mine.ckpt").transcribe("corpora/mine/val0.wav")
