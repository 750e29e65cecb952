"""Drawings: what is left of them, and that what is left draws the same."""

from __future__ import annotations

import base64
import io
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests import hostile_images, images
from transforms.errors import DecodeFailed, OptionError, SourceError, TooLarge
from transforms.limits import Limits
from transforms.options import parse_compact
from transforms.pipeline import render
from transforms.svg import MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, MAX_TEXT, MAX_TEXT_RUN, cleaned

TINY = base64.b64encode(images.png((2, 2))).decode()
SVG = "{http://www.w3.org/2000/svg}"


def sanitised(data: bytes) -> bytes:
    return cleaned(data).data


def text_of(inside: str, **settings: str) -> str:
    return sanitised(hostile_images.svg(inside, **settings)).decode()


def names(text: str) -> list[str]:
    """The elements in their order, below the root."""
    return [element.tag.removeprefix(SVG) for element in ElementTree.fromstring(text).iter()][1:]


def test_what_draws_stays() -> None:
    inside = (
        '<defs><linearGradient id="a"><stop offset="0" stop-color="red"/></linearGradient>'
        '<filter id="f"><feGaussianBlur stdDeviation="2"/></filter><clipPath id="c"><circle r="5"/></clipPath></defs>'
        '<g transform="rotate(5)" clip-path="url(#c)" style="fill:url(#a);opacity:.5"><path d="M0 0L1 1"/></g>'
        '<text x="1" font-family="serif">a &amp; <tspan>b</tspan></text><use xlink:href="#a"/><use href="#c"/>'
        f"<image href='data:image/png;base64,{TINY}' width='1'/>"
    )
    text = text_of(inside)
    assert names(text) == [
        "defs", "linearGradient", "stop", "filter", "feGaussianBlur", "clipPath", "circle", "g", "path", "text", "tspan",
        "use", "use", "image",
    ]  # fmt: skip
    for kept in (
        'transform="rotate(5)"', 'clip-path="url(#c)"', 'style="fill:url(#a);opacity:.5"', "a &amp; <tspan>b</tspan>",
        'xlink:href="#a"', 'xlink:href="#c"', f'xlink:href="data:image/png;base64,{TINY}"', 'stdDeviation="2"',
    ):  # fmt: skip
        assert kept in text


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<script href='http://x/'/>",
        "<g><script xmlns='http://www.w3.org/1999/xhtml'>alert(1)</script></g>",
        "<h:script xmlns:h='http://www.w3.org/1999/xhtml'>alert(1)</h:script>",
        "<rect onclick='alert(1)'/>",
        "<rect ONLOAD='alert(1)'/>",
        "<a href='javascript:alert(1)'><rect/></a>",
        "<a xlink:href='java&#10;script:alert(1)'><rect/></a>",
        "<foreignObject><body xmlns='http://www.w3.org/1999/xhtml' onload='alert(1)'/></foreignObject>",
        "<animate attributeName='href' values='javascript:alert(1)'/>",
        "<set attributeName='onload' to='alert(1)'/>",
        "<handler type='text/javascript'>alert(1)</handler>",
        "<use href='data:image/svg+xml;base64,PHN2Zy8+#alert'/>",
        "<image href='data:image/svg+xml;base64,PHN2Zy8+alert'/>",
        "<image href='http://alert/'/>",
        "<image href='//alert/'/>",
        "<image href='alert.png'/>",
        "<feImage href='http://alert/'/>",
        "<style>@import 'http://alert/';</style>",
        "<style>rect{fill:url(http://alert/)}</style>",
        "<style>rect{fill:u\\72l(http://alert/)}</style>",
        "<style>rect{fill:/**/url(/* */'//alert/')}</style>",
        "<style>@font-face{font-family:x;src:url(http://alert/)}</style>",
        "<style>rect{-moz-binding:url(#alert)}</style>",
        "<style><![CDATA[</style><script>alert(1)</script>]]></style>",
        "<rect style='fill:url(http://alert/)'/>",
        "<rect fill='url(http://alert/#a)'/>",
        "<rect fill='URL(http://alert/#a)'/>",
        "<rect fill='url(\"alert.svg#a\")'/>",
        "<rect filter='url(data:image/svg+xml,alert#f)'/>",
        "<rect clip-path='\\75rl(http://alert/)'/>",
        "<rect x:href='http://alert/' xmlns:x='urn:x'/>",
        "<metadata>alert</metadata>",
        "<?xml-stylesheet href='http://alert/'?>",
        "<!-- alert -->",
        "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='file:///alert'/>",
        "<rect xml:base='http://alert/'/>",
        "<text><script>alert(1)</script></text>",
        "<unknown>alert<g>alert</g></unknown>",
    ],
)
def test_what_acts_or_reaches_out_goes(inside: str) -> None:
    text = text_of(inside + "<circle r='3'/>")
    assert "alert" not in text.replace("&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;", "")
    assert "circle" in names(text)
    assert not {"script", "animate", "set", "foreignObject", "a"} & set(names(text))


