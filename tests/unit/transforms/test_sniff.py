"""Types by the first bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import images
from transforms.formats import FORMATS
from transforms.sniff import HEAD_BYTES, sniff

_SAMPLES = images.EVERY


def test_every_row_of_the_table_has_a_sample() -> None:
    assert set(_SAMPLES) == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_known_by_its_head(name: str) -> None:
    found = sniff(_SAMPLES[name]()[:HEAD_BYTES])
    assert found is FORMATS[name]


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff\xd8",
        b"<svgs/>",
        b"<html><svg/></html>",
        b"<?xml version='1.0'?><rss><svg/></rss>",
        b"<!DOCTYPE html><svg/>",
        b"<!-- a comment without end <svg/>",
        b"<?xml version='1.0'?>",
        b"< svg/>",
        b"%!PS-Adobe-3.0",
        b"BM, said the sheep, and nothing else of note",
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
        b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isommp42",
        b"GIF88a",
        b"PK\x03\x04",
    ],
)
def test_other_content_is_no_image(head: bytes) -> None:
    assert sniff(head) is None


@pytest.mark.parametrize(
    "head",
    [
        b"<svg>",
        b"<svg/>",
        b"\xef\xbb\xbf \n<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<?xml version='1.0'?>\n<!-- made by hand --><?xml-stylesheet href='a.css'?>\n<svg:svg width='1'>",
        b"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' ''><svg>",
        b"<?xml version='1.0'?>" + b"<!--" + b"x" * 300 + b"-->" + b"<svg>",
    ],
)
def test_an_svg_is_known_by_its_root(head: bytes) -> None:
    assert sniff(head) is FORMATS["svg"]


def test_many_comments_are_passed_quickly() -> None:
    assert sniff(b"<!---->" * 73) is None


def test_a_compatible_brand_counts_but_not_beyond_its_box() -> None:
    box = b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00avifmif1"
    found = sniff(box)
    assert found is not None
    assert found.name == "avif"
    assert sniff(b"\x00\x00\x00\x14ftypmif1\x00\x00\x00\x00mif1avif") is None


@given(st.binary(max_size=200))
def test_anything_is_answered(data: bytes) -> None:
    assert sniff(data) == sniff(data[:HEAD_BYTES])
