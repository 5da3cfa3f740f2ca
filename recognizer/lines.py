"""A text file in UTF-8 -> its content, or its lines, plain or gzipped; errors of the kind that its reader asks for."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

Error = Callable[[str | Path, str, str], Exception]
"""Makes what is raised out of the place, what is wrong there, and the way out: a kind of RecognizerError."""


def content(path: str | Path, error: Error, remedy: str = "check the path and the rights") -> str:
    """All of a plain file, without a byte order mark.

    Args:
        error: the kind of what is raised.
        remedy: what to do where it cannot be opened.

    Raises:
        Exception: of the kind `error`: it cannot be opened, or is not UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as reason:
        raise error(path, f"is not UTF-8 text (byte {reason.start})", "save it as UTF-8") from reason
    except OSError as reason:
        raise error(path, f"cannot be opened ({reason.strerror})", remedy) from reason


def each(text: str) -> list[str]:
    """The lines of a text with plain line feeds, and at these alone: what else Unicode takes for the end of a line, as
    U+2028 and U+0085, stands within a sentence.
    """
    text = text.removesuffix("\n")
    return text.split("\n") if text else []


def read(path: str | Path, error: Error, wanted: str) -> list[str]:
    """The lines, without their ends and without a byte order mark.

    Args:
        error: the kind of what is raised.
        wanted: what stands in such a file, for messages: "one word a line".

    Raises:
        Exception: of the kind `error`: it cannot be opened, unpacked or decoded, then with the line.
    """
    remedy = f"give a text file, plain or gzipped, with {wanted}"
    try:
        data = Path(path).read_bytes()
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as reason:
        raise error(path, f"cannot be unpacked ({reason})", remedy) from reason
    except OSError as reason:
        raise error(path, f"cannot be opened ({reason.strerror})", remedy) from reason
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        return each(data.decode())
    except UnicodeDecodeError as reason:
        number = data.count(b"\n", 0, reason.start)
        line = data.split(b"\n")[number]
        raise error(f"{path}, line {number + 1}", f"is not UTF-8: {line[:40]!r}", "save it as UTF-8") from None