def test_a_sheet_without_active_parts_stays() -> None:
    sheet = "/* by hand, see http://x */ .a > rect { fill: #f00; filter: url(#f) }"
    assert ".a &gt; rect { fill: #f00; filter: url(#f) }" in text_of(f"<style>{sheet.replace('>', '&gt;')}</style>")


@pytest.mark.parametrize(
    ("data", "fact"),
    [
        (hostile_images.billion_laughs(), DecodeFailed),
        (hostile_images.external_entity(), DecodeFailed),
        (b"<!DOCTYPE svg [<!ENTITY % p SYSTEM 'http://x/'> %p;]><svg/>", DecodeFailed),
        (hostile_images.svg("<text>&undefined;</text>"), DecodeFailed),
        (hostile_images.svg("")[:-3], DecodeFailed),
        (b"<svg></g>", DecodeFailed),
        (b"<html/>", DecodeFailed),
        (b"<svg xmlns='urn:other'/>", DecodeFailed),
        (b"<?xml version='1.0' encoding='no-such'?><svg/>", DecodeFailed),
        (b"", DecodeFailed),
        (hostile_images.use_bomb(), TooLarge),
        (hostile_images.pattern_bomb(), TooLarge),
        (hostile_images.svg("<g>" * MAX_DEPTH + "</g>" * MAX_DEPTH), TooLarge),
        (hostile_images.svg("<g/>" * MAX_ELEMENTS), TooLarge),
        (hostile_images.svg(" " * MAX_BYTES), TooLarge),
        (hostile_images.svg("<text>W</text>" * (MAX_TEXT + 1)), TooLarge),
        (hostile_images.svg(f"<style>{'.a .b{fill:red}' * 5000}</style>" + "<g/>" * 5000), TooLarge),
        (hostile_images.svg_with_image(images.png_bomb((20_000, 20_000))), TooLarge),
        (hostile_images.svg_with_image(images.gif_claiming((60_000, 60_000)), "gif"), TooLarge),
    ],
)
def test_what_is_refused(data: bytes, fact: type[SourceError]) -> None:
    with pytest.raises(fact):
        sanitised(data)


def test_an_image_inside_that_is_none_goes() -> None:
    for content in (b"text", images.svg(), images.tiff((4, 4)), images.jpeg()[:30]):
        assert b"base64" not in sanitised(hostile_images.svg_with_image(content))
    assert b"base64" in sanitised(hostile_images.svg_with_image(images.jpeg((4, 4))))


@pytest.mark.parametrize(
    "effect",
    [
        "<feTurbulence numOctaves='8' baseFrequency='0.05'/>",
        "<feMorphology radius='5 500'/>",
        "<feConvolveMatrix order='50' kernelMatrix='1'/>",
        "<feGaussianBlur stdDeviation='300'/>" * 100,
        "<feDiffuseLighting><fePointLight/></feDiffuseLighting>" * 20,
    ],
)
@pytest.mark.parametrize("use", ["filter='url(#f)'", "style='filter:url(\"#f\")'"])
def test_effects_cost_by_the_pixels(effect: str, use: str) -> None:
    inside = f"<filter id='f'>{effect}</filter><rect width='7000' height='7000' {use}/>"
    data = hostile_images.svg(inside, size="width='7000' height='7000'")
    with pytest.raises(TooLarge, match="svg_effect_pixels"):
        render(data, parse_compact(""), limits=Limits())
    assert picture(data, "w:40").size == (40, 40)


def test_other_encodings_become_utf8() -> None:
    text = "<?xml version='1.0' encoding='{}'?><svg xmlns='http://www.w3.org/2000/svg'><text>Grüße</text></svg>"
    for encoding in ("utf-8", "utf-16", "iso-8859-1", "windows-1252"):
        assert "Grüße".encode() in sanitised(text.format(encoding).encode(encoding))


