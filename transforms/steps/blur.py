"""Blur: a Gaussian over the picture, before any padding, so that the padding keeps its edge."""

from __future__ import annotations

from math import exp, floor

import pyvips

from transforms.alpha import on_premultiplied
from transforms.work import Work

_LARGE = 12
"""From this sigma on the picture is shrunk first: its blur has nothing left that the smaller one could not hold."""


def blur(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture with `blur` applied, on premultiplied pixels where it has alpha."""
    sigma = float(work.options.blur)
    if not sigma:
        return image
    return on_premultiplied(image, lambda pixels: blurred(pixels, sigma))


def blurred(pixels: pyvips.Image, sigma: float) -> pyvips.Image:
    """A Gaussian of that sigma over all bands; large ones at a fraction of the size, which costs as little as small."""
    if sigma < _LARGE:
        return _convolved(pixels, sigma)
    shrink = int(sigma / (_LARGE / 2))
    # Whole cells: the edge is repeated to fill the last ones, as the blur does beyond the edge anyway.
    across, down = -(-pixels.width // shrink), -(-pixels.height // shrink)
    filled = pixels.embed(0, 0, across * shrink, down * shrink, extend="copy")
    # Means of n pixels and lines between the means widen the bell too: its variance by (n*n - 1) / 12 and n*n / 6.
    widened = (shrink**2 - 1) / 12 + shrink**2 / 6
    # Means in floats: those of 8 bits are rounded up. A quarter of the pixels or less is left for the slow arithmetic.
    small = _convolved(filled.cast("float").shrink(shrink, shrink), (sigma**2 - widened) ** 0.5 / shrink)
    return _enlarged(small, shrink).crop(0, 0, pixels.width, pixels.height)


def _enlarged(small: pyvips.Image, times: int) -> pyvips.Image:
    """Lines between the middles of the cells; libvips' own `resize` is half a pixel off."""
    return small.affine(
        [times, 0, 0, times],
        interpolate=pyvips.Interpolate.new("bilinear"),
        oarea=[0, 0, small.width * times, small.height * times],
        idx=0.5,
        idy=0.5,
        odx=-0.5,
        ody=-0.5,
        extend="copy",
    )


def _convolved(pixels: pyvips.Image, sigma: float) -> pyvips.Image:
    """libvips' own `gaussblur` cuts the bell off early and, on 8 bits, makes pictures lighter or darker by up to 2."""
    bell = _bell(sigma)
    mask = pyvips.Image.new_from_array([bell], scale=sum(bell))
    return pixels.convsep(mask, precision="integer" if pixels.format == "uchar" else "float")


def _bell(sigma: float) -> list[int]:
    """Whole weights whose sum is a power of two: only those are exact in libvips' 8-bit arithmetic.

    What rounding takes from one weight goes to the next, so that the tails are not lost.
    """
    total = 128 if sigma < 2 else 256
    ideal = [exp(-(at**2) / (2 * sigma**2)) for at in range(int(3.5 * sigma) + 2)]
    whole = 2 * sum(ideal) - ideal[0]
    tail: list[int] = []
    left_over = 0.0
    for value in reversed(ideal[1:]):
        wanted = value / whole * total + left_over
        weight = floor(wanted + 0.5)
        left_over = wanted - weight
        if tail or weight:
            tail.append(weight)
    return [*tail, total - 2 * sum(tail), *reversed(tail)]
