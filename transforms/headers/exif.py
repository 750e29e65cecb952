"""EXIF: the orientation in the first directory (CIPA DC-008, section 4.6.4), which is laid out as a TIFF's."""

from __future__ import annotations

from typing import Literal

from transforms.errors import DecodeFailed
from transforms.headers.source import Source

_ORIENTATION = 0x0112
_MAX_ENTRIES = 64


def orientation(source: Source, start: int, length: int) -> int:
    """1 to 8, by the TIFF structure of `length` bytes at `start`; 1 where it says nothing or makes no sense.

    One directory is read and none that it points to, so a loop of directories cannot be followed.
    """
    end = start + length
    try:
        mark = source.read(start, 4) if start + 8 <= end else b""
        order: Literal["little", "big"] = "little" if mark == b"II*\0" else "big"
        if mark not in (b"II*\0", b"MM\0*"):
            return 1
        directory = start + int.from_bytes(source.read(start + 4, 4), order)
        if directory + 2 > end:
            return 1
        entries = min(int.from_bytes(source.read(directory, 2), order), _MAX_ENTRIES, (end - directory - 2) // 12)
        table = source.read(directory + 2, 12 * entries)
    except DecodeFailed:
        return 1
    for at in range(0, len(table), 12):
        if int.from_bytes(table[at : at + 2], order) == _ORIENTATION:
            value = int.from_bytes(table[at + 8 : at + 10], order)
            return value if 1 <= value <= 8 else 1
    return 1
