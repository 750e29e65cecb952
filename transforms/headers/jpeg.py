"""JPEG: the frame header (ITU-T T.81, section B.2.2), found by hopping from marker to marker."""

from __future__ import annotations

from transforms.errors import DecodeFailed
from transforms.headers.exif import orientation
from transforms.headers.source import Size, Source

_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_APP1 = 0xE1
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))


def size(source: Source) -> Size:
    """Size in the first frame header; orientation by the EXIF block before it."""
    at, turned = 2, 1
    while True:
        prefix, marker = source.read(at, 2)
        if prefix != 0xFF:
            raise DecodeFailed("The JPEG header is broken.")
        if marker == 0xFF:
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        elif marker in _FRAME_HEADERS:
            return Size(source.big(at + 7, 2), source.big(at + 5, 2), alpha=False, orientation=turned)
        elif marker in (0xD9, 0xDA):
            raise DecodeFailed("The JPEG has no frame header.")
        else:
            length = max(2, source.big(at + 2, 2))
            if marker == _APP1 and length >= 16 and source.read(at + 4, 6) == b"Exif\0\0":
                turned = orientation(source, at + 10, length - 8)
            at += 2 + length
