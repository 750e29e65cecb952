"""GIF: the logical screen, widened to the first frame (GIF89a, sections 18 and 20)."""

from __future__ import annotations

from transforms.errors import DecodeFailed
from transforms.headers.source import Size, Source


def size(source: Source) -> Size:
    """Size of the logical screen or of a first frame that reaches beyond it; animated by the looping extension."""
    width, height, flags = source.little(6, 2), source.little(8, 2), source.big(10, 1)
    at = 13 + _table_bytes(flags)
    animated = False
    while True:
        block = source.read(at, 1)
        if block == b"!":
            animated |= source.read(at + 1, 2) == b"\xff\x0b" and source.read(at + 3, 11) == b"NETSCAPE2.0"
            at += 2
            while length := source.big(at, 1):
                at += 1 + length
            at += 1
        elif block == b",":
            left, top = source.little(at + 1, 2), source.little(at + 3, 2)
            right, bottom = left + source.little(at + 5, 2), top + source.little(at + 7, 2)
            return Size(max(width, right), max(height, bottom), animated)
        else:
            raise DecodeFailed("The GIF has no frame.")


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
