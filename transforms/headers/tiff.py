"""TIFF: size, orientation and transparency by the first directory; pages by the chain (TIFF 6.0, sections 2 and 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from transforms.errors import DecodeFailed
from transforms.headers.source import MAX_READS, Size, Source

_WIDTH, _LENGTH, _ORIENTATION, _EXTRA_SAMPLES = 256, 257, 274, 338
_READ = (_WIDTH, _LENGTH, _ORIENTATION, _EXTRA_SAMPLES)
_BYTES_OF_TYPE = {1: 1, 3: 2, 4: 4}
_MAX_ENTRIES = 512
_MOST_PAGES = MAX_READS // 4


def size(source: Source) -> Size:
    """Size in the first directory. Pages are no animation: one is asked for by its number."""
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
        if tag in _READ:
            found[tag] = number(entry + 8, _BYTES_OF_TYPE.get(kind, 4))
    if _WIDTH not in found or _LENGTH not in found:
        raise DecodeFailed("The TIFF directory gives no size.")
    turned = found.get(_ORIENTATION, 1)
    return Size(
        found[_WIDTH],
        found[_LENGTH],
        frames=_pages(number, directory, entries),
        alpha=_EXTRA_SAMPLES in found,
        orientation=turned if 1 <= turned <= 8 else 1,
    )


def _pages(number: Callable[[int, int], int], directory: int, entries: int) -> int:
    """Directories in the chain; one that comes back to itself ends where it does."""
    seen = {directory}
    try:
        while len(seen) < _MOST_PAGES:
            directory = number(directory + 2 + 12 * entries, 4)
            if not directory or directory in seen:
                break
            entries = number(directory, 2)
            seen.add(directory)
    except DecodeFailed:
        pass
    return len(seen)
