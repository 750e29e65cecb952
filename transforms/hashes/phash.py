"""pHash: 64 bits that differ in few places where two pictures look alike (DCT of a 32 x 32 picture in greys)."""

from __future__ import annotations

from math import cos, pi
from operator import mul
from statistics import median

SIDE = 32
_KEPT = 8
_COSINES = [[cos(pi * term * (2 * place + 1) / (2 * SIDE)) for place in range(SIDE)] for term in range(_KEPT)]


def phash(greys: bytes) -> str:
    """16 hexadecimal digits for SIDE x SIDE grey pixels: a bit for each of the 64 lowest terms, 1 above their median."""
    if len(greys) != SIDE * SIDE:
        raise ValueError(f"pHash takes {SIDE} x {SIDE} pixels")
    lines = [greys[y * SIDE : (y + 1) * SIDE] for y in range(SIDE)]
    sums = [[sum(map(mul, line, cosine)) for line in lines] for cosine in _COSINES]
    terms = [sum(map(mul, sums[i], _COSINES[j])) for j in range(_KEPT) for i in range(_KEPT)]
    middle = median(terms)
    return f"{int(''.join('01'[term > middle] for term in terms), 2):016x}"
