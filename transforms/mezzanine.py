"""Which smaller copy of an original a rendition is made from: a pure function of sizes, options and settings.

Never of what happens to be there, so that the bytes of a rendition follow from its key. The first request that wants a
mezzanine has it made.
"""

from __future__ import annotations

from transforms.geometry import plan
from transforms.headers import Header
from transforms.options import Options
from transforms.rendering import Rendering

FORMATS_WITH_MEZZANINES = frozenset(("jpeg", "png", "webp", "avif", "heic", "tiff", "jxl", "bmp"))
_TURNING = (5, 6, 7, 8)
"""EXIF orientations that swap the sides."""
_REDUCTION = 2
"""How much larger a mezzanine is than what is rendered from it, in each direction."""


def may_use(options: Options, rendering: Rendering) -> bool:
    """Whether a mezzanine can be of use at all; false spares reading the original's header."""
    sized = options.w is not None or options.h is not None
    return sized and bool(rendering.mezzanines) and not _needs_original(options)


def box_of(rung: int) -> str:
    """The canonical options of a mezzanine whose longer side has `rung` pixels."""
    return f"h:{rung},w:{rung}"


def choose(header: Header, options: Options, rendering: Rendering) -> int | None:
    """The rung (longer side in pixels) of the mezzanine to render from, or None for the original.

    Raises OptionError where `crop` leaves nothing.
    """
    if header.animated or header.format.name not in FORMATS_WITH_MEZZANINES or not may_use(options, rendering):
        return None
    if header.pixels <= rendering.mezzanine_pixels:
        return None
    stored = (header.width, header.height)
    scale = plan(stored[::-1] if header.orientation in _TURNING else stored, options).scale
    longer = max(stored)
    for rung in rendering.mezzanines:
        if rung >= longer:
            return None
        # A pixel less is the rounding of a shorter side.
        if rung + 1 >= _REDUCTION * scale * longer:
            return rung
    return None


def _needs_original(options: Options) -> bool:
    """Whether an option reads what only the original has: its pixels' own grid, its metadata, its other pages."""
    return bool(
        options.exact
        or (options.crop is not None and (not options.crop.fractions or options.crop.place is not None))
        or options.trim is not None
        or options.rotate % 90
        or options.page != 1
        or options.icc == "keep"
        or options.strip != "1"
    )
