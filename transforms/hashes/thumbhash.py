"""ThumbHash: about 25 bytes that give back a blurred picture with its ratio and transparency (Evan Wallace's format)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cos, floor, pi
from operator import mul

MAX_SIDE = 100
"""Pixels that the format allows along a side; fewer do as well."""


@dataclass(frozen=True, slots=True)
class _Channel:
    """A channel's mean, its other cosine terms as fractions of their largest, and that."""

    mean: float
    terms: tuple[float, ...]
    scale: float


def thumbhash(pixels: bytes, width: int, height: int) -> bytes:
    """The hash of 8-bit sRGB pixels with alpha (4 bytes each), not premultiplied; at most MAX_SIDE along a side."""
    if max(width, height) > MAX_SIDE:
        raise ValueError(f"ThumbHash takes at most {MAX_SIDE} pixels along a side")
    alphas = [value / 255 for value in pixels[3::4]]
    transparent = min(alphas) < 1
    light, yellow, red, alphas = _planes(pixels, alphas)
    limit = 5 if transparent else 7
    longer = max(width, height)
    across, down = (max(1, _round(limit * side / longer)) for side in (width, height))
    lights = _channel(light, (width, height), max(3, across), max(3, down))
    yellows, reds = (_channel(plane, (width, height), 3, 3) for plane in (yellow, red))
    landscape = width > height
    head = (
        _round(63 * lights.mean)
        | _round(31.5 + 31.5 * yellows.mean) << 6
        | _round(31.5 + 31.5 * reds.mean) << 12
        | _round(31 * lights.scale) << 18
        | transparent << 23
    )
    tail = (
        (down if landscape else across)
        | _round(63 * yellows.scale) << 3
        | _round(63 * reds.scale) << 9
        | landscape << 15
    )
    result = bytearray(head.to_bytes(3, "little") + tail.to_bytes(2, "little"))
    channels = [lights, yellows, reds]
    if transparent:
        opacity = _channel(alphas, (width, height), 5, 5)
        result.append(_round(15 * opacity.mean) | _round(15 * opacity.scale) << 4)
        channels.append(opacity)
    nibbles = [_round(15 * term) for channel in channels for term in channel.terms]
    nibbles += [0] * (len(nibbles) % 2)
    result += bytes(low | high << 4 for low, high in zip(nibbles[0::2], nibbles[1::2], strict=True))
    return bytes(result)


def _planes(pixels: bytes, alphas: list[float]) -> tuple[list[float], list[float], list[float], list[float]]:
    """Lightness, yellow against blue, red against green, and alpha; on the mean colour where it is transparent."""
    weight = sum(alphas)
    channels = [pixels[index::4] for index in range(3)]
    means = [
        sum(alpha * value for alpha, value in zip(alphas, channel, strict=True)) / (255 * weight) if weight else 0.0
        for channel in channels
    ]
    seen = [
        [mean * (1 - alpha) + alpha * value / 255 for alpha, value in zip(alphas, channel, strict=True)]
        for mean, channel in zip(means, channels, strict=True)
    ]
    colours = list(zip(*seen, strict=True))
    light = [(red + green + blue) / 3 for red, green, blue in colours]
    yellow = [(red + green) / 2 - blue for red, green, blue in colours]
    return light, yellow, [red - green for red, green, _ in colours], alphas


def _channel(plane: Sequence[float], size: tuple[int, int], across: int, down: int) -> _Channel:
    """The cosine terms in the triangle of the lowest `across` and `down` frequencies."""
    width, height = size
    columns = [[cos(pi / width * i * (x + 0.5)) for x in range(width)] for i in range(across)]
    rows = [[cos(pi / height * j * (y + 0.5)) for y in range(height)] for j in range(down)]
    lines = [plane[y * width : (y + 1) * width] for y in range(height)]
    sums = [[_dot(line, column) for line in lines] for column in columns]
    values = [_dot(sums[i], rows[j]) / (width * height) for i, j in _triangle(across, down)]
    mean, rest = values[0], values[1:]
    scale = max((abs(value) for value in rest), default=0.0)
    return _Channel(mean, tuple(0.5 + 0.5 / scale * value if scale else value for value in rest), scale)


def _triangle(across: int, down: int) -> Iterator[tuple[int, int]]:
    for j in range(down):
        i = 0
        while i * down < across * (down - j):
            yield i, j
            i += 1


def _dot(values: Sequence[float], factors: Sequence[float]) -> float:
    total: float = sum(map(mul, values, factors))
    return total


def _round(value: float) -> int:
    """Halves up, as the format's reference does."""
    return floor(value + 0.5)
