"""The ladder: what a link without a signature may ask for, in a bucket that is open for images.

Widths come from a list and formats from four, so an image has a countable number of unsigned variants, and nobody can
make the server render without end.
"""

from __future__ import annotations

from collections.abc import Iterable

from transforms.options import Options

DEFAULT_LADDER = (150, 300, 600, 1200)
"""Widths in pixels, where a bucket names none."""
FORMATS = ("auto", "jpeg", "webp", "avif")
_NAMES = frozenset({"w", "width", "f", "format", "dpr"})
_RATIOS = (1, 2, 3)


def ladder_of(widths: tuple[int, ...]) -> tuple[int, ...]:
    """The widths in force for a bucket whose own list is `widths`."""
    return widths or DEFAULT_LADDER


def on_ladder(options: Options, named: Iterable[str], widths: tuple[int, ...]) -> bool:
    """Whether options, of which those in `named` were given, are within the ladder.

    A width is needed: without one the answer would be the original in full size, which opening a bucket for images does
    not give away. `dpr` multiplies to another width of the list, or is 1.
    """
    if not _NAMES.issuperset(named):
        return False
    ladder = ladder_of(widths)
    return (
        options.w in ladder
        and options.dpr in _RATIOS
        and options.width in ladder
        and (options.f is None or options.f in FORMATS)
    )
