"""One decoder in a process of its own: requests -> texts and seconds, a line of JSON each, for benchmarks/decoding.py.

    python benchmarks/contender.py NAME JOB.json

Imports nothing but NumPy and the decoder in question, so that it also runs in an environment made for that one. It
stays on one core unless a request says otherwise. LM weights and bonuses are those of natural logarithms throughout;
each class brings them to its library's own scale.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.metadata
import json
import math
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from rss import MOST, mebibytes

CORES = os.sched_getaffinity(0)
TINY = """\\data\\
ngram 1=3
ngram 2=1

\\1-grams:
-1\t<s>\t-0.3
-1\t</s>
-1\ta\t-0.3

\\2-grams:
-0.3\t<s> a

\\end\\
"""


class Best:
    """The greedy decoder of this project: what any beam has to beat."""

    packages = ("torch",)

    def __init__(self, job: dict[str, Any]) -> None:
        import torch

        from recognizer.decoders import Greedy

        torch.set_num_threads(1)
        self.labels, self.greedy, self.tensor = job["labels"], Greedy(), torch.from_numpy

    def load(self) -> None:
        """There is no language model."""

    def settle(self, weight: float, bonus: float, **options: Any) -> None:
        """There is nothing to set."""

    def texts(self, matrices: list[Any]) -> list[str]:
        """One after the other."""
        found = [
            self.greedy.decode(self.tensor(one[None]), self.tensor(np.array([len(one)])))[0][0] for one in matrices
        ]
        return ["".join(self.labels[label] for label in hypothesis.labels) for hypothesis in found]


class Ours:
    """Beam of this project."""

    packages = ("torch", "numba")

    def __init__(self, job: dict[str, Any]) -> None:
        import torch

        from recognizer.decoders.beam import Beam
        from recognizer.decoders.ngram import NGram

        torch.set_num_threads(1)
        self.job, self.make, self.read, self.tensor = job, Beam, NGram.read, torch.from_numpy
        self.beams: dict[str, Any] = {}
        with tempfile.NamedTemporaryFile("w", suffix=".arpa") as tiny:  # compiled code is no part of the model
            tiny.write(TINY)
            tiny.flush()
            NGram.read(tiny.name)

    def load(self) -> None:
        """The language model from its ARPA file."""
        self.lm = self.read(self.job["arpa"])

    def settle(self, weight: float, bonus: float, threads: int = 1, closed: bool = False, **options: Any) -> None:
        """A decoder for these settings; threads 0: all cores; closed: the words of the language model and no others."""
        key = json.dumps([threads, closed, options])
        if key not in self.beams:
            lexicon = {"lexicon": dict.fromkeys(listed(self.job), ())} if closed else {}
            self.beams[key] = self.make(self.job["labels"], self.lm, width=self.job["width"], threads=threads or None,
                                        **lexicon, **options)  # fmt: skip
        self.beam, self.threads = self.beams[key], threads
        self.beam.weight, self.beam.bonus = weight, bonus

    def texts(self, matrices: list[Any]) -> list[str]:
        """One after the other on one thread; all in one batch on all cores."""
        batches = [[one] for one in matrices] if self.threads else [matrices]
        found = []
        for batch in batches:
            padded = np.full((len(batch), max(map(len, batch)), batch[0].shape[1]), -100.0, np.float32)
            for row, one in enumerate(batch):
                padded[row, : len(one)] = one
            found += self.beam.decode(self.tensor(padded), self.tensor(np.array([len(one) for one in batch])))
        return [self.beam.text(hypotheses[0]) for hypotheses in found]


class Flashlight:
    """flashlight-text, as torchaudio offers it, with the KenLM that its wheel brings and a lexicon of letters.

    Its spellings end in the space, and a word without one is not finished; so each matrix gets one more frame in which
    the space is certain. That is done before the clock starts.
    """

    packages = ("flashlight-text", "torchaudio")

    def __init__(self, job: dict[str, Any]) -> None:
        import torch
        from flashlight.lib.text.decoder.kenlm import KenLM
        from flashlight.lib.text.dictionary import create_word_dict, load_words
        from torchaudio.models.decoder import _ctc_decoder, ctc_decoder

        torch.set_num_threads(1)
        self.job, self.make, self.kenlm, self.tensor = job, ctc_decoder, KenLM, torch.from_numpy
        self.words = lambda: create_word_dict(load_words(job["lexicon"]))
        # The tree of spellings is the same with every weight, and takes longer to make than a minute of audio to read.
        _ctc_decoder._construct_trie = Once(_ctc_decoder._construct_trie)
        self.blank, self.space = job["labels"].index(""), job["labels"].index(" ")
        self.tokens = list(job["labels"])
        self.tokens[self.blank], self.tokens[self.space] = "<blank>", "<space>"

    def load(self) -> None:
        """KenLM from the ARPA file; it wants the list of words first."""
        self.lm = self.kenlm(self.job["arpa"], self.words())

    def settle(self, weight: float, bonus: float, **options: Any) -> None:
        """A decoder for these settings. KenLM answers in base-10 logarithms, so the weight is brought to them."""
        self.decoder = self.make(
            lexicon=self.job["lexicon"], tokens=self.tokens, lm=self.lm, beam_size=self.job["width"], nbest=1,
            lm_weight=weight * math.log(10.0), word_score=bonus, blank_token="<blank>", sil_token="<space>", **options,
        )  # fmt: skip

    def prepared(self, matrices: list[Any]) -> list[Any]:
        """Tensors [1, T + 1, A] that end in a space."""
        last = np.full((1, len(self.tokens)), -50.0, np.float32)
        last[0, self.space] = 0.0
        return [self.tensor(np.concatenate([one, last])[None]) for one in matrices]

    def texts(self, matrices: list[Any]) -> list[str]:
        """One after the other."""
        found = [self.decoder(one)[0] for one in matrices]
        return [" ".join(hypotheses[0].words) if hypotheses else "" for hypotheses in found]


class Once:
    """A function that is called a first time and then gives the same answer."""

    def __init__(self, function: Any) -> None:
        self.function, self.answer = function, None

    def __call__(self, *given: Any) -> Any:
        """The answer to what was given first."""
        if self.answer is None:
            self.answer = self.function(*given)
        return self.answer


class Pyctcdecode:
    """pyctcdecode with the kenlm of PyPI and the unigrams of the ARPA file."""

    packages = ("pyctcdecode", "kenlm", "numpy")

    def __init__(self, job: dict[str, Any]) -> None:
        import kenlm
        import pyctcdecode.decoder
        import pyctcdecode.language_model

        self.job, self.kenlm = job, kenlm.Model
        self.model, self.make = pyctcdecode.language_model.LanguageModel, pyctcdecode.decoder.BeamSearchDecoderCTC
        self.alphabet = pyctcdecode.decoder.Alphabet.build_alphabet(job["labels"])
        self.decoder = None

    def load(self) -> None:
        """KenLM from the ARPA file."""
        self.lm = self.kenlm(self.job["arpa"])

    def settle(self, weight: float, bonus: float, **options: Any) -> None:
        """A decoder for these settings; its tree of words is made once."""
        if self.decoder is None:
            self.decoder = self.make(self.alphabet, self.model(self.lm, listed(self.job)))
        self.decoder.reset_params(alpha=float(weight), beta=float(bonus))
        self.options = options

    def texts(self, matrices: list[Any]) -> list[str]:
        """One after the other."""
        return [self.decoder.decode(one, beam_width=self.job["width"], **self.options) for one in matrices]


CONTENDERS: dict[str, Any] = {"greedy": Best, "ours": Ours, "flashlight": Flashlight, "pyctcdecode": Pyctcdecode}


def listed(job: dict[str, Any]) -> list[str]:
    """The language model's words that the labels can write."""
    return [line.partition("\t")[0] for line in Path(job["lexicon"]).read_text("utf-8").splitlines()]


