"""Sizes: from the source's and the options to what is cut out, how far it shrinks, what is kept of it and what is added.

Pure arithmetic, so that the broker can price a job and two machines agree on every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil, cos, floor, radians, sin

from transforms.errors import OptionError, TooLarge
from transforms.gravity import standing, window
from transforms.limits import Limits
from transforms.option_kinds import CropBox, Gravity
from transforms.options import Options
from transforms.turns import Box, Size

_MAX_COORDINATE = 10_000_000
"""The largest side that libvips handles, also of a picture of which only a part is computed."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """The way from the upright source to the result, in pixels."""

    part: Box
    """What `crop` and `trim` leave of the upright source."""
    viewed: Size
    """That part once `rotate` is applied: what the sizes asked for are compared with."""
    resized: Size
    """All of it after resizing."""
    cropped: Size
    """What is kept of that."""
    canvas: Size
    """With what `fit=contain` and `extend` put around it."""
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    """What `pad` adds: top, right, bottom, left."""

    @property
    def result(self) -> Size:
        """The size of the rendition."""
        top, right, bottom, left = self.padding
        return self.canvas[0] + left + right, self.canvas[1] + top + bottom

    @property
    def cuts(self) -> bool:
        """Whether resizing leaves more than is kept."""
        return self.cropped != self.resized

    @property
    def adds(self) -> bool:
        """Whether there is anything around the picture."""
        return self.result != self.cropped

    @property
    def scale(self) -> float:
        """Pixels of the result for a pixel of the source, in the direction in which they are most."""
        return max(self.resized[0] / self.viewed[0], self.resized[1] / self.viewed[1])

    def check(self, limits: Limits) -> None:
        """Raises TooLarge where the result is beyond a limit, or the way to it beyond what can be computed."""
        limits.check_output(*self.result)
        if max(self.resized) > _MAX_COORDINATE:
            raise TooLarge("output_side", max(self.resized), _MAX_COORDINATE)


def plan(source: Size, options: Options, trimmed: Box | None = None) -> Geometry:
    """The geometry for a source of this size as the camera's orientation shows it, `rotate` not yet applied.

    `trimmed` is the box of the source that `trim` has left; where it is not known yet, nothing counts as cut by it.
    Raises OptionError where `crop` leaves nothing.
    """
    part = trimmed or cut_out(source, options.crop)
    viewed = rotated(part[2:], options.rotate)
    resized, cropped, canvas = _sized(viewed, options)
    return Geometry(part, viewed, resized, cropped, canvas, options.padding)


def cut_out(source: Size, crop: CropBox | None) -> Box:
    """What the option `crop` leaves of an upright source. Raises OptionError where that is nothing."""
    if crop is None:
        return 0, 0, *source
    if crop.place is not None:
        return _standing(source, crop, crop.place)
    across = _overlap(crop.x, crop.width, source[0], crop.fractions)
    down = _overlap(crop.y, crop.height, source[1], crop.fractions)
    if across is None or down is None:
        width, height = source
        raise OptionError("crop", f"a box that overlaps the image, which has {width} x {height} pixels", "lies outside")
    return across[0], down[0], across[1], down[1]


def _standing(source: Size, crop: CropBox, place: str) -> Box:
    """The box that stands at a place of the source, never beyond it."""
    width, height = (
        min(side, max(1, int(length if length >= 1 else length * side + Decimal("0.5")))) if length else side
        for side, length in zip(source, (crop.width, crop.height), strict=True)
    )
    gravity, size = Gravity(place, crop.x, crop.y), (width, height)
    point = (float(crop.x), float(crop.y)) if place == "fp" else None
    left, top = standing(source, size, gravity) if point is None else window(source, size, gravity, point)
    return left, top, width, height


def rotated(size: Size, degrees: Decimal) -> Size:
    """The size of the upright box around a picture that was turned."""
    if degrees % 180 == 0:
        return size
    if degrees % 90 == 0:
        return size[::-1]
    across, down = exactly_rotated(size, degrees)
    return max(1, int(across + 0.5)), max(1, int(down + 0.5))


def exactly_rotated(size: tuple[float, float], degrees: Decimal) -> tuple[float, float]:
    """`rotated`, before it is made whole. In millionths, so that no machine's last digit decides how it is rounded."""
    angle = radians(float(degrees))
    cosine, sine = abs(cos(angle)), abs(sin(angle))
    return round(size[0] * cosine + size[1] * sine, 6), round(size[0] * sine + size[1] * cosine, 6)


