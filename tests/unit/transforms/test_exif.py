"""EXIF as values, written by Pillow and read by us; and blocks that lie."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from transforms.exif import read_exif


def block(*, place: bool = True) -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112], exif[0x8298] = "Maker", "Model \x07 7", 6, "(c) Somebody"
    photo = exif.get_ifd(0x8769)
    photo[0x829A], photo[0x829D], photo[0x8827] = IFDRational(1, 250), IFDRational(28, 10), 400
    photo[0x9003], photo[0x9204] = "2026:05:04 03:02:01", IFDRational(-2, 3)
    photo[0x927C] = b"secret of the maker"
    if place:
        gps = exif.get_ifd(0x8825)
        gps[1], gps[2] = "S", (IFDRational(33), IFDRational(51), IFDRational(3141, 100))
        gps[3], gps[4] = "E", (IFDRational(151), IFDRational(12), IFDRational(0))
        gps[5], gps[6], gps[7], gps[29] = (
            b"\1",
            IFDRational(5, 2),
            (IFDRational(1), IFDRational(2), IFDRational(3)),
            "2026:05:04",
        )
    return exif.tobytes()


def test_what_a_camera_writes() -> None:
    found = read_exif(block())
    assert found["Make"] == "Maker"
    assert found["Model"] == "Model  7"
    assert found["Orientation"] == 6
    assert found["Copyright"] == "(c) Somebody"
    assert (found["ExposureTime"], found["FNumber"], found["ISOSpeedRatings"]) == (0.004, 2.8, 400)
    assert found["ExposureBiasValue"] == pytest.approx(-2 / 3)
    assert found["DateTimeOriginal"] == "2026:05:04 03:02:01"
    assert "secret" not in str(found)
    assert found["GPS"] == {
        "latitude": pytest.approx(-33.8587250),
        "longitude": pytest.approx(151.2),
        "altitude": -2.5,
        "time": "2026-05-04T01:02:03Z",
    }


def test_without_a_place() -> None:
    assert "GPS" not in read_exif(block(place=False))


def test_both_orders_of_bytes() -> None:
    def tiff(order: str) -> bytes:
        mark = b"II*\0" if order == "<" else b"MM\0*"
        return mark + struct.pack(order + "IH", 8, 1) + struct.pack(order + "HHIHH", 0x0112, 3, 1, 8, 0) + bytes(4)

    assert read_exif(tiff("<")) == read_exif(tiff(">")) == {"Orientation": 8}


def test_directories_that_point_at_themselves() -> None:
    entries = [struct.pack("<HHII", tag, 4, 1, 8) for tag in (0x8769, 0x8825)]
    looped = b"II*\0" + struct.pack("<IH", 8, 2) + b"".join(entries) + struct.pack("<I", 8)
    assert read_exif(looped) == {}


def test_lengths_that_lie() -> None:
    entries = [
        struct.pack("<HHII", 0x010F, 2, 0xFFFFFFFF, 8), struct.pack("<HHII", 0x0110, 5, 1 << 31, 8),
        struct.pack("<HHII", 0x0131, 99, 1, 8), struct.pack("<HHII", 0x013B, 2, 5, 0xFFFFFFF0),
    ]  # fmt: skip
    assert read_exif(b"II*\0" + struct.pack("<IH", 8, 60000) + b"".join(entries)) == {}


@given(place=st.integers(0, 1000), change=st.integers(1, 255), cut=st.integers(0, 1000))
def test_anything_changed_or_cut(place: int, change: int, cut: int) -> None:
    data = bytearray(block())
    data[place % len(data)] ^= change
    read_exif(bytes(data))
    read_exif(bytes(data[: cut % len(data)]))


@given(data=st.binary(max_size=300))
def test_anything(data: bytes) -> None:
    read_exif(data)
    read_exif(b"II*\0\x08\0\0\0" + data)
    read_exif(b"MM\0*\0\0\0\x08" + data)
