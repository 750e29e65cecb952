"""AVIF and HEIC: the largest size that any item's `ispe` property states (ISO/IEC 23008-12, section 6.5.3).

The largest of all, not the primary item's: tiles and thumbnails are smaller, and a hidden larger item is refused too.
"""

from __future__ import annotations

from collections.abc import Iterator

from transforms.errors import DecodeFailed
from transforms.headers.source import Size, Source

_PATH = (b"meta", b"iprp", b"ipco")


def size(source: Source) -> Size:
    """Size of the largest item; animated where the file's major brand is a sequence."""
    sizes = [(source.big(at + 4, 4), source.big(at + 8, 4)) for at in _spatial_extents(source)]
    if not sizes:
        raise DecodeFailed("The header gives no size.")
    width, height = max(sizes, key=lambda pair: pair[0] * pair[1])
    return Size(width, height, source.read(8, 4) in (b"avis", b"hevc", b"hevx"))


def _spatial_extents(source: Source) -> Iterator[int]:
    """Offsets of the bodies of all `ispe` boxes."""
    spans = [(0, source.size)]
    for name in _PATH:
        # `meta` is a full box: four bytes of version and flags precede its children.
        skip = 4 if name == b"meta" else 0
        spans = [(at + skip, end) for span in spans for kind, at, end in _boxes(source, *span) if kind == name]
    for span in spans:
        yield from (at for kind, at, _ in _boxes(source, *span) if kind == b"ispe")


def _boxes(source: Source, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, start of the body and end of each box between two offsets."""
    while at + 8 <= end:
        head = source.read(at, 8)
        length, body = int.from_bytes(head[:4], "big"), at + 8
        if length == 1:
            length, body = source.big(at + 8, 8), at + 16
        elif length == 0:
            length = end - at
        if length < body - at or at + length > end:
            raise DecodeFailed("A box of the header is broken.")
        yield head[4:], body, at + length
        at += length
