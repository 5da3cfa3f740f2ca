"""Frames -> log-probabilities of labels: a stem, deep recurrent layers and a linear map; and how a trained one is used.

B batch, T frames, F features, T' frames after the stem, A labels with the blank as label 0. Lightning, which training
needs, takes longer to load than all that is here: `Recognizer` is this network with what learning adds.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import inspect
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from recognizer import frontends, memory, reading
from recognizer.alphabet import Alphabet
from recognizer.batch import pad
from recognizer.build import build
from recognizer.calibration import Calibration
from recognizer.compact import restored
from recognizer.decoders import Beam, Decoder, Greedy, ngram
from recognizer.errors import CheckpointError, ConfigError, DictionaryError, RecognizerError
from recognizer.layers import HOLLOW, LAYERS, STEMS, Layer
from recognizer.manifest import Utterance
from recognizer.output import Output
from recognizer.pronunciations import Pronunciations, written
from recognizer.speakers import Speakers
from recognizer.transcript import Transcript

log = logging.getLogger(__name__)

VERSION = 1
"""Of the layout of checkpoints as training writes them: raised when an older program could no longer read them."""
ROUNDED = 2
"""The same of those whose matrices have eight bits, which came later."""
FOUND = ("calibration.", "hearing.", "linear.prior", "spoken.prior")
"""How the names of those numbers begin that are found after the weights, a handful: neither halved nor blended."""

DIVIDED = 0.6
"""The usual weight of the prior of phones: fewer than characters, and further from being sure, they can do without."""

Made = TypeVar("Made", bound="Network")


class Network(nn.Module):
    """Reads frames of one kind and writes texts in one alphabet (Graves et al. 2006; Graves et al. 2009).

    Attributes:
        greedy: the decoder without a language model.
        advice: arguments of the `Beam` with which it reads best, its own language model among them; {}: greedily.
        dictionary: how the words of its language model are spoken, if its second output shall be read with it.
    """

    dictionary: Path | None = None

    def assemble(
        self,
        alphabet: dict[str, Any],
        frontend: dict[str, Any],
        stem: dict[str, Any] | None,
        layer: str | dict[str, Any],
        depth: int,
        width: int,
        projection: int,
        norm: bool,
        dropout: float,
        phones: Sequence[str] | None = None,
    ) -> None:
        """Make the parts, as `Recognizer` describes them. No constructor, since Lightning's module has its own.

        Raises:
            ConfigError: an unknown name or a value out of range.
            AlphabetError: an alphabet that breaks its laws.
        """
        for name, value in (("depth", depth), ("width", width)):
            if value <= 0:
                raise ConfigError(f"model.{name}", f"is {value}", "use a number above 0")
        if projection < 0:
            raise ConfigError("model.projection", f"is {projection}", "use a number above 0, or 0 for none")
        self.frontend = frontends.build(frontend)
        self.alphabet = Alphabet.from_config(alphabet)
        stem = stem or {"name": "conv2d"}
        self.stem: Layer = build(STEMS, "model.stem", stem, inputs=self.frontend.size)
        layer = {"name": layer} if isinstance(layer, str) else layer
        settings = {"width": width, "projection": projection, "norm": norm, "dropout": dropout}
        self.names = {"stem": stem["name"], "layer": layer["name"]}
        self.layers = nn.ModuleList()
        size = self.stem.size
        for _ in range(depth):
            made = build(LAYERS, "model.layer", layer, inputs=size, **settings)
            self.layers.append(made)
            size = made.size
        self.linear = Output(size, len(self.alphabet))
        self.phones = tuple(phones or ())
        self.spoken = Output(size, len(written(self.phones))) if self.phones else None
        self.calibration = Calibration()
        self.hearing = Calibration() if self.phones else None
        self.greedy = Greedy()
        self.advice: dict[str, Any] = {}

    @classmethod
    def of(cls: type[Made], settings: dict[str, Any]) -> Made:
        """The network that hyper-parameters describe, with weights of chance; those of learning are passed over.

        Raises:
            TypeError: one is missing.
            RecognizerError: as `assemble`.
        """
        made = cls()
        known = inspect.signature(made.assemble).parameters
        made.assemble(**{key: value for key, value in settings.items() if key in known})
        return made

    @property
    def reduction(self) -> int:
        """Frames that go into one step of the network's output."""
        return self.stem.reduction

    @property
    def labels(self) -> tuple[str, ...]:
        """What each label writes; nothing for the blank, which is the first."""
        return ("", *self.alphabet.characters)

    @functools.cached_property
    def usual(self) -> tuple[reading.Model, Decoder]:
        """The decoder that it takes, if it is told none, and what that reads."""
        return self.beam(nbest=reading.READINGS) if self.advice else (self, self.greedy)

    @memory.growing()
    def beam(self, dictionary: str | Path | None = None, **given: Any) -> tuple[reading.Model, Beam]:
        """A beam, and what it reads: phones, if there is a dictionary of them, or characters.

        Args:
            dictionary: how words are spoken. None: its own, if it has one, with its own language model; but a lexicon,
                and hotwords that it does not list and eSpeak NG cannot say in its phones, are written with characters.
            given: arguments of the `Beam`; without `lm` the model's own one, with those of `advice` where it is read as
                it usually is, by phones or by characters.

        Raises:
            RecognizerError: as `Beam`; or the dictionary cannot be read, or has other phones than the second output.
        """
        own = "lm" not in given and bool(self.advice)
        dictionary = self.dictionary if own and dictionary is None and "lexicon" not in given else dictionary
        lm, listed = given.get("lm", self.advice.get("lm")), None
        if dictionary is not None:
            with concurrent.futures.ThreadPoolExecutor(1) as pool:  # most of a language model is read without the GIL
                asked = pool.submit(ngram.opened, lm)
                listed = self._listing(dictionary, given)
            lm = asked.result()
        suits = (listed is None) == (self.dictionary is None)  # weights for phones are not those for characters
        settings: dict[str, Any] = (self.advice if own and suits else {}) | given | {"lm": lm}
        if listed is None:
            return self, Beam(self.alphabet, prior=self.linear.prior.tolist(), **settings)
        heard, output = self.outputs[1]
        lexicon = listed.lexicon(str(dictionary), heard.labels)
        settings.setdefault("prior_weight", DIVIDED)
        return heard, Beam(heard.labels, prior=output.prior.tolist(), lexicon=lexicon, **settings)

    def _listing(self, path: str | Path, given: Mapping[str, Any]) -> Pronunciations | None:
        """A dictionary for the second output; None: its own, which does not list all hotwords, nor can they be said."""
        if not self.phones:
            raise ConfigError("dictionary", "the model has learnt no phones", "train it with data.pronunciations")
        if "lexicon" in given:
            raise ConfigError("dictionary", "a lexicon is given, too", "leave the one or the other out")
        listed = Pronunciations.read(path)
        if strange := sorted(set(listed.phones) - set(self.phones)):
            what = f"has phones that the network does not ({' '.join(strange[:10])})"
            raise DictionaryError(path, what, "give the dictionary with which it was trained")
        return _told(listed, given.get("hotwords", ()), self.phones) if path == self.dictionary else listed

    @property
    def outputs(self) -> list[tuple[reading.Model, Output]]:
        """Who reads with each of its outputs, and that output."""
        return [(self, self.linear), *([] if self.spoken is None else [(Heard(self), self.spoken)])]

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.linear.weight.device

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, F], [B] -> log-probabilities float32 [B, T', A], [B]."""
        features, lengths = self.features(frames, lengths)
        return self.linear.log_probs(features), lengths

    def features(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, F], [B] -> what the last recurrent layer makes of the frames, [B, T', D], [B]."""
        frames, lengths = self.stem(frames, lengths)
        for layer in self.layers:
            frames, lengths = layer(frames, lengths)
        return frames, lengths

    @classmethod
    def load(cls: type[Made], path: str | Path, device: str | torch.device = "cpu") -> Made:
        """The model in a checkpoint, ready for use; opening the file runs no code of it.

        Weights of half precision or eight bits become float32. An n-gram model beside it, `x.npz` beside `x.ckpt`,
        is taken for its own, and so is a pronouncing dictionary, `x.dict.gz`.

        Raises:
            CheckpointError: missing, not a checkpoint, of another version, or of another shape than it says.
        """
        checkpoint = opened(path)
        hollow = HOLLOW.set(True)
        try:
            model = cls.of({key: value for key, value in checkpoint["hyper_parameters"].items() if key[0] != "_"})
            model.load_state_dict(restored(checkpoint))
        except (RecognizerError, TypeError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise CheckpointError(path, f"does not fit this program ({reason})", "train it again") from error
        finally:
            HOLLOW.reset(hollow)
        if (lm := language(path)).is_file():
            model.advice = {"lm": lm, **checkpoint.get("beam", {})}
            model.dictionary = listed if (listed := spoken(path)).is_file() else None
        return model.to(device).eval()

    @torch.inference_mode()
    def infer(self, rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Frames [T_b, F] of several files -> log-probabilities [B, T', A] and lengths [B], on the model's device."""
        return self(*self.batch(rows))

    def batch(self, rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Frames [T_b, F] of several files -> [B, T, F] and lengths [B], on the model's device."""
        return pad(list(rows)).to(self.device), torch.tensor([len(row) for row in rows], device=self.device)

    def transcribe(
        self,
        paths: str | Path | Sequence[str | Path],
        decoder: Decoder | None = None,
        batch_frames: int = 24_000,
        per_speaker: bool = False,
    ) -> list[Transcript]:
        """What stands in the files, in their order; a file of several items gives one transcript for each.

        Args:
            decoder: if none is given, the beam that it has advice for, or else the greedy one.
            batch_frames: frames that the network reads at once, padding counted in.
            per_speaker: each folder's files are of one speaker, to whose voice it gets accustomed first.

        Raises:
            InputError: a file cannot be read.
            ConfigError: `per_speaker`, and the front end can make no use of it.
        """
        named = [paths] if isinstance(paths, str | Path) else paths
        utterances = [Utterance(item) for path in named for item in self.frontend.items(str(path))]
        answers = []
        model, decoder = (self, decoder) if decoder else self.usual
        hearing = Speakers(self.frontend, utterances) if per_speaker else None
        learning = [module for module in self.modules() if module.training]
        self.eval()  # or dropout would have its say behind a training
        try:
            for answer in reading.transcripts(model, utterances, decoder, batch_frames, hearing):
                if isinstance(answer, RecognizerError):
                    raise answer
                answers.append(answer)
        finally:
            for module in learning:
                module.training = True
        return answers


class Heard:
    """A network's second output, with all that reading asks of a model: its labels are phones, its words a lexicon's.

    Args:
        network: has a second output.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        assert network.spoken is not None and network.hearing is not None
        self._output = network.spoken
        self.frontend, self.alphabet, self.calibration = network.frontend, network.alphabet, network.hearing
        self.labels, self.reduction = written(network.phones), network.reduction

    @torch.inference_mode()
    def infer(self, rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Frames [T_b, F] of several files -> log-probabilities of phones [B, T', A] and lengths [B]."""
        features, lengths = self._network.features(*self._network.batch(rows))
        return self._output.log_probs(features), lengths


def _told(listed: Pronunciations, hotwords: Sequence[str], phones: Sequence[str]) -> Pronunciations | None:
    """The dictionary, if all hotwords stand in it or, where the phones are those of English, can be said."""
    _, lost = listed.missing(hotwords)
    if not lost:
        return listed
    from recognizer import english  # opens eSpeak NG, which is seldom asked

    said = {}
    if set(phones) == set(english.PHONES.values()):
        speaker = english.Speaker()
        said = {word.casefold(): " ".join(way) for word in lost if (way := speaker.phones(word))}
        log.info("hotwords, as eSpeak NG says them: %s", ", ".join(f"{word} {said[word]}" for word in said))
    if silent := [word for word in lost if word.casefold() not in said]:
        log.warning("read by characters, since the dictionary does not list the hotwords %s", ", ".join(silent))
        return None
    return Pronunciations({**listed.listed, **{word: [way] for word, way in said.items()}})


def language(path: str | Path) -> Path:
    """Where the language model of a checkpoint lies, if it has one."""
    return Path(path).with_suffix(".npz")


def spoken(path: str | Path) -> Path:
    """Where the pronouncing dictionary of a checkpoint lies, if it has one."""
    return Path(path).with_suffix(".dict.gz")


def opened(path: str | Path) -> dict[str, Any]:
    """The content of a checkpoint of this program, checked to be one; all settings of its front end are named.

    Raises:
        CheckpointError: missing, not a checkpoint, or of another version.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on files that other programs wrote
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise CheckpointError(path, f"cannot be opened ({error.strerror})", "check the path") from error
    except Exception as error:  # of many kinds: the unpickler takes the first bytes of any file for its instructions
        raise CheckpointError(
            path, "is no checkpoint that can be opened safely", "name a file train.py wrote"
        ) from error
    version = checkpoint.get("recognizer_version") if isinstance(checkpoint, dict) else None
    if version not in (VERSION, ROUNDED):
        found = "is no checkpoint of recognizer" if version is None else f"has version {version}"
        raise CheckpointError(
            path, f"{found}, this program reads up to version {ROUNDED}", "use a model made by this release"
        )
    with contextlib.suppress(RecognizerError, KeyError, TypeError):  # what is wrong there, `load` tells
        settings = checkpoint["hyper_parameters"]
        settings["frontend"] = frontends.build(settings["frontend"]).config()
    return checkpoint
