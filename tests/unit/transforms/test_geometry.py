"""Sizes of results for each option of geometry, and that nothing grows unless asked."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import OptionError, TooLarge
from transforms.geometry import focus_in_view, plan, rotated, sampled
from transforms.limits import Limits
from transforms.option_kinds import CropBox, Gravity
from transforms.options import Options, parse_compact
from transforms.turns import Size

_sides = st.integers(1, 5000)
_sizes = st.tuples(_sides, _sides)
_fits = st.sampled_from(["inside", "outside", "cover", "contain", "fill", "auto", "adaptive"])
_ratios = st.tuples(st.integers(1, 50), st.integers(1, 50))
_crops = st.builds(
    CropBox,
    st.integers(0, 300).map(Decimal),
    st.integers(0, 300).map(Decimal),
    st.integers(1, 6000).map(Decimal),
    st.integers(1, 6000).map(Decimal),
    fractions=st.just(value=False),
) | st.builds(
    CropBox,
    st.decimals(0, "0.99", places=2),
    st.decimals(0, "0.99", places=2),
    st.decimals("0.01", 1, places=2),
    st.decimals("0.01", 1, places=2),
    fractions=st.just(value=True),
)
_angles = st.sampled_from([Decimal(0), Decimal(90), Decimal(180), Decimal(270)]) | st.decimals(0, 359, places=2)
_options = st.builds(
    Options,
    w=st.none() | _sides,
    h=st.none() | _sides,
    fit=_fits,
    min_w=st.none() | _sides,
    min_h=st.none() | _sides,
    up=st.booleans(),
    ar=st.none() | _ratios,
    crop=st.none() | _crops,
    rotate=_angles,
    flip=st.sampled_from([None, "h", "v", "hv"]),
    extend=st.booleans(),
    pad=st.sampled_from([(0, 0, 0, 0), (1, 2, 3, 4)]),
    g=st.sampled_from([None, Gravity("ne"), Gravity("attention"), Gravity("fp", Decimal("0.2"), Decimal("0.9"))]),
    bg=st.sampled_from([None, "blur", (0, 0, 0, 0), (1, 2, 3, 255)]),
)
_large = st.integers(310, 5000)
"""Sides that no box of `_crops` lies outside of."""
_sources = st.tuples(_large, _large)


@pytest.mark.parametrize(
    ("source", "options", "result"),
    [
        ((640, 426), "", (640, 426)),
        ((640, 426), "w:320", (320, 213)),
        ((640, 426), "h:213", (320, 213)),
        ((640, 426), "w:300,h:300", (300, 200)),
        ((640, 426), "w:300,h:300,fit:outside", (451, 300)),
        ((640, 426), "w:300,h:300,fit:cover", (300, 300)),
        ((640, 426), "w:300,h:300,fit:contain", (300, 300)),
        ((640, 426), "w:300,h:300,fit:fill", (300, 300)),
        ((640, 426), "w:150,dpr:2", (300, 200)),
        ((300, 200), "w:400", (300, 200)),
        ((300, 200), "w:400,up:1", (400, 267)),
        ((300, 200), "w:400,h:400,fit:cover", (200, 200)),
        ((300, 200), "w:400,h:100,fit:fill", (300, 75)),
        ((300, 200), "w:400,h:100,fit:fill,up:1", (400, 100)),
        ((300, 200), "w:400,h:400,fit:contain", (400, 400)),
        ((300, 200), "w:400,h:400,fit:outside", (300, 200)),
        ((300, 200), "w:250,h:250,fit:outside", (300, 200)),
        ((10_000, 1), "w:100", (100, 1)),
        ((1, 10_000), "w:16384,up:1", (16_384, 163_840_000)),
        # The smaller of what is asked for and what there is.
        ((640, 426), "crop:10:20:300:200", (300, 200)),
        ((640, 426), "crop:10:20:300:200,w:150", (150, 100)),
        ((640, 426), "crop:10:20:300:200,w:600", (300, 200)),
        ((640, 426), "crop:600:400:300:200", (40, 26)),
        ((640, 426), "crop:0.5:0.5:0.5:0.5", (320, 213)),
        ((640, 426), "crop:0.9:0.9:1.0:1.0", (64, 43)),
        ((1, 1), "crop:0.99:0.99:0.01:0.01", (1, 1)),
        # Ratios.
        ((640, 426), "ar:1:1", (426, 426)),
        ((426, 640), "ar:16:9", (426, 240)),
        ((640, 426), "ar:1:1,w:100", (100, 100)),
        ((640, 426), "ar:2:1,h:100", (200, 100)),
        ((640, 426), "ar:1:1,w:600", (426, 426)),
        ((640, 426), "ar:1:1,w:600,up:1", (600, 600)),
        ((640, 426), "ar:1:1,w:600,extend:1", (600, 600)),
        ((640, 426), "ar:1:1,fit:contain", (640, 640)),
        ((640, 426), "ar:1:1,fit:contain,w:100", (100, 100)),
        ((640, 426), "ar:1:1,fit:fill", (426, 426)),
        ((640, 426), "ar:1:1,fit:outside", (640, 426)),
        ((640, 426), "ar:1:1,fit:outside,w:100", (150, 100)),
        ((640, 426), "ar:1:1,w:300,h:100", (150, 100)),
        # Least sides.
        ((640, 426), "w:100,min-h:100", (150, 100)),
        ((640, 426), "w:100,min-w:200", (200, 133)),
        ((640, 426), "w:100,h:100,min-w:200,min-h:200", (300, 200)),
        ((640, 426), "w:100,min-w:900", (640, 426)),
        ((640, 426), "w:100,min-w:900,up:1", (900, 599)),
        ((640, 426), "min-w:900", (640, 426)),
        ((640, 426), "w:100,h:50,fit:cover,min-w:200", (200, 100)),
        ((640, 426), "w:100,h:50,fit:cover,min-h:9000", (640, 320)),
        ((640, 426), "w:100,h:50,fit:contain,min-w:200", (200, 100)),
        ((640, 426), "w:100,min-w:100,dpr:2", (200, 133)),
        # Turned.
        ((640, 426), "rotate:90", (426, 640)),
        ((640, 426), "rotate:90,w:213", (213, 320)),
        ((640, 426), "rotate:180", (640, 426)),
        ((100, 100), "rotate:45", (141, 141)),
        ((400, 300), "rotate:30", (496, 460)),
        ((400, 300), "rotate:210", (496, 460)),
        ((400, 300), "rotate:-30,w:248", (248, 230)),
        ((400, 300), "rotate:30,w:500,h:500,fit:cover", (460, 460)),
        ((1, 1), "rotate:45", (1, 1)),
        # Added.
        ((300, 200), "w:400,h:400,extend:1", (400, 400)),
        ((300, 200), "w:150,h:400,extend:1", (150, 400)),
        ((300, 200), "w:400,extend:1", (400, 200)),
        ((300, 200), "w:150,extend:1", (150, 100)),
        ((300, 200), "w:400,h:400,fit:cover,extend:1", (400, 400)),
        ((300, 200), "w:250,h:250,fit:outside,extend:1", (300, 250)),
        ((300, 200), "pad:5", (310, 210)),
        ((300, 200), "w:150,pad:1:2:3:4", (156, 104)),
        ((300, 200), "w:75,pad:1:2:3:4,dpr:2", (162, 108)),
        ((300, 200), "extend:1", (300, 200)),
    ],
)
def test_known_sizes(source: Size, options: str, result: Size) -> None:
    assert plan(source, parse_compact(options)).result == result


@given(_sources, _options)
def test_the_picture_never_grows_unless_asked(source: Size, options: Options) -> None:
    geometry = plan(source, options)
    assert options.up or (geometry.resized[0] <= geometry.viewed[0] and geometry.resized[1] <= geometry.viewed[1])
    assert options.up or geometry.scale <= 1


@given(_sources, _options)
def test_each_step_takes_away_or_adds_as_it_should(source: Size, options: Options) -> None:
    geometry = plan(source, options)
    left, top, width, height = geometry.part
    assert left >= 0 <= top
    assert left + width <= source[0]
    assert top + height <= source[1]
    assert all(side >= 1 for side in (width, height, *geometry.resized, *geometry.cropped, *geometry.canvas))
    assert all(kept <= whole for kept, whole in zip(geometry.cropped, geometry.resized, strict=True))
    assert all(whole >= kept for whole, kept in zip(geometry.canvas, geometry.cropped, strict=True))
    assert geometry.adds == (geometry.result != geometry.cropped)
    assert geometry.cuts == (geometry.cropped != geometry.resized)
    top, right, bottom, left = options.pad
    assert geometry.result == (geometry.canvas[0] + left + right, geometry.canvas[1] + top + bottom)


@given(_sources, _options.filter(lambda options: options.w is not None and options.h is not None), st.booleans())
def test_boxes_are_kept(source: Size, options: Options, extend: bool) -> None:
    options = replace(options, min_w=None, min_h=None, extend=extend)
    geometry = plan(source, options)
    box = (options.w or 0, options.h or 0)
    if options.fit == "contain" or (options.fit in ("cover", "fill") and (options.up or extend)):
        assert geometry.canvas == box
    if options.fit in ("inside", "cover", "fill"):
        assert all(side <= wanted for side, wanted in zip(geometry.canvas, box, strict=True))
    if extend and options.fit == "inside":
        assert geometry.canvas == box
    if options.fit == "outside" and (options.up or extend):
        assert all(side >= wanted for side, wanted in zip(geometry.canvas, box, strict=True))


@given(_sources, _options)
def test_the_ratio_is_kept_but_by_fill(source: Size, options: Options) -> None:
    geometry = plan(source, options)
    if options.fit == "fill" and (options.ar or (options.w and options.h)):
        return
    across, down = geometry.resized
    # Both sides are whole pixels, so the ratio is kept to half a pixel on one of them.
    viewed = geometry.viewed
    exact_down, exact_across = across * viewed[1] / viewed[0], down * viewed[0] / viewed[1]
    assert abs(down - max(1, exact_down)) <= 0.51 or abs(across - max(1, exact_across)) <= 0.51


@given(_sources, _ratios, st.none() | _sides, st.booleans(), st.sampled_from(["inside", "cover", "contain", "fill"]))
def test_results_have_the_ratio_that_is_asked_for(
    source: Size, ratio: Size, width: int | None, up: bool, fit: str
) -> None:
    across, down = plan(source, Options(w=width, ar=ratio, up=up, fit=fit)).canvas
    exact_down, exact_across = across * ratio[1] / ratio[0], down * ratio[0] / ratio[1]
    # The box is rounded to whole pixels, and once more where the source is smaller.
    assert abs(down - max(1, exact_down)) <= 1.01 or abs(across - max(1, exact_across)) <= 1.01


@given(_sources, _options)
def test_least_sides_hold(source: Size, options: Options) -> None:
    geometry = plan(source, options)
    for side, wanted in zip(geometry.canvas, (options.min_w, options.min_h), strict=True):
        if wanted is None or side >= wanted:
            continue
        # Too small only where nothing may grow: then some side is as large as the source's.
        assert not options.up
        assert geometry.resized[0] == geometry.viewed[0] or geometry.resized[1] == geometry.viewed[1]


@given(_sources, _options, st.integers(1, 10**8))
def test_results_never_pass_the_limit(source: Size, options: Options, pixels: int) -> None:
    geometry = plan(source, options)
    width, height = geometry.result
    if width * height <= pixels and max(geometry.resized) <= 10_000_000:
        geometry.check(Limits(output_pixels=pixels))
    else:
        with pytest.raises(TooLarge, match="output_"):
            geometry.check(Limits(output_pixels=pixels))


def test_a_way_that_cannot_be_computed_is_too_large() -> None:
    geometry = plan((10_000, 5), parse_compact("w:16000,h:16000,fit:cover,up:1"))
    with pytest.raises(TooLarge) as caught:
        geometry.check(Limits(output_pixels=10**9))
    assert caught.value.limit == "output_side"


@given(_sources, _options)
def test_the_canonical_form_means_the_same(source: Size, options: Options) -> None:
    said = parse_compact(options.canonical())
    one, other = plan(source, options), plan(source, said)
    assert (one.part, one.viewed, one.resized, one.cropped, one.canvas, one.padding) == (
        other.part, other.viewed, other.resized, other.cropped, other.canvas, other.padding,
    )  # fmt: skip
    if one.cuts and options.g is not None:
        assert said.g == options.g
    if one.adds and options.bg == "blur":
        assert said.bg == "blur"


@pytest.mark.parametrize("crop", ["640:0:10:10", "0:426:10:10", "9999:9999:1:1"])
def test_a_crop_outside_of_the_source_says_so(crop: str) -> None:
    with pytest.raises(OptionError, match="640 x 426") as caught:
        plan((640, 426), parse_compact(f"crop:{crop}"))
    assert caught.value.option == "crop"


def test_what_trim_has_left_counts_as_the_source() -> None:
    geometry = plan((640, 426), parse_compact("w:600,trim:10"), (10, 20, 300, 200))
    assert geometry.part == (10, 20, 300, 200)
    assert geometry.result == (300, 200)


@given(st.tuples(_sides, _sides), _angles)
def test_rotated_boxes_hold_the_picture(size: Size, degrees: Decimal) -> None:
    width, height = rotated(size, degrees)
    assert rotated(size, degrees) == rotated(size, (degrees + 180) % 360)
    assert rotated(size, (degrees + 90) % 360) == (height, width)
    assert width * height >= size[0] * size[1] * 0.99 - width - height
    assert max(width, height) <= (size[0] ** 2 + size[1] ** 2) ** 0.5 + 1


@given(_sides, _sides, _sides, st.sampled_from([1.0, 0.5, 0.25, 0.125]) | st.floats(0.05, 1))
def test_what_stands_for_a_part_is_where_the_part_is(start: int, length: int, side: int, density: float) -> None:
    start, side = min(start, side - 1), max(side, start + length)
    available = max(1, -(-side * density // 1).__int__())
    found = sampled(start, length, density, available)
    assert found.first >= 0
    assert 1 <= found.count <= available - found.first
    assert abs(found.count - length * density) <= 1
    middle = (start + length / 2) * density
    assert found.first + found.count / 2 + found.missing == pytest.approx(middle)
    if density == 1:
        assert found == sampled(start, length, 1.0, side)
        assert (found.first, found.count, found.missing) == (start, length, 0)
    elif length * density >= 1:
        assert abs(found.missing) <= 0.75


@pytest.mark.parametrize(
    ("options", "point", "seen"),
    [
        ("", (0.2, 0.3), (0.2, 0.3)),
        ("crop:100:0:100:100", (0.75, 0.5), (0.5, 0.5)),
        ("crop:100:0:100:100", (0.1, 0.5), (0, 0.5)),
        ("rotate:90", (0.2, 0.3), (0.7, 0.2)),
        ("rotate:180", (0.2, 0.3), (0.8, 0.7)),
        ("rotate:270", (0.2, 0.3), (0.3, 0.8)),
        ("flip:h", (0.2, 0.3), (0.8, 0.3)),
        ("rotate:90,flip:v", (0.2, 0.3), (0.7, 0.8)),
        ("rotate:45", (0.5, 0.5), (0.5, 0.5)),
    ],
)
def test_a_focal_point_stays_with_the_picture(
    options: str, point: tuple[float, float], seen: tuple[float, float]
) -> None:
    parsed = parse_compact(options)
    assert focus_in_view((200, 100), plan((200, 100), parsed).part, parsed, *point) == pytest.approx(seen)
