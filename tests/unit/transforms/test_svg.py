"""Drawings: what is left of them, and that what is left draws the same."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests import hostile_images, images
from transforms.errors import DecodeFailed, OptionError, SourceError, TooLarge
from transforms.options import parse_compact
from transforms.pipeline import render
from transforms.svg import MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, sanitised

SVG = "{http://www.w3.org/2000/svg}"


def cleaned(inside: str, **settings: str) -> str:
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
        "<image href='data:image/png;base64,iVBORw0KGgo=' width='1'/>"
    )
    text = cleaned(inside)
    assert names(text) == [
        "defs", "linearGradient", "stop", "filter", "feGaussianBlur", "clipPath", "circle", "g", "path", "text", "tspan",
        "use", "use", "image",
    ]  # fmt: skip
    for kept in (
        'transform="rotate(5)"', 'clip-path="url(#c)"', 'style="fill:url(#a);opacity:.5"', "a &amp; <tspan>b</tspan>",
        'xlink:href="#a"', 'xlink:href="#c"', 'xlink:href="data:image/png;base64,iVBORw0KGgo="', 'stdDeviation="2"',
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
    text = cleaned(inside + "<circle r='3'/>")
    assert "alert" not in text.replace("&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;", "")
    assert "circle" in names(text)
    assert not {"script", "animate", "set", "foreignObject", "a"} & set(names(text))


def test_a_sheet_without_active_parts_stays() -> None:
    sheet = "/* by hand, see http://x */ .a > rect { fill: #f00; filter: url(#f) }"
    assert ".a &gt; rect { fill: #f00; filter: url(#f) }" in cleaned(f"<style>{sheet.replace('>', '&gt;')}</style>")


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
    ],
)
def test_what_is_refused(data: bytes, fact: type[SourceError]) -> None:
    with pytest.raises(fact):
        sanitised(data)


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
        text = cleaned("".join(parts))
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
    ("options", "size"), [("", (200, 100)), ("w:50", (50, 25)), ("w:800,up:1", (800, 400)), ("w:800", (200, 100))]
)
def test_a_drawing_is_drawn_at_its_size(options: str, size: tuple[int, int]) -> None:
    image = picture(images.svg(), options)
    assert image.size == size
    across, down = size
    assert image.getpixel((across // 4, down // 2)) == (255, 0, 0, 255)
    assert image.getpixel((across * 3 // 4, down // 2)) == (0, 0, 0, 0)
    # Drawn at that size, and not drawn small and stretched: the edge is one pixel wide at most.
    row = [image.getpixel((x, down // 2))[3] for x in range(across)]  # type: ignore[index]
    assert sum(0 < alpha < 255 for alpha in row) <= 2


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
