"""Tone: gray, tint, duotone and invert, in this order."""

from __future__ import annotations

from collections.abc import Callable

import pyvips

from transforms.alpha import apart, eight_bits, together
from transforms.option_kinds import Colour, TintValue
from transforms.steps.adjust import LUMA
from transforms.work import Work


def tone(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture in other tones; its transparency as it was."""
    options = work.options
    if not (options.gray or options.tint or options.duotone or options.invert):
        return image
    colours, alpha = apart(image)
    if options.gray:
        grey = _luma(colours)
        colours = grey.bandjoin([grey, grey])
    if options.tint:
        colours = _tinted(colours, options.tint)
    if options.duotone:
        dark, light = options.duotone
        colours = _mapped(colours, lambda grey: _between(dark, light, grey / 255))
    if options.invert:
        colours = colours.invert()
    return together(colours, alpha)


def _tinted(colours: pyvips.Image, tint: TintValue) -> pyvips.Image:
    """Black, the colour where it is as light as the picture, white; mixed with the picture by the strength."""
    colour, strength = tint.colour, float(tint.strength) * tint.colour[3] / 255
    middle = sum(part * weight for part, weight in zip(colour[:3], LUMA, strict=True))
    black, white = (0, 0, 0, 255), (255, 255, 255, 255)

    def shade(grey: int) -> list[float]:
        if grey <= middle:
            return _between(black, colour, grey / middle) if middle else [0.0, 0.0, 0.0]
        return _between(colour, white, (grey - middle) / (255 - middle))

    return eight_bits(_mapped(colours, shade) * strength + colours * (1 - strength))


def _mapped(colours: pyvips.Image, shade: Callable[[int], list[float]]) -> pyvips.Image:
    """Each pixel replaced by the colour that stands for its luma."""
    rows = [shade(grey) for grey in range(256)]
    bands = [pyvips.Image.new_from_array([[row[band] for row in rows]]) for band in range(3)]
    return eight_bits(_luma(colours).maplut(bands[0].bandjoin(bands[1:])))


def _luma(colours: pyvips.Image) -> pyvips.Image:
    return eight_bits(colours.recomb(pyvips.Image.new_from_array([list(LUMA)])))


def _between(start: Colour, end: Colour, share: float) -> list[float]:
    return [start[band] + (end[band] - start[band]) * share for band in range(3)]
