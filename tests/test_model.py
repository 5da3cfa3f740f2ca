"""The network's laws: padding, CTC at its edges, saving and reloading."""

import itertools
import logging
import math

import pytest
import tiny
import torch
from pytorch_lightning import Trainer
from torch.utils.data import DataLoader

from recognizer import frontends
from recognizer.alphabet import Alphabet
from recognizer.batch import Sample, collate
from recognizer.errors import AlphabetError, CheckpointError, ConfigError
from recognizer.layers import LAYERS
from recognizer.manifest import Utterance
from recognizer.model import Recognizer
from recognizer.network import ROUNDED, VERSION, Network

FRONTENDS = {"speech": {"name": "speech", "bands": 16}, "pen": {"name": "pen"}, "line": {"name": "line", "height": 16}}
STEMS = {
    "conv2d": {"name": "conv2d", "channels": [2, 3], "strides": [[2, 2], [2, 2]], "width": 6},
    "conv1d": {"name": "conv1d", "channels": [4, 6], "strides": [1, 2]},
    "stack": {"name": "stack", "reduction": 3},
}


def model(frontend="speech", stem="stack", **given):
    settings = {"depth": 2, "width": 5, "dropout": 0.1, **given}
    return Recognizer(Alphabet.of(["ab c"]).config(), FRONTENDS[frontend], STEMS[stem], **settings)


def batch(network, sizes=(30, 12, 21), texts=("ab", "a b", "cc")):
    labels = [torch.tensor(network.alphabet.encode(text), dtype=torch.long) for text in texts]
    rows = [torch.randn(size, network.frontend.size) for size in sizes]
    kept = [Utterance(f"{text}.wav", text) for text in texts]
    return collate([Sample(*sample) for sample in zip(rows, labels, kept, strict=True)])


@pytest.fixture(params=itertools.product(FRONTENDS, STEMS), ids="-".join)
def network(request):
    return model(*request.param).eval()


def test_a_batch_of_one_equals_a_batch_of_many(network):
    rows = batch(network)
    together, lengths = network(rows.frames, rows.lengths)
    for row, size in enumerate(rows.lengths.tolist()):
        alone, told = network(rows.frames[row : row + 1, :size], rows.lengths[row : row + 1])
        torch.testing.assert_close(together[row : row + 1, : lengths[row]], alone, atol=1e-5, rtol=0)
        assert told[0] == lengths[row] == -(-size // network.reduction)


def test_it_speaks_probabilities_and_learns_with_every_weight(network):
    network.train()
    rows = batch(network)
    log_probs, lengths = network(rows.frames, rows.lengths)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(log_probs.shape[:2]))
    network.loss(log_probs, lengths, rows).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


def test_loss_equals_the_sum_over_all_paths():
    network = model()
    rows = batch(network, (12, 9), ("ab", "cc"))
    log_probs = torch.randn(2, 4, len(network.alphabet)).log_softmax(-1)
    lengths = torch.tensor([4, 3])
    total = 0.0
    for row in range(2):
        wanted = rows.labels[row, : rows.label_lengths[row]].tolist()
        paths = itertools.product(range(len(network.alphabet)), repeat=int(lengths[row]))
        mass = sum(
            math.exp(sum(float(log_probs[row, time, label]) for time, label in enumerate(path)))
            for path in paths
            if [label for label, _ in itertools.groupby(path) if label] == wanted
        )
        total -= math.log(mass)
    assert float(network.loss(log_probs, lengths, rows)) == pytest.approx(total / 4, rel=1e-5)


def test_a_text_too_long_for_its_frames_is_named_and_left_out(caplog):
    network = model()
    rows = batch(network, (30, 8), ("ab", "ccc"))  # "ccc" needs 3 + 2 steps, 8 frames / 3 give 3
    with caplog.at_level(logging.WARNING):
        loss = network.loss(*network(rows.frames, rows.lengths), rows)
        network.loss(*network(rows.frames, rows.lengths), rows)
    assert [record.message for record in caplog.records] == [
        "ccc.wav: left out: its text needs 5 steps of the network and it has 3 (8 frames / 3);"
        " check the text, or shorten time less in the stem"
    ]
    alone = batch(network, (30,), ("ab",))
    alone.frames = rows.frames[:1, :30]
    network.eval()
    torch.testing.assert_close(
        network.loss(*network(rows.frames, rows.lengths), rows),
        network.loss(*network(alone.frames, alone.lengths), alone),
    )
    assert loss.isfinite()


@pytest.mark.parametrize("texts, sizes", [(("",), (9,)), (("ccc",), (3,)), (("", "ab"), (3, 40))])
def test_edges_give_finite_gradients(texts, sizes):
    network = model()
    rows = batch(network, sizes, texts)
    network.loss(*network(rows.frames, rows.lengths), rows).backward()
    assert all(weight.grad.isfinite().all() for weight in network.parameters() if weight.grad is not None)


