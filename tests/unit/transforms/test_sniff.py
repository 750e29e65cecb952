"""Types by the first bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import images
from transforms.formats import FORMATS
from transforms.sniff import HEAD_BYTES, sniff

_SAMPLES = {**images.ORDINARY, "bmp": images.bmp, "heic": images.heic}


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
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<?xml version='1.0'?><svg/>",
        b"%PDF-1.7",
        b"BM, said the sheep, and nothing else of note",
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
        b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isommp42",
        b"GIF88a",
        b"PK\x03\x04",
    ],
)
def test_other_content_is_no_image(head: bytes) -> None:
    assert sniff(head) is None


def test_a_compatible_brand_counts_but_not_beyond_its_box() -> None:
    box = b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00avifmif1"
    found = sniff(box)
    assert found is not None
    assert found.name == "avif"
    assert sniff(b"\x00\x00\x00\x14ftypmif1\x00\x00\x00\x00mif1avif") is None


@given(st.binary(max_size=200))
def test_anything_is_answered(data: bytes) -> None:
    assert sniff(data) == sniff(data[:HEAD_BYTES])
