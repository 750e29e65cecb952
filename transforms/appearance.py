"""What a picture looks like from afar, from a small copy of it: its colours, and the hashes that stand for it.

Imports pyvips: decoders only.
"""

from __future__ import annotations

import pyvips

from transforms.hashes import dhash, phash
from transforms.palette import Share, palette

_HASHED_SIDE = 40


def within(image: pyvips.Image, side: int) -> pyvips.Image:
    """The picture within a square, never larger."""
    return image.thumbnail_image(side, height=side, size="down")


def colours(image: pyvips.Image, side: int) -> list[Share]:
    """The main colours of the picture as it is within a square of so many pixels; none where nothing is opaque."""
    return palette(rgba(within(image, side)))


def hashed(image: pyvips.Image) -> pyvips.Image:
    """The copy that BlurHash and ThumbHash are made of."""
    return within(image, _HASHED_SIDE)


def opaque(image: pyvips.Image) -> pyvips.Image:
    """The picture on white."""
    return image.flatten(background=[255, 255, 255]) if image.hasalpha() else image


def rgb(image: pyvips.Image) -> bytes:
    """3 bytes a pixel, row by row, on white."""
    return _bytes(opaque(image))


def rgba(image: pyvips.Image) -> bytes:
    """4 bytes a pixel, row by row."""
    return _bytes(image if image.hasalpha() else image.bandjoin(255))


def in_greys(image: pyvips.Image) -> pyvips.Image:
    """The picture on white, without colours, in memory."""
    return opaque(image).colourspace("b-w").copy_memory()


def perceptual_hash(greys: pyvips.Image) -> str:
    """pHash of a picture `in_greys`, in hexadecimal digits."""
    return phash.phash(_forced(greys, phash.SIDE, phash.SIDE))


def difference_hash(greys: pyvips.Image) -> str:
    """dHash of a picture `in_greys`, in hexadecimal digits."""
    return dhash.dhash(_forced(greys, dhash.WIDTH, dhash.HEIGHT))


def _forced(greys: pyvips.Image, width: int, height: int) -> bytes:
    return _bytes(greys.thumbnail_image(width, height=height, size="force").extract_band(0))


def _bytes(image: pyvips.Image) -> bytes:
    return bytes(image.cast("uchar").write_to_memory())
