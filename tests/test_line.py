"""Whatever way a line of text was scanned, it gives the same frames; what is no line is refused by name."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from recognizer.errors import ConfigError, InputError
from recognizer.frontends.line import Line

TEXT = "the quick brown fox jumps over"


def draw(text: str = TEXT, size: int = 40, paper: int = 240, ink: int = 20) -> Image.Image:
    """Dark text on light paper with margins all around, about 1.8 times as high as the font's size."""
    font = ImageFont.load_default(size=size)
    left, _, right, _ = font.getbbox(text)
    image = Image.new("L", (int(right - left) + size, int(1.8 * size)), paper)
    ImageDraw.Draw(image).text((size // 2 - left, 0.3 * size), text, fill=ink, font=font)
    return image


def save(folder: Path, image: Image.Image, name: str = "line.png", **options: object) -> str:
    image.save(folder / name, **options)
    return str(folder / name)


def frames(path: str, **settings: object) -> torch.Tensor:
    line = Line(**settings)
    return line.frames(line.read(path))


def correlation(one: torch.Tensor, two: torch.Tensor) -> float:
    """Pearson's, after stretching the shorter one; their sizes may differ by a twentieth."""
    assert abs(len(one) - len(two)) <= 0.05 * len(one) + 2, (one.shape, two.shape)
    width = max(len(one), len(two))
    rows = [torch.nn.functional.interpolate(x.T[None], width, mode="linear")[0].flatten() for x in (one, two)]
    return float(torch.corrcoef(torch.stack(rows))[0, 1])


@pytest.fixture
def path(tmp_path: Path) -> str:
    return save(tmp_path, draw())


# ---- the contract


def test_frames_are_columns_with_background_zero(path: str) -> None:
    line = Line()
    signal = line.read(path)
    assert signal.dtype == numpy.uint8 and signal.shape[0] == line.size == 48
    result = line.frames(signal)
    assert result.shape == (signal.shape[1], 48) and result.dtype == torch.float32
    assert torch.equal(result[7], torch.from_numpy(signal[:, 7].astype(numpy.float32)) * (3 / 255))
    assert (result == 0).float().mean() > 0.5 and result.max() > 2.9 and 0.5 < result.std() < 1.5
    assert result[0].max() == 0 and result[-1].max() == 0


def test_the_same_file_gives_the_same_frames(path: str) -> None:
    assert torch.equal(frames(path), frames(path))


@pytest.mark.parametrize("settings", [{}, {"body": False, "deskew": False}, {"squeeze": 0.5}, {"height": 32}])
def test_length_is_exact(path: str, settings: dict[str, object]) -> None:
    line = Line(**settings)
    assert line.length(path) == len(frames(path, **settings))
    for part in ((10, 31), (10, None), (30.0, 30.2)):
        assert line.length(path, *part) == line.read(path, *part).shape[1]
    assert line.length(path, 10, 12) + line.length(path, 12) == line.length(path, 10)


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("settings", [{}, {"body": False, "deskew": False}, {"squeeze": 0.5}, {"height": 32}])
def test_places_are_pixels_of_the_image(tmp_path: Path, settings: dict[str, object], direction: str) -> None:
    """Ink is found where it stands, however the line is scaled, and cut out of it by its place."""
    image = Image.new("L", (900, 90), 250)
    image.paste(draw("word", 36), (600, 5))
    path = save(tmp_path, image)
    line = Line(**settings, direction=direction)
    signal = line.read(path)
    places = line.places(path, signal, signal.shape[1])
    assert (places[0], places[-1]) == (0, 900)
    inked = numpy.flatnonzero(signal.max(axis=0) > 128)
    found = places[inked[0]], places[inked[-1] + 1]
    dark = numpy.flatnonzero(numpy.asarray(image).min(axis=0) < 128)
    true = (dark[0], dark[-1] + 1) if direction == "ltr" else (900 - dark[-1] - 1, 900 - dark[0])
    assert found == pytest.approx(true, abs=6)
    part = line.read(path, *found)
    assert part.shape[1] == inked[-1] + 1 - inked[0] and (part == signal[:, inked[0] : inked[-1] + 1]).all()
    assert line.places(path, part, part.shape[1], *found)[[0, -1]].tolist() == pytest.approx(found)


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_parts_make_the_whole(path: str, direction: str) -> None:
    line = Line(direction=direction)
    whole = line.frames(line.read(path))
    parts = [line.frames(line.read(path, *part)) for part in ((None, 50.0), (50.0, 51.0), (51.0, 200.0), (200.0, 1e6))]
    assert len(parts[1]) == 1
    assert torch.equal(torch.cat(parts), whole)


def test_right_to_left_is_the_mirror(path: str) -> None:
    assert torch.equal(frames(path, direction="rtl"), frames(path).flip(0))


def test_config_makes_an_equal_front_end(path: str) -> None:
    settings = {"height": 40, "deskew": False, "body": False, "squeeze": 0.7, "direction": "rtl"}
    config = Line(**settings).config()
    assert config == {"name": "line", **settings}
    assert torch.equal(frames(path, **settings), frames(path, **{k: v for k, v in config.items() if k != "name"}))


@pytest.mark.parametrize("wrong", [{"height": 2}, {"squeeze": 0.0}, {"squeeze": float("nan")}, {"direction": "up"}])
def test_a_wrong_setting_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Line(**wrong)


# ---- what a scan does to a picture changes nothing


def test_inverted_is_the_same(tmp_path: Path, path: str) -> None:
    inverted = Image.fromarray(255 - numpy.asarray(draw()))
    assert torch.equal(frames(save(tmp_path, inverted, "inverted.png")), frames(path))


def test_ink_is_bright_whatever_the_polarity(tmp_path: Path) -> None:
    for number, (paper, ink) in enumerate([(255, 0), (0, 255), (200, 90), (60, 130)]):
        result = frames(save(tmp_path, draw(paper=paper, ink=ink), f"{number}.png"))
        assert result.median() == 0 and result.max() == 3


def modes() -> dict[str, tuple[Image.Image, str, dict[str, object]]]:
    """The same line as `draw` gives, in other modes and containers."""
    grey = draw()
    values = numpy.asarray(grey)
    deep = values.astype(numpy.uint16) * 16  # a 12-bit scan in 16 bits
    white = draw(paper=255, ink=0)
    clear = Image.merge("LA", (Image.new("L", grey.size, 0), Image.fromarray(255 - numpy.asarray(white))))
    bright = Image.merge("LA", (Image.new("L", grey.size, 255), Image.fromarray(255 - numpy.asarray(white))))
    page = Image.new("RGBA", (grey.width, grey.height), (0, 0, 0, 0))
    page.paste(grey.convert("RGBA"), (0, 0))
    page.paste((0, 0, 0, 0), (0, 0, 5, grey.height))  # transparent beside the paper
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise by a quarter
    quarter = grey.transpose(Image.Transpose.ROTATE_90)
    return {
        "colour": (grey.convert("RGB"), "png", {}),
        "palette": (grey.convert("P"), "png", {}),
        "palette with transparency": (grey.convert("P"), "png", {"transparency": 240}),
        "16 bits": (Image.fromarray(deep), "png", {}),
        "16 bits tiff": (Image.fromarray(deep), "tiff", {}),
        "float tiff": (Image.fromarray(values.astype(numpy.float32) / 255), "tiff", {}),
        "integer tiff": (Image.fromarray(values.astype(numpy.int32) - 1000), "tiff", {}),
        "one bit": (white.convert("1", dither=Image.Dither.NONE), "png", {}),
        "cmyk": (grey.convert("RGB").convert("CMYK"), "jpg", {"quality": 95}),
        "cmyk tiff": (grey.convert("RGB").convert("CMYK"), "tif", {"compression": "tiff_lzw"}),
        "dark ink on nothing": (clear, "png", {}),
        "bright ink on nothing": (bright, "png", {}),
        "colours on nothing": (bright.convert("RGBA"), "webp", {"lossless": True}),
        "paper beside nothing": (page, "png", {}),
        "bmp": (grey, "bmp", {}),
        "jpeg": (grey, "jpeg", {"quality": 90}),
        "lying": (quarter, "jpg", {"quality": 95, "exif": exif}),
        "lying png": (quarter, "png", {"exif": exif}),
        "broken exif": (grey, "jpg", {"quality": 95, "exif": b"Exif\0\0MM\0*garbage that is no directory"}),
    }


@pytest.mark.parametrize("mode", list(modes()))
def test_every_mode_gives_the_same(tmp_path: Path, path: str, mode: str) -> None:
    image, suffix, options = modes()[mode]
    assert correlation(frames(save(tmp_path, image, f"other.{suffix}", **options)), frames(path)) > 0.97


@pytest.mark.parametrize("factor", [0.7, 1.7, 3.0, 6.0])
def test_scaled_is_nearly_the_same(tmp_path: Path, path: str, factor: float) -> None:
    image = draw()
    larger = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC)
    assert correlation(frames(save(tmp_path, larger, "larger.png")), frames(path)) > 0.95


def test_margins_above_and_below_do_not_matter(tmp_path: Path, path: str) -> None:
    image = draw()
    for top, bottom in ((0, 40), (30, 5)):
        taller = Image.new("L", (image.width, image.height + top + bottom), 240)
        taller.paste(image, (0, top))
        assert correlation(frames(save(tmp_path, taller, "taller.png")), frames(path)) > 0.95


def test_uneven_light_and_weak_contrast_do_not_matter(tmp_path: Path, path: str) -> None:
    values = numpy.asarray(draw(), numpy.float32)
    light = numpy.linspace(0.45, 1.0, values.shape[1], dtype=numpy.float32)
    shaded = Image.fromarray((values * light).astype(numpy.uint8))
    faint = Image.fromarray((150 + values / 4).astype(numpy.uint8))
    for image in (shaded, faint):
        assert correlation(frames(save(tmp_path, image, "other.png")), frames(path)) > 0.95


@pytest.mark.parametrize("angle", [-4.0, -2.0, 1.0, 2.0, 4.0])
def test_a_turned_line_is_levelled(tmp_path: Path, path: str, angle: float) -> None:
    room = draw()
    wide = Image.new("L", (room.width, room.height + 60), 240)
    wide.paste(room, (0, 30))
    turned = save(tmp_path, wide.rotate(angle, Image.Resampling.BICUBIC, fillcolor=240), "turned.png")
    level = frames(path)
    assert correlation(frames(turned), level) > 0.9
    assert correlation(frames(turned), level) > correlation(frames(turned, deskew=False), level) + 0.02


def test_a_level_line_is_left_level(tmp_path: Path, path: str) -> None:
    assert correlation(frames(path), frames(path, deskew=False)) > 0.98


def test_without_body_only_the_image_is_scaled(path: str) -> None:
    image = draw()
    assert len(frames(path, body=False, deskew=False)) == round(image.width * 48 / image.height)


def test_squeeze_shortens_time(path: str) -> None:
    assert abs(len(frames(path, squeeze=0.5)) - len(frames(path)) / 2) <= 1


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_image_gives_blank_frames(tmp_path: Path, value: int) -> None:
    result = frames(save(tmp_path, Image.new("L", (300, 60), value)))
    assert len(result) > 4 and not result.any()


def test_dust_on_a_blank_sheet_stays_faint(tmp_path: Path) -> None:
    dust = numpy.random.default_rng(1).normal(230, 1.5, (60, 300)).astype(numpy.uint8)
    assert frames(save(tmp_path, Image.fromarray(dust))).mean() < 0.3
    deep = (60000 + 200 * (dust.astype(numpy.int32) - 230)).astype(numpy.uint16)
    assert frames(save(tmp_path, Image.fromarray(deep), "deep.png")).mean() < 0.3


def test_a_single_letter_is_read(tmp_path: Path) -> None:
    assert len(frames(save(tmp_path, draw("i")))) >= 4


# ---- what is no line of text


def truncated(folder: Path, suffix: str) -> None:
    noise = numpy.random.default_rng(0).integers(0, 255, (60, 400), dtype=numpy.uint8)
    Image.fromarray(noise).save(folder / f"whole{suffix}")
    data = (folder / f"whole{suffix}").read_bytes()
    (folder / f"bad{suffix}").write_bytes(data[: len(data) // 2])


def bomb(folder: Path, wide: int, high: int) -> None:
    """A PNG header that promises more pixels than anybody has."""
    whole = folder / "small.png"
    Image.new("1", (8, 8)).save(whole)
    data = bytearray(whole.read_bytes())
    data[16:24] = wide.to_bytes(4, "big") + high.to_bytes(4, "big")
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (folder / "bad.png").write_bytes(data)


BAD = {
    "missing": (lambda folder: None, "bad.png", "cannot be opened"),
    "a folder": (lambda folder: (folder / "bad.png").mkdir(), "bad.png", "cannot be opened"),
    "empty": (lambda folder: (folder / "bad.png").write_bytes(b""), "bad.png", "0 bytes"),
    "text": (lambda folder: (folder / "bad.png").write_text("hello\n" * 99), "bad.png", "not an image"),
    "truncated png": (lambda folder: truncated(folder, ".png"), "bad.png", "broken"),
    "truncated jpg": (lambda folder: truncated(folder, ".jpg"), "bad.jpg", "broken"),
    "truncated tif": (lambda folder: truncated(folder, ".tif"), "bad.tif", "broken|not an image"),
    "truncated bmp": (lambda folder: truncated(folder, ".bmp"), "bad.bmp", "broken"),
    "truncated webp": (lambda folder: truncated(folder, ".webp"), "bad.webp", "broken|not an image"),
    "one pixel": (lambda folder: Image.new("L", (1, 1)).save(folder / "bad.png"), "bad.png", "1 x 1 pixels"),
    "one column": (lambda folder: Image.new("L", (1, 90)).save(folder / "bad.png"), "bad.png", "1 x 90 pixels"),
    "one row": (lambda folder: Image.new("L", (900, 1)).save(folder / "bad.png"), "bad.png", "900 x 1 pixels"),
    "a tall stripe": (lambda folder: Image.new("L", (5, 900)).save(folder / "bad.png"), "bad.png", "0 columns"),
    "endless": (lambda folder: Image.new("L", (20_000, 4)).save(folder / "bad.png"), "bad.png", "columns at a height"),
    "large": (lambda folder: bomb(folder, 10000, 5000), "bad.png", "10000 x 5000 pixels"),
    "larger": (lambda folder: bomb(folder, 10000, 10000), "bad.png", "10000 x 10000 pixels"),
    "a bomb": (lambda folder: bomb(folder, 60000, 60000), "bad.png", "too large"),
    "pages": (
        lambda folder: draw().save(folder / "bad.tif", save_all=True, append_images=[draw("x")]),
        "bad.tif",
        "2 pages",
    ),
}


@pytest.mark.parametrize("case", list(BAD))
@pytest.mark.parametrize("ask", ["read", "length"])
def test_what_is_no_line_is_refused_by_name(tmp_path: Path, case: str, ask: str) -> None:
    make, name, what = BAD[case]
    make(tmp_path)
    with pytest.raises(InputError, match=what) as caught:
        getattr(Line(), ask)(str(tmp_path / name))
    message = str(caught.value)
    assert message.startswith(str(tmp_path / name)) and ";" in message and "\n" not in message


@pytest.mark.parametrize("part", [(1e6, None), (-5.0, None), (30.2, 30.0), (None, 0.0)])
@pytest.mark.parametrize("ask", ["read", "length"])
def test_a_part_that_is_not_there_is_refused(path: str, part: tuple[float | None, float | None], ask: str) -> None:
    with pytest.raises(InputError, match="columns, none from"):
        getattr(Line(), ask)(path, *part)
