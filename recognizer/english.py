"""English words -> their phones, as eSpeak NG would say them: for words that no pronouncing dictionary lists."""

from __future__ import annotations

import ctypes
import re

from recognizer.espeak import Espeak

PHONES = {
    "AA": "ɑ", "AE": "æ", "AH": "ə", "AO": "ɔ", "AW": "aʊ", "AY": "aɪ", "B": "b", "CH": "tʃ", "D": "d", "DH": "ð",
    "EH": "ɛ", "ER": "ɝ", "EY": "eɪ", "F": "f", "G": "ɡ", "HH": "h", "IH": "ɪ", "IY": "i", "JH": "dʒ", "K": "k",
    "L": "l", "M": "m", "N": "n", "NG": "ŋ", "OW": "oʊ", "OY": "ɔɪ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ",
    "T": "t", "TH": "θ", "UH": "ʊ", "UW": "u", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
"""CMUdict's phones, and the signs of the IPA for them."""
NEAREST = {
    "iː": "i", "ᵻ": "ɪ", "ʌ": "ə", "ɐ": "ə", "ɚ": "ɝ", "ɜː": "ɝ", "ɑː": "ɑ", "ɒ": "ɑ", "a": "ɑ", "ɔː": "ɔ", "o": "oʊ",
    "e": "ɛ", "uː": "u", "iə": "i ə", "ɾ": "t", "ʔ": "t", "x": "k", "ç": "h", "ɬ": "l", "r": "ɹ", "g": "ɡ",
    "n̩": "ə n", "l̩": "ə l",
}  # fmt: skip
"""What eSpeak NG writes for an American, and the phones that are nearest to it."""


class Speaker(Espeak):
    """eSpeak NG, asked how an American would say a word."""

    def __init__(self) -> None:
        super().__init__()
        self._library.espeak_SetVoiceByName(b"en-us")
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        signs = sorted({*PHONES.values(), *NEAREST}, key=len, reverse=True)
        self._sign = re.compile("|".join(map(re.escape, signs)))

    def phones(self, word: str) -> list[str]:
        """The phones of a word, in the signs of the IPA; none where it has none."""
        utf8, ipa = 1, 2
        text = ctypes.c_char_p(word.encode())
        said = self._library.espeak_TextToPhonemes(ctypes.byref(text), utf8, ipa).decode()
        found = [NEAREST.get(sign, sign) for sign in self._sign.findall(said)]
        return re.sub(r"\b(\S+)( \1)+\b", r"\1", " ".join(found)).split()
