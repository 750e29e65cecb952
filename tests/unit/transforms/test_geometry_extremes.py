"""Small and thin sources, limits, and canonical options that render the same."""

from __future__ import annotations

from decimal import Decimal

import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests import images
from tests.unit.transforms.pictures import RED, WHITE, framed, pixels, png, shown, stored
from transforms.errors import TooLarge
from transforms.geometry import plan
from transforms.headers import Source, read_header
from transforms.limits import DEFAULT_LIMITS
from transforms.options import parse_compact
from transforms.pipeline import render
from transforms.steps.load import load
from transforms.work import Request


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
@pytest.mark.parametrize(
    "options",
    ["w:100,h:100,fit:cover", "w:100,h:100,fit:cover,up:1", "w:10,h:10,fit:contain,bg:blur", "ar:3:1", "ar:1:9,fit:contain",
     "crop:0.5:0.5:0.5:0.5", "crop:0:0:1:1,w:9,up:1", "rotate:45", "rotate:10,w:50,up:1", "trim:10", "pad:3,bg:blur",
     "radius:max", "radius:99", "mask:ellipse", "mask:circle", "w:5,h:7,extend:1,g:se", "g:smart,w:1,h:1,fit:cover",
     "g:entropy,ar:1:1", "g:face,ar:1:1", "rotate:5,g:smart,ar:1:1", "w:1,h:1,fit:fill", "min-w:4,min-h:4,up:1", "w:3"],
)  # fmt: skip
def test_small_and_thin_sources(size: tuple[int, int], options: str) -> None:
    picture = Image.new("RGB", size, RED)
    seen = shown(png(picture), options)
    if "trim" not in options:
        assert seen.size == plan(size, parse_compact(options)).result
    # What is seen of it is red, and what is added is white.
    values = pixels(seen, "RGBA")
    opaque = values[values[..., 3] == 255][:, :3]
    if "blur" not in options:
        assert numpy.minimum(abs(opaque - RED).max(axis=1), abs(opaque - WHITE).max(axis=1)).max(initial=0) <= 1


@pytest.mark.parametrize(
    "options",
    ["w:100,pad:2048,dpr:2", "pad:4001:4000:0:4000", "w:9000,h:9000,extend:1", "w:9000,ar:1:1,fit:contain",
     "rotate:45,w:9000,up:1", "w:9000,min-h:9000,up:1", "ar:1:100,fit:contain", "w:16000,h:10,fit:outside,up:1"],
)  # fmt: skip
def test_limits_hold_before_anything_is_decoded(options: str) -> None:
    # There are no pixels to decode: only the header is right.
    broken = images.png_claiming((2000, 1000))
    with pytest.raises(TooLarge) as caught:
        render(broken, parse_compact(options))
    assert caught.value.limit == "output_pixels"


@pytest.mark.parametrize("name", ["JPEG", "WEBP"])
@pytest.mark.parametrize(
    ("size", "options"), [((3, 33), "h:2,rotate:45"), ((33, 3), "crop:0.2:0.0:0.6:1.0,ar:1:1,h:2,rotate:130")]
)
def test_thin_sources_are_not_shrunk_to_nothing(name: str, size: tuple[int, int], options: str) -> None:
    seen = shown(images.encoded(Image.new("RGB", size, RED), name, quality=95), options)
    assert seen.size == plan(size, parse_compact(options)).result


_FRACTIONS = st.sampled_from(["0.0", "0.2", "0.55"])
_choices = st.fixed_dictionaries(
    {},
    optional={
        "w": st.sampled_from(["10", "33", "90"]),
        "h": st.sampled_from(["10", "25", "90"]),
        "fit": st.sampled_from(["inside", "outside", "cover", "contain", "fill", "auto", "adaptive"]),
        "min-w": st.just("40"),
        "up": st.just("1"),
        "crop": st.tuples(_FRACTIONS, _FRACTIONS).map(lambda at: f"{at[0]}:{at[1]}:0.4:1.0"),
        "ar": st.sampled_from(["1", "3:1", "1:3"]),
        "g": st.sampled_from(["c", "ne:3:1", "fp:0.1:0.8", "smart", "entropy"]),
        "rotate": st.sampled_from(["90", "180", "270", "45", "213"]),
        "flip": st.sampled_from(["h", "v", "hv"]),
        "trim": st.just("12"),
        "pad": st.sampled_from(["2", "0:3"]),
        "extend": st.just("1"),
        "bg": st.sampled_from(["f00", "transparent", "blur", "0f08"]),
        "radius": st.sampled_from(["4", "max"]),
        "dpr": st.just("1.5"),
    },
)


@settings(max_examples=40)
@example({"w": "33", "fit": "fill", "rotate": "45"}, 1)
@example({"w": "33", "bg": "transparent", "rotate": "45", "f": "jpeg"}, 1)
@given(_choices, st.sampled_from([1, 6]))
def test_the_canonical_form_renders_the_same(chosen: dict[str, str], orientation: int) -> None:
    options = parse_compact(",".join(f"{name}:{value}" for name, value in chosen.items()) or "f:png")
    data = stored(framed((250, 250, 250), (60, 40), (10, 5, 50, 30)), orientation, "TIFF")
    assert render(data, options) == render(data, parse_compact(options.canonical()))
    if "trim" not in chosen:
        rendered = render(data, options)
        assert (rendered.width, rendered.height) == plan((60, 40), options).result


def test_frames_do_not_jump() -> None:
    from transforms.steps.focus import focus
    from transforms.steps.trim import trim

    first, second = framed(WHITE, (60, 60), (5, 5, 30, 20)), framed(WHITE, (60, 60), (30, 30, 55, 50))
    options = parse_compact("trim:5,w:10,h:10,fit:cover,g:smart")
    data = png(first)
    request = Request(options, "", DEFAULT_LIMITS, read_header(Source.of_bytes(data)))
    frames, work = load(data, request)
    one = focus(trim(next(iter(frames)), work), work)
    point = work.focus
    others, _ = load(png(second), request)
    other = focus(trim(next(iter(others)), work), work)
    assert (one.width, one.height) == (17, 10)
    assert (other.width, other.height) == (25, 15)
    assert work.focus == point
    assert Decimal(work.upright.part[0]) == 5
