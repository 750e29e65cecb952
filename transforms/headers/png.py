"""PNG: the IHDR chunk, which must come first (PNG specification, section 11.2.1)."""

from __future__ import annotations

from transforms.errors import DecodeFailed
from transforms.headers.source import Size, Source


def size(source: Source) -> Size:
    """Size in IHDR; animated when an acTL chunk precedes the pixels."""
    if source.read(8, 8) != b"\x00\x00\x00\x0dIHDR":
        raise DecodeFailed("The PNG does not start with its header.")
    return Size(source.big(16, 4), source.big(20, 4), _animated(source))


def _animated(source: Source) -> bool:
    at = 33
    while at + 8 <= source.size:
        head = source.read(at, 8)
        if head[4:] in (b"IDAT", b"IEND"):
            return False
        if head[4:] == b"acTL":
            return True
        at += 12 + int.from_bytes(head[:4], "big")
    return False
