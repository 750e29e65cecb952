"""Adjust: brightness, contrast, saturation, hue and gamma, in this order, on encoded sRGB values.

What lies between two of them may pass the range of 8 bits and comes back in the next one; only before gamma, which has
no meaning beyond it, values are held within.
"""

from __future__ import annotations

from math import cos, radians, sin

import pyvips

from transforms.alpha import apart, eight_bits, together
from transforms.options import Options
from transforms.work import Work

LUMA = (0.2126, 0.7152, 0.0722)
"""What red, green and blue add to how light a pixel looks (ITU-R BT.709, section 3.2)."""

Matrix = list[list[float]]


def adjust(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture with the five adjustments; its transparency as it was."""
    options = work.options
    matrix = _matrix(options)
    if not (options.brightness or options.contrast or matrix or options.gamma != 1):
        return image
    colours, alpha = apart(image)
    if options.brightness or options.contrast:
        slope, offset = _line(options)
        colours = colours.maplut(_identity() * slope + offset)
    if matrix:
        colours = colours.recomb(pyvips.Image.new_from_array(matrix))
    if options.gamma != 1:
        curve = (_identity() / 255) ** (1 / float(options.gamma)) * 255
        colours = eight_bits(colours).maplut(curve)
    return together(colours, alpha)


def _line(options: Options) -> tuple[float, float]:
    """Slope and offset of brightness, then contrast, which turns the line around the middle grey."""
    slope = 1 + float(options.contrast) / 100
    middle = 127.5
    return slope, (255 * float(options.brightness) / 100 - middle) * slope + middle


def _matrix(options: Options) -> Matrix | None:
    """Saturation, then hue; None where both leave all as it is."""
    saturation, hue = 1 + float(options.saturation) / 100, float(options.hue)
    if saturation == 1 and not hue:
        return None
    return _product(_hue(hue), _saturation(saturation))


def _saturation(amount: float) -> Matrix:
    """From the greys (0) to the picture (1) and beyond."""
    return [[(1 - amount) * LUMA[column] + amount * (row == column) for column in range(3)] for row in range(3)]


def _hue(degrees: float) -> Matrix:
    """A turn around the grey axis that keeps luma: `feColorMatrix` of type hueRotate (W3C Filter Effects, 9.6)."""
    across, along = cos(radians(degrees)), sin(radians(degrees))
    red, green, blue = LUMA
    turn = ((-red, -green, 1 - blue), (0.143, 0.140, -0.283), (red - 1, green, blue))
    return [
        [LUMA[column] + across * ((row == column) - LUMA[column]) + along * turn[row][column] for column in range(3)]
        for row in range(3)
    ]


def _product(left: Matrix, right: Matrix) -> Matrix:
    return [
        [sum(left[row][inner] * right[inner][column] for inner in range(3)) for column in range(3)] for row in range(3)
    ]


def _identity() -> pyvips.Image:
    return pyvips.Image.identity()
