"""BlurHash: a picture's lowest cosine terms as 20 to 30 letters (the algorithm of blurha.sh, version 1)."""

from __future__ import annotations

from collections.abc import Sequence
from math import copysign, cos, floor, pi
from operator import mul

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
Triple = tuple[float, float, float]


def _to_linear(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


_LINEAR = tuple(_to_linear(value) for value in range(256))


def blurhash(pixels: bytes, width: int, height: int) -> str:
    """The hash of 8-bit sRGB pixels (3 bytes each), with 4 terms along the longer side and 3 along the other."""
    across, down = (4, 3) if width > height else (3, 4) if height > width else (4, 4)
    terms = _terms(pixels, width, height, across, down)
    largest = max(abs(value) for term in terms[1:] for value in term)
    step = max(0, min(82, floor(largest * 166 - 0.5)))
    scale = (step + 1) / 166
    return "".join(
        (
            _letters(across - 1 + (down - 1) * 9, 1),
            _letters(step, 1),
            _letters(_packed(terms[0]), 4),
            *(_letters(_quantised(term, scale), 2) for term in terms[1:]),
        )
    )


def _terms(pixels: bytes, width: int, height: int, across: int, down: int) -> list[Triple]:
    """The cosine terms of each channel in linear light, row by row."""
    columns = [[cos(pi * term * x / width) for x in range(width)] for term in range(across)]
    sums: list[list[Triple]] = []
    for y in range(height):
        row = [_LINEAR[value] for value in pixels[y * width * 3 : (y + 1) * width * 3]]
        red, green, blue = row[0::3], row[1::3], row[2::3]
        sums.append([(_dot(red, column), _dot(green, column), _dot(blue, column)) for column in columns])
    terms = []
    for j in range(down):
        rows = [cos(pi * j * y / height) for y in range(height)]
        for i in range(across):
            norm = (1 if i == j == 0 else 2) / (width * height)
            channels = (sum(sums[y][i][c] * rows[y] for y in range(height)) * norm for c in range(3))
            terms.append(tuple(channels))
    return terms  # type: ignore[return-value]


def _dot(values: Sequence[float], factors: Sequence[float]) -> float:
    total: float = sum(map(mul, values, factors))
    return total


def _packed(mean: Triple) -> int:
    red, green, blue = (_to_srgb(value) for value in mean)
    return (red << 16) + (green << 8) + blue


def _to_srgb(value: float) -> int:
    value = max(0.0, min(1.0, value))
    shown = value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    return int(shown * 255 + 0.5)


def _quantised(term: Triple, scale: float) -> int:
    red, green, blue = (max(0, min(18, floor(copysign(abs(value / scale) ** 0.5, value) * 9 + 9.5))) for value in term)
    return (red * 19 + green) * 19 + blue


def _letters(value: int, count: int) -> str:
    digits = []
    for _ in range(count):
        value, digit = divmod(value, 83)
        digits.append(_LETTERS[digit])
    return "".join(reversed(digits))
