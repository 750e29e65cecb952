"""Crop box: the option `crop`, before any pixel is computed, so that nothing outside of it ever is."""

from __future__ import annotations

from math import pi, sin

import pyvips

from transforms.geometry import sampled
from transforms.work import Work

_SHOWS = 0.05
"""Pixels of the result by which a part may be out of place."""
_REACH = 3
_WEIGHTS = 64
"""The sum of a mask. With larger ones libvips' arithmetic on 8 bits makes pictures lighter or darker."""


def crop_box(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The part of the loaded picture that `crop` names, or all of it.

    In a picture that shrank as it loaded, a part hardly ever starts where a pixel does, and all of it ends within one:
    the last column and row go where they are hardly filled, and the middle of the others is not the picture's own. Then
    the pixels are moved by what is missing before they shrink further.
    """
    left, top, width, height = work.camera.undone.box(work.planned.part, work.source)
    across = sampled(left, width, work.density[0], image.width)
    down = sampled(top, height, work.density[1], image.height)
    if not image.hasalpha():
        scale = work.upright.scale / min(work.density)
        if abs(across.missing) * scale > _SHOWS:
            image = _moved(image, [_moving(across.missing)])
        if abs(down.missing) * scale > _SHOWS:
            image = _moved(image, [[weight] for weight in _moving(down.missing)])
    if (across.count, down.count) == (image.width, image.height):
        return image
    return image.crop(across.first, down.first, across.count, down.count)


def _moved(image: pyvips.Image, weights: list[list[int]]) -> pyvips.Image:
    return image.conv(pyvips.Image.new_from_array(weights, scale=_WEIGHTS), precision="integer")


def _moving(pixels: float) -> list[int]:
    """Whole weights of neighbours for the value so many pixels further on, at most half of one: Lanczos 3."""
    ideal = [_lanczos(at - pixels) for at in range(-_REACH, _REACH + 1)]
    weights = [round(value / sum(ideal) * _WEIGHTS) for value in ideal]
    weights[_REACH] += _WEIGHTS - sum(weights)
    return weights


def _lanczos(at: float) -> float:
    if abs(at) < 1e-9:
        return 1.0
    return 0.0 if abs(at) >= _REACH else _REACH * sin(pi * at) * sin(pi * at / _REACH) / (pi * at) ** 2
