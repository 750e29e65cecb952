"""How hard each encoder tries, by the pixels of the result and by nothing else.

Never by a clock or the load: a derivative's key fixes its bytes. Milliseconds below were measured on one core at
2.5 GHz with a noisy photograph; changing a number changes bytes, so raise `transforms.epoch.PIPELINE_REVISION`.
"""

from __future__ import annotations

_UNBOUNDED = 1 << 62

EFFORTS: dict[str, tuple[tuple[int, int], ...]] = {
    # 14 ms for a picture of 300 pixels; then 100 ms a megapixel; then 60
    "webp": ((250_000, 4), (4_000_000, 2), (_UNBOUNDED, 1)),
    # 60 ms for a picture of 300 pixels; then 500 ms a megapixel; then 130 ms (and, oddly, no larger files)
    "avif": ((250_000, 2), (1_000_000, 1), (_UNBOUNDED, 0)),
    # Above effort 4 the palette search alone takes 4,600 ms a megapixel.
    "gif": ((250_000, 4), (_UNBOUNDED, 1)),
    # zlib's level: 9 is slower than 6 and saves nothing on photographs.
    "png": ((_UNBOUNDED, 6),),
}
"""For each format: rows (pixels up to, effort in the encoder's own scale), in rising order. JPEG has no effort."""


def effort(format_name: str, pixels: int) -> int:
    """The encoder's effort (zlib's level for PNG) for a result of that many pixels."""
    return next(value for bound, value in EFFORTS[format_name] if pixels <= bound)
