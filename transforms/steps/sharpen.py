"""Sharpen: an unsharp mask, which adds to each pixel what a blur would take from it."""

from __future__ import annotations

import pyvips

from transforms.alpha import apart, on_premultiplied, together
from transforms.steps.blur import blurred
from transforms.work import Work


def sharpen(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture with `sharpen` applied; its transparency as it was, and no halo along it."""
    sigma = float(work.options.sharpen)
    if not sigma:
        return image
    colours, alpha = apart(image)
    softer, _ = apart(on_premultiplied(image, lambda pixels: blurred(pixels, sigma)))
    return together(colours * 2 - softer, alpha)
