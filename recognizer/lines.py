"""A text file, plain or gzipped, in UTF-8 -> its lines; errors of the kind that its reader asks for."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from recognizer.errors import RecognizerError


def read(path: str | Path, error: type[RecognizerError], wanted: str) -> Iterator[str]:
    """The lines, without their ends and without a byte order mark.

    Args:
        error: what is raised.
        wanted: what stands in such a file, for messages: "one word a line".

    Raises:
        RecognizerError: of the kind `error`: it cannot be opened, unpacked or decoded, then with the line.
    """
    remedy = f"give a text file, plain or gzipped, with {wanted}"
    try:
        content = Path(path).read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as reason:
        raise error(path, f"cannot be unpacked ({reason})", remedy) from reason
    except OSError as reason:
        raise error(path, f"cannot be opened ({reason.strerror})", remedy) from reason
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        try:
            yield line.decode()
        except UnicodeDecodeError:
            raise error(f"{path}, line {number}", f"is not UTF-8: {line[:40]!r}", "save it as UTF-8") from None
