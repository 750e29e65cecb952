"""Crop: what `fit=cover` keeps, around the centre."""

from __future__ import annotations

import pyvips

from transforms.work import Work


def crop(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The part that is kept; before pixels are computed, so that the rest never is."""
    width, height = work.as_stored(work.upright.cropped)
    if (image.width, image.height) == (width, height):
        return image
    return image.crop((image.width - width) // 2, (image.height - height) // 2, width, height)
