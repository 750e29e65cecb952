"""What is added around a picture, and the shapes that it is cut to."""

from __future__ import annotations

import numpy
import pytest
from PIL import Image

from tests import images
from tests.unit.transforms.pictures import BLUE, GREEN, RED, WHITE, Pixels, difference, pixels, png, ramp, shown
from transforms.geometry import plan
from transforms.options import parse_compact


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
