"""dHash: 64 bits that tell where a picture in greys grows lighter from left to right (9 x 8 pixels)."""

from __future__ import annotations

from itertools import pairwise

WIDTH, HEIGHT = 9, 8


def dhash(greys: bytes) -> str:
    """16 hexadecimal digits for WIDTH x HEIGHT grey pixels: row by row a bit for each neighbour, 1 where the right is lighter."""
    if len(greys) != WIDTH * HEIGHT:
        raise ValueError(f"dHash takes {WIDTH} x {HEIGHT} pixels")
    lines = (greys[y * WIDTH : (y + 1) * WIDTH] for y in range(HEIGHT))
    bits = "".join("01"[right > left] for line in lines for left, right in pairwise(line))
    return f"{int(bits, 2):016x}"
