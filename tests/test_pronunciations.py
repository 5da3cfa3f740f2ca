"""A pronouncing dictionary, read as its makers write it; and a network that learns phones beside characters."""

import gzip
import math
from pathlib import Path

import pytest
import tiny
import torch
from test_train import QUIET, SMALL

from recognizer import calibrate, card, lm, manifest, release
from recognizer.batch import Sample, collate
from recognizer.calibration import NEUTRAL
from recognizer.decoders import Beam
from recognizer.decoders.lexicon import Lexicon, Speller
from recognizer.errors import ConfigError, DictionaryError
from recognizer.manifest import Utterance
from recognizer.model import Recognizer
from recognizer.network import Network, language, spoken
from recognizer.pronunciations import Pronunciations
from recognizer.train import main, train
from recognizer.transcribe import main as transcribe

CMUDICT = ";;; by Carnegie Mellon\nTHE DH AH0\nTHE(2) DH IY0\nSEA  S IY1\nSEE  S IY1\n"
KALDI = "the DH AH0\nthe DH IY0\nsea S IY1\nsee S IY1\n"
LIKELY = "the\t0.8\tDH AH0\nthe\t0.2\tDH IY0\nsea\t1.0\t0.1\t1\tS IY1\nsee\tS IY1\n# the end\n"


@pytest.mark.parametrize("content", [CMUDICT.lower().replace(" dh", " DH"), KALDI, LIKELY])
def test_every_maker_s_layout_says_the_same(tmp_path, content):
    (tmp_path / "plain").write_text("\ufeff" + content, encoding="utf-8", newline="\r\n")
    (tmp_path / "packed").write_bytes(gzip.compress(content.encode()))
    for name in ("plain", "packed"):
        found = Pronunciations.read(tmp_path / name)
        assert list(found.listed) == ["the", "sea", "see"]
        assert [way.upper() for way in found.listed["the"]] == ["DH AH0", "DH IY0"]
        assert found.listed["sea"] == found.listed["see"]


def test_what_is_written_is_read_again_and_always_the_same(tmp_path):
    made = Pronunciations({"sea": ["s iː"], "a": ["ə", "eɪ"], "unheard": ["s"]})
    for name in ("one", "two"):
        made.only(["a", "sea", "unlisted"]).write(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert Pronunciations.read(tmp_path / "one").listed == {"a": ["ə", "eɪ"], "sea": ["s iː"]}


def test_texts_become_phones_as_words_are_usually_spoken():
    made = Pronunciations({"sea": ["s i"], "a": ["ə", "eɪ"]})
    assert made.labels == ("", " ", "eɪ", "i", "s", "ə")
    assert made.encode("a Sea") == [5, 1, 4, 3] and made.encode("") == []
    assert made.encode("a lake") is None
    assert made.missing(["a sea", "a lake", "lake lake"]) == (2, {"lake": 3})


def test_spellings_are_taken_by_their_phones():
    made = Pronunciations({"hatch": ["h tʃ"], "hutshop": ["h t ʃ"], "a": ["ə"]})
    speller = Speller(made.labels, 0, " ")
    for spelling, *_ in made.listed.values():
        assert " ".join(made.labels[label] for label in speller.spell(tuple(spelling.split()))) == spelling
    assert speller.spell(("h", "x")) == []


def test_a_dictionary_is_the_lexicon_of_its_phones():
    """Taken apart all at once, it is what the speller makes of it word by word, whatever the network knows beside."""
    made = Pronunciations({"sea": ["s iː"], "a": ["ə", "eɪ"], "see": ["s iː"], "us": ["ə s", "ʌ s"]})
    for labels in (made.labels, ("", " ", "ʌ", "z", *made.phones)):
        speller = Speller(labels, 0, " ")
        found = made.lexicon("mine", labels)
        told = Lexicon.of({word: [tuple(way.split()) for way in ways] for word, ways in made.listed.items()}, speller)
        assert (found.name, found.words, found.missing) == ("mine", told.words, ())
        for word in made.listed:
            assert sorted(found.spelt([word])) == sorted(told.spelt([word]))
            ways = [(word, speller.spell(tuple(way.split()))) for way in made.listed[word]]
            assert [*found.spelt([word.upper()])] == ways


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["lists no words"]),
        (b";;; nothing\n\n", ["lists no words"]),
        (b"the DH AH\nsea\n", ["line 2", "'sea' has no phones", "PHONE"]),
        (b"the 0.5\n", ["line 1", "'the' has no phones"]),
        ("thé T".encode("latin-1"), ["line 1", "not UTF-8"]),
        (gzip.compress(b"the DH AH\n")[:15], ["cannot be unpacked"]),
        (None, ["cannot be opened", "No such file"]),
    ],
)
def test_what_is_no_dictionary_is_explained(tmp_path, content, words):
    if content is not None:
        (tmp_path / "words").write_bytes(content)
    with pytest.raises(DictionaryError) as caught:
        Pronunciations.read(tmp_path / "words")
    assert all(word in str(caught.value) for word in [str(tmp_path / "words"), *words]), str(caught.value)