def test_cleaning_twice_changes_nothing() -> None:
    once = sanitised(images.svg(inside="<style>a{b:c}</style><text>x &lt; y</text><a href='#'><g/></a>"))
    assert sanitised(once) == once


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(
    ["<g>", "</g>", "<script>", "</script>", "alert", "<rect onload='alert'/>", "<style>", "</style>", "url(//alert)",
     "<a href='javascript:alert'>", "</a>", "&lt;", "<![CDATA[<script>]]>", "<text>", "</text>", "<!--", "-->"]
), max_size=12))  # fmt: skip
def test_whatever_comes_out_is_harmless(parts: list[str]) -> None:
    try:
        text = text_of("".join(parts))
    except SourceError:
        return
    root = ElementTree.fromstring(text)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in ("svg", "g", "rect", "style", "text")
        assert not any("alert" in value or name.startswith("on") for name, value in element.attrib.items())
        assert element.tag != SVG + "style" or "url" not in (element.text or "")


def picture(data: bytes, options: str) -> Image.Image:
    return Image.open(io.BytesIO(render(data, parse_compact(options)).data)).convert("RGBA")


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ("", (200, 100)),
        ("w:50", (50, 25)),
        ("w:800,up:1", (800, 400)),
        ("w:800", (800, 400)),
        ("w:400,dpr:2", (800, 400)),
        ("dpr:2", (200, 100)),
        ("min-h:300", (600, 300)),
    ],
)
def test_a_drawing_is_drawn_in_the_size_that_is_asked_for(options: str, size: tuple[int, int]) -> None:
    image = picture(images.svg(), options)
    assert image.size == size
    across, down = size
    assert image.getpixel((across // 4, down // 2)) == (255, 0, 0, 255)
    assert image.getpixel((across * 3 // 4, down // 2)) == (0, 0, 0, 0)
    # Drawn at that size, and not drawn small and stretched: the edge is one pixel wide at most.
    row = [image.getpixel((x, down // 2))[3] for x in range(across)]  # type: ignore[index]
    assert sum(0 < alpha < 255 for alpha in row) <= 2


def test_a_variant_of_a_drawing_is_no_larger_than_it() -> None:
    assert picture(images.svg(), "variant:large").size == (200, 100)


def test_the_drawing_itself_is_handed_out_clean() -> None:
    made = render(images.svg(inside="<script>alert(1)</script>"), parse_compact("f:svg,w:10"))
    assert (made.format, made.width, made.height) == ("svg", 200, 100)
    assert b"script" not in made.data
    assert picture(made.data, "f:png").getpixel((9, 9)) == (255, 0, 0, 255)
    assert parse_compact("f:svg,w:10,blur:3").canonical() == "f:svg"


@pytest.mark.parametrize("name", list(images.ORDINARY))
def test_only_a_drawing_becomes_one(name: str) -> None:
    with pytest.raises(OptionError) as caught:
        render(images.ORDINARY[name](), parse_compact("f:svg"))
    assert caught.value.option == "f"


def test_the_loader_stays_blocked_after_its_use() -> None:
    import pyvips

    picture(images.svg(), "w:20")
    with pytest.raises(pyvips.Error):
        pyvips.Image.svgload_buffer(images.svg())


@pytest.mark.parametrize("path", ["<path d='{}'/>", "<polygon points='{}'/>"])
def test_paths_of_very_many_numbers_are_refused(path: str) -> None:
    root = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{}</svg>'
    with pytest.raises(TooLarge, match="svg_path_numbers"):
        cleaned(root.format(path.format("0 0 1 1 " * 25_001)).encode())
    assert cleaned(root.format(path.format("0 0 1 1 " * 25_000)).encode()).width == 9


def test_one_long_text_is_refused_and_many_short_ones_are_not() -> None:
    halves = f"{'W' * (MAX_TEXT_RUN // 2)}<tspan>{'W' * (MAX_TEXT_RUN // 2)}</tspan>"
    labels = f"<title>{'W' * MAX_TEXT_RUN}</title>" + f"<text>{halves}</text>" * 3
    assert sanitised(hostile_images.svg(labels)).count(b"W") == 4 * MAX_TEXT_RUN
    with pytest.raises(TooLarge, match="svg_text_run"):
        sanitised(hostile_images.svg(f"<text>{halves}W</text>"))
