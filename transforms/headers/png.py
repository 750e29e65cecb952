"""PNG: the IHDR chunk, which must come first, and the chunks before the pixels (PNG specification, section 11)."""

from __future__ import annotations

from transforms.errors import DecodeFailed
from transforms.headers.exif import orientation
from transforms.headers.source import MAX_COUNTED, Size, Source

_WITH_ALPHA = (4, 6)


def size(source: Source) -> Size:
    """Size in IHDR; animated when an acTL chunk precedes the pixels."""
    if source.read(8, 8) != b"\x00\x00\x00\x0dIHDR":
        raise DecodeFailed("The PNG does not start with its header.")
    frames, turned, alpha = 1, 1, source.big(25, 1) in _WITH_ALPHA
    at = 33
    while at + 8 <= source.size:
        head = source.read(at, 8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind in (b"IDAT", b"IEND"):
            break
        if kind == b"acTL":
            frames = max(2, min(MAX_COUNTED, source.big(at + 8, 4)))
        elif kind == b"tRNS":
            alpha = True
        elif kind == b"eXIf":
            turned = orientation(source, at + 8, length)
        at += 12 + length
    return Size(source.big(16, 4), source.big(20, 4), frames > 1, frames, alpha, turned)
