"""What depends on whether the source is landscape or portrait, and boxes that stand at a place of it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import images
from transforms.geometry import plan
from transforms.options import parse_compact
from transforms.pipeline import render

Size = tuple[int, int]


@pytest.mark.parametrize(
    ("source", "options", "result"),
    [
        # auto: cover where the shapes agree, inside where not.
        ((600, 400), "w:300,h:100,fit:auto", (300, 100)),
        ((400, 600), "w:300,h:100,fit:auto", (67, 100)),
        ((400, 600), "w:100,h:300,fit:auto", (100, 300)),
        ((600, 400), "w:100,h:300,fit:auto", (100, 67)),
        ((500, 500), "w:300,h:100,fit:auto", (300, 100)),
        ((500, 500), "w:100,h:300,fit:auto", (100, 100)),
        ((400, 600), "w:300,h:100,fit:auto,rotate:90", (300, 100)),
        ((600, 400), "w:300,fit:auto", (300, 200)),
        # adaptive: the box turns with the picture.
        ((600, 400), "w:300,h:150,fit:adaptive", (225, 150)),
        ((400, 600), "w:300,h:150,fit:adaptive", (150, 225)),
        ((400, 600), "w:300,h:150,fit:adaptive,extend:1", (150, 300)),
        ((500, 500), "w:300,h:150,fit:adaptive", (150, 150)),
    ],
)
def test_fits_that_follow_the_shape(source: Size, options: str, result: Size) -> None:
    assert plan(source, parse_compact(options)).result == result


@pytest.mark.parametrize(
    ("crop", "part"),
    [
        ("c:0:0:300:200", (150, 100, 300, 200)),
        ("nw:0:0:300:200", (0, 0, 300, 200)),
        ("se:10:20:300:200", (290, 180, 300, 200)),
        ("ne:0.1:0:0.5:0", (240, 0, 300, 400)),
        ("c:30:-40:300:200", (180, 60, 300, 200)),
        ("fp:0.5:0.25:100:100", (250, 50, 100, 100)),
        ("fp:0:1:100:100", (0, 300, 100, 100)),
        ("c:0:0:5000:0.001", (0, 199, 600, 1)),
        ("se:9000:9000:10:10", (0, 0, 10, 10)),
    ],
)
def test_a_box_at_a_place_lies_within_the_source(crop: str, part: tuple[int, int, int, int]) -> None:
    options = parse_compact("crop:" + crop)
    assert plan((600, 400), options).part == part
    assert options.canonical() == "crop:" + crop


_offsets = st.decimals(-65_535, 65_535, places=3)
_lengths = st.decimals(0, 65_535, places=3)


@given(
    st.sampled_from(["c", "n", "se", "w"]),
    _offsets,
    _offsets,
    _lengths,
    _lengths,
    st.tuples(*2 * [st.integers(1, 9999)]),
)
def test_every_box_at_a_place_is_of_the_source(
    place: str, x: Decimal, y: Decimal, width: Decimal, height: Decimal, source: Size
) -> None:
    options = parse_compact(f"crop:{place}:{x:f}:{y:f}:{width:f}:{height:f}")
    left, top, across, down = plan(source, options).part
    assert left >= 0 < across
    assert top >= 0 < down
    assert left + across <= source[0]
    assert top + down <= source[1]
    assert parse_compact(options.canonical()).canonical() == options.canonical()


def test_a_focal_point_in_pixels_is_the_one_in_fractions() -> None:
    picture = images.jpeg((400, 200))
    pixels = render(picture, parse_compact("w:100,h:100,fit:cover,g:fp:300:50"))
    fractions = render(picture, parse_compact("w:100,h:100,fit:cover,g:fp:0.75:0.25"))
    other = render(picture, parse_compact("w:100,h:100,fit:cover,g:fp:0.25:0.25"))
    assert pixels.data == fractions.data
    assert pixels.data != other.data


@pytest.mark.parametrize("text", ["x:0:0:1:1", "fp:2:0:1:1", "c:0:0:-1:1", "c:0:0:1", "c:0:0:1:1:1", "smart:0:0:1:1"])
def test_what_is_no_box(text: str) -> None:
    with pytest.raises(Exception, match="crop"):
        parse_compact("crop:" + text)