def memory(name: str = "VmRSS") -> float:
    """MiB of this process, without garbage; MOST: at most since `forget`."""
    gc.collect()
    return mebibytes(name)


def forget() -> None:
    """Let the kernel count the most memory from here on."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def answered(contender: Any, matrices: list[Any], request: dict[str, Any]) -> dict[str, Any]:
    """The texts of some matrices with some settings, and the seconds that it took to find them."""
    os.sched_setaffinity(0, CORES if request["options"].get("threads") == 0 else {min(CORES)})
    contender.settle(request["weight"], request["bonus"], **request["options"])
    given = getattr(contender, "prepared", list)([matrices[row] for row in request["rows"]])
    processor, wall = time.process_time(), time.perf_counter()
    texts = contender.texts(given)
    return {"processor": time.process_time() - processor, "wall": time.perf_counter() - wall, "texts": texts}


def main() -> int:
    """Load, say what that took, and answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries that print do not disturb the answers
    name, path = sys.argv[1:]
    job = json.loads(Path(path).read_text("utf-8"))
    stored = np.load(job["matrices"])
    matrices = np.split(stored["log_probs"], np.cumsum(stored["lengths"])[:-1])
    os.sched_setaffinity(0, {min(CORES)})
    contender = CONTENDERS[name](job)
    forget()
    before, began = memory(), time.process_time()
    contender.load()
    loaded = time.process_time() - began
    report = {"lm_seconds": loaded, "lm_memory": memory() - before, "lm_peak": memory(MOST) - before}
    began = time.process_time()
    contender.settle(0.5, 1.0)
    report |= {"seconds": loaded + time.process_time() - began, "memory": memory() - before}
    began = time.perf_counter()
    contender.texts(getattr(contender, "prepared", list)(matrices[:1]))
    report |= {"first": time.perf_counter() - began, "python": sys.version.split()[0]}
    report["versions"] = {package: importlib.metadata.version(package) for package in contender.packages}
    print(json.dumps(report), file=answers, flush=True)
    for line in sys.stdin:
        try:
            answer = answered(contender, matrices, json.loads(line))
        except Exception as error:  # the row says so, and the others go on
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
