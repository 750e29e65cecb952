"""Sizes from headers, of well-made files, of lies, and of garbage."""

from __future__ import annotations

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests import images
from transforms.errors import DecodeFailed, NotAnImage, SourceError
from transforms.formats import FORMATS
from transforms.headers import PARSERS, Source, read_header
from transforms.headers.source import MAX_READS

_SAMPLES = {name: make() for name, make in ({**images.ORDINARY, "bmp": images.bmp, "heic": images.heic}).items()}


def test_every_format_has_a_parser() -> None:
    assert set(PARSERS) == set(FORMATS)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "heic"])
def test_the_size_is_the_one_that_pillow_reads(name: str) -> None:
    header = read_header(Source.of_bytes(_SAMPLES[name]))
    assert header.format.name == name
    assert (header.width, header.height) == Image.open(io.BytesIO(_SAMPLES[name])).size


def test_the_size_of_a_heic() -> None:
    header = read_header(Source.of_bytes(_SAMPLES["heic"]))
    # The coded size may be rounded up to the block; what is shown is cut from it.
    assert 320 <= header.width < 336
    assert 212 <= header.height < 228


@pytest.mark.parametrize("name", images.CLAIMING)
def test_a_claim_is_read_as_claimed(name: str) -> None:
    header = read_header(Source.of_bytes(images.CLAIMING[name]((16_000, 12_345))))
    assert (header.width, header.height) == (16_000, 12_345)


def test_frames_are_announced() -> None:
    assert read_header(Source.of_bytes(images.gif_animated())).animated
    webp = images.encoded(images.corners(), "WEBP", save_all=True, append_images=[images.photo((80, 60))])
    assert read_header(Source.of_bytes(webp)).animated
    apng = images.encoded(images.corners(), "PNG", save_all=True, append_images=[images.photo((80, 60))])
    assert read_header(Source.of_bytes(apng)).animated
    tiff = images.encoded(images.corners(), "TIFF", save_all=True, append_images=[images.photo((80, 60))])
    assert read_header(Source.of_bytes(tiff)).animated
    assert not any(read_header(Source.of_bytes(data)).animated for name, data in _SAMPLES.items() if name != "gif")


@pytest.mark.parametrize("mode", ["lossless", "alpha"])
def test_the_other_kinds_of_webp(mode: str) -> None:
    image = images.photo((123, 45))
    if mode == "alpha":
        image = image.convert("RGBA")
        image.putalpha(100)
    header = read_header(Source.of_bytes(images.encoded(image, "WEBP", lossless=mode == "lossless")))
    assert (header.width, header.height) == (123, 45)


def test_a_jpeg_with_a_large_profile_before_its_frame() -> None:
    data = images.jpeg_with_profile((1, 2, 3), images.swapped_profile() + bytes(600_000), (50, 40))
    header = read_header(Source.of_bytes(data))
    assert (header.width, header.height) == (50, 40)


def test_a_gif_frame_beyond_its_screen_counts() -> None:
    data = bytearray(images.gif_animated((90, 60)))
    data[6:10] = b"\x01\x00\x01\x00"
    header = read_header(Source.of_bytes(bytes(data)))
    assert (header.width, header.height) == (90, 60)


def test_a_header_without_end_is_given_up() -> None:
    endless = b"\xff\xd8" + b"\xff\xe1\x00\x02" * (MAX_READS + 10)
    with pytest.raises(DecodeFailed, match="too long"):
        read_header(Source.of_bytes(endless))


def test_few_bytes_are_read() -> None:
    read: list[int] = []
    data = images.jpeg((2000, 1500))

    def piece(offset: int, length: int) -> bytes:
        read.append(length)
        return data[offset : offset + length]

    read_header(Source(piece, len(data)))
    assert sum(read) < 200


def test_no_image() -> None:
    for data in (b"", b"hello", b"<svg/>"):
        with pytest.raises(NotAnImage):
            read_header(Source.of_bytes(data))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(sorted(_SAMPLES)), st.data())
def test_damage_gives_a_size_or_a_fact(name: str, data: st.DataObject) -> None:
    broken = bytearray(_SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, min(len(broken), 600) - 1))] = data.draw(st.integers(0, 255))
    broken = broken[: data.draw(st.integers(0, len(broken)))]
    try:
        header = read_header(Source.of_bytes(bytes(broken)))
    except SourceError:
        return
    assert header.width > 0
    assert header.height > 0
