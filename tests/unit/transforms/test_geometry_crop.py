"""Cutting out, pixel by pixel: against Pillow, or what was drawn."""

from __future__ import annotations

from functools import cache

import pytest
from PIL import Image, ImageOps

from tests import images
from tests.unit.transforms.pictures import LANCZOS, difference, pixels, png, ramp, shown, smooth, stored
from transforms.errors import OptionError
from transforms.headers import Source, read_header
from transforms.limits import DEFAULT_LIMITS
from transforms.options import parse_compact
from transforms.pipeline import render
from transforms.steps.load import load
from transforms.work import Request


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
