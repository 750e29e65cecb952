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

_SAMPLES = {name: make() for name, make in images.EVERY.items()}


def test_every_format_has_a_parser() -> None:
    assert set(PARSERS) == set(FORMATS)


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("heic", "svg", "pdf")])
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
    tiff = read_header(Source.of_bytes(images.tiff_pages(pages=5)))
    assert (tiff.animated, tiff.frames) == (False, 5)
    assert read_header(Source.of_bytes(images.gif_animated(frames=300))).frames == 300
    assert read_header(Source.of_bytes(images.webp_animated(frames=12))).frames == 12
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


@pytest.mark.parametrize(
    ("root", "size"),
    [
        ('width="30" height="20"', (30, 20)),
        ("width='30px' height='20.4'", (30, 21)),
        ('viewBox="0 0 30 20"', (30, 20)),
        ('viewBox="5,5,30,20" width="60"', (60, 40)),
        ('width="100%" height="100%" viewBox="0 0 30 20"', (30, 20)),
        ('width="1in" height="2.54cm"', (96, 96)),
        ('data-a=">" width="30" height="20"', (30, 20)),
        ("", (300, 150)),
    ],
)
def test_the_size_of_a_drawing(root: str, size: tuple[int, int]) -> None:
    header = read_header(Source.of_bytes(f"<?xml version='1.0'?><!-- <svg width='9'> -->\n<svg {root}></svg>".encode()))
    assert (header.width, header.height) == size


@pytest.mark.parametrize("root", ['width="0" height="20"', 'width="1e99" height="1"', 'width="-4" height="0"'])
def test_a_drawing_without_area(root: str) -> None:
    with pytest.raises(DecodeFailed):
        read_header(Source.of_bytes(f"<svg {root}/>".encode()))


def test_the_size_of_a_document() -> None:
    header = read_header(Source.of_bytes(images.pdf((320, 213))))
    assert (header.width, header.height) == (640, 426)
    assert read_header(Source.of_bytes(b"%PDF-1.7\n<</Type/ObjStm>>")).pixels == 1224 * 1584


@pytest.mark.parametrize("size", [(320, 213), (64, 64), (400, 300), (3000, 17)])
@pytest.mark.parametrize("container", [True, False])
def test_the_size_of_a_jxl(size: tuple[int, int], container: bool) -> None:
    images.jxl((8, 8))
    data = images.encoded(images.photo(size), "JXL", effort=1, use_container=container)
    header = read_header(Source.of_bytes(data))
    assert (header.width, header.height) == size


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_cameras_orientation_is_told(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    header = read_header(Source.of_bytes(images.encoded(images.corners(), kind, exif=exif)))
    assert (header.width, header.height, header.orientation) == (80, 60, 6)


def test_an_avif_tells_the_size_of_the_turned_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    header = read_header(Source.of_bytes(images.encoded(images.corners(), "AVIF", exif=exif)))
    assert (header.width, header.height, header.orientation) == (60, 80, 1)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("alpha", [True, False])
def test_transparency_is_told(kind: str, alpha: bool) -> None:
    image = Image.open(io.BytesIO(images.png_alpha())) if alpha else images.corners()
    assert read_header(Source.of_bytes(images.encoded(image, kind))).alpha is alpha


def test_directories_that_go_round_in_circles_are_followed_once() -> None:
    data = bytearray(images.tiff_pages(pages=2))
    order = "little" if data[:2] == b"II" else "big"
    first = int.from_bytes(data[4:8], order)
    second_at = first + 2 + 12 * int.from_bytes(data[first : first + 2], order)
    second = int.from_bytes(data[second_at : second_at + 4], order)
    back_at = second + 2 + 12 * int.from_bytes(data[second : second + 2], order)
    data[back_at : back_at + 4] = first.to_bytes(4, order)
    assert read_header(Source.of_bytes(bytes(data))).frames == 2
    # EXIF whose only directory is itself, again and again.
    loop = b"Exif\0\0II*\0\x08\0\0\0" + b"\x01\0" + b"\x69\x87\x04\0\x01\0\0\0\x08\0\0\0" + b"\x08\0\0\0"
    jpeg = images.jpeg((50, 40))
    looped = jpeg[:2] + b"\xff\xe1" + (len(loop) + 2).to_bytes(2, "big") + loop + jpeg[2:]
    assert read_header(Source.of_bytes(looped)).orientation == 1


def test_a_gif_cut_into_single_bytes_is_given_up() -> None:
    frame = b",\0\0\0\0\x10\0\x10\0\0\x08"
    for chain in (b"\x01\x01", b"\x01\x00", b"!\xfe\x01\x00\x00"):
        flood = b"GIF89a\x10\0\x10\0\0\0\0" + frame + chain * 1_000_000
        with pytest.raises(DecodeFailed, match="too many blocks"):
            read_header(Source.of_bytes(flood + b"\0;" if chain[0] != 0x21 else flood.replace(frame, frame + b"\0", 1)))


def test_few_bytes_are_read() -> None:
    read: list[int] = []
    data = images.jpeg((2000, 1500))

    def piece(offset: int, length: int) -> bytes:
        read.append(length)
        return data[offset : offset + length]

    read_header(Source(piece, len(data)))
    assert sum(read) < 512 + 200


def test_no_image() -> None:
    for data in (b"", b"hello", b"<html/>"):
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
