"""Laying one picture over another, for watermark and text. Imports pyvips: decoders only."""

from __future__ import annotations

import pyvips

from transforms.alpha import eight_bits
from transforms.gravity import standing, window
from transforms.option_kinds import Gravity


def laid_over(image: pyvips.Image, overlay: pyvips.Image, gravity: Gravity) -> pyvips.Image:
    """`image` with `overlay` (8-bit RGBA, no larger) where `gravity` says; a focal point is where its middle goes."""
    canvas, inner = (image.width, image.height), (overlay.width, overlay.height)
    if gravity.place == "fp":
        left, top = window(canvas, inner, gravity, (float(gravity.x), float(gravity.y)))
    else:
        left, top = standing(canvas, inner, gravity)
    # Only what lies under it is computed anew.
    under = image.crop(left, top, *inner)
    return image.insert(_mixed(under, overlay), left, top).copy(interpretation="srgb").copy_memory()


def _mixed(under: pyvips.Image, over: pyvips.Image) -> pyvips.Image:
    """One over the other; libvips' `composite` of 8 bits rounds down, which shows as a darker picture."""
    if under.hasalpha():
        return eight_bits(under.cast("float").composite2(over.cast("float"), "over"))
    return over.extract_band(3).ifthenelse(over.extract_band(0, n=3), under, blend=True)
