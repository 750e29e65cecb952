"""JPEG XL: the size and the orientation at the start of the codestream (ISO/IEC 18181-1, sections 9.2 and 9.3).

Decoders apply the orientation, so the size is of the upright picture.
"""

from __future__ import annotations

from transforms.errors import DecodeFailed
from transforms.headers.source import Size, Source

_CODESTREAM = b"\xff\x0a"
_HEAD_BYTES = 32
_MOST_BOXES = 512
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_SIDE_BITS = (9, 13, 18, 30)


def size(source: Source) -> Size:
    """Size of the picture; animated where the header announces frames with durations."""
    at = 0 if source.read(0, 2) == _CODESTREAM else _codestream(source)
    if source.read(at, 2) != _CODESTREAM:
        raise DecodeFailed("The JPEG XL has no codestream.")
    bits = _Bits(source.window(at + 2)[:_HEAD_BYTES])
    small = bits.take(1)
    height = (bits.take(5) + 1) * 8 if small else bits.side()
    ratio = bits.take(3)
    if ratio:
        across, down = _RATIOS[ratio - 1]
        width = height * across // down
    else:
        width = (bits.take(5) + 1) * 8 if small else bits.side()
    orientation = 1
    # Neither all defaults, nor without the extra fields, of which the first is the orientation.
    if not bits.take(1) and bits.take(1):
        orientation = bits.take(3) + 1
    return Size(height, width) if orientation > 4 else Size(width, height)


def _codestream(source: Source) -> int:
    """Offset of the codestream, or of its first part, in the container's boxes."""
    at = 0
    for _ in range(_MOST_BOXES):
        head = source.read(at, 8)
        length, body = int.from_bytes(head[:4], "big"), at + 8
        if length == 1:
            length, body = source.big(at + 8, 8), at + 16
        if head[4:] == b"jxlc":
            return body
        if head[4:] == b"jxlp":
            return body + 4
        if length < body - at:
            break
        at += length
    raise DecodeFailed("The JPEG XL has no codestream.")


class _Bits:
    """Numbers from a bit stream, the least significant bit first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise DecodeFailed("The image is truncated in its header.")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value

    def side(self) -> int:
        return self.take(_SIDE_BITS[self.take(2)]) + 1
