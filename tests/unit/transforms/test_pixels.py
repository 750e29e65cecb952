"""Colours and effects against plain arithmetic in numpy, pixel by pixel; and that transparency is left alone."""

from __future__ import annotations

import io

import numpy
import numpy.typing
import pytest
from PIL import Image

from tests import images
from transforms.options import parse_compact
from transforms.pipeline import render

Pixels = numpy.typing.NDArray[numpy.float64]
LUMA = numpy.array([0.2126, 0.7152, 0.0722])


def picture() -> Image.Image:
    """A small photograph with every kind of colour."""
    colourful = numpy.asarray(images.photo((90, 70))).astype(float)
    rows, columns = numpy.indices((70, 90))
    colourful[:, :, 0] = columns * 255 / 89
    colourful[:, :, 2] = rows * 255 / 69
    return Image.fromarray(colourful.astype(numpy.uint8))


def translucent() -> Image.Image:
    """The same, with an alpha from 0 to 255 across it."""
    image = picture().convert("RGBA")
    alpha = numpy.tile(numpy.linspace(0, 255, 90).astype(numpy.uint8), (70, 1))
    image.putalpha(Image.fromarray(alpha))
    return image


def rendered(image: Image.Image, options: str) -> Pixels:
    """What the pipeline makes of an image, as numbers from 0 to 255."""
    result = render(images.encoded(image, "PNG"), parse_compact(f"{options},f:png"))
    return numpy.asarray(Image.open(io.BytesIO(result.data)), numpy.float64)


def clipped(values: Pixels) -> Pixels:
    return numpy.clip(values, 0, 255)


def adjusted(values: Pixels, brightness: float = 0, contrast: float = 0, gamma: float = 1) -> Pixels:
    values = (values + 255 * brightness / 100 - 127.5) * (1 + contrast / 100) + 127.5
    curve: Pixels = 255 * (clipped(values) / 255) ** (1 / gamma)
    return curve


def saturated(values: Pixels, amount: float) -> Pixels:
    grey = (values @ LUMA)[..., None]
    mixed: Pixels = grey + (values - grey) * (1 + amount / 100)
    return mixed


def shades(values: Pixels, colour: tuple[int, int, int]) -> Pixels:
    """Black, the colour, white, so that the luma stays."""
    grey = numpy.rint(values @ LUMA)[..., None]
    middle = float(numpy.array(colour) @ LUMA)
    dark = numpy.array(colour) * grey / middle
    light = numpy.array(colour) + (255 - numpy.array(colour)) * (grey - middle) / (255 - middle)
    shaded: Pixels = numpy.where(grey <= middle, dark, light)
    return shaded


def between(values: Pixels, dark: tuple[int, int, int], light: tuple[int, int, int]) -> Pixels:
    share = numpy.rint(values @ LUMA)[..., None] / 255
    mixed: Pixels = numpy.array(dark) * (1 - share) + numpy.array(light) * share
    return mixed


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("brightness:20", lambda v: adjusted(v, brightness=20)),
        ("brightness:-100", lambda v: v * 0),
        ("brightness:100", lambda v: v * 0 + 255),
        ("contrast:50", lambda v: adjusted(v, contrast=50)),
        ("contrast:-100", lambda v: v * 0 + 127.5),
        ("contrast:30,brightness:-10", lambda v: adjusted(v, brightness=-10, contrast=30)),
        ("gamma:2.2", lambda v: adjusted(v, gamma=2.2)),
        ("gamma:0.5", lambda v: adjusted(v, gamma=0.5)),
        ("saturation:-100", lambda v: v * 0 + (v @ LUMA)[..., None]),
        ("saturation:60", lambda v: saturated(v, 60)),
        ("hue:120,saturation:-100", lambda v: v * 0 + (v @ LUMA)[..., None]),
        ("saturation:100,brightness:40", lambda v: saturated(adjusted_unclipped(v), 100)),
        ("gray:1", lambda v: v * 0 + (v @ LUMA)[..., None]),
        ("invert:1", lambda v: 255 - v),
        ("tint:704214", lambda v: shades(v, (0x70, 0x42, 0x14))),
        ("tint:704214:0.25", lambda v: 0.25 * shades(v, (0x70, 0x42, 0x14)) + 0.75 * v),
        ("duotone:001f3f:ffdc00", lambda v: between(v, (0, 0x1F, 0x3F), (255, 0xDC, 0))),
        ("invert:1,duotone:000:f00", lambda v: 255 - between(v, (0, 0, 0), (255, 0, 0))),
    ],
)
def test_colours_are_what_arithmetic_says(options: str, expected: object) -> None:
    assert callable(expected)
    source = numpy.asarray(picture()).astype(float)
    difference = numpy.abs(rendered(picture(), options) - clipped(expected(source)))
    assert difference.max() <= 1.6, options
    assert difference.mean() < 0.6
    # Transparency neither changes nor is changed.
    seen = rendered(translucent(), options)
    assert numpy.array_equal(seen[:, :, 3], numpy.asarray(translucent())[:, :, 3])
    assert numpy.array_equal(seen[:, :, :3], rendered(picture(), options))


