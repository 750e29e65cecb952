"""Animations and pages: what stays animated, what becomes one picture, and within which bounds."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from tests import images
from transforms.cost import estimate
from transforms.errors import OptionError, TooLarge
from transforms.headers import Source, read_header
from transforms.info import describe
from transforms.limits import Limits
from transforms.option_table import SPECS
from transforms.options import parse_compact
from transforms.pipeline import render, render_variants

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
SOURCES = {"gif": images.gif_animated, "webp": images.webp_animated}


def shown(data: bytes, options: str, variant: str = "", limits: Limits | None = None) -> Image.Image:
    rendered = render(data, parse_compact(options), variant, limits or Limits())
    image = Image.open(io.BytesIO(rendered.data))
    assert image.size == (rendered.width, rendered.height)
    assert (image.format or "").lower() == rendered.format
    return image


def frames(image: Image.Image) -> list[tuple[tuple[int, ...], int]]:
    """The colour in the middle of each frame, rounded to what codecs keep, and how long it is shown."""
    found = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        image.load()
        red, green, blue = image.convert("RGB").getpixel((image.width // 2, image.height // 2))  # type: ignore[misc]
        found.append((tuple(round(value / 64) * 64 for value in (red, green, blue)), image.info.get("duration", 0)))
    return found


def expected(count: int, milliseconds: int = 100) -> list[tuple[tuple[int, ...], int]]:
    return [(tuple(round(v / 64) * 64 for v in COLOURS[number % 3]), milliseconds) for number in range(count)]


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
@pytest.mark.parametrize("border", [(255, 255, 255, 255), (0, 0, 0, 0)], ids=["white", "clear"])
def test_trim_leaves_what_any_frame_shows(kind: str, border: tuple[int, ...]) -> None:
    sheets = []
    for number in range(4):
        sheet = Image.new("RGBA", (90, 60), border)
        sheet.paste((255, 0, 0, 255), (10 + 16 * number, 8 + 6 * number, 26 + 16 * number, 20 + 6 * number))
        sheets.append(sheet)
    empty = Image.new("RGBA", (90, 60), border)
    settings = {"save_all": True, "append_images": sheets, "duration": 50, "lossless": True, "disposal": 2}
    data = images.encoded(empty, kind, **settings)
    image = shown(data, "trim:40,f:webp,lossless:1")
    assert (image.size, getattr(image, "n_frames", 1)) == ((64, 30), 5)
    for number in range(1, 5):
        image.seek(number)
        red = image.convert("RGBA").getpixel((16 * number - 8, 6 * number))
        assert isinstance(red, tuple)
        assert red[0] > 200 > 60 > red[1]
    still = shown(data, "trim:40,f:webp,page:3")
    assert (still.size, getattr(still, "n_frames", 1)) == ((16, 12), 1)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("options", ["", "f:gif", "f:webp", "w:30", "w:40,h:40,fit:cover,f:webp", "w:180,up:1,f:gif"])
def test_frames_and_their_times_stay(source: str, options: str) -> None:
    image = shown(SOURCES[source](frames=5), options)
    assert frames(image) == expected(5)
    assert image.info.get("loop") == 0


def test_times_and_loops_are_the_sources() -> None:
    sheets = [Image.new("RGB", (20, 20), colour) for colour in COLOURS]
    data = images.encoded(sheets[0], "GIF", save_all=True, append_images=sheets[1:], duration=[50, 200, 1000], loop=3)
    for options in ("f:webp", "f:gif"):
        image = shown(data, options)
        assert [time for _, time in frames(image)] == [50, 200, 1000]
    original = Image.open(io.BytesIO(data))
    assert shown(data, "f:gif").info["loop"] == original.info["loop"]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("options", "colour"),
    [
        ("f:png", 0), ("f:jpeg", 0), ("f:avif", 0), ("f:tiff", 0), ("still:1", 0), ("page:2", 1), ("page:3", 2),
        ("page:2,f:webp", 1),
    ],
)  # fmt: skip
def test_one_frame_is_a_picture(source: str, options: str, colour: int) -> None:
    image = shown(SOURCES[source](), options)
    assert getattr(image, "n_frames", 1) == 1
    assert frames(image)[0][0] == expected(3)[colour][0]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("accept", "name"), [("avif", "webp"), ("webp", "webp"), ("", "gif")])
def test_auto_keeps_an_animation_moving(source: str, accept: str, name: str) -> None:
    image = shown(SOURCES[source](), "f:auto", accept)
    assert (image.format or "").lower() == name
    assert getattr(image, "n_frames", 1) == 3
    still = (shown(SOURCES[source](), "f:auto,still:1", accept).format or "").lower()
    assert still == (accept or ("gif" if source == "gif" else "jpeg"))


def test_a_still_gif_may_become_avif() -> None:
    assert shown(images.gif_animated(frames=1), "f:auto", "avif").format == "AVIF"


def test_transparency_of_some_frames_is_that_of_all() -> None:
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    full = Image.new("RGBA", (20, 20), (255, 0, 0, 255))
    data = images.encoded(full, "WEBP", save_all=True, append_images=[clear, full], duration=100, lossless=True)
    image = shown(data, "w:10")
    seen = []
    for number in range(3):
        image.seek(number)
        seen.append(image.convert("RGBA").getpixel((5, 5))[3])  # type: ignore[index]
    assert seen == [255, 0, 255]


@pytest.mark.parametrize("page", [1, 2, 3])
def test_pages_of_a_tiff(page: int) -> None:
    image = shown(images.tiff_pages(), f"page:{page},f:png")
    assert image.size == (79 + page, 60)
    assert image.convert("RGB").getpixel((9, 9)) == COLOURS[page - 1]


@pytest.mark.parametrize("page", [1, 2])
def test_pages_of_a_pdf(page: int) -> None:
    image = shown(images.pdf((80, 60)), f"page:{page},f:png")
    assert image.size == (160, 120)
    other = shown(images.pdf((80, 60)), f"page:{3 - page},f:png")
    assert image.tobytes() != other.tobytes()


@pytest.mark.parametrize(
    ("data", "pages"),
    [
        (images.gif_animated(), 3), (images.webp_animated(), 3), (images.tiff_pages(), 3), (images.pdf((80, 60)), 2),
        (images.jpeg((20, 20)), 1), (images.svg(), 1),
    ],
)  # fmt: skip
def test_the_facts_tell_the_pages_that_there_are_and_no_other_is_shown(data: bytes, pages: int) -> None:
    assert json.loads(describe(data, parse_compact("w:96,h:96,f:png,still:1")).data)["pages"] == pages
    assert json.loads(render_variants(data).data)["pages"] == pages
    with pytest.raises(OptionError, match=f"1 to {pages}") as caught:
        render(data, parse_compact(f"page:{pages + 1}"))
    assert caught.value.option == "page"


@pytest.mark.parametrize(
    ("limits", "options", "name"),
    [
        (Limits(frames=4), "", "frames"),
        (Limits(animation_pixels=5 * 90 * 60 - 1), "w:10", "animation_pixels"),
        (Limits(animation_output_pixels=5 * 30 * 20 - 1), "w:30", "animation_output_pixels"),
    ],
)
def test_animations_have_bounds(limits: Limits, options: str, name: str) -> None:
    data = images.gif_animated(frames=5)
    with pytest.raises(TooLarge) as caught:
        render(data, parse_compact(options), limits=limits)
    assert caught.value.limit == name
    with pytest.raises(TooLarge) as caught:
        estimate(read_header(Source.of_bytes(data)), parse_compact(options), "", limits)
    assert caught.value.limit == name
    # What shows one frame is not bounded by them.
    assert getattr(shown(data, "still:1", limits=limits), "n_frames", 1) == 1
    assert shown(data, "f:png", limits=limits).format == "PNG"


def test_more_frames_cost_more() -> None:
    few, many = (read_header(Source.of_bytes(images.gif_animated(frames=count))) for count in (2, 20))
    price = [estimate(header, parse_compact("w:80"), "", Limits()) for header in (few, many)]
    still = [estimate(header, parse_compact("w:80,still:1"), "", Limits()) for header in (few, many)]
    assert price[1] > 3 * price[0]
    assert still[0] == still[1]


_PIXELS = [
    f"{spec.name}:{spec.example}"
    for spec in SPECS
    if spec.group in ("geometry", "pixels", "format") and spec.name not in ("f", "page", "still")
]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("option", _PIXELS)
def test_every_option_works_on_animations(source: str, option: str) -> None:
    # Frames that differ in more than their colour: what is decided on the first one holds for all.
    sheets = [Image.new("RGB", (90, 60), "white") for _ in range(3)]
    for number, sheet in enumerate(sheets):
        sheet.paste(COLOURS[number], (20 + 5 * number, 10, 60 + 5 * number, 50))
    data = images.encoded(
        sheets[0], source.upper(), save_all=True, append_images=sheets[1:], duration=100, loop=0, lossless=True
    )
    name = option.partition(":")[0]
    base = "" if name in ("w", "h") else "w:60,h:40," if name in ("fit", "g", "extend", "up", "bg") else "w:60,"
    image = shown(data, base + option)
    assert getattr(image, "n_frames", 1) == 3
    looks = set()
    for number in range(3):
        image.seek(number)
        looks.add(image.convert("RGBA").tobytes())
    assert len(looks) == 3


def test_a_drawing_costs_by_what_is_drawn() -> None:
    header = read_header(Source.of_bytes(images.svg((6000, 4000))))
    small, large = (estimate(header, parse_compact(options), "", Limits()) for options in ("w:60", "w:3000"))
    assert small < 10
    assert large > 20 * small