def trainer(folder, **given):
    settings = {"accelerator": "cpu", "max_epochs": 2, "logger": False, "enable_progress_bar": False}
    settings |= {"enable_model_summary": False, "default_root_dir": folder, "num_sanity_val_steps": 0}
    return Trainer(**settings | given)


@pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:.*isinstance.treespec", "ignore:.*val_dataloader"
)
def test_a_checkpoint_reloads_bit_for_bit(tmp_path, network):
    network.train()
    rows = batch(network)
    fitted = trainer(tmp_path, enable_checkpointing=False)
    fitted.fit(network, DataLoader([rows] * 3, batch_size=None))
    fitted.save_checkpoint(tmp_path / "model.ckpt")
    for loaded in (
        Recognizer.load(tmp_path / "model.ckpt"),
        Recognizer.load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True),
    ):
        assert dict(loaded.hparams.items()) == dict(network.hparams)
        for name, weight in network.state_dict().items():
            assert torch.equal(weight, loaded.state_dict()[name]), name
        expected = network.eval()(rows.frames, rows.lengths)[0]
        assert torch.equal(loaded.eval()(rows.frames, rows.lengths)[0], expected)


@pytest.mark.parametrize("layer", LAYERS)
def test_weights_of_chance_are_drawn_again_once_others_were_loaded(tmp_path, layer):
    torch.manual_seed(3)
    drawn = model(layer=layer)
    kept = {"recognizer_version": VERSION, "hyper_parameters": dict(drawn.hparams), "state_dict": drawn.state_dict()}
    torch.save(kept, tmp_path / "whole.ckpt")
    torch.save({**kept, "state_dict": {}}, tmp_path / "broken.ckpt")
    loaded = Network.load(tmp_path / "whole.ckpt")
    with pytest.raises(CheckpointError):
        Network.load(tmp_path / "broken.ckpt")
    torch.manual_seed(3)
    for other in (loaded, model(layer=layer)):
        assert all(torch.equal(weight, drawn.state_dict()[name]) for name, weight in other.state_dict().items())


@pytest.mark.parametrize("kind", [Recognizer, Network])
def test_hyper_parameters_without_a_stem_mean_the_usual_one(kind):
    assert kind.of({**model().hparams, "stem": None}).names["stem"] == "conv2d"


@pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:.*isinstance.treespec", "ignore:.*val_dataloader"
)
def test_gradients_that_are_not_finite_never_reach_the_weights(tmp_path, caplog):
    network = model()
    good, bad = batch(network), batch(network)
    bad.frames[0, 3] = float("inf")
    fitted = trainer(tmp_path, enable_checkpointing=False, max_epochs=1)
    with caplog.at_level(logging.WARNING):
        fitted.fit(network, DataLoader([good, bad, good], batch_size=None))
    assert all(weight.isfinite().all() for weight in network.parameters())
    assert "step 1 left out: its gradients are not finite" in caplog.text


def save(path, network, **other):
    torch.save({"hyper_parameters": dict(network.hparams), "state_dict": network.state_dict()} | other, path)
    return path


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda path: None, "cannot be opened"),
        (lambda path: path.write_text("no model"), "no checkpoint that can be opened safely"),
        (lambda path: torch.save({"state_dict": {}}, path), "no checkpoint of recognizer"),
        (lambda path: save(path, model(), recognizer_version=ROUNDED + 1), f"has version {ROUNDED + 1}"),
        (
            lambda path: save(path, model(), recognizer_version=VERSION, state_dict=model(width=7).state_dict()),
            "does not fit",
        ),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, make, message):
    make(tmp_path / "model.ckpt")
    with pytest.raises(CheckpointError, match=rf"model\.ckpt.*{message}"):
        Recognizer.load(tmp_path / "model.ckpt")


@pytest.mark.parametrize(
    "given, error, message",
    [
        ({"layer": "blsmt"}, ConfigError, "did you mean 'blstm'"),
        ({"layer": {"name": "lcblstm", "chunks": 8}}, ConfigError, r"model.layer.chunks.*did you mean 'chunk'"),
        ({"depth": 0}, ConfigError, "model.depth: is 0"),
        ({"projection": -1}, ConfigError, "model.projection: is -1"),
        ({"lr": -1.0}, ConfigError, "model.lr"),
        ({"lr": float("nan")}, ConfigError, "model.lr"),
        ({"weight_decay": -1.0}, ConfigError, "model.weight_decay: is -1.0"),
        ({"warmup": 5.0}, ConfigError, "model.warmup: is 5.0; use a share of all steps"),
        ({"warmup": -0.1}, ConfigError, "model.warmup: is -0.1"),
        ({"stem": {"name": "conv3d"}}, ConfigError, "did you mean 'conv"),
        ({"stem": {"name": "stack", "reductoin": 3}}, ConfigError, r"model.stem.reductoin.*did you mean 'reduction'"),
        ({"alphabet": {"characters": [], "form": "NFC", "split": "character"}}, AlphabetError, "no characters"),
        ({"frontend": {"name": "speech", "band": 3}}, ConfigError, "did you mean 'bands'"),
    ],
)
def test_wrong_settings_are_named(given, error, message):
    settings = {"alphabet": Alphabet.of(["ab"]).config(), "frontend": {"name": "speech"}}
    with pytest.raises(error, match=message):
        Recognizer(**settings | given)


