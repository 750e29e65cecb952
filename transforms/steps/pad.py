"""Pad: what `fit=contain` adds around the picture."""

from __future__ import annotations

import pyvips

from transforms.option_kinds import Colour
from transforms.work import Work

TRANSPARENT: Colour = (0, 0, 0, 0)
WHITE: Colour = (255, 255, 255, 255)


def pad(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture in the middle of its canvas, on `bg`; without `bg` transparent if it has transparency, else white."""
    if not work.upright.padded:
        return image
    wanted = work.options.bg
    colour = (None if isinstance(wanted, str) else wanted) or (TRANSPARENT if image.hasalpha() else WHITE)
    if colour[3] < 255 and not image.hasalpha():
        image = image.bandjoin(255)
    width, height = work.upright.canvas
    left, top = (width - image.width) // 2, (height - image.height) // 2
    return image.embed(left, top, width, height, extend="background", background=list(colour[: image.bands]))
