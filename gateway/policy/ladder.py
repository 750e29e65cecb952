"""The ladder: what a link without a signature may ask for, in a bucket that is open for images.

Widths come from a list and formats from four, or a preset says everything, so an image has a countable number of
unsigned variants, and nobody can make the server render without end.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache

from transforms.formats import PASSED_FORMATS
from transforms.option_table import SPECS
from transforms.options import ImageRequest, Options
from transforms.variants import VARIANTS

DEFAULT_LADDER = (150, 300, 600, 1200)
"""Widths in pixels, where a bucket names none."""
FORMATS = ("auto", "jpeg", "webp", "avif")
RATIOS = (1, 2, 3)
_DELIVERY = frozenset(name for spec in SPECS if spec.group == "delivery" for name in (spec.name, *spec.aliases))
_PRESET = frozenset({"p", "preset"})
_HANDING_OUT = frozenset({"v", "dl", "download"})
"""What changes neither pixels nor the number of variants."""
_LADDER = frozenset({"w", "width", "f", "format", "dpr", "variant"})
_INSIDE = ("inside", "auto", "adaptive")
"""What `fit` may be where the result can be smaller than the box that is asked for."""


def ladder_of(widths: tuple[int, ...], max_width: int | None = None) -> tuple[int, ...]:
    """The widths in force for a bucket whose own list is `widths`, up to its `max_width`."""
    ladder = widths or DEFAULT_LADDER
    return ladder if max_width is None else tuple(width for width in ladder if width <= max_width)


def on_ladder(
    request: ImageRequest, named: AbstractSet[str], widths: tuple[int, ...], max_width: int | None = None
) -> bool:
    """Whether a request, of which the options in `named` were given, is within the ladder.

    A width is needed, or the name of a variant that is no larger than the largest width: without one the answer would be
    the original in full size, which opening a bucket for images does not give away. `dpr` multiplies to another width of
    the list, or is 1. Beside a preset nothing about pixels may stand; it may do what it says, up to `max_width` pixels
    across and down where a bucket has one: what is shown then is `bounded`.
    """
    if request.delivery.raw:
        return False
    asked = named - _HANDING_OUT
    options = request.options
    if request.delivery.p is not None:
        return asked <= _PRESET and bounded(options, max_width) is not None
    if not asked <= _LADDER:
        return False
    ladder = ladder_of(widths, max_width)
    if options.variant is not None:
        # The names are few, as the widths are.
        return asked == {"variant"} and VARIANTS[options.variant].side <= max(ladder, default=0)
    if options.w not in ladder or (options.f is not None and options.f not in FORMATS):
        return False
    return "dpr" not in named or (options.dpr in RATIOS and options.width in ladder)


def by_preset_alone(request: ImageRequest, named: AbstractSet[str]) -> bool:
    """Whether a preset says all about the pixels: what `only_presets` allows. The stored bytes are another matter."""
    return named <= _DELIVERY and (request.delivery.p is not None or request.delivery.raw)


def by_variant_alone(request: ImageRequest, named: AbstractSet[str]) -> bool:
    """Whether the name of a variant says all about the pixels."""
    return request.options.variant is not None and named - _HANDING_OUT == {"variant"}


def bounded(options: Options, most: int | None) -> Options | None:
    """Options whose result is at most `most` pixels across and down, whatever the picture; None where they cannot be.

    They are the ones given, but where only one side is asked for: then the other one gets the bound, so that a picture
    which is too high for it is shown smaller, and all others as they would be without.
    """
    return options if most is None else _bounded(options, most)


@lru_cache(maxsize=4096)
def _bounded(options: Options, most: int) -> Options | None:
    top, right, bottom, left = options.padding
    across, down = most - left - right, most - top - bottom
    if options.f in PASSED_FORMATS:
        return None  # a drawing comes in its own size
    if options.variant is not None:
        return options if VARIANTS[options.variant].side <= most else None
    width, height = options.width, options.height
    if options.ar is None and (width is None) != (height is None):
        return _boxed(options, across, down)
    if options.ar is not None and width is not None and height is None:
        height = _rounded_up(width * options.ar[1], options.ar[0])
    elif options.ar is not None and height is not None and width is None:
        width = _rounded_up(height * options.ar[0], options.ar[1])
    if width is None or height is None or options.fit == "outside":
        return None
    least_width, least_height = options.min_width or 0, options.min_height or 0
    if options.fit in _INSIDE:
        # One side may grow to what is wanted at least, and the other along with it.
        fits = least_width == least_height == 0
    else:
        fits = least_width <= width and least_height <= height
    if options.fit == "adaptive":
        width = height = max(width, height)
    return options if fits and width <= across and height <= down else None


def _boxed(options: Options, across: int, down: int) -> Options | None:
    """Options that ask for one side, with the bound of the other one."""
    if options.min_w is not None or options.min_h is not None or options.extend:
        return None
    width, height = options.width or across, options.height or down
    if width > across or height > down or min(across, down) < 1:
        return None
    # With `dpr` applied, so that the bound is met to the pixel.
    return replace(
        options,
        w=width,
        h=height,
        fit="inside",
        dpr=Decimal(1),
        pad=options.padding,
        radius=options.corner,
        text_size=options.font_pixels,
    )


def _rounded_up(number: int, divisor: int) -> int:
    return -(-number // divisor)