def is_quarter(degrees: Decimal) -> bool:
    """Whether turning by this moves pixels without mixing them."""
    return degrees % 90 == 0


@dataclass(frozen=True, slots=True)
class Sampled:
    """Pixels that were loaded for a part of a side of the original."""

    first: int
    count: int
    missing: float
    """Pixels by which the part's middle is further on than theirs."""


def sampled(start: int, length: int, density: float, available: int) -> Sampled:
    """What stands for a part of a side of which `available` pixels were loaded, at this density."""
    exact, middle = length * density, (start + length / 2) * density
    # Rounded down where it is between two, so that what is made of it is never a pixel too many.
    count = min(max(1, ceil(exact - 0.5)), available)
    first = min(max(0, floor(middle - count / 2 + 0.5)), available - count)
    return Sampled(first, count, middle - first - count / 2)


def focus_in_view(source: Size, part: Box, options: Options, x: float, y: float) -> tuple[float, float]:
    """Where a point of the upright source, in fractions of its sides, lies in the view: what is resized.

    A point that was cut away counts as the nearest one that was not.
    """
    left, top, width, height = part
    across, down = (_within(value) for value in ((x * source[0] - left) / width, (y * source[1] - top) / height))
    degrees, mirrored = options.turned
    angle = radians(float(degrees))
    cosine, sine = cos(angle), sin(angle)
    viewed = exactly_rotated((width, height), degrees)
    horizontal, vertical = (across - 0.5) * width, (down - 0.5) * height
    across = (horizontal * cosine - vertical * sine) / viewed[0]
    down = (horizontal * sine + vertical * cosine) / viewed[1]
    return _within(0.5 + (-across if mirrored else across)), _within(0.5 + down)


def _overlap(start: Decimal, length: Decimal, side: int, fractions: bool) -> tuple[int, int] | None:
    """First pixel and number of pixels of what lies within a side, at least one pixel; None where nothing does."""
    if fractions:
        first, end = (int(min(Decimal(1), place) * side + Decimal("0.5")) for place in (start, start + length))
        first = min(first, side - 1)
        return first, max(1, end - first)
    first, end = int(start), min(side, int(start) + int(length))
    return (first, end - first) if first < end else None


def _sized(viewed: Size, options: Options) -> tuple[Size, Size, Size]:
    """The picture resized, what is kept of it, and its canvas."""
    box, fit = _box(viewed, options)
    if box is None:
        resized = _grown(_along_one_side(viewed, options), viewed, options)
        asked = (options.width or 0, options.height or 0)
        return resized, resized, _around(resized, asked) if options.extend else resized
    if fit in ("inside", "outside"):
        resized = _inside(viewed, box) if fit == "inside" else _covering(viewed, box)
        if not options.up:
            resized = _no_larger(resized, viewed)
        resized = _grown(resized, viewed, options)
        return resized, resized, _around(resized, box) if options.extend else resized
    box = _at_least(box, options.min_width, options.min_height)
    if fit == "contain":
        resized = _inside(viewed, box)
        if not options.up:
            resized = _no_larger(resized, viewed)
        return resized, resized, box
    kept = box if options.up else _shrunk_into(box, viewed)
    resized = kept if fit == "fill" else _covering(viewed, kept)
    # A ratio alone asks for no size that a result could fall short of.
    falls_short = options.extend and (options.w is not None or options.h is not None)
    return resized, kept, box if falls_short else kept


