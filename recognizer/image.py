"""Image file of any mode, depth and orientation -> upright grey pixels, uint8 [H, W].

Axes: H rows, W columns.
"""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path

import numpy
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from recognizer.errors import InputError

Pixels = NDArray[numpy.uint8]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})
SHORTEST = 4  # pixels either way: less holds no letter
LARGEST = 40_000_000  # pixels: more than an A4 page at 600 dpi, which is no line of text


def grey(path: str) -> Pixels:
    """The image at `path`: upright after its EXIF data, colours as grey, 16 bits as 8, transparency on plain paper.

    Raises:
        InputError: missing, no image, empty, truncated, of several pages, or of a size that no line of text has.
    """
    with _open(path) as image:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
                image.load()
        except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, ... as they like
            raise InputError(path, f"has broken image data ({error})", "make or copy the file again") from error
        if pages > 1:
            raise InputError(path, f"holds {pages} pages", "save each line as a file of its own")
        upright = image
        with contextlib.suppress(Exception):  # broken EXIF data say nothing about the pixels
            upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith(("I", "F")):
            return _eight(numpy.asarray(upright))
        if upright.has_transparency_data:
            return _opaque(numpy.asarray(upright.convert("RGBA").convert("LA")))
        if upright.mode == "LAB":
            upright = upright.getchannel(0)
        return numpy.asarray(upright.convert("L"))


def _open(path: str) -> Image.Image:
    """The image with its header read; its pixels may still turn out to be broken."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata; its bomb warning is the check below
            image = Image.open(path)
    except Image.DecompressionBombError as error:
        raise InputError(path, f"is far too large ({error})", "cut it into lines") from error
    except UnidentifiedImageError as error:
        what = "is empty (0 bytes)" if Path(path).stat().st_size == 0 else "is not an image that can be read"
        raise InputError(path, what, "give a whole PNG, JPEG, TIFF, BMP or WebP file") from error
    except OSError as error:
        if error.errno is None:  # Pillow's own, about what the file holds
            raise InputError(path, f"has a broken header ({error})", "make or copy the file again") from error
        raise InputError(path, f"cannot be opened ({error.strerror})", "check the path") from error
    except Exception as error:  # a damaged header can end in any exception of Pillow's many readers
        raise InputError(path, f"has a broken header ({error})", "make or copy the file again") from error
    wide, high = image.size
    if min(wide, high) < SHORTEST or wide * high > LARGEST:
        image.close()
        what = f"is {wide} x {high} pixels"
        remedy = (
            f"give one line of text, at least {SHORTEST} x {SHORTEST} and at most {LARGEST // 10**6} million pixels"
        )
        raise InputError(path, what, remedy)
    return image


def _eight(values: NDArray[numpy.generic]) -> Pixels:
    """Any range of numbers -> 0 to 255; how much of its range a 16-bit scan uses is anybody's guess.

    A range below half of the greatest value is not stretched in full: it may be the noise of an empty sheet.
    """
    finite = numpy.nan_to_num(values.astype(numpy.float64), posinf=0.0, neginf=0.0)
    low, high = float(finite.min()), float(finite.max())
    reach = max(high - low, max(abs(low), abs(high)) / 2) or 1.0
    scaled: Pixels = numpy.round((finite - low) / reach * 255).astype(numpy.uint8)
    return scaled


def _opaque(pairs: Pixels) -> Pixels:
    """Grey and alpha [H, W, 2] -> grey on its own paper where most of it is visible, else on white (bright: black)."""
    shade, alpha = pairs[..., 0], pairs[..., 1] / numpy.float32(255)
    visible = shade[alpha > 0.5]
    if 2 * visible.size > shade.size:
        paper = float(numpy.median(visible))
    else:
        paper = 0.0 if visible.size and visible.mean() > 127.5 else 255.0
    laid: Pixels = numpy.round(paper + alpha * (shade - numpy.float32(paper))).astype(numpy.uint8)
    return laid
