"""WebP: the canvas of VP8X, or the frame header of VP8 or VP8L; frames and EXIF by their chunks (RFC 9649)."""

from __future__ import annotations

from transforms.errors import DecodeFailed
from transforms.headers.exif import orientation
from transforms.headers.source import MAX_READS, Size, Source

_ALPHA, _EXIF, _ANIMATION = 0x10, 0x08, 0x02
_MOST_CHUNKS = MAX_READS // 2


def size(source: Source) -> Size:
    """Size by the first chunk; animated by the flag of VP8X."""
    chunk = source.read(12, 4)
    if chunk == b"VP8X":
        flags = source.big(20, 1)
        frames, turned = _chunks(source) if flags & (_ANIMATION | _EXIF) else (1, 1)
        animated = bool(flags & _ANIMATION)
        width, height = 1 + source.little(24, 3), 1 + source.little(27, 3)
        return Size(width, height, animated, max(1, frames), bool(flags & _ALPHA), turned)
    if chunk == b"VP8 " and source.read(23, 3) == b"\x9d\x01\x2a":
        return Size(source.little(26, 2) & 0x3FFF, source.little(28, 2) & 0x3FFF, alpha=False)
    if chunk == b"VP8L" and source.read(20, 1) == b"\x2f":
        bits = source.little(21, 4)
        return Size(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), alpha=bool(bits >> 28 & 1))
    raise DecodeFailed("The WebP header is broken.")


def _chunks(source: Source) -> tuple[int, int]:
    """The number of frames (as far as chunks are looked at) and the orientation."""
    at, frames, turned = 30, 0, 1
    for _ in range(_MOST_CHUNKS):
        if at + 8 > source.size:
            break
        head = source.read(at, 8)
        length = int.from_bytes(head[4:], "little")
        if head[:4] == b"ANMF":
            frames += 1
        elif head[:4] == b"EXIF":
            # Some encoders keep the name that introduces EXIF in a JPEG.
            named = 6 if length >= 6 and at + 14 <= source.size and source.read(at + 8, 6) == b"Exif\0\0" else 0
            turned = orientation(source, at + 8 + named, length - named)
        at += 8 + length + length % 2
    return frames, turned
