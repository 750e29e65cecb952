"""HEIC through pillow-heif, where the extra `heif` is installed: the bundled libvips has no HEVC decoder."""

from __future__ import annotations

import pyvips

from transforms.codecs.pixels import BROKEN, image_of
from transforms.errors import DecodeFailed, UnsupportedFormat

_BANDS = {"RGB": 3, "RGBA": 4, "RGBa": 4, "L": 1}


def load(data: bytes) -> pyvips.Image:
    """The primary picture, upright (libheif applies its rotation), 8 bits a band, its profile attached.

    Raises UnsupportedFormat where the extra is missing, DecodeFailed where the file is broken.
    """
    try:
        import pillow_heif
    except ImportError:
        raise UnsupportedFormat("heic", "heif") from None
    pillow_heif.options.DECODE_THREADS = 1
    try:
        heif = pillow_heif.open_heif(data, convert_hdr_to_8bit=True)
        bands = _BANDS[heif.mode]
        rows = bytes(heif.data)
    except BROKEN as error:
        raise DecodeFailed(f"The HEIC image is broken: {error}.") from None
    image = image_of(rows, heif.size, bands, stride=heif.stride, profile=heif.info.get("icc_profile"))
    return image.unpremultiply().cast("uchar") if heif.mode == "RGBa" else image
