"""Resize: once, with Lanczos 3, on premultiplied pixels so that transparent ones do not bleed their colour."""

from __future__ import annotations

import pyvips

from transforms.work import Work


def resize(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The whole picture at its final scale, in the directions and the colour space of the stored image."""
    width, height = work.as_stored(work.upright.resized)
    if (image.width, image.height) == (width, height):
        return image
    across, down = width / image.width, height / image.height
    if not image.hasalpha():
        return image.resize(across, vscale=down, kernel="lanczos3")
    resized = image.premultiply().resize(across, vscale=down, kernel="lanczos3")
    return resized.unpremultiply().cast(image.format)
