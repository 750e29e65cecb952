"""What the options of geometry show: pixels of generated pictures, against Pillow, numpy or what was drawn."""

from __future__ import annotations

import io
from decimal import Decimal
from functools import cache
from math import cos, radians, sin
from typing import Any

import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tests import images
from transforms.errors import OptionError, TooLarge
from transforms.geometry import plan
from transforms.headers import Source, read_header
from transforms.limits import DEFAULT_LIMITS, Limits
from transforms.options import parse_compact
from transforms.pipeline import render
from transforms.steps.load import load
from transforms.work import Request

Pixels = Any
LANCZOS = Image.Resampling.LANCZOS
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def ramp(size: tuple[int, int]) -> Image.Image:
    """Red tells how far right a pixel is, green how far down, of 255."""
    rows, columns = numpy.indices(size[::-1])
    pixels = numpy.full((*size[::-1], 3), 90, numpy.uint8)
    pixels[..., 0] = numpy.round((columns + 0.5) / size[0] * 255)
    pixels[..., 1] = numpy.round((rows + 0.5) / size[1] * 255)
    return Image.fromarray(pixels)


@cache
def smooth(size: tuple[int, int]) -> Image.Image:
    """A photograph without grain, so that what differs is where things are."""
    return images.photo((size[0] // 5, size[1] // 5)).resize(size, LANCZOS)


def stored(image: Image.Image, orientation: int, format_name: str = "JPEG") -> bytes:
    """A picture as a camera stores it under an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    undo = images.STORED_AS.get(orientation)
    settings = {"quality": 97, "subsampling": 0} if format_name == "JPEG" else {}
    return images.encoded(image if undo is None else image.transpose(undo), format_name, exif=exif, **settings)


def png(image: Image.Image) -> bytes:
    return images.encoded(image, "PNG")


def shown(data: bytes, options: str, **arguments: object) -> Image.Image:
    """The rendition, as PNG unless another format is named; its size is the one that was planned from the source."""
    rendered = render(data, parse_compact(options if "f:" in options else f"{options},f:png"), **arguments)  # type: ignore[arg-type]
    image = Image.open(io.BytesIO(rendered.data))
    assert image.size == (rendered.width, rendered.height)
    return image


def pixels(image: Image.Image, mode: str = "RGB") -> Pixels:
    return numpy.asarray(image.convert(mode)).astype(int)


def difference(one: Image.Image, other: Image.Image, mode: str = "RGB") -> Pixels:
    """By how much each value differs."""
    assert one.size == other.size
    return numpy.abs(pixels(one, mode) - pixels(other, mode))


# Cutting out.


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("options", "box", "quarters", "mirrored"),
    [
        ("crop:30:10:50:70", (30, 10, 80, 80), 0, False),
        ("crop:100:60:500:500", (100, 60, 120, 80), 0, False),
        ("crop:0.25:0.5:0.5:0.5", (30, 40, 90, 80), 0, False),
        ("crop:30:10:50:70,rotate:90", (30, 10, 80, 80), 1, False),
        ("crop:30:10:50:70,rotate:270,flip:h", (30, 10, 80, 80), 3, True),
        ("ar:1:1,g:e", (40, 0, 120, 80), 0, False),
        ("ar:1:1,g:w:10:0", (10, 0, 90, 80), 0, False),
        ("ar:1:1,g:e,flip:h", (0, 0, 80, 80), 0, True),
        ("ar:1:1,g:s,rotate:90", (40, 0, 120, 80), 1, False),
        ("ar:1:1,g:fp:0.25:0.9", (0, 0, 80, 80), 0, False),
        ("ar:1:1,g:fp:0.45:0.9", (14, 0, 94, 80), 0, False),
        ("ar:1:1,g:fp:0.45:0.9,rotate:90,flip:h", (14, 0, 94, 80), 1, True),
        ("crop:20:0:100:80,ar:1:1,g:fp:1.0:0.5", (40, 0, 120, 80), 0, False),
        ("crop:20:20:90:30,ar:3:1,w:90,h:10,fit:cover,g:n:0:3", (20, 23, 110, 33), 0, False),
    ],
)
def test_coordinates_are_of_the_upright_picture(
    orientation: int, options: str, box: tuple[int, int, int, int], quarters: int, mirrored: bool
) -> None:
    picture = ramp((120, 80))
    expected = picture.crop(box).rotate(-90 * quarters, expand=True)
    if mirrored:
        expected = ImageOps.mirror(expected)
    assert difference(shown(stored(picture, orientation), options), expected).max() <= 4
    if orientation == 1:
        assert difference(shown(png(picture), options), expected).max() == 0


@pytest.mark.parametrize(
    ("options", "box"),
    [
        ("w:100,h:80,fit:cover,g:nw", (0, 0, 100, 80)),
        ("w:100,h:80,fit:cover,g:n", (10, 0, 110, 80)),
        ("w:100,h:80,fit:cover,g:ne", (20, 0, 120, 80)),
        ("w:100,h:80,fit:cover,g:c:5:0", (15, 0, 115, 80)),
        ("w:100,h:80,fit:cover,g:e:5:0", (15, 0, 115, 80)),
        ("w:100,h:80,fit:cover,g:e:500:0", (0, 0, 100, 80)),
        ("w:120,h:60,fit:cover,g:s", (0, 20, 120, 80)),
        ("w:120,h:60,fit:cover,g:s:0:0.1", (0, 14, 120, 74)),
        ("w:120,h:60,fit:cover,g:fp:0.5:0.5", (0, 10, 120, 70)),
        ("w:120,h:60,fit:cover,g:fp:0.5:0.5,crop:0.0:0.0:1.0:1.0", (0, 10, 120, 70)),
    ],
)
def test_what_cover_keeps(options: str, box: tuple[int, int, int, int]) -> None:
    picture = ramp((120, 80))
    assert difference(shown(png(picture), options), picture.crop(box)).max() == 0


@cache
def _quickly(name: str) -> bytes:
    return images.encoded(smooth((2001, 1401)), name, quality=95, **({"method": 0} if name == "WEBP" else {}))


@pytest.mark.parametrize("name", ["JPEG", "WEBP"])
@pytest.mark.parametrize(
    ("box", "width"),
    [((101, 203, 777, 555), 77), ((3, 5, 1600, 1200), 200), ((13, 17, 311, 307), 99), ((701, 300, 1200, 1101), 300)],
)
def test_a_part_that_shrinks_as_it_loads_is_in_its_place(name: str, box: tuple[int, int, int, int], width: int) -> None:
    picture = smooth((2001, 1401))
    left, top, across, down = box
    height = round(down * width / across)
    data = _quickly(name)
    options = f"crop:{left}:{top}:{across}:{down},w:{width},h:{height},fit:fill"
    expected = picture.resize((width, height), LANCZOS, box=(left, top, left + across, top + down))
    seen = shown(data, options)
    off = difference(seen, expected).mean()
    assert off < 1.5
    assert abs((pixels(seen) - pixels(expected)).mean()) < 0.5
    # A pixel of the result to the side is worse by far: it would be seen.
    step = across / width
    moved = picture.resize((width, height), LANCZOS, box=(left + step, top, left + step + across, top + down))
    assert difference(seen, moved).mean() > 1.5 * off


@pytest.mark.parametrize(
    ("options", "alike"),
    [("crop:0:0:800:600,w:48", "w:96"), ("crop:0:0:800:600,w:200", "w:400"), ("crop:0:0:800:600,w:801", ""),
     ("ar:1:1,w:50,g:w", "h:50"), ("w:50,h:50,fit:cover,g:fp:0.1:0.1", "h:50"), ("rotate:33,w:100", "w:80"),
     ("pad:900,w:100,radius:max", "w:100"), ("trim:1,w:100", "")],
)  # fmt: skip
def test_no_more_is_decoded_than_is_needed(options: str, alike: str) -> None:
    data = images.jpeg((1600, 1200))

    def loaded(text: str) -> tuple[int, int, tuple[float, float]]:
        request = Request(parse_compact(text), "", DEFAULT_LIMITS, read_header(Source.of_bytes(data)))
        frames, work = load(data, request)
        frame = next(iter(frames))
        assert work.density == (frame.width / 1600, frame.height / 1200)
        return frame.width, frame.height, work.density

    # As much as for the whole picture at the same scale.
    assert loaded(options) == loaded(alike)
    assert (loaded(options)[0] == 1600) == (alike == "")


def test_a_crop_outside_is_refused_before_anything_is_decoded() -> None:
    data = images.jpeg((640, 480))
    with pytest.raises(OptionError, match="640 x 480"):
        render(data[:2000], parse_compact("crop:640:0:10:10"))
    # It counts for the upright picture.
    with pytest.raises(OptionError, match="60 x 80"):
        render(images.jpeg_oriented(6, (60, 80)), parse_compact("crop:60:0:10:10"))


# Sizes.


def test_enlarging_keeps_everything_in_place() -> None:
    picture = images.photo((200, 150)).resize((50, 37), LANCZOS)
    for size in ((100, 74), (173, 128), (40, 148)):
        options = f"w:{size[0]},h:{size[1]},fit:fill,up:1"
        expected = picture.resize(size, Image.Resampling.BICUBIC if size[0] > 50 else LANCZOS)
        assert difference(shown(png(picture), options), expected).mean() < 1.5


def test_a_mezzanine_counts_as_its_original() -> None:
    picture = smooth((1600, 1200))
    small = images.encoded(picture.resize((640, 480), LANCZOS), "JPEG", quality=95)
    original: dict[str, object] = {"original": (1600, 1200)}
    assert shown(small, "w:200", **original).size == (200, 150)
    assert shown(small, "w:1000", **original).size == (1000, 750)
    assert shown(small, "w:2000", **original).size == (1600, 1200)
    options = "crop:0.25:0.51:0.5:0.26,w:160"
    expected = picture.resize((160, 62), LANCZOS, box=(400, 612, 1200, 924))
    assert difference(shown(small, options, **original), expected).mean() < 2
    assert difference(shown(images.encoded(picture, "JPEG", quality=95), options), expected).mean() < 2


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_turned_mezzanine_counts_as_its_original(orientation: int) -> None:
    small = stored(ramp((300, 200)), orientation)
    sides = (1500, 1000) if orientation == 1 else (1000, 1500)
    # Some containers turn a picture without EXIF: then the mezzanine is upright and the original's sides are not.
    for original in (sides, sides[::-1]):
        seen = shown(small, "ar:1:1,g:e,w:100", original=original)
        assert seen.size == (100, 100)
        assert abs(pixels(seen)[50, 0, 0] - 255 / 3) < 6


# Turning by any angle.


@pytest.mark.parametrize("orientation", [1, 6, 7])
@pytest.mark.parametrize(
    "options", ["rotate:30", "rotate:200.5,w:150", "rotate:45,flip:h", "rotate:300,flip:v,w:90,h:90,fit:cover",
                "rotate:30,w:90,h:90,fit:cover,g:fp:0.1:0.1", "rotate:77,w:60,h:150,fit:fill", "crop:40:20:120:100,rotate:10",
                "rotate:20,w:400,up:1", "rotate:20,ar:1:1,g:nw", "rotate:30,w:500,h:60,fit:cover,up:1"],
)  # fmt: skip
def test_any_angle_shows_what_it_should(orientation: int, options: str) -> None:
    picture, parsed = ramp((200, 150)), parse_compact(options)
    geometry = plan((200, 150), parsed)
    seen = pixels(shown(stored(picture, orientation), options), "RGBA")
    left, top, width, height = geometry.part
    angle = radians(float(parsed.rotate))
    box = abs(width * cos(angle)) + abs(height * sin(angle)), abs(width * sin(angle)) + abs(height * cos(angle))
    cut = _window(geometry, parsed)
    checked = inside = 0
    for row in range(2, seen.shape[0], 9):
        for column in range(2, seen.shape[1], 9):
            # From a pixel of the result back to the source.
            x = ((cut[0] + column + 0.5) / geometry.resized[0] - 0.5) * box[0]
            y = ((cut[1] + row + 0.5) / geometry.resized[1] - 0.5) * box[1]
            x, y = (-x if parsed.flip == "h" else x), (-y if parsed.flip == "v" else y)
            x, y = x * cos(angle) + y * sin(angle), y * cos(angle) - x * sin(angle)
            depth = min(width / 2 - abs(x), height / 2 - abs(y)) * geometry.scale
            if abs(depth) < 2:
                continue
            checked += 1
            if depth < 0:
                # Lanczos leaves a trace beside a hard edge.
                assert seen[row, column, 3] <= (4 if parsed.fit == "fill" else 0)
                continue
            inside += 1
            expected = ((left + width / 2 + x) / 200 * 255, (top + height / 2 + y) / 150 * 255, 90, 255)
            assert numpy.abs(seen[row, column] - expected).max() <= 5, (row, column, seen[row, column], expected)
    assert checked > 30
    assert inside > 20


def _window(geometry: object, options: object) -> tuple[int, int]:
    from transforms.geometry import Geometry, focus_in_view
    from transforms.gravity import window
    from transforms.options import Options

    assert isinstance(geometry, Geometry)
    assert isinstance(options, Options)
    gravity = options.g
    focus = None
    if gravity is not None and gravity.place == "fp":
        focus = focus_in_view((200, 150), geometry.part, options, float(gravity.x), float(gravity.y))
    return window(geometry.resized, geometry.cropped, gravity, focus)


def test_corners_that_turning_makes() -> None:
    data = png(Image.new("RGB", (100, 80), RED))
    assert shown(data, "rotate:30").getpixel((0, 0)) == (0, 0, 0, 0)
    assert shown(data, "rotate:30,f:jpeg").getpixel((0, 0)) == WHITE
    filled = shown(data, "rotate:30,bg:00f")
    assert filled.mode == "RGB"
    assert filled.getpixel((0, 0)) == BLUE
    assert shown(data, "rotate:30,bg:0000ff80").getpixel((0, 0)) == (0, 0, 255, 128)
    blurred = shown(data, "rotate:30,bg:blur")
    assert blurred.mode == "RGB"
    assert difference(blurred, Image.new("RGB", blurred.size, RED)).max() <= 2
    # The edge is smooth: some pixels are neither inside nor outside.
    alpha = pixels(shown(data, "rotate:30"), "RGBA")[..., 3]
    assert 0 < numpy.count_nonzero((alpha > 30) & (alpha < 225)) < 0.1 * alpha.size
    assert abs(alpha.sum() / 255 - 8000) < 100


# Trimming.


def framed(
    border: tuple[int, ...], size: tuple[int, int] = (120, 90), box: tuple[int, int, int, int] = (20, 10, 90, 60)
) -> Image.Image:
    """A picture in a border of one colour; no pixel of its edge is like it."""
    image = Image.new("RGBA" if len(border) == 4 else "RGB", size, border)
    inner = ramp((box[2] - box[0], box[3] - box[1])).convert(image.mode)
    image.paste(inner, box[:2])
    return image


@pytest.mark.parametrize("orientation", range(1, 9))
def test_trim_finds_the_picture(orientation: int) -> None:
    picture = framed((10, 20, 250))
    expected = picture.crop((20, 10, 90, 60))
    seen = shown(stored(picture, orientation, "TIFF"), "trim:10")
    assert difference(seen, expected).max() == 0
    assert shown(stored(picture, orientation, "TIFF"), "trim:10,w:35").size == (35, 25)
    lossy = shown(stored(picture, orientation), "trim:60,rotate:90,flip:v")
    assert abs(lossy.width - 50) <= 2
    assert abs(lossy.height - 70) <= 2


def test_trim_goes_by_the_upper_left_corner_of_what_crop_left() -> None:
    picture = Image.new("RGB", (100, 60), GREEN)
    picture.paste(framed(BLUE, (60, 40), (5, 6, 40, 30)), (30, 10))
    assert difference(shown(png(picture), "crop:30:10:60:40,trim:0"), picture.crop((35, 16, 70, 40))).max() == 0
    assert difference(shown(png(picture), "trim:0"), picture.crop((30, 10, 90, 50))).max() == 0
    # The corner as it is seen: stored lying on its side, the green one is another.
    halves = Image.new("RGB", (60, 60), GREEN)
    halves.paste(BLUE, (0, 30, 60, 60))
    assert set(pixels(shown(stored(halves, 6, "TIFF"), "trim:0")).reshape(-1, 3).sum(axis=0)) == {0, 60 * 30 * 255}


def test_trim_thresholds_and_colours() -> None:
    picture = framed((200, 200, 200))
    noisy = pixels(picture)
    noisy[:5, :] += 9
    data = png(Image.fromarray(noisy.clip(0, 255).astype(numpy.uint8)))
    assert shown(data, "trim:9").size == (70, 50)
    assert shown(data, "trim:8").size == (120, 85)
    # A colour of one's own: only that is cut.
    assert shown(png(picture), "trim:5:c8c8c8").size == (70, 50)
    assert shown(png(picture), "trim:5:ff00ff").size == (120, 90)


def test_trim_cuts_what_is_transparent_whatever_its_colour() -> None:
    picture = pixels(framed((0, 0, 0, 0)), "RGBA")
    picture[:3, :, 0] = 255
    data = png(Image.fromarray(picture.astype(numpy.uint8), "RGBA"))
    assert shown(data, "trim:5").size == (70, 50)
    assert shown(data, "trim:5:transparent").size == (70, 50)
    assert shown(data, "trim:5:fff").size == (120, 90)


@pytest.mark.parametrize(
    "source", [png(Image.new("RGB", (50, 40), RED)), images.jpeg_cmyk((50, 40)), png(Image.new("L", (50, 40), 7))]
)
def test_a_picture_of_one_colour_stays(source: bytes) -> None:
    assert shown(source, "trim:10").size == (50, 40)
    assert shown(source, "trim:10,w:25").size == (25, 20)


def test_trim_reads_other_kinds_of_pixels() -> None:
    grey = Image.new("L", (60, 40), 250)
    grey.paste(20, (10, 5, 40, 30))
    deep = Image.fromarray((pixels(grey, "L") * 257).astype(numpy.uint16))
    palette = framed((255, 255, 255)).quantize(64)
    for data, size in ((png(grey), (30, 25)), (png(deep), (30, 25)), (png(palette), (70, 50))):
        assert shown(data, "trim:10").size == size
    ink = Image.new("CMYK", (60, 40), (0, 0, 0, 0))
    ink.paste((0, 255, 255, 0), (16, 8, 48, 32))
    assert shown(images.encoded(ink, "TIFF"), "trim:20").size == (32, 24)


def test_what_trim_leaves_may_not_become_too_large() -> None:
    # As tall as it was and nearly as narrow as can be: enlarged to this width it has ten million rows.
    picture = Image.new("RGB", (400, 300), WHITE)
    picture.paste(RED, (100, 0, 101, 300))
    render(png(picture), parse_compact("w:2000,up:1"))
    with pytest.raises(TooLarge, match="output_pixels"):
        render(png(picture), parse_compact("w:2000,up:1,trim:5"), limits=Limits(output_pixels=10_000_000))


# Adding.


@pytest.mark.parametrize(
    ("options", "size", "corner"),
    [
        ("w:100,h:100,fit:contain,g:n", (100, 100), (0, 0)),
        ("w:100,h:100,fit:contain,g:s:0:5", (100, 100), (0, 45)),
        ("w:100,h:100,fit:contain", (100, 100), (0, 25)),
        ("w:150,h:100,extend:1,g:se", (150, 100), (50, 50)),
        ("w:150,h:100,extend:1,g:nw:10:20", (150, 100), (10, 20)),
        ("w:150,extend:1,g:e", (150, 50), (50, 0)),
        ("ar:1:1,fit:contain,g:s", (100, 100), (0, 50)),
        ("pad:1:2:3:4", (106, 54), (4, 1)),
        ("pad:3,dpr:2", (112, 62), (6, 6)),
        ("w:100,h:80,fit:contain,g:s,pad:1:2:3:4", (106, 84), (4, 31)),
    ],
)
@pytest.mark.parametrize("bg", [(9, 200, 30), None])
def test_what_is_added_surrounds_the_picture(
    options: str, size: tuple[int, int], corner: tuple[int, int], bg: tuple[int, int, int] | None
) -> None:
    picture = ramp((100, 50))
    expected = Image.new("RGB", size, bg or WHITE)
    expected.paste(picture, corner)
    seen = shown(png(picture), options + (f",bg:{bytes(bg).hex()}" if bg else ""))
    assert seen.mode == "RGB"
    assert difference(seen, expected).max() == 0


def test_what_is_added_may_be_transparent() -> None:
    data = png(Image.new("RGB", (60, 30), RED))
    clear = shown(data, "pad:10,bg:transparent")
    assert clear.getpixel((0, 0)) == (0, 0, 0, 0)
    assert clear.getpixel((10, 10)) == (255, 0, 0, 255)
    assert shown(data, "pad:10,bg:0000ff80").getpixel((5, 5)) == (0, 0, 255, 128)
    # Around a picture that has transparency: nothing, as in it.
    assert shown(images.png_alpha((60, 30)), "pad:10").getpixel((5, 5)) == (0, 0, 0, 0)
    assert shown(images.png_alpha((60, 30)), "pad:10,f:jpeg").getpixel((3, 3)) == WHITE
    # A colour that shows what is behind is laid once, under everything.
    both = shown(images.png_alpha((60, 30)), "pad:10,bg:0000ff80")
    assert both.getpixel((5, 5)) == both.getpixel((12, 25)) == (0, 0, 255, 128)


@pytest.mark.parametrize(
    "options", ["w:200,h:200,fit:contain,bg:blur", "w:300,h:250,extend:1,bg:blur", "pad:30:60,bg:blur"]
)
def test_the_blurred_background_is_the_picture(options: str) -> None:
    picture = ramp((200, 100))
    seen = shown(png(picture), options)
    assert seen.mode == "RGB"
    geometry = plan((200, 100), parse_compact(options))
    left, top = (seen.width - geometry.cropped[0]) // 2, (seen.height - geometry.cropped[1]) // 2
    inner = seen.crop((left, top, left + geometry.cropped[0], top + geometry.cropped[1]))
    assert difference(inner, picture).max() <= (0 if geometry.cropped == (200, 100) else 3)
    values = pixels(seen)
    # The middle of the picture, spread: colours run as in it, and nothing is sharp.
    border = values[: max(2, top // 2), :, 0].mean(axis=0)
    assert numpy.all(numpy.diff(border) > -1)
    assert border[-1] - border[0] > 60
    assert numpy.abs(numpy.diff(values[: max(2, top - 1)], axis=1)).max() <= 4


def test_the_blurred_background_of_noise_is_even() -> None:
    random = numpy.random.default_rng(4)
    noise = Image.fromarray(random.integers(0, 256, (100, 200, 3), dtype=numpy.uint8))
    seen = pixels(shown(png(noise), "w:200,h:200,fit:contain,bg:blur"))
    assert seen[:45].std() < 12
    assert abs(seen[:45].mean() - 127.5) < 6
    # A picture that can be seen through has a background that can.
    clear = shown(images.png_alpha((100, 50)), "w:100,h:100,fit:contain,bg:blur")
    assert clear.mode == "RGBA"
    assert clear.getpixel((2, 50))[3] < 60  # type: ignore[index]
    assert clear.getpixel((97, 10))[3] > 200  # type: ignore[index]


# Shapes.


def _disc(size: tuple[int, int], across: float, down: float, fine: int = 8) -> Pixels:
    """How much of each pixel lies in an ellipse in the middle, of 255, by counting parts of pixels."""
    rows, columns = numpy.indices((size[1] * fine, size[0] * fine))
    inside = (((columns + 0.5) / fine - size[0] / 2) / across) ** 2 + (
        ((rows + 0.5) / fine - size[1] / 2) / down
    ) ** 2 <= 1
    return inside.reshape(size[1], fine, size[0], fine).mean(axis=(1, 3)) * 255


def _corners(size: tuple[int, int], radius: float, fine: int = 8) -> Pixels:
    rows, columns = numpy.indices((size[1] * fine, size[0] * fine))
    x = numpy.abs((columns + 0.5) / fine - size[0] / 2) - (size[0] / 2 - radius)
    y = numpy.abs((rows + 0.5) / fine - size[1] / 2) - (size[1] / 2 - radius)
    inside = numpy.hypot(x.clip(0), y.clip(0)) <= radius
    return inside.reshape(size[1], fine, size[0], fine).mean(axis=(1, 3)) * 255


@pytest.mark.parametrize("size", [(80, 60), (81, 60), (61, 81), (7, 40), (30, 30), (1, 9), (2, 2)])
def test_shapes_have_their_edges_where_they_should(size: tuple[int, int]) -> None:
    data = png(Image.new("RGB", size, RED))
    half = min(size) / 2
    for options, expected in (
        ("mask:ellipse", _disc(size, size[0] / 2, size[1] / 2)),
        ("mask:circle", _disc(size, half, half)),
        ("radius:max", _corners(size, half)),
        ("radius:8000", _corners(size, half)),
        ("radius:5", _corners(size, min(5, half))),
        ("radius:5,dpr:3", _corners(size, min(15, half))),
    ):
        seen = pixels(shown(data, options), "RGBA")
        off = numpy.abs(seen[..., 3] - expected)
        # Thin shapes have more than one edge in a pixel.
        assert off.max() <= (40 if min(size) > 7 else 160), options
        assert off.mean() < (1.5 if min(size) > 7 else 60), options
        assert numpy.array_equal(seen[..., 3], seen[::-1, ::-1, 3])


def test_shapes_meet_transparency_and_backgrounds() -> None:
    red, clear = png(Image.new("RGB", (60, 60), RED)), png(Image.new("RGBA", (60, 60), (255, 0, 0, 100)))
    assert shown(red, "radius:20").getpixel((0, 0))[3] == 0  # type: ignore[index]
    assert numpy.abs(pixels(shown(red, "radius:20,f:jpeg"))[0, 0] - WHITE).max() <= 12
    assert shown(red, "radius:20,bg:00f").getpixel((0, 0)) == BLUE
    seen = shown(clear, "mask:circle")
    assert seen.getpixel((0, 0))[3] == 0  # type: ignore[index]
    assert seen.getpixel((30, 30)) == (255, 0, 0, 100)
    both = shown(red, "mask:circle,radius:5")
    assert difference(both, shown(red, "mask:circle"), "RGBA").max() == 0
    # The shape is that of all that is shown, padding too.
    padded = shown(red, "radius:10,pad:20,bg:0f0")
    assert padded.getpixel((50, 3)) == GREEN
    assert shown(red, "radius:10,pad:20").getpixel((0, 0))[3] == 0  # type: ignore[index]


# Bounds.


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
@pytest.mark.parametrize(
    "options",
    ["w:100,h:100,fit:cover", "w:100,h:100,fit:cover,up:1", "w:10,h:10,fit:contain,bg:blur", "ar:3:1", "ar:1:9,fit:contain",
     "crop:0.5:0.5:0.5:0.5", "crop:0:0:1:1,w:9,up:1", "rotate:45", "rotate:10,w:50,up:1", "trim:10", "pad:3,bg:blur",
     "radius:max", "radius:99", "mask:ellipse", "mask:circle", "w:5,h:7,extend:1,g:se", "g:smart,w:1,h:1,fit:cover",
     "g:entropy,ar:1:1", "g:face,ar:1:1", "rotate:5,g:smart,ar:1:1", "w:1,h:1,fit:fill", "min-w:4,min-h:4,up:1", "w:3"],
)  # fmt: skip
def test_small_and_thin_sources(size: tuple[int, int], options: str) -> None:
    picture = Image.new("RGB", size, RED)
    seen = shown(png(picture), options)
    if "trim" not in options:
        assert seen.size == plan(size, parse_compact(options)).result
    # What is seen of it is red, and what is added is white.
    values = pixels(seen, "RGBA")
    opaque = values[values[..., 3] == 255][:, :3]
    if "blur" not in options:
        assert numpy.minimum(abs(opaque - RED).max(axis=1), abs(opaque - WHITE).max(axis=1)).max(initial=0) <= 1


@pytest.mark.parametrize(
    "options",
    ["w:100,pad:2048,dpr:2", "pad:4001:4000:0:4000", "w:9000,h:9000,extend:1", "w:9000,ar:1:1,fit:contain",
     "rotate:45,w:9000,up:1", "w:9000,min-h:9000,up:1", "ar:1:100,fit:contain", "w:16000,h:10,fit:outside,up:1"],
)  # fmt: skip
def test_limits_hold_before_anything_is_decoded(options: str) -> None:
    # There are no pixels to decode: only the header is right.
    broken = images.png_claiming((2000, 1000))
    with pytest.raises(TooLarge) as caught:
        render(broken, parse_compact(options))
    assert caught.value.limit == "output_pixels"


@pytest.mark.parametrize("name", ["JPEG", "WEBP"])
@pytest.mark.parametrize(
    ("size", "options"), [((3, 33), "h:2,rotate:45"), ((33, 3), "crop:0.2:0.0:0.6:1.0,ar:1:1,h:2,rotate:130")]
)
def test_thin_sources_are_not_shrunk_to_nothing(name: str, size: tuple[int, int], options: str) -> None:
    seen = shown(images.encoded(Image.new("RGB", size, RED), name, quality=95), options)
    assert seen.size == plan(size, parse_compact(options)).result


_FRACTIONS = st.sampled_from(["0.0", "0.2", "0.55"])
_choices = st.fixed_dictionaries(
    {},
    optional={
        "w": st.sampled_from(["10", "33", "90"]),
        "h": st.sampled_from(["10", "25", "90"]),
        "fit": st.sampled_from(["inside", "outside", "cover", "contain", "fill", "auto", "adaptive"]),
        "min-w": st.just("40"),
        "up": st.just("1"),
        "crop": st.tuples(_FRACTIONS, _FRACTIONS).map(lambda at: f"{at[0]}:{at[1]}:0.4:1.0"),
        "ar": st.sampled_from(["1", "3:1", "1:3"]),
        "g": st.sampled_from(["c", "ne:3:1", "fp:0.1:0.8", "smart", "entropy"]),
        "rotate": st.sampled_from(["90", "180", "270", "45", "213"]),
        "flip": st.sampled_from(["h", "v", "hv"]),
        "trim": st.just("12"),
        "pad": st.sampled_from(["2", "0:3"]),
        "extend": st.just("1"),
        "bg": st.sampled_from(["f00", "transparent", "blur", "0f08"]),
        "radius": st.sampled_from(["4", "max"]),
        "dpr": st.just("1.5"),
    },
)


@settings(max_examples=40)
@example({"w": "33", "fit": "fill", "rotate": "45"}, 1)
@example({"w": "33", "bg": "transparent", "rotate": "45", "f": "jpeg"}, 1)
@given(_choices, st.sampled_from([1, 6]))
def test_the_canonical_form_renders_the_same(chosen: dict[str, str], orientation: int) -> None:
    options = parse_compact(",".join(f"{name}:{value}" for name, value in chosen.items()) or "f:png")
    data = stored(framed((250, 250, 250), (60, 40), (10, 5, 50, 30)), orientation, "TIFF")
    assert render(data, options) == render(data, parse_compact(options.canonical()))
    if "trim" not in chosen:
        rendered = render(data, options)
        assert (rendered.width, rendered.height) == plan((60, 40), options).result


def test_frames_do_not_jump() -> None:
    from transforms.steps.focus import focus
    from transforms.steps.trim import trim

    first, second = framed(WHITE, (60, 60), (5, 5, 30, 20)), framed(WHITE, (60, 60), (30, 30, 55, 50))
    options = parse_compact("trim:5,w:10,h:10,fit:cover,g:smart")
    data = png(first)
    request = Request(options, "", DEFAULT_LIMITS, read_header(Source.of_bytes(data)))
    frames, work = load(data, request)
    one = focus(trim(next(iter(frames)), work), work)
    point = work.focus
    others, _ = load(png(second), request)
    other = focus(trim(next(iter(others)), work), work)
    assert (one.width, one.height) == (17, 10)
    assert (other.width, other.height) == (25, 15)
    assert work.focus == point
    assert Decimal(work.upright.part[0]) == 5
