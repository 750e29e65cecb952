"""AVIF and HEIC: sizes, turn and transparency by the item properties (ISO/IEC 23008-12, section 6.5).

The largest size of all `ispe` properties counts, not the primary item's: tiles and thumbnails are smaller, and a hidden
larger item is refused too. Decoders apply `irot` by themselves, so the size is of the turned picture.
"""

from __future__ import annotations

from collections.abc import Iterator

from transforms.errors import DecodeFailed
from transforms.headers.source import Size, Source

_ALPHA = b":auxiliary:alpha"
_ALPHA_OF_HEVC = b"urn:mpeg:hevc:2015:auxid:1"


def size(source: Source) -> Size:
    """Size of the largest item; animated where the file's major brand is a sequence."""
    tops = list(_boxes(source, 0, source.size))
    # `meta` is a full box: four bytes of version and flags precede its children.
    inside = [box for kind, at, end in tops if kind == b"meta" for box in _boxes(source, at + 4, end)]
    described = [box for kind, at, end in inside if kind == b"iprp" for box in _boxes(source, at, end)]
    properties = [box for kind, at, end in described if kind == b"ipco" for box in _boxes(source, at, end)]
    sizes = [(source.big(at + 4, 4), source.big(at + 8, 4)) for kind, at, _ in properties if kind == b"ispe"]
    if not sizes:
        raise DecodeFailed("The header gives no size.")
    width, height = max(sizes, key=lambda pair: pair[0] * pair[1])
    if _quarter_turned(source, inside, described, properties):
        width, height = height, width
    alpha = any(_says_alpha(source.window(at)[4 : end - at]) for kind, at, end in properties if kind == b"auxC")
    return Size(width, height, source.read(8, 4) in (b"avis", b"hevc", b"hevx"), alpha=alpha)


def _says_alpha(urn: bytes) -> bool:
    return _ALPHA in urn or _ALPHA_OF_HEVC in urn


_Box = tuple[bytes, int, int]


def _quarter_turned(source: Source, inside: list[_Box], described: list[_Box], properties: list[_Box]) -> bool:
    """Whether the primary item has an `irot` that swaps its sides."""
    turns = {number for number, (kind, at, _) in enumerate(properties, 1) if kind == b"irot" and source.big(at, 1) & 1}
    if not turns:
        return False
    primary = next((_primary(source, at) for kind, at, _ in inside if kind == b"pitm"), None)
    return any(
        item == primary and index in turns
        for kind, at, end in described
        if kind == b"ipma"
        for item, index in _associations(source.window(at)[: end - at])
    )


def _primary(source: Source, at: int) -> int:
    return source.big(at + 4, 4 if source.big(at, 1) else 2)


def _associations(body: bytes) -> Iterator[tuple[int, int]]:
    """Pairs of item and number of a property (section 9.3 of the same); what is cut off is left out."""
    id_bytes, index_bytes = (4 if body[:1] != b"\0" else 2), (2 if len(body) > 3 and body[3] & 1 else 1)
    mask, at = (1 << (8 * index_bytes - 1)) - 1, 8
    while at + id_bytes < len(body):
        item, count = int.from_bytes(body[at : at + id_bytes], "big"), body[at + id_bytes]
        at += id_bytes + 1
        for _ in range(count):
            yield item, int.from_bytes(body[at : at + index_bytes], "big") & mask
            at += index_bytes


def _boxes(source: Source, at: int, end: int) -> Iterator[_Box]:
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
