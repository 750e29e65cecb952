"""TIFF of luminance and colour differences: libvips gives them as they are where they have one value a pixel.

Where colours have fewer values than pixels, and in JPEG compression, libtiff makes RGB of it.
"""

from __future__ import annotations

import pyvips

from transforms.errors import DecodeFailed, UnsupportedFormat
from transforms.headers.source import Source
from transforms.headers.tiff_ycc import Ycc, ycc

_MIDDLE, _LARGEST = 127, 255
"""What a difference and a luminance of full size become, as in section 21 of TIFF 6.0."""


def with_rgb(image: pyvips.Image, data: bytes | memoryview, page: int) -> pyvips.Image:
    """The picture of page `page` (1 is the first) in RGB. Raises UnsupportedFormat for samples of more than 8 bits."""
    if image.bands < 3 or image.interpretation not in ("srgb", "rgb", "rgb16", "multiband"):
        return image
    try:
        found = ycc(Source.of_bytes(data), page)
    except DecodeFailed:
        # libtiff, which has opened it, is content with less.
        return image
    # A band more than there are samples is the opacity that libtiff adds to its RGB.
    if found is None or image.bands != found.samples:
        return image
    if image.format != "uchar":
        raise UnsupportedFormat(f"tiff (YCbCr in {image.format})")
    colours = _rgb(image.extract_band(0, n=3), found).cast("uchar")
    if image.bands > 3:
        colours = colours.bandjoin(image.extract_band(3, n=image.bands - 3))
    return colours.copy(interpretation="srgb")


def _rgb(image: pyvips.Image, found: Ycc) -> pyvips.Image:
    blacks, whites = found.reference[0::2], found.reference[1::2]
    ranges = [white - black for black, white in zip(blacks, whites, strict=True)]
    scales = [full / span for full, span in zip((_LARGEST, _MIDDLE, _MIDDLE), ranges, strict=True)]
    offsets = [-black * scale for black, scale in zip(blacks, scales, strict=True)]
    red, green, blue = found.shares
    of_red, of_blue = 2 - 2 * red, 2 - 2 * blue
    # One row for red, green and blue each, of luminance, difference of blue and difference of red.
    matrix = [
        [1, 0, of_red],
        [1, -of_blue * blue / green, -of_red * red / green],
        [1, of_blue, 0],
    ]
    return image.linear(scales, offsets).recomb(matrix).rint()
