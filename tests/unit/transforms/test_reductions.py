"""How good a photograph is that shrank as it loaded, or was made from a mezzanine, and that nothing in it has moved.

Widths are those just above and below where another way is taken: that is where results differ most.
"""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import structural_similarity

from bench.photos import photo
from tests import images
from transforms.codecs import own_jpeg, vips
from transforms.errors import DecodeFailed
from transforms.options import parse_compact
from transforms.pipeline import render
from transforms.reduce import reduce

SIZES = [(2040, 1356), (2037, 1353)]
"""Whole in blocks of 4, and with a rest at every reduction."""


@cache
def picture(size: tuple[int, int]) -> Image.Image:
    return photo(1).crop((0, 0, *size))


@cache
def stored(size: tuple[int, int]) -> bytes:
    return images.encoded(picture(size), "JPEG", quality=92)


@cache
def mezzanine(size: tuple[int, int], rung: int) -> bytes:
    return reduce(stored(size), parse_compact(f"h:{rung},w:{rung}")).data


@cache
def exact(size: tuple[int, int], width: int) -> Image.Image:
    return opened(render(stored(size), parse_compact(f"exact:1,f:png,w:{width}")).data)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def similarity(one: Image.Image, other: Image.Image) -> float:
    pair = numpy.asarray(one), numpy.asarray(other)
    return float(structural_similarity(*pair, channel_axis=2, data_range=255))  # type: ignore[no-untyped-call]


def shrunk(size: tuple[int, int], seen: Image.Image) -> Image.Image:
    return picture(size).resize(seen.size, Image.Resampling.LANCZOS)


def moved(wanted: Image.Image, seen: Image.Image) -> float:
    """By how many pixels one picture is displaced against the other, in the direction in which it is more."""
    one, other = (_blurred(numpy.asarray(image.convert("L"), float)) for image in (wanted, seen))
    slopes = [slope[4:-4, 4:-4].ravel() for slope in numpy.gradient((one + other) / 2)]
    away, *_ = numpy.linalg.lstsq(numpy.stack(slopes, 1), (one - other)[4:-4, 4:-4].ravel(), rcond=None)
    return float(numpy.abs(away).max())


def _blurred(grey: NDArray[Any]) -> NDArray[Any]:
    weights = numpy.exp(-(numpy.arange(-4, 5) ** 2) / 4.5)
    weights /= weights.sum()
    for axis in (0, 1):
        grey = numpy.apply_along_axis(lambda line: numpy.convolve(line, weights, "same"), axis, grey)
    return grey


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("width", [100, 127, 140, 169, 254, 339, 505, 512, 679, 1019])
def test_no_worse_than_thumbnail_of_libvips(size: tuple[int, int], width: int) -> None:
    vips.prepare()
    theirs = pyvips.Image.thumbnail_buffer(stored(size), width, height=10_000, size="down")
    reference = Image.fromarray(theirs.numpy())
    seen = exact(size, width)
    assert similarity(shrunk(size, seen), seen) >= similarity(shrunk(size, reference), reference) - 0.003
    assert moved(shrunk(size, seen), seen) < 0.06


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("width", [60, 81, 100, 159, 213, 300, 320])
def test_a_mezzanine_does_as_well_as_the_original(size: tuple[int, int], width: int) -> None:
    rendered = render(mezzanine(size, 640), parse_compact(f"f:png,w:{width}"), original=size, original_format="jpeg")
    seen = opened(rendered.data)
    assert seen.size == exact(size, width).size
    assert similarity(exact(size, width), seen) >= 0.985
    assert moved(shrunk(size, seen), seen) < 0.06


def test_a_mezzanine_of_a_mezzanines_ladder_does_as_well_as_the_original() -> None:
    size = SIZES[1]
    rendered = render(mezzanine(size, 1280), parse_compact("f:png,w:640"), original=size, original_format="jpeg")
    assert similarity(exact(size, 640), opened(rendered.data)) >= 0.985


def test_jpegs_of_our_own() -> None:
    grey = images.encoded(picture(SIZES[0]).convert("L").resize((100, 67)), "JPEG")
    for data, bands in ((mezzanine(SIZES[0], 640), 3), (grey, 1)):
        like = pyvips.Image.jpegload_buffer(data)
        like.set_type(pyvips.GValue.gint_type, "orientation", 6)
        seen = own_jpeg.load(data, like)
        assert (seen.width, seen.height, seen.bands) == (like.width, like.height, bands)
        assert seen.get("orientation") == 6
        assert (seen - like).abs().max() <= 2
        with pytest.raises(DecodeFailed, match="truncated"):
            own_jpeg.load(data[: len(data) // 2], like)
    # Nothing that we write; read as any other.
    inks = images.encoded(Image.new("CMYK", (20, 10)), "JPEG")
    like = pyvips.Image.jpegload_buffer(inks)
    assert own_jpeg.load(inks, like) is like
