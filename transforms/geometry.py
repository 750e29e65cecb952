"""Sizes: from the source's and the options to how far to shrink, what to cut and what to pad.

Pure integer arithmetic, so that the broker can price a job and two machines agree on every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

from transforms.options import Options


@dataclass(frozen=True, slots=True)
class Geometry:
    """The steps from the upright source to the result; each is (width, height) in pixels."""

    resized: tuple[int, int]
    """The whole picture after resizing."""
    cropped: tuple[int, int]
    """What is kept of it, around the centre."""
    canvas: tuple[int, int]
    """The result: larger than `cropped` where it is padded."""

    @property
    def padded(self) -> bool:
        """Whether there is anything around the picture."""
        return self.canvas != self.cropped


def plan(source: tuple[int, int], options: Options) -> Geometry:
    """The geometry for an upright source: orientation, `rotate` and `flip` already applied to its sides."""
    width, height = options.width, options.height
    if width is None or height is None:
        resized = _along_one_side(source, width, height, options.up)
        return Geometry(resized, resized, resized)
    box = (width, height)
    if options.fit in ("cover", "fill") and not options.up:
        box = _shrunk_into(box, source)
    if options.fit == "fill":
        return Geometry(box, box, box)
    if options.fit == "cover":
        return Geometry(_covering(source, box), box, box)
    covers = options.fit == "outside"
    resized = _covering(source, box) if covers else _inside(source, box)
    if not options.up and (resized[0] > source[0] or resized[1] > source[1]):
        resized = source
    return Geometry(resized, resized, box if options.fit == "contain" else resized)


def _along_one_side(source: tuple[int, int], width: int | None, height: int | None, up: bool) -> tuple[int, int]:
    across, down = source
    if width is not None and (up or width < across):
        return width, _ratio(down, width, across)
    if height is not None and (up or height < down):
        return _ratio(across, height, down), height
    return source


def _inside(source: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """The largest size of the source's ratio within `box`."""
    if box[0] * source[1] <= box[1] * source[0]:
        return box[0], min(box[1], _ratio(source[1], box[0], source[0]))
    return min(box[0], _ratio(source[0], box[1], source[1])), box[1]


def _covering(source: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """The smallest size of the source's ratio that covers `box`."""
    if box[0] * source[1] >= box[1] * source[0]:
        return box[0], max(box[1], _ratio(source[1], box[0], source[0]))
    return max(box[0], _ratio(source[0], box[1], source[1])), box[1]


def _shrunk_into(box: tuple[int, int], source: tuple[int, int]) -> tuple[int, int]:
    """`box`, or the largest size of its ratio that is nowhere larger than the source."""
    if box[0] <= source[0] and box[1] <= source[1]:
        return box
    return _inside(box, source)


def _ratio(side: int, numerator: int, denominator: int) -> int:
    """side * numerator / denominator, rounded half up, at least 1."""
    return max(1, (2 * side * numerator + denominator) // (2 * denominator))
