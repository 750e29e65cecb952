"""TIFF: what its luminance and colour differences mean (TIFF 6.0, section 21), where it holds those and no RGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from transforms.headers.source import Source

_COMPRESSION, _PHOTOMETRIC, _SAMPLES, _COEFFICIENTS, _REFERENCE = 259, 262, 277, 529, 532
_YCBCR = 6
_JPEG = (6, 7)
"""Compressions whose own decoder gives RGB."""
_MAX_ENTRIES = 512
_SHARES = (0.299, 0.587, 0.114)
_REFERENCES = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)


@dataclass(frozen=True, slots=True)
class Ycc:
    """`samples` a pixel; shares of red, green and blue in the luminance; black and white of each of the three."""

    samples: int
    shares: tuple[float, ...]
    reference: tuple[float, ...]


def ycc(source: Source, page: int = 1) -> Ycc | None:
    """Of page `page` (1 is the first); None where its samples are not of that kind. Raises DecodeFailed."""
    order: Literal["little", "big"] = "little" if source.read(0, 2) == b"II" else "big"

    def number(at: int, length: int) -> int:
        return int.from_bytes(source.read(at, length), order)

    def fractions(at: int, count: int) -> tuple[float, ...] | None:
        pairs = [(number(at + 8 * index, 4), number(at + 8 * index + 4, 4)) for index in range(count)]
        return tuple(over / under for over, under in pairs) if all(under for _, under in pairs) else None

    directory = number(4, 4)
    for _ in range(page - 1):
        directory = number(directory + 2 + 12 * number(directory, 2), 4)
    found: dict[int, int] = {}
    for entry in range(directory + 2, directory + 2 + 12 * min(number(directory, 2), _MAX_ENTRIES), 12):
        tag = number(entry, 2)
        if tag in (_COMPRESSION, _PHOTOMETRIC, _SAMPLES):
            found[tag] = number(entry + 8, 2)
        elif tag in (_COEFFICIENTS, _REFERENCE):
            found[tag] = number(entry + 8, 4)
    if found.get(_PHOTOMETRIC) != _YCBCR or found.get(_COMPRESSION, 1) in _JPEG:
        return None
    shares = fractions(found[_COEFFICIENTS], 3) if _COEFFICIENTS in found else None
    reference = fractions(found[_REFERENCE], 6) if _REFERENCE in found else None
    if shares is None or not shares[1]:
        shares = _SHARES
    if reference is None or any(reference[at] == reference[at + 1] for at in (0, 2, 4)):
        reference = _REFERENCES
    return Ycc(found.get(_SAMPLES, 3), shares, reference)
