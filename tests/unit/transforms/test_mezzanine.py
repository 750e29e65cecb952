"""Which mezzanine a rendition is made from, by sizes and settings alone."""

from __future__ import annotations

import pytest

from transforms.formats import FORMATS
from transforms.headers import Header
from transforms.mezzanine import box_of, choose, may_use
from transforms.options import parse_compact
from transforms.rendering import DEFAULT_RENDERING, Rendering


def header(
    width: int = 4080, height: int = 2712, name: str = "jpeg", *, animated: bool = False, turned: int = 1
) -> Header:
    return Header(FORMATS[name], width, height, animated, orientation=turned)


def rung(options: str, head: Header | None = None, rendering: Rendering = DEFAULT_RENDERING) -> int | None:
    return choose(head or header(), parse_compact(options), rendering)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("w:300", 640), ("w:320", 640), ("w:322", 1280), ("w:640", 1280), ("w:641", 2560), ("w:1280", 2560),
        ("w:1282", None), ("w:9000", None), ("h:200", 640), ("h:213", 640), ("h:250", 1280),
        ("w:100,dpr:3", 640), ("w:200,dpr:2", 1280),
        # Covering a square takes a picture that is wider than that.
        ("w:200,h:200,fit:cover", 640), ("w:300,h:300,fit:cover", 1280), ("w:300,h:300", 640), ("ar:1:1,w:300", 1280),
        ("w:300,h:300,fit:fill", 1280), ("w:20,h:640,fit:fill", 2560),
        ("", None), ("f:webp", None), ("ar:1:1", None),
        ("w:300,f:avif,q:50,blur:3,text:hello", 640), ("w:300,rotate:90", 1280), ("w:300,rotate:180", 640),
        # A third of it is shown: what is shown needs twice its pixels.
        ("crop:0:0:0.5:0.5,w:300", 1280), ("crop:0:0:0.1:0.1,w:300", None),
    ],
)  # fmt: skip
def test_the_smallest_that_is_twice_as_large(options: str, wanted: int | None) -> None:
    assert rung(options) == wanted


@pytest.mark.parametrize(
    "options",
    [
        "exact:1",
        "crop:10:20:300:200",
        "crop:ne:10:10:300:0.5",
        "trim:10",
        "rotate:45",
        "page:2",
        "icc:keep",
        "strip:0",
        "strip:copyright",
    ],
)
def test_options_that_read_the_original(options: str) -> None:
    assert rung(f"w:200,{options}") is None
    assert not may_use(parse_compact(f"w:200,{options}"), DEFAULT_RENDERING)
    assert may_use(parse_compact("w:200"), DEFAULT_RENDERING)


def test_orientation_counts() -> None:
    assert rung("w:300", header(turned=6)) == 1280
    assert rung("w:300", header(2712, 4080, turned=6)) == 640


def test_which_originals_have_any() -> None:
    assert rung("w:300", header(1632, 1225)) is None
    assert rung("w:300", header(1633, 1225)) == 640
    assert rung("w:300", header(animated=True, name="webp")) is None
    assert rung("w:300", header(name="gif")) is None
    for name in ("png", "webp", "avif", "heic", "tiff"):
        assert rung("w:300", header(name=name)) == 640
    # Nothing is enlarged to be made smaller.
    assert rung("w:100", header(640, 640), Rendering(mezzanine_pixels=1000)) is None
    assert rung("w:100", header(641, 641), Rendering(mezzanine_pixels=1000)) == 640


def test_settings_decide() -> None:
    assert rung("w:300", rendering=Rendering(mezzanines=())) is None
    assert rung("w:300", rendering=Rendering(mezzanines=(500, 700))) == 700
    assert rung("w:300", rendering=Rendering(mezzanine_pixels=50_000_000)) is None


def test_its_box_is_canonical() -> None:
    assert parse_compact(box_of(640)).canonical() == box_of(640)
