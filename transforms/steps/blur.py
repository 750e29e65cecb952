"""Blur: a Gaussian over the picture, before any padding, so that the padding keeps its edge."""

from __future__ import annotations

import pyvips

from transforms.work import Work


def blur(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture with `blur` applied, on premultiplied pixels where it has alpha."""
    sigma = float(work.options.blur)
    if not sigma:
        return image
    if not image.hasalpha():
        return image.gaussblur(sigma)
    return image.premultiply().gaussblur(sigma).unpremultiply().cast("uchar")
