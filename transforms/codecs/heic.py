"""HEIC through pillow-heif, where the extra `heif` is installed: the bundled libvips has no HEVC decoder."""

from __future__ import annotations

import pyvips

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
        width, height = heif.size
        rows = bytes(heif.data)
    except (ValueError, KeyError, RuntimeError, EOFError, SyntaxError, OSError) as error:
        raise DecodeFailed(f"The HEIC image is broken: {error}.") from None
    image = _without_padding(rows, width, height, bands, heif.stride)
    image = image.copy(interpretation="b-w" if bands == 1 else "srgb")
    if heif.mode == "RGBa":
        image = image.unpremultiply().cast("uchar")
    profile = heif.info.get("icc_profile")
    if profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image


def _without_padding(rows: bytes, width: int, height: int, bands: int, stride: int) -> pyvips.Image:
    """An image of rows that are `stride` bytes apart."""
    if stride == width * bands:
        return pyvips.Image.new_from_memory(rows, width, height, bands, "uchar")
    flat = pyvips.Image.new_from_memory(rows, stride, height, 1, "uchar")
    packed = flat.crop(0, 0, width * bands, height).write_to_memory()
    return pyvips.Image.new_from_memory(packed, width, height, bands, "uchar")
