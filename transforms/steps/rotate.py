"""Rotate: by an angle that is no quarter turn, `flip` with it, and only what is kept of the result."""

from __future__ import annotations

from math import cos, radians, sin

import pyvips

from transforms.geometry import exactly_rotated
from transforms.gravity import looks, window
from transforms.steps import attention
from transforms.steps.pad import blurred_cover, upon
from transforms.turns import Box, Size
from transforms.work import Work


def rotate(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The upright picture turned clockwise and scaled to its final size; the corners are transparent, or `bg=blur`.

    Another `bg` comes under them later, as under all that is transparent.
    """
    if not work.freely:
        return image
    geometry = work.upright
    box = (0, 0, *geometry.resized)
    if geometry.cuts:
        if looks(work.options.g) and "focus" not in work.decided:
            attention.check(work)
            seen = attention.small(image, work)
            work.decided["focus"] = attention.point(_turned(seen, work, *_whole(seen, work)), work)
        box = (*window(geometry.resized, geometry.cropped, work.options.g, work.focus), *geometry.cropped)
    turned = _turned(image, work, geometry.resized, box)
    if work.options.bg == "blur":
        turned = upon(blurred_cover(image, geometry.cropped), turned, 0, 0)
    return turned


def _turned(image: pyvips.Image, work: Work, resized: Size, box: Box) -> pyvips.Image:
    """`box` of the picture turned and scaled to `resized`."""
    angle = radians(float(work.options.rotate))
    flip = work.options.flip or ""
    viewed = exactly_rotated((image.width, image.height), work.options.rotate)
    across, down = resized[0] / viewed[0], resized[1] / viewed[1]
    squeezed = resized
    if work.options.fit == "fill":
        # The sides shrink by different factors, which turning cannot do without losing pixels: that comes after it.
        across = down = max(across, down)
        squeezed = max(1, round(viewed[0] * across)), max(1, round(viewed[1] * down))
    horizontal, vertical = (-across if "h" in flip else across), (-down if "v" in flip else down)
    matrix = [horizontal * cos(angle), -horizontal * sin(angle), vertical * sin(angle), vertical * cos(angle)]
    middle = image.width / 2, image.height / 2
    area = box if squeezed == resized else (0, 0, *squeezed)
    turned = (image if image.hasalpha() else image.bandjoin(255)).affine(
        matrix,
        interpolate=pyvips.Interpolate.new("bicubic"),
        oarea=list(area),
        # From the middles of pixels to the middles of pixels, and from the middle of the picture to that of the result.
        idx=0.5,
        idy=0.5,
        odx=squeezed[0] / 2 - matrix[0] * middle[0] - matrix[1] * middle[1] - 0.5,
        ody=squeezed[1] / 2 - matrix[2] * middle[0] - matrix[3] * middle[1] - 0.5,
        extend="background",
        background=[0, 0, 0, 0],
    )
    if squeezed != resized:
        turned = turned.premultiply().resize(
            resized[0] / squeezed[0], vscale=resized[1] / squeezed[1], kernel="lanczos3"
        )
        turned = turned.unpremultiply().cast("uchar").crop(*box)
    return turned.copy_memory()


def _whole(image: pyvips.Image, work: Work) -> tuple[Size, Box]:
    """All of a small picture, turned at the size that it has."""
    across, down = exactly_rotated((image.width, image.height), work.options.rotate)
    size = max(1, round(across)), max(1, round(down))
    return size, (0, 0, *size)
