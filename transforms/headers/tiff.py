"""TIFF: ImageWidth and ImageLength of the first directory (TIFF 6.0, sections 2 and 8)."""

from __future__ import annotations

from typing import Literal

from transforms.errors import DecodeFailed
from transforms.headers.source import Size, Source

_WIDTH, _LENGTH = 256, 257
_BYTES_OF_TYPE = {1: 1, 3: 2, 4: 4}
_MAX_ENTRIES = 512


def size(source: Source) -> Size:
    """Size in the first directory; animated, in our sense, when a second page follows."""
    order: Literal["little", "big"] = "little" if source.read(0, 2) == b"II" else "big"

    def number(at: int, length: int) -> int:
        return int.from_bytes(source.read(at, length), order)

    directory = number(4, 4)
    entries = number(directory, 2)
    if entries > _MAX_ENTRIES:
        raise DecodeFailed("The TIFF directory is too long.")
    found: dict[int, int] = {}
    for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
        tag, kind = number(entry, 2), number(entry + 2, 2)
        if tag in (_WIDTH, _LENGTH):
            found[tag] = number(entry + 8, _BYTES_OF_TYPE.get(kind, 4))
    if len(found) != 2:
        raise DecodeFailed("The TIFF directory gives no size.")
    return Size(found[_WIDTH], found[_LENGTH], number(directory + 2 + 12 * entries, 4) != 0)