PHONES = Pronunciations({"ab": ["P Q"], "b": ["Q"], "ba": ["P", "Q"]})


def network(phones=PHONES.phones, sounds=0.3):
    torch.manual_seed(1)
    letters = {"characters": [" ", "a", "b"], "form": "NFC", "split": "character"}
    stem = {"name": "stack", "reduction": 2}
    given = {"depth": 1, "width": 6, "dropout": 0.0, "phones": list(phones), "sounds": sounds}
    model = Recognizer(letters, {"name": "speech", "bands": 16}, stem, **given)
    model._pronunciations = PHONES
    return model


def batch(*texts):
    chance = torch.Generator().manual_seed(3)
    rows = []
    for number, text in enumerate(texts):
        labels = torch.tensor([" ab".index(letter) + 1 for letter in text], dtype=torch.long)
        rows.append(Sample(torch.randn(30 + 2 * number, 16, generator=chance), labels, Utterance(f"{number}", text)))
    return collate(rows)


def test_both_outputs_learn_and_texts_with_unlisted_words_only_one():
    """Against torch's own CTC of each output by itself."""
    model, rows = network(), batch("ab b", "ba", "aa b", "")
    features, lengths = model.features(rows.frames, rows.lengths)
    (nats, letters), (other, phones) = model.parts(rows).values()
    assert (letters.item(), phones.item()) == (10.0, 5.0)

    def ctc(output, targets):
        values = output(features).log_softmax(-1).transpose(0, 1)
        each = torch.tensor([len(one) for one in targets])
        flat = torch.tensor([label for one in targets for label in one])
        return torch.nn.functional.ctc_loss(values, flat, lengths, each, reduction="none")

    alphabet = model.alphabet
    expected = ctc(model.linear, [alphabet.encode(text) for text in ("ab b", "ba", "aa b", "")]).sum()
    torch.testing.assert_close(nats, expected)
    heard = ctc(model.spoken, [PHONES.encode("ab b"), PHONES.encode("ba"), [], PHONES.encode("")])
    torch.testing.assert_close(other, heard[[0, 1, 3]].sum())
    other.backward()
    assert model.linear.weight.grad is None and model.spoken.weight.grad.abs().sum() > 0


def test_rows_of_phones_go_by_phone(tmp_path):
    old = network()
    path = tmp_path / "old.ckpt"
    torch.save({"recognizer_version": 1, "hyper_parameters": dict(old.hparams), "state_dict": old.state_dict()}, path)
    torch.manual_seed(2)
    new = network(("A", "Q"))
    fresh = new.spoken.weight.detach().clone()
    new.adopt(path)
    assert torch.equal(new.spoken.weight[[0, 1, 3]], old.spoken.weight[[0, 1, 3]])  # the blank, the space, Q
    assert torch.equal(new.spoken.weight[2], fresh[2]) and torch.equal(new.linear.weight, old.linear.weight)
    none = network(())
    none.adopt(path)
    assert none.spoken is None and torch.equal(none.linear.weight, old.linear.weight)
    torch.save({"recognizer_version": 1, "hyper_parameters": dict(none.hparams), "state_dict": none.state_dict()}, path)
    new.adopt(path)
    assert torch.equal(new.spoken.weight[[0, 1, 3]], old.spoken.weight[[0, 1, 3]])


@pytest.mark.parametrize("sounds", [0.0, 1.0, -1.0])
def test_a_share_out_of_range_is_refused(sounds):
    with pytest.raises(ConfigError, match=r"model\.sounds"):
        network(sounds=sounds)


