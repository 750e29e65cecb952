"""Pixelate: square blocks of one colour."""

from __future__ import annotations

import pyvips

from transforms.alpha import on_premultiplied
from transforms.work import Work


def pixelate(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture in blocks from the top left corner, each in the mean of the pixels that it covers."""
    side = work.options.pixelate
    return image if side < 2 else on_premultiplied(image, lambda pixels: _blocks(pixels, side))


def _blocks(pixels: pyvips.Image, side: int) -> pyvips.Image:
    across, down = -(-pixels.width // side), -(-pixels.height // side)
    # The blocks at the right and lower edge are cut: their sums are divided by what they really cover.
    whole = pixels.cast("float").embed(0, 0, across * side, down * side)
    covered = (pixels.extract_band(0) * 0 + 1.0).embed(0, 0, across * side, down * side)
    means = whole.shrink(side, side) / covered.shrink(side, side)
    blocks = means.zoom(side, side).crop(0, 0, pixels.width, pixels.height)
    return blocks.copy(interpretation=pixels.interpretation)