def test_a_layer_may_have_settings_of_its_own():
    plain, small = model(layer="lookahead"), model(layer={"name": "lookahead", "ahead": 3})
    assert [type(layer) for layer in plain.layers] == [type(layer) for layer in small.layers]
    count = [sum(weight.numel() for weight in network.layers.parameters()) for network in (plain, small)]
    assert count[1] < count[0]


def test_suffixes_lead_to_front_ends():
    for name, kind in frontends.FRONTENDS.items():
        for suffix in kind.suffixes:
            assert frontends.of(f"a folder/file{suffix.upper()}#3" if name == "pen" else f"x{suffix}") == name


def test_adopted_weights_go_by_character(tmp_path, caplog):
    old, new = model(), Recognizer(Alphabet.of(["xbc"]).config(), FRONTENDS["speech"], STEMS["stack"], depth=2, width=5)
    save(tmp_path / "old.ckpt", old, recognizer_version=VERSION)
    fresh = new.linear.weight.detach().clone()
    with caplog.at_level(logging.INFO):
        new.adopt(tmp_path / "old.ckpt")
    assert "characters added: ['x']; dropped: [' ', 'a']" in caplog.text
    for character in "bc":
        mine, theirs = new.alphabet.encode(character)[0], old.alphabet.encode(character)[0]
        assert torch.equal(new.linear.weight[mine], old.linear.weight[theirs])
    assert torch.equal(new.linear.weight[0], old.linear.weight[0])
    unknown = new.alphabet.encode("x")[0]
    assert torch.equal(new.linear.weight[unknown], fresh[unknown])
    assert torch.equal(new.layers[0].ahead.weight_hh_l0, old.layers[0].ahead.weight_hh_l0)


def test_weights_of_another_shape_are_refused(tmp_path):
    save(tmp_path / "old.ckpt", model(width=7), recognizer_version=VERSION)  # narrower ones grow: tests/test_widen.py
    with pytest.raises(CheckpointError, match="another shape"):
        model().adopt(tmp_path / "old.ckpt")


class Own(Recognizer):
    """As a researcher's: an optimiser of its own in the place of the one that it was given, or other rates in it."""

    way = "other"

    def configure_optimizers(self):
        (made,), plans = super().configure_optimizers()
        if self.way == "other":
            return torch.optim.SGD(self.parameters(), lr=0.01)
        for group, scale in zip(made.param_groups, (1.0, 0.1), strict=True):
            group["lr"] *= scale
            group["initial_lr"] *= scale
        plans[0]["scheduler"].base_lrs = [group["initial_lr"] for group in made.param_groups]
        return [made], plans


@pytest.mark.parametrize("way", ["other", "split"])
@pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:.*isinstance.treespec", "ignore:.*val_dataloader"
)
def test_an_own_optimiser_goes_on_as_it_was(tmp_path, monkeypatch, way):
    monkeypatch.setattr(Own, "way", way)
    models = [Own(Alphabet.of(["ab c"]).config(), FRONTENDS["speech"], STEMS["stack"], depth=1, width=5) for _ in "ab"]
    rows = [batch(models[0])] * 2
    first = trainer(tmp_path, max_epochs=1, enable_checkpointing=False)
    first.fit(models[0], DataLoader(rows, batch_size=None))
    first.save_checkpoint(tmp_path / "own.ckpt")
    second = trainer(tmp_path, max_epochs=2, enable_checkpointing=False)
    second.fit(models[1], DataLoader(rows, batch_size=None), ckpt_path=tmp_path / "own.ckpt", weights_only=True)
    for one, two in zip(first.optimizers[0].param_groups, second.optimizers[0].param_groups, strict=True):
        assert one.get("initial_lr") == two.get("initial_lr") and one["weight_decay"] == two["weight_decay"]


def test_reading_leaves_dropout_out_and_training_on(tmp_path):
    network = model(dropout=0.5).train()
    network.stem.eval()  # frozen, say
    path = str(tiny.sound(tmp_path / "a.wav"))
    assert len({network.transcribe(path)[0].score for _ in range(3)}) == 1
    assert network.training and network.layers.training and not network.stem.training
