"""Resize: once, with Lanczos 3, on premultiplied pixels so that transparent ones do not bleed their colour."""

from __future__ import annotations

import pyvips

from transforms.turns import Size
from transforms.work import Work


def resize(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The whole picture at its final scale, in the directions and the colour space of the stored image.

    What is turned freely afterwards is not enlarged here: turning does that, and only where it shows.
    """
    width, height = _wanted(work)
    if (image.width, image.height) == (width, height):
        return image
    # The part of the stored picture that this is, whose sides need not be whole in pixels that were loaded.
    part = work.camera.size(work.upright.part[2:])
    across = _scale(image.width, width, part[0] * work.density[0])
    down = _scale(image.height, height, part[1] * work.density[1])
    return scaled(image, across, down, (width, height))


def scaled(image: pyvips.Image, across: float, down: float, size: Size) -> pyvips.Image:
    """The image multiplied by two factors, which make it so large; it keeps its bands and their format."""
    if not image.hasalpha():
        return _scaled(image, across, down, size)
    return _scaled(image.premultiply(), across, down, size).unpremultiply().cast(image.format)


def enlarged(image: pyvips.Image, size: Size, between: str = "bicubic") -> pyvips.Image:
    """The image spread to a larger size, `between` the middles of its pixels: libvips' `resize` is half a pixel off."""
    across, down = size[0] / image.width, size[1] / image.height
    return image.affine(
        [across, 0, 0, down],
        interpolate=pyvips.Interpolate.new(between),
        oarea=[0, 0, *size],
        idx=0.5,
        idy=0.5,
        odx=-0.5,
        ody=-0.5,
        extend="copy",
        premultiplied=True,
    )


def _scaled(image: pyvips.Image, across: float, down: float, size: Size) -> pyvips.Image:
    if across < 1 or down < 1:
        image = image.resize(min(1.0, across), vscale=min(1.0, down), kernel="lanczos3")
    return image if (image.width, image.height) == size else enlarged(image, size)


def _wanted(work: Work) -> Size:
    geometry = work.upright
    if not work.freely:
        return work.turn.size(geometry.resized)
    part = work.camera.size(geometry.part[2:])
    # A drawing may have been loaded larger than it is.
    scale = min(max(1.0, *work.density), geometry.scale)
    if part[0] * part[1] * scale**2 > work.request.limits.output_pixels:
        scale = min(1.0, scale)
    return max(1, round(part[0] * scale)), max(1, round(part[1] * scale))


def _scale(side: int, wanted: int, exact: float) -> float:
    """The factor that makes `wanted` pixels of `side`, which stand for `exact` ones: libvips keeps the middle in place."""
    factor = wanted / exact
    return factor if int(side * factor + 0.5) == wanted else wanted / side
