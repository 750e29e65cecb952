"""How alike two pictures look: the structural similarity (SSIM) of their luma.

After Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment" (2004), with its constants, over blocks of 8 by 8
pixels that do not overlap: on photographs within 0.01 of the sliding window, at a few milliseconds a megapixel.
Imports pyvips: decoders only.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt

import pyvips

from transforms.steps.adjust import LUMA

_BLOCK = 8
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
SAMPLE_PIXELS = 300_000
"""Larger pictures are judged by parts of them."""
_PARTS = 4


def luma(image: pyvips.Image) -> pyvips.Image:
    """What `similarity` compares: one band in floats; transparent pixels on grey."""
    if image.hasalpha():
        image = image.flatten(background=[128] * (image.bands - 1))
    if image.bands >= 3:
        image = image.extract_band(0, n=3).recomb(pyvips.Image.new_from_array([list(LUMA)]))
    return image.cast("float").copy_memory()


def similarity(one: pyvips.Image, other: pyvips.Image) -> float:
    """From 1 (the same) down to -1, of two lumas of one size."""
    return similar_to(one)(other)


def similar_to(one: pyvips.Image) -> Callable[[pyvips.Image], float]:
    """`similarity` to one luma, for several others: what it needs of the first is computed once."""
    one = _filled(one)
    mean_one = _means(one).copy_memory()
    square_one = (mean_one * mean_one).copy_memory()
    variance_one = (_means(one * one) - square_one).copy_memory()

    def similarity(other: pyvips.Image) -> float:
        other = _filled(other)
        mean_other = _means(other)
        square_other, product = mean_other * mean_other, mean_one * mean_other
        variances = variance_one + _means(other * other) - square_other
        covariance = _means(one * other) - product
        top = (product * 2 + _C1) * (covariance * 2 + _C2)
        return float((top / ((square_one + square_other + _C1) * (variances + _C2))).avg())

    return similarity


def sample(image: pyvips.Image) -> pyvips.Image:
    """`image`, or parts of a large one side by side, spread over it: some 300,000 pixels at their own size."""
    if image.width * image.height <= SAMPLE_PIXELS:
        return image
    side = isqrt(SAMPLE_PIXELS // _PARTS**2) // _BLOCK * _BLOCK
    across, down = min(side, image.width // _PARTS), min(side, image.height // _PARTS)
    lefts = [(image.width - across) * at // (_PARTS - 1) for at in range(_PARTS)]
    tops = [(image.height - down) * at // (_PARTS - 1) for at in range(_PARTS)]
    parts = [image.crop(left, top, across, down) for top in tops for left in lefts]
    return pyvips.Image.arrayjoin(parts, across=_PARTS).copy_memory()


def _means(picture: pyvips.Image) -> pyvips.Image:
    return picture.shrink(_BLOCK, _BLOCK)


def _filled(picture: pyvips.Image) -> pyvips.Image:
    if min(picture.width, picture.height) >= _BLOCK:
        return picture
    return picture.embed(0, 0, max(_BLOCK, picture.width), max(_BLOCK, picture.height), extend="copy")