def adjusted_unclipped(values: Pixels) -> Pixels:
    return values + 102


def test_a_turn_of_the_hue() -> None:
    swatch = Image.new("RGB", (8, 8), (180, 90, 90))
    red, green, blue = rendered(swatch, "hue:120")[4, 4]
    assert green > red + 30
    assert green > blue + 30
    assert abs(numpy.array([red, green, blue]) @ LUMA - numpy.array([180, 90, 90]) @ LUMA) < 1.5
    assert numpy.abs(rendered(picture(), "hue:360") - numpy.asarray(picture())).max() == 0
    there_and_back = rendered(Image.fromarray(rendered(swatch, "hue:40").astype(numpy.uint8)), "hue:-40")
    assert numpy.abs(there_and_back[4, 4] - (180, 90, 90)).max() <= 2


def gaussian(values: Pixels, sigma: float) -> Pixels:
    """A Gaussian with its edge repeated, one direction after the other."""
    reach = int(4 * sigma) + 1
    bell = numpy.exp(-(numpy.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    bell /= bell.sum()
    for axis in (0, 1):
        sides = [(reach, reach) if axis == index else (0, 0) for index in range(3)]
        padded = numpy.pad(values, sides, mode="edge")
        length = values.shape[axis]
        moved = [weight * padded.take(range(at, at + length), axis=axis) for at, weight in enumerate(bell)]
        values = numpy.sum(moved, axis=0)
    return values


@pytest.mark.parametrize("sigma", [0.3, 0.7, 2.5, 8, 12, 25])
def test_blur_is_a_gaussian(sigma: float) -> None:
    expected = gaussian(numpy.asarray(picture()).astype(float), sigma)
    difference = numpy.abs(rendered(picture(), f"blur:{sigma}") - expected)
    # Large ones are made of cells, of which the last ones are cut by the picture's edge.
    assert difference.max() < (7 if sigma > 12 else 4)
    assert difference.mean() < 0.6


def test_blur_lends_no_colour_from_what_is_transparent() -> None:
    pixels = numpy.zeros((40, 40, 4), numpy.uint8)
    pixels[:, :20] = (200, 10, 10, 255)
    pixels[:, 20:] = (0, 255, 0, 0)
    for options in ("blur:3", "sharpen:2", "pixelate:7", "blur:14"):
        seen = rendered(Image.fromarray(pixels), options)
        visible = seen[seen[:, :, 3] > 12]
        assert numpy.abs(visible[:, :3] - (200, 10, 10)).max() <= 8, options


@pytest.mark.parametrize("sigma", [0.8, 2])
def test_sharpen_is_an_unsharp_mask(sigma: float) -> None:
    values = numpy.asarray(picture()).astype(float)
    difference = numpy.abs(rendered(picture(), f"sharpen:{sigma}") - clipped(2 * values - gaussian(values, sigma)))
    assert difference.max() < 4
    assert difference.mean() < 0.6
    seen = rendered(translucent(), f"sharpen:{sigma}")
    assert numpy.array_equal(seen[:, :, 3], numpy.asarray(translucent())[:, :, 3])


@pytest.mark.parametrize("side", [2, 8, 33])
def test_pixelate_shows_the_mean_of_each_block(side: int) -> None:
    values = numpy.asarray(picture()).astype(float)
    seen = rendered(picture(), f"pixelate:{side}")
    for top in range(0, 70, side):
        for left in range(0, 90, side):
            block = (slice(top, top + side), slice(left, left + side))
            assert numpy.abs(seen[block] - values[block].mean(axis=(0, 1))).max() <= 0.51


def test_pixelate_weighs_by_transparency() -> None:
    pixels = numpy.zeros((10, 10, 4), numpy.uint8)
    pixels[:, :5] = (100, 0, 0, 255)
    pixels[:, 5:] = (200, 0, 0, 51)
    seen = rendered(Image.fromarray(pixels), "pixelate:10")
    weighed = (100 * 255 + 200 * 51) / (255 + 51)
    assert numpy.abs(seen - (weighed, 0, 0, 153)).max() <= 1


def test_one_of_each_in_their_order() -> None:
    options = "pixelate:10,sharpen:1,blur:1,invert:1,gray:1,contrast:20"
    seen = rendered(picture(), options)
    assert len(numpy.unique(seen[5:6, :, 0])) <= 9
    step = rendered(picture(), "contrast:20")
    for name in ("gray:1,invert:1", "blur:1", "sharpen:1", "pixelate:10"):
        step = rendered(Image.fromarray(step.astype(numpy.uint8)), name)
    assert numpy.array_equal(seen, step)
