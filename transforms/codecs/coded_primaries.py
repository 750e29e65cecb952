"""Display P3 that a picture names by code points instead of a profile: AVIF and HEIC (`nclx`), PNG (`cICP`).

libvips reads neither. ITU-T H.273: primaries 12 are Display P3; transfers 1, 2 (unknown), 6, 13, 14 and 15 are shown with
the curve of sRGB, as browsers do. Other primaries, and HDR, are taken as sRGB.
"""

from __future__ import annotations

import pyvips

from transforms.metadata import PROFILE

_DISPLAY_P3 = 12
_TRANSFERS = frozenset({1, 2, 6, 13, 14, 15})
_HEADER_BYTES = 65_536
"""Where the properties of a picture stand in any file of an ordinary writer."""


def with_profile(image: pyvips.Image, data: bytes, format_name: str) -> pyvips.Image:
    """`image`, with the profile of Display P3 if that is what `data` says and no profile says otherwise."""
    if format_name not in ("avif", "heic", "png") or image.get_typeof(PROFILE):
        return image
    points = _png(data) if format_name == "png" else _heif(data)
    if points is None or points[0] != _DISPLAY_P3 or points[1] not in _TRANSFERS:
        return image
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, PROFILE, pyvips.Image.profile_load("p3"))
    return image


def _heif(data: bytes) -> tuple[int, int] | None:
    """The first `colr` property of type `nclx` (ISO/IEC 14496-12, section 12.1.5)."""
    at = data.find(b"colrnclx", 0, _HEADER_BYTES)
    if at < 0:
        return None
    return int.from_bytes(data[at + 8 : at + 10], "big"), int.from_bytes(data[at + 10 : at + 12], "big")


def _png(data: bytes) -> tuple[int, int] | None:
    """The chunk `cICP`, which stands before the pixels (PNG, third edition, section 11.3.2.6)."""
    at = data.find(b"\0\0\0\4cICP", 0, min(_HEADER_BYTES, max(0, data.find(b"IDAT"))))
    return None if at < 0 or len(data) < at + 10 else (data[at + 8], data[at + 9])
