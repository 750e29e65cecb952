"""BMP: the size in its information header; a negative height means rows from the top."""

from __future__ import annotations

from transforms.headers.source import Size, Source


def size(source: Source) -> Size:
    """Size in the information header."""
    if source.little(14, 4) == 12:
        return Size(source.little(18, 2), source.little(20, 2))
    return Size(source.little(18, 4), abs(int.from_bytes(source.read(22, 4), "little", signed=True)))