@pytest.fixture
def flags(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = ["sea", "see the sea", "the", "sea the lake"]
    rows = [Utterance(str(tiny.sound(Path(f"{n}.wav"), 0.8, seed=n)), text) for n, text in enumerate(texts)]
    manifest.write(Path("train.tsv"), rows)
    Path("words.dict").write_text(KALDI, encoding="utf-8")
    sets = ["--data.train=train.tsv", "--data.val=train.tsv", "--data.frontend={name: speech, bands: 16}"]
    return ["--name=try", *sets, "--data.pronunciations=words.dict", "--trainer.max_epochs=1", *SMALL, *QUIET]


def test_a_run_with_a_dictionary_from_training_to_reading(flags, tmp_path, capsys, caplog):
    trainer = train(flags)
    assert "1 words of 1 texts are not listed ('lake' x 1)" in caplog.text
    assert {"train_phones_epoch", "val_phones"} <= trainer.callback_metrics.keys()
    assert all(math.isfinite(trainer.callback_metrics[name]) for name in ("train_phones_epoch", "val_phones"))
    made = Path(trainer.log_dir) / "checkpoints" / "best.ckpt"
    assert Network.load(made).phones == ("AH0", "DH", "IY0", "IY1", "S")

    Path("text.txt").write_text("see the sea\nsee the sea\nsea\n", encoding="utf-8")
    Path("out").mkdir()
    Path("out/mine.md").write_text(f"# mine\n\nCC BY.\n\n{card.MARK}\n", encoding="utf-8")
    assert lm.main(["text.txt", "--output", "text.npz", "--order", "2"]) == 0
    more = ["--val", "train.tsv", "--lm", "text.npz", "--dictionary", "words.dict"]
    assert release.main([str(made), "out/mine", *more]) == 0
    model = Network.load("out/mine.ckpt")
    assert model.dictionary == spoken("out/mine.ckpt") and language("out/mine.ckpt").exists()
    assert Pronunciations.read(model.dictionary).listed.keys() == {"see", "the", "sea"}

    heard, beam = model.beam()
    assert heard.labels == ("", " ", *model.phones) and isinstance(beam, Beam)
    with torch.no_grad():  # it hears "see the sea" everywhere, so that what is written must come from the dictionary
        model.spoken.weight.zero_()
        model.spoken.bias.copy_(torch.eye(7)[6] * 9)
    (said,) = model.transcribe("0.wav")
    assert {word.text for word in said.words} <= {"see", "the", "sea"}

    def read(*given):
        capsys.readouterr()
        assert transcribe(["0.wav", "--model", "out/mine.ckpt", *given]) == 0
        return capsys.readouterr().out

    read(), read("--hotwords", "lake"), read("--lm", "none"), read("--decoder", "greedy")
    assert calibrate.main(["out/mine.ckpt", "train.tsv"]) == 0
    both = Network.load("out/mine.ckpt")
    assert both.hearing.words.tolist() != list(NEUTRAL) and both.beam()[0].calibration is both.hearing
    Path("one.dict").write_text("sea S IY1\n", encoding="utf-8")
    assert set(read("--dictionary", "one.dict", "--lm", "none").split()) <= {"sea"}
    assert transcribe(["train.tsv", "--model", "out/mine.ckpt", "--tune"]) == 0
    assert "by the phones that are heard in them" in capsys.readouterr().err
    assert release.main([str(made), "out/mine", "--val", "train.tsv"]) == 0
    assert not spoken("out/mine.ckpt").exists()


def test_phones_are_read_with_the_dictionary_and_characters_without(flags):
    made = Path(train(flags).log_dir) / "checkpoints" / "best.ckpt"
    Path("text.txt").write_text("see the sea\n", encoding="utf-8")
    assert lm.main(["text.txt", "--output", str(language(made)), "--order", "2"]) == 0
    assert Network.load(made).beam()[0].labels == ("", *" aehklst")
    Path(spoken(made)).write_bytes(Path("words.dict").read_bytes())
    model = Network.load(made)
    assert "S" in model.beam()[0].labels
    for given in ({"hotwords": ["lake"]}, {"lexicon": {"sea": ["sea"]}}, {"lm": None}):
        assert model.beam(**given)[0] is model
    for given in ({"hotwords": ["the Sea", "see"]}, {"hotwords": []}, {"width": 3}):
        assert "S" in model.beam(**given)[0].labels
    assert model.beam("words.dict", lm=None, hotwords=["sea"])[0] is not model
    with pytest.raises(ConfigError, match="leave the one or the other out"):
        model.beam("words.dict", lexicon={"sea": ["sea"]})
    Path(spoken(made)).write_text("see S UNHEARD\n", encoding="utf-8")
    with pytest.raises(DictionaryError, match="phones that the network does not"):
        Network.load(made).beam()


def test_a_model_without_phones_has_no_use_for_a_dictionary(tmp_path, capsys):
    made, sound = tiny.checkpoint(tmp_path / "m.ckpt"), tiny.sound(tmp_path / "x.wav")
    (tmp_path / "words.dict").write_text(KALDI, encoding="utf-8")
    assert transcribe([str(sound), "--model", str(made), "--dictionary", str(tmp_path / "words.dict")]) == 2
    assert "has learnt no phones" in capsys.readouterr().err


def test_a_run_goes_on_and_another_dictionary_is_refused(flags, capsys):
    trainer = train(flags)
    last = str(Path(trainer.log_dir) / "checkpoints" / "last.ckpt")
    resumed = train(["--resume", last, "--trainer.max_epochs", "2"])
    assert resumed.current_epoch == 2 and resumed.lightning_module.phones == ("AH0", "DH", "IY0", "IY1", "S")
    Path("words.dict").write_text("see S IY1\n", encoding="utf-8")
    assert main(["--resume", last, "--trainer.max_epochs", "3"]) == 2
    assert "dictionary" in capsys.readouterr().err
