"""Trimming: what of a border is cut off."""

from __future__ import annotations

import numpy
import pytest
from PIL import Image

from tests import images
from tests.unit.transforms.pictures import BLUE, GREEN, RED, WHITE, difference, framed, pixels, png, shown, stored
from transforms.errors import TooLarge
from transforms.limits import Limits
from transforms.options import parse_compact
from transforms.pipeline import render


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
