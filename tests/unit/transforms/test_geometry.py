"""Sizes of results for each fit, and that nothing grows unless asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.geometry import plan
from transforms.options import Options, parse_compact

_sides = st.integers(1, 5000)
_sizes = st.tuples(_sides, _sides)
_options = st.builds(
    Options,
    w=st.none() | _sides,
    h=st.none() | _sides,
    fit=st.sampled_from(["inside", "outside", "cover", "contain", "fill"]),
    up=st.booleans(),
)


@pytest.mark.parametrize(
    ("source", "options", "canvas"),
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
    ],
)
def test_known_sizes(source: tuple[int, int], options: str, canvas: tuple[int, int]) -> None:
    assert plan(source, parse_compact(options)).canvas == canvas


@given(_sizes, _options)
def test_the_picture_never_grows_unless_asked(source: tuple[int, int], options: Options) -> None:
    resized = plan(source, options).resized
    if not options.up:
        assert resized[0] <= source[0]
        assert resized[1] <= source[1]


@given(_sizes, _options)
def test_each_step_takes_away_or_adds_as_it_should(source: tuple[int, int], options: Options) -> None:
    geometry = plan(source, options)
    assert all(side >= 1 for side in (*geometry.resized, *geometry.cropped, *geometry.canvas))
    assert all(kept <= whole for kept, whole in zip(geometry.cropped, geometry.resized, strict=True))
    assert all(whole >= kept for whole, kept in zip(geometry.canvas, geometry.cropped, strict=True))
    assert geometry.adds == (geometry.result != geometry.cropped)
    assert geometry.cuts == (geometry.cropped != geometry.resized)


@given(_sizes, _options.filter(lambda options: options.w is not None and options.h is not None))
def test_boxes_are_kept(source: tuple[int, int], options: Options) -> None:
    geometry = plan(source, options)
    box = (options.w or 0, options.h or 0)
    if options.fit == "contain" or (options.fit in ("cover", "fill") and options.up):
        assert geometry.canvas == box
    if options.fit in ("inside", "cover", "fill"):
        assert all(side <= wanted for side, wanted in zip(geometry.canvas, box, strict=True))
    if options.fit == "outside" and options.up:
        assert all(side >= wanted for side, wanted in zip(geometry.canvas, box, strict=True))


@given(_sizes, _options)
def test_the_ratio_is_kept_but_by_fill(source: tuple[int, int], options: Options) -> None:
    if options.fit == "fill" and options.w is not None and options.h is not None:
        return
    across, down = plan(source, options).resized
    # Both sides are whole pixels, so the ratio is kept to half a pixel on one of them.
    exact_down, exact_across = across * source[1] / source[0], down * source[0] / source[1]
    assert abs(down - max(1, exact_down)) <= 0.51 or abs(across - max(1, exact_across)) <= 0.51
