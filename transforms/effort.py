"""How hard each encoder tries, by the pixels of the result and by nothing else.

Never by a clock or the load: a derivative's key fixes its bytes. Milliseconds below were measured on one core at
2.5 GHz with photographs; changing a number changes bytes, so raise `transforms.epoch.PIPELINE_REVISION`.
"""

from __future__ import annotations

_UNBOUNDED = 1 << 62

EFFORTS: dict[str, tuple[tuple[int, int], ...]] = {
    # 14 ms for a picture of 300 pixels; then 90 ms a megapixel, where effort 4 takes 260 for 3% fewer bytes and an SSIM
    # that is better by 0.002; then 60
    "webp": ((100_000, 4), (4_000_000, 2), (_UNBOUNDED, 1)),
    # 700 ms a megapixel, then 230; effort 2 takes 1,000 and 4 takes 1,500 for 4 and 8% fewer bytes.
    "webp-lossless": ((60_000, 2), (_UNBOUNDED, 0)),
    # 60 ms for a picture of 300 pixels; then 420 ms a megapixel; then 105, for 10% more bytes and an SSIM that is less by
    # 0.002. Effort 4, libvips' own, takes 8 s a megapixel.
    "avif": ((100_000, 2), (1_000_000, 1), (_UNBOUNDED, 0)),
    "avif-lossless": ((_UNBOUNDED, 0),),
    # Also for palettes of PNG. Above effort 4 the palette search alone takes 4,600 ms a megapixel.
    "gif": ((250_000, 4), (_UNBOUNDED, 1)),
    # zlib's level, with all filters: 6 takes 30% longer for 1.5% fewer bytes, 9 is slower still and saves nothing.
    "png": ((_UNBOUNDED, 3),),
}
"""For each format: rows (pixels up to, effort in the encoder's own scale), in rising order. JPEG and TIFF have none."""


def effort(name: str, pixels: int) -> int:
    """The encoder's effort (zlib's level for PNG) for a result of that many pixels."""
    return next(value for bound, value in EFFORTS[name] if pixels <= bound)
