"""The colours that a picture mostly has: weighted k-means over its histogram, begun at its most frequent colours."""

from __future__ import annotations

from dataclasses import dataclass

_BITS = 5
_ROUNDS = 6
_NEAR = 900
"""Squared distance under which two colours count as one where the rounds begin."""
_OPAQUE = 128
Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Share:
    """A colour as `rrggbb`, and the part of the opaque pixels (0..1) that are nearest to it."""

    colour: str
    share: float


def palette(pixels: bytes, count: int = 6, *, bits: int = _BITS) -> list[Share]:
    """The main colours of 8-bit sRGB pixels with alpha (4 bytes each), the largest part first.

    At most `count`; none where nothing is opaque. `bits` of each channel tell colours apart at first: fewer are quicker.
    """
    bins = _bins(pixels, 8 - bits)
    total = sum(weight for _, weight in bins)
    centres = _begun(bins, count)
    groups: list[list[tuple[Colour, int]]] = []
    for _ in range(_ROUNDS):
        groups = [group for group in _grouped(bins, centres) if group]
        moved = [_mean(group) for group in groups]
        if moved == centres:
            break
        centres = moved
    sizes = [sum(weight for _, weight in group) for group in groups]
    ranked = sorted(zip(sizes, centres, strict=True), key=lambda item: (-item[0], item[1]))
    return [
        Share("".join(f"{round(value):02x}" for value in centre), round(size / total, 4)) for size, centre in ranked
    ]


def _bins(pixels: bytes, drop: int) -> list[tuple[Colour, int]]:
    """The mean colour and the number of the pixels of each cell of a coarse grid of colours; the fullest first."""
    sums: dict[tuple[int, int, int], list[int]] = {}
    for red, green, blue, alpha in zip(pixels[0::4], pixels[1::4], pixels[2::4], pixels[3::4], strict=True):
        if alpha >= _OPAQUE:
            cell = (red >> drop, green >> drop, blue >> drop)
            total = sums.get(cell)
            if total is None:
                sums[cell] = [1, red, green, blue]
            else:
                total[0] += 1
                total[1] += red
                total[2] += green
                total[3] += blue
    ranked = sorted(sums.items(), key=lambda item: (-item[1][0], item[0]))
    return [((red / n, green / n, blue / n), n) for _, (n, red, green, blue) in ranked]


def _begun(bins: list[tuple[Colour, int]], count: int) -> list[Colour]:
    centres: list[Colour] = []
    for colour, _ in bins:
        if all(_distance(colour, centre) >= _NEAR for centre in centres):
            centres.append(colour)
            if len(centres) == count:
                break
    return centres


def _grouped(bins: list[tuple[Colour, int]], centres: list[Colour]) -> list[list[tuple[Colour, int]]]:
    """The entries by the centre that is nearest to them; written out, because this is what takes the time."""
    groups: list[list[tuple[Colour, int]]] = [[] for _ in centres]
    numbered = [(*centre, group.append) for centre, group in zip(centres, groups, strict=True)]
    for entry in bins:
        red, green, blue = entry[0]
        least = 1e9
        for other_red, other_green, other_blue, append in numbered:
            across, along, up = red - other_red, green - other_green, blue - other_blue
            distance = across * across + along * along + up * up
            if distance < least:
                least, nearest = distance, append
        nearest(entry)
    return groups


def _distance(one: Colour, other: Colour) -> float:
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 + (one[2] - other[2]) ** 2


def _mean(group: list[tuple[Colour, int]]) -> Colour:
    total = sum(weight for _, weight in group)
    red, green, blue = (sum(colour[index] * weight for colour, weight in group) / total for index in range(3))
    return red, green, blue
