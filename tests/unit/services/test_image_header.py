"""Headers of images that stream by: found however the bytes come, refused as soon as that is clear."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.services.image_header import KEPT_BYTES, HeaderWatch
from tests import images
from transforms.errors import DecodeFailed, NotAnImage, TooLarge, UnsupportedFormat
from transforms.headers import Header, Source, read_header

FORMATS = ("jpeg", "png", "webp")
MANY = 50_000_000
SEGMENT = b"\xff\xeb" + (65_533).to_bytes(2) + bytes(65_531)
JPEG = images.jpeg((64, 48))
FILES = {
    "jpeg": JPEG,
    "png": images.png((30, 20)),
    "webp": images.encoded(images.photo((70, 50)), "WEBP"),
    "webp with exif": images.encoded(images.photo((700, 500)), "WEBP", exif=b"Exif\0\0MM\0*" + bytes(200), quality=95),
    "long": JPEG[:2] + SEGMENT * 20 + JPEG[2:],
}


def look(data: bytes, pieces: list[bytes], *, max_pixels: int = MANY, stored: bool = True) -> Header:
    watch = HeaderWatch(FORMATS, max_pixels)
    for piece in pieces:
        watch.feed(piece)

    async def fetch(offset: int, length: int) -> bytes:
        return data[offset : offset + length]

    return asyncio.run(watch.finish(len(data), fetch if stored else None))


@pytest.mark.parametrize("name", FILES)
@given(cuts=st.lists(st.integers(0, 1_500_000), max_size=8))
def test_the_header_is_found_however_the_bytes_come(name: str, cuts: list[int]) -> None:
    data = FILES[name]
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in cuts)})
    found = look(data, [data[start:end] for start, end in pairwise(places)])
    assert found == read_header(Source.of_bytes(data))


def test_what_is_behind_the_first_mebibyte_is_asked_for() -> None:
    data = FILES["long"]
    assert len(data) > KEPT_BYTES
    assert look(data, [data]).width == 64
    with pytest.raises(NotAnImage):
        look(data, [data], stored=False)


@pytest.mark.parametrize("data", [b"", b"x", b"\xff\xd8", b"hello" * 1000])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(NotAnImage):
        look(data, [data])


@pytest.mark.parametrize("end", [3, 20, 100, 150])
def test_a_header_that_ends_early_is_refused(end: int) -> None:
    with pytest.raises(DecodeFailed):
        look(JPEG[:end], [JPEG[:end]])


def test_other_formats_are_refused_by_name() -> None:
    data = images.encoded(images.photo((20, 20)), "GIF")
    with pytest.raises(UnsupportedFormat, match="gif"):
        look(data, [data])


def test_refusals_come_before_the_end() -> None:
    """Half a mebibyte of what is no image is not taken before it is refused; nor is an image of too many pixels."""
    with pytest.raises(NotAnImage):
        HeaderWatch(FORMATS, MANY).feed(bytes(1000))
    with pytest.raises(TooLarge):
        HeaderWatch(FORMATS, 64 * 48 - 1).feed(FILES["jpeg"] + bytes(20_000))
    assert look(JPEG, [JPEG], max_pixels=64 * 48).pixels == 64 * 48
