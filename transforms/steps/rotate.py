"""Rotate: by an angle that is no quarter turn, `flip` with it, and only what is kept of the result."""

from __future__ import annotations

from math import cos, radians, sin
from typing import Any

import pyvips

from transforms.geometry import exactly_rotated
from transforms.gravity import looks, window
from transforms.option_kinds import Colour
from transforms.steps import attention
from transforms.steps.background import keeps_transparency
from transforms.steps.pad import TRANSPARENT, WHITE, blurred_cover, upon
from transforms.steps.resize import scaled
from transforms.turns import Box, Size
from transforms.work import Work


def rotate(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The upright picture turned clockwise and scaled to its final size; the corners are transparent, or of `bg`.

    A `bg` that shows what is behind it comes under them later, as under all that is transparent.
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
    turned = _turned(image, work, geometry.resized, box, _corners(work))
    if work.options.bg == "blur":
        turned = upon(blurred_cover(image, geometry.cropped), turned, 0, 0)
    return turned.copy_memory()


def _corners(work: Work) -> Colour | None:
    """The colour of the corners that turning makes, None where they are transparent for now."""
    wanted = work.options.bg
    if isinstance(wanted, tuple) and wanted[3] == 255:
        return wanted
    # A colour that is wholly transparent is as good as none.
    return WHITE if wanted in (None, TRANSPARENT) and not keeps_transparency(work) else None


def _turned(image: pyvips.Image, work: Work, resized: Size, box: Box, corners: Colour | None = None) -> pyvips.Image:
    """`box` of the picture turned and scaled to `resized`."""
    viewed = exactly_rotated((image.width, image.height), work.options.rotate)
    across, down = resized[0] / viewed[0], resized[1] / viewed[1]
    if not work.options.stretches:
        return _mapped(image, work, (across, down), resized, box, corners)
    # The sides shrink by different factors, which turning cannot do without losing pixels: that comes after it.
    factor = max(across, down)
    size = max(1, round(viewed[0] * factor)), max(1, round(viewed[1] * factor))
    turned = _mapped(image, work, (factor, factor), size, (0, 0, *size), corners)
    return scaled(turned, resized[0] / size[0], resized[1] / size[1], resized).crop(*box)


def _mapped(
    image: pyvips.Image, work: Work, factors: tuple[float, float], size: Size, box: Box, corners: Colour | None
) -> pyvips.Image:
    """`box` of the picture turned, mirrored and multiplied by two factors, in the middle of `size`."""
    degrees, mirrored = work.options.turned
    angle = radians(float(degrees))
    across, down = (-factors[0] if mirrored else factors[0]), factors[1]
    matrix = [across * cos(angle), -across * sin(angle), down * sin(angle), down * cos(angle)]
    middle = image.width / 2, image.height / 2

    def mapped(pixels: pyvips.Image, between: str, **around: Any) -> pyvips.Image:
        return pixels.affine(
            matrix,
            interpolate=pyvips.Interpolate.new(between),
            oarea=list(box),
            # From the middles of pixels to the middles of pixels, and from the picture's middle to the result's.
            idx=0.5,
            idy=0.5,
            odx=size[0] / 2 - matrix[0] * middle[0] - matrix[1] * middle[1] - 0.5,
            ody=size[1] / 2 - matrix[2] * middle[0] - matrix[3] * middle[1] - 0.5,
            **around,
        )

    if image.hasalpha():
        return mapped(image, "bicubic", extend="background", background=[0, 0, 0, 0])
    if corners is not None:
        return mapped(image, "bicubic", extend="background", background=list(corners[:3]))
    # The edge of an opaque picture is smooth in its alpha; its colours need not be multiplied by it.
    inside = (pyvips.Image.black(image.width, image.height) + 255).cast("uchar").copy_memory()
    alpha = mapped(inside, "bilinear", extend="background", background=[0])
    return mapped(image, "bicubic", extend="copy").bandjoin(alpha)


def _whole(image: pyvips.Image, work: Work) -> tuple[Size, Box]:
    """All of a small picture, turned at the size that it has."""
    across, down = exactly_rotated((image.width, image.height), work.options.rotate)
    size = max(1, round(across)), max(1, round(down))
    return size, (0, 0, *size)
