"""The ladder: what a link without a signature may ask for, in a bucket that is open for images.

Widths come from a list and formats from four, or a preset says everything, so an image has a countable number of
unsigned variants, and nobody can make the server render without end.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from transforms.options import SPECS, ImageRequest

DEFAULT_LADDER = (150, 300, 600, 1200)
"""Widths in pixels, where a bucket names none."""
FORMATS = ("auto", "jpeg", "webp", "avif")
RATIOS = (1, 2, 3)
_DELIVERY = frozenset(name for spec in SPECS if spec.group == "delivery" for name in (spec.name, *spec.aliases))
_PRESET = frozenset({"p", "preset"})
_HANDING_OUT = frozenset({"v", "dl", "download"})
"""What changes neither pixels nor the number of variants."""
_LADDER = frozenset({"w", "width", "f", "format", "dpr"})


def ladder_of(widths: tuple[int, ...], max_width: int | None = None) -> tuple[int, ...]:
    """The widths in force for a bucket whose own list is `widths`, up to its `max_width`."""
    ladder = widths or DEFAULT_LADDER
    return ladder if max_width is None else tuple(width for width in ladder if width <= max_width)


def on_ladder(
    request: ImageRequest, named: AbstractSet[str], widths: tuple[int, ...], max_width: int | None = None
) -> bool:
    """Whether a request, of which the options in `named` were given, is within the ladder.

    A width is needed: without one the answer would be the original in full size, which opening a bucket for images does
    not give away. `dpr` multiplies to another width of the list, or is 1. Beside a preset nothing about pixels may stand;
    it may do what it says, up to `max_width` pixels across and down where a bucket has one.
    """
    if request.delivery.raw:
        return False
    asked = named - _HANDING_OUT
    options = request.options
    if request.delivery.p is not None:
        return asked <= _PRESET and _within(options.width, options.height, max_width)
    if not asked <= _LADDER:
        return False
    ladder = ladder_of(widths, max_width)
    if options.w not in ladder or (options.f is not None and options.f not in FORMATS):
        return False
    return "dpr" not in named or (options.dpr in RATIOS and options.width in ladder)


def by_preset_alone(request: ImageRequest, named: AbstractSet[str]) -> bool:
    """Whether a preset says all about the pixels: what `only_presets` allows. The stored bytes are another matter."""
    return named <= _DELIVERY and (request.delivery.p is not None or request.delivery.raw)


def _within(width: int | None, height: int | None, most: int | None) -> bool:
    if most is None:
        return True
    sides = [side for side in (width, height) if side is not None]
    return bool(sides) and max(sides) <= most
