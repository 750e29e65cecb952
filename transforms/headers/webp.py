"""WebP: the canvas of VP8X, or the frame header of VP8 or VP8L (RFC 9649)."""

from __future__ import annotations

from transforms.errors import DecodeFailed
from transforms.headers.source import Size, Source


def size(source: Source) -> Size:
    """Size by the first chunk; animated by the flag of VP8X."""
    chunk = source.read(12, 4)
    if chunk == b"VP8X":
        return Size(1 + source.little(24, 3), 1 + source.little(27, 3), bool(source.big(20, 1) & 0x02))
    if chunk == b"VP8 " and source.read(23, 3) == b"\x9d\x01\x2a":
        return Size(source.little(26, 2) & 0x3FFF, source.little(28, 2) & 0x3FFF)
    if chunk == b"VP8L" and source.read(20, 1) == b"\x2f":
        bits = source.little(21, 4)
        return Size(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    raise DecodeFailed("The WebP header is broken.")
