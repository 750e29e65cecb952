"""Which reader a file gets, what it says where an extra is missing, and images that are laid over others."""

from __future__ import annotations

import io
import sys

import pytest
import pyvips
from PIL import Image

from tests import images
from transforms.codecs.reading import failed
from transforms.errors import DecodeFailed, NotAnImage, TooLarge, UnsupportedFormat
from transforms.limits import Limits
from transforms.options import parse_compact
from transforms.pipeline import render
from transforms.steps.load import open_still


def shown(data: bytes, options: str = "f:png") -> Image.Image:
    return Image.open(io.BytesIO(render(data, parse_compact(options)).data))


@pytest.mark.parametrize(("name", "module"), [("heic", "pillow_heif"), ("jxl", "pillow_jxl"), ("pdf", "pypdfium2")])
def test_a_missing_extra_is_named(name: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = images.EVERY[name]()
    assert shown(data, "w:50,f:png").width == 50
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UnsupportedFormat) as caught:
        render(data, parse_compact("w:50"))
    assert caught.value.extra in ("heif", name)
    assert f"pixgate[{caught.value.extra}]" in str(caught.value)


@pytest.mark.parametrize("name", ["bmp", "jxl", "heic"])
def test_the_picture_stays_the_picture(name: str) -> None:
    data = images.EVERY[name]()
    plain = images.photo((64, 48) if name == "bmp" else (320, 213 - (name == "heic"))).resize((32, 24))
    image = shown(data).resize((32, 24)).convert("RGB")
    difference = [abs(a - b) for a, b in zip(image.tobytes(), plain.tobytes(), strict=True)]
    assert sum(difference) / len(difference) < 4


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_kinds_of_bmp(mode: str) -> None:
    source = images.corners((40, 30)).convert(mode)
    image = shown(images.encoded(source, "BMP")).convert("RGB")
    wanted = source.convert("RGB")
    assert image.size == (40, 30)
    assert [image.getpixel(at) for at in ((5, 5), (30, 25))] == [wanted.getpixel(at) for at in ((5, 5), (30, 25))]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_kinds_of_jxl(mode: str) -> None:
    images.jxl((8, 8))
    expected = Image.linear_gradient("L").resize((40, 30))
    image = shown(images.encoded(expected.convert(mode), "JXL", lossless=True)).convert("L")
    assert all(abs(image.getpixel(at) - expected.getpixel(at)) < 4 for at in ((5, 2), (20, 15), (35, 28)))  # type: ignore[operator]


def test_a_jxl_of_sixteen_bits_is_read_by_its_profile() -> None:
    images.jxl((8, 8))
    source = Image.linear_gradient("L").resize((40, 30)).convert("I").point(lambda value: value * 257)
    image = shown(images.encoded(source.convert("I;16"), "JXL", lossless=True)).convert("L")
    # The encoder declares such pixels to be linear light, so half the number is brighter than half the grey.
    middle = image.getpixel((20, 15))
    assert abs(middle - 190) < 4  # type: ignore[operator]


def test_a_jxl_that_was_a_jpeg() -> None:
    import pillow_jxl

    data = pillow_jxl.Encoder(mode="RGB", lossless=True)(images.jpeg((60, 40)), 60, 40, jpeg_encode=True)
    assert shown(bytes(data)).size == (60, 40)


@pytest.mark.parametrize("scale", ["w:64", "", "w:640,up:1"])
def test_a_page_is_drawn_at_the_size_that_is_asked_for(scale: str) -> None:
    image = shown(images.pdf((320, 213), 1), f"{scale},f:png" if scale else "f:png")
    assert image.width == {"w:64": 64, "": 640, "w:640,up:1": 640}[scale]
    wanted = images.photo((320, 213)).resize((32, 21))
    small = image.convert("RGB").resize((32, 21))
    difference = [abs(a - b) for a, b in zip(small.tobytes(), wanted.tobytes(), strict=True)]
    assert sum(difference) / len(difference) < 6


def test_want_of_memory_is_not_the_files_fault() -> None:
    def error(text: str) -> pyvips.Error:
        found = pyvips.Error("unable to call x")
        found.detail = text
        return found

    assert isinstance(failed("jpeg", error("out of memory -- size == 5MB\n")), MemoryError)
    assert isinstance(failed("avif", error("heif: Memory allocation error: Security limit exceeded: x")), DecodeFailed)
    assert "bad thing" in str(failed("png", error("bad thing\n\n")))


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("VipsJpeg: premature end of JPEG image\n", "premature end of JPEG image"),
        ("gifload_buffer: Invalid frame data", "Invalid frame data"),
        ("vipspng: libpng read error", "read error"),
        ("tiff2vips: Read error at scanline 0; got 1 bytes", "Read error at scanline 0; got 1 bytes"),
        ("webp2vips: unable to read pixels", "unable to read pixels"),
        ("heif: Invalid input: Corrupt frame detected (2.0)", "Invalid input: Corrupt frame detected (2.0)"),
        ("VipsJpeg: ", "unreadable"),
    ],
)
def test_what_is_broken_is_told_without_names_of_functions(message: str, told: str) -> None:
    error = pyvips.Error("unable to call jpegload_buffer")
    error.detail = message
    assert str(failed("jpeg", error)) == f"The jpeg image is truncated or broken: {told}."


@pytest.mark.parametrize("name", images.EVERY)
def test_any_format_can_be_laid_over(name: str) -> None:
    image = open_still(images.EVERY[name](), Limits())
    assert image.bands in (3, 4)
    assert image.height <= image.width
    if name == "svg":
        assert image(150, 50)[3] == 0


def test_what_is_laid_over_is_upright_and_one_frame() -> None:
    turned = open_still(images.jpeg_oriented(6), Limits())
    assert (turned.width, turned.height) == (80, 60)
    assert turned(5, 5)[0] > 200 > turned(75, 5)[0]
    frame = open_still(images.gif_animated((90, 60)), Limits())
    assert (frame.width, frame.height) == (90, 60)
    assert not frame.get_typeof("page-height")


@pytest.mark.parametrize(
    ("data", "limits", "fact"),
    [
        (b"text", Limits(), NotAnImage),
        (images.jpeg((40, 30)), Limits(source_bytes=100), TooLarge),
        (images.jpeg((40, 30)), Limits(source_pixels=100), TooLarge),
        (images.png_bomb((20_000, 20_000)), Limits(), TooLarge),
        (images.jpeg((400, 300))[:2000], Limits(), DecodeFailed),
    ],
)
def test_what_cannot_be_laid_over(data: bytes, limits: Limits, fact: type[Exception]) -> None:
    with pytest.raises(fact):
        open_still(data, limits)
