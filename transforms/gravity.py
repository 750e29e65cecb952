"""Gravity: where the window stands that `cover` and `ar` keep, and where the picture stands on a larger canvas."""

from __future__ import annotations

from decimal import Decimal

from transforms.option_kinds import CENTRE, COMPASS, Gravity
from transforms.turns import Size

Point = tuple[float, float]
"""A point in fractions of a picture's sides."""

_ACROSS = {"nw": -1, "w": -1, "sw": -1, "ne": 1, "e": 1, "se": 1}
_DOWN = {"nw": -1, "n": -1, "ne": -1, "sw": 1, "s": 1, "se": 1}


def window(whole: Size, kept: Size, gravity: Gravity | None, focus: Point | None) -> tuple[int, int]:
    """Left and top of what is kept of a picture.

    `focus` is what shall be as near to the middle as can be, where the gravity is not a place of the compass.
    """
    if focus is None:
        return _placed(whole, kept, kept, gravity)
    left, top = (
        min(max(0, int(point * side - part / 2 + 0.5)), side - part)
        for point, side, part in zip(focus, whole, kept, strict=True)
    )
    return left, top


def standing(canvas: Size, picture: Size, gravity: Gravity | None) -> tuple[int, int]:
    """Left and top of a picture on a canvas that is larger; anything but a place of the compass means the middle."""
    return _placed(canvas, picture, canvas, gravity)


def looks(gravity: Gravity | None) -> bool:
    """Whether this gravity depends on what the picture shows."""
    return gravity is not None and gravity.place not in COMPASS and gravity.place != "fp"


def _placed(outer: Size, inner: Size, result: Size, gravity: Gravity | None) -> tuple[int, int]:
    chosen = gravity if gravity is not None and gravity.place in COMPASS else CENTRE
    return (
        _offset(outer[0] - inner[0], _ACROSS.get(chosen.place, 0), chosen.x, result[0]),
        _offset(outer[1] - inner[1], _DOWN.get(chosen.place, 0), chosen.y, result[1]),
    )


def _offset(free: int, edge: int, offset: Decimal, side: int) -> int:
    """The distance from the start, of `free` pixels at most, that an offset inwards from an edge (-1, 1) or the middle gives."""
    pixels = int((offset * side if abs(offset) < 1 else offset).to_integral_value())
    distance = {-1: pixels, 0: free // 2 + pixels, 1: free - pixels}[edge]
    return min(max(0, distance), free)
