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
    mixed = eight_bits(under.composite2(overlay, "over"))
    return image.insert(mixed.extract_band(0, n=image.bands), left, top).copy(interpretation="srgb").copy_memory()