def _box(viewed: Size, options: Options) -> tuple[Size | None, str]:
    """The box that both sides, or one side and `ar`, or `ar` alone ask for, and how the picture fits into it."""
    width, height, ratio = options.width, options.height, options.ar
    if width is not None and height is not None:
        return _by_shape(viewed, (width, height), options.fit)
    if ratio is None:
        return None, options.fit
    fit = "cover" if options.fit in ("inside", "auto", "adaptive") else options.fit
    if width is not None:
        return (width, _ratio(ratio[1], width, ratio[0])), fit
    if height is not None:
        return (_ratio(ratio[0], height, ratio[1]), height), fit
    if fit == "outside":
        return None, fit
    return _of_ratio(viewed, ratio, around=fit == "contain"), fit


def _by_shape(viewed: Size, box: Size, fit: str) -> tuple[Size, str]:
    """The box and the fit, where they depend on whether the picture is wider or higher."""
    if fit == "auto":
        return box, "cover" if (viewed[0] >= viewed[1]) == (box[0] >= box[1]) else "inside"
    if fit == "adaptive":
        turned = (viewed[0] - viewed[1]) * (box[0] - box[1]) < 0
        return (box[::-1] if turned else box), "inside"
    return box, fit


def _of_ratio(size: Size, ratio: Size, around: bool) -> Size:
    """The largest box of a ratio within a size, or the smallest around it."""
    if (size[0] * ratio[1] > size[1] * ratio[0]) != around:
        return _ratio(ratio[0], size[1], ratio[1]), size[1]
    return size[0], _ratio(ratio[1], size[0], ratio[0])


def _along_one_side(viewed: Size, options: Options) -> Size:
    across, down = viewed
    width, height = options.width, options.height
    if width is not None and (options.up or width < across):
        return width, _ratio(down, width, across)
    if height is not None and (options.up or height < down):
        return _ratio(across, height, down), height
    return viewed


def _grown(resized: Size, viewed: Size, options: Options) -> Size:
    """`resized`, or the size of the same picture that has the least sides asked for, as far as it may grow."""
    width, height = options.min_width or 0, options.min_height or 0
    if resized[0] >= width and resized[1] >= height:
        return resized
    if width * viewed[1] >= height * viewed[0]:
        grown = width, max(height, _ratio(viewed[1], width, viewed[0]))
    else:
        grown = max(width, _ratio(viewed[0], height, viewed[1])), height
    # A side that was rounded to a whole pixel must not become smaller by growing.
    grown = _around(grown, resized)
    return grown if options.up else _no_larger(grown, viewed)


def _at_least(box: Size, width: int | None, height: int | None) -> Size:
    """`box`, or the smallest of its ratio that has these sides."""
    width, height = width or 0, height or 0
    if box[0] >= width and box[1] >= height:
        return box
    if width * box[1] >= height * box[0]:
        return width, max(height, _ratio(box[1], width, box[0]))
    return max(width, _ratio(box[0], height, box[1])), height


def _no_larger(resized: Size, viewed: Size) -> Size:
    return viewed if resized[0] > viewed[0] or resized[1] > viewed[1] else resized


def _around(size: Size, asked: Size) -> Size:
    return max(size[0], asked[0]), max(size[1], asked[1])


def _inside(source: Size, box: Size) -> Size:
    """The largest size of the source's ratio within `box`."""
    if box[0] * source[1] <= box[1] * source[0]:
        return box[0], min(box[1], _ratio(source[1], box[0], source[0]))
    return min(box[0], _ratio(source[0], box[1], source[1])), box[1]


def _covering(source: Size, box: Size) -> Size:
    """The smallest size of the source's ratio that covers `box`."""
    if box[0] * source[1] >= box[1] * source[0]:
        return box[0], max(box[1], _ratio(source[1], box[0], source[0]))
    return max(box[0], _ratio(source[0], box[1], source[1])), box[1]


def _shrunk_into(box: Size, source: Size) -> Size:
    """`box`, or the largest size of its ratio that is nowhere larger than the source."""
    if box[0] <= source[0] and box[1] <= source[1]:
        return box
    return _inside(box, source)


def _ratio(side: int, numerator: int, denominator: int) -> int:
    """side * numerator / denominator, rounded half up, at least 1."""
    return max(1, (2 * side * numerator + denominator) // (2 * denominator))


def _within(fraction: float) -> float:
    return min(1.0, max(0.0, fraction))
