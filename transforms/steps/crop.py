"""Crop: what `fit=cover` and `ar` keep of the resized picture, where the gravity says."""

from __future__ import annotations

import pyvips

from transforms.gravity import window
from transforms.work import Work


def crop(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The part that is kept; before pixels are computed, so that the rest never is."""
    geometry = work.upright
    if work.freely or not geometry.cuts:
        return image
    left, top = window(geometry.resized, geometry.cropped, work.options.g, work.focus)
    return image.crop(*work.turn.undone.box((left, top, *geometry.cropped), geometry.resized))
