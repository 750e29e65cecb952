"""From Accept to a format."""

from __future__ import annotations

import pytest

from tests import images
from transforms.formats import FORMATS, OUTPUT_FORMATS
from transforms.headers import Source, read_header
from transforms.negotiate import AVIF, NEITHER, WEBP, accept_class, frames_shown, resolve_format, variant
from transforms.options import parse_compact


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, NEITHER),
        ("", NEITHER),
        ("*/*", NEITHER),
        ("image/*", NEITHER),
        ("text/html,image/webp,*/*;q=0.8", WEBP),
        ("image/avif,image/webp,image/apng,image/*,*/*;q=0.8", AVIF),
        ("image/webp,image/avif", AVIF),
        ("image/avif;q=0.5, image/webp;q=0.9", WEBP),
        ("image/avif;q=0, image/webp", WEBP),
        ("image/avif;q=0", NEITHER),
        ("image/avif;q=0.000", NEITHER),
        ("image/avif ; Q=1.000", AVIF),
        ("IMAGE/AVIF", AVIF),
        ("image/avif;q=2, image/webp;q=0.1", WEBP),
        ("image/avif;q=", NEITHER),
        ("image/avif;profile=x;q=0.1,image/webp;q=0.2", WEBP),
        ("image/avifx", NEITHER),
        (",;,=;q", NEITHER),
    ],
)
def test_accept_classes(header: str | None, expected: str) -> None:
    assert accept_class(header) == expected


def test_only_auto_lets_accept_into_the_key() -> None:
    assert variant(parse_compact("f:auto"), AVIF) == AVIF
    assert variant(parse_compact("f:webp"), AVIF) == NEITHER
    assert variant(parse_compact(""), WEBP) == NEITHER


@pytest.mark.parametrize(
    ("options", "accept", "source", "alpha", "expected"),
    [
        ("", NEITHER, "jpeg", False, "jpeg"),
        ("", AVIF, "jpeg", False, "jpeg"),
        ("", NEITHER, "gif", True, "gif"),
        ("", NEITHER, "webp", True, "webp"),
        ("", NEITHER, "avif", False, "avif"),
        ("", NEITHER, "tiff", False, "jpeg"),
        ("", NEITHER, "tiff", True, "png"),
        ("", NEITHER, "heic", False, "jpeg"),
        ("f:auto", AVIF, "png", True, "avif"),
        ("f:auto", WEBP, "jpeg", False, "webp"),
        ("f:auto", NEITHER, "jpeg", False, "jpeg"),
        ("f:auto", NEITHER, "png", False, "png"),
        ("f:auto", NEITHER, "webp", False, "jpeg"),
        ("f:auto", NEITHER, "avif", True, "png"),
        ("f:gif", AVIF, "jpeg", False, "gif"),
    ],
)
def test_formats(options: str, accept: str, source: str, alpha: bool, expected: str) -> None:
    assert resolve_format(parse_compact(options), accept, source, alpha) == expected


@pytest.mark.parametrize(("accept", "expected"), [(NEITHER, "gif"), (WEBP, "webp"), (AVIF, "webp")])
@pytest.mark.parametrize("source", ["gif", "webp"])
def test_an_animation_stays_one_for_every_client(source: str, accept: str, expected: str) -> None:
    options = parse_compact("f:auto")
    assert resolve_format(options, accept, source, has_alpha=True, animated=True) == expected
    header = read_header(Source.of_bytes(images.webp_animated() if source == "webp" else images.gif_animated()))
    assert header.frames > 1
    for asked in ("f:auto", "f:auto,w:10"):
        assert frames_shown(header, parse_compact(asked), accept) == header.frames
    for asked in ("f:auto,still:1", "f:auto,page:2"):
        assert frames_shown(header, parse_compact(asked), accept) == 1


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("accept", [AVIF, WEBP, NEITHER])
@pytest.mark.parametrize("options", ["", "f:auto"])
def test_every_source_resolves_to_what_can_be_written(options: str, accept: str, source: str) -> None:
    parsed = parse_compact(options)
    assert {resolve_format(parsed, accept, source, alpha) for alpha in (True, False)} <= set(OUTPUT_FORMATS)
