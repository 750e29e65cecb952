"""Colour bands apart from transparency, for steps that must not mix the two. Imports pyvips: decoders only."""

from __future__ import annotations

from collections.abc import Callable

import pyvips


def apart(image: pyvips.Image) -> tuple[pyvips.Image, pyvips.Image | None]:
    """The colour bands, and the alpha band where there is one."""
    if not image.hasalpha():
        return image, None
    return image.extract_band(0, n=image.bands - 1), image.extract_band(image.bands - 1)


def together(colours: pyvips.Image, alpha: pyvips.Image | None) -> pyvips.Image:
    """The reverse of `apart`: 8 bits a band, values rounded and held within their range."""
    colours = eight_bits(colours)
    if alpha is not None:
        colours = colours.bandjoin(eight_bits(alpha))
    return colours.copy(interpretation="srgb")


def on_premultiplied(image: pyvips.Image, change: Callable[[pyvips.Image], pyvips.Image]) -> pyvips.Image:
    """`change` over all bands, where neighbours mix: transparent pixels then lend no colour to them."""
    if not image.hasalpha():
        return together(change(image), None)
    colours, alpha = apart(change(image.premultiply()).unpremultiply())
    return together(colours, alpha)


def eight_bits(image: pyvips.Image) -> pyvips.Image:
    """Values rounded to whole ones of 0..255; a cast alone would cut the fraction off."""
    return (image.rint() if image.format in ("float", "double") else image).cast("uchar")
