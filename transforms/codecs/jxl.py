"""JPEG XL through pillow-jxl-plugin, where the extra `jxl` is installed."""

from __future__ import annotations

import pyvips

from transforms.codecs.pixels import image_of
from transforms.errors import DecodeFailed, UnsupportedFormat

_MODES = {
    "L": (1, "uchar"),
    "LA": (2, "uchar"),
    "RGB": (3, "uchar"),
    "RGBA": (4, "uchar"),
    "I;16": (1, "ushort"),
    "F": (1, "float"),
}


def load(data: bytes) -> pyvips.Image:
    """The first frame, upright, its profile attached.

    Raises UnsupportedFormat where the extra is missing, DecodeFailed where the file is broken.
    """
    try:
        from pillow_jxl import Decoder
    except ImportError:
        raise UnsupportedFormat("jxl", "jxl") from None
    try:
        is_jpeg, info, rows, profile, _ = Decoder(num_threads=0)(data)
    except MemoryError:
        raise
    except BaseException as error:
        # The library is Rust: what it does not expect comes as a panic, which is no Exception.
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        raise DecodeFailed("The JPEG XL image is truncated or broken.") from None
    if is_jpeg:
        # It was a JPEG once, and is given back as that.
        return pyvips.Image.jpegload_buffer(rows, access="sequential", fail_on="truncated")
    if info.mode not in _MODES:
        raise DecodeFailed(f"The JPEG XL image has pixels of a kind that is not read: {info.mode}.")
    bands, kind = _MODES[info.mode]
    image = image_of(rows, (info.width, info.height), bands, kind=kind, profile=profile or None)
    return (image * 255).cast("uchar").copy(interpretation="b-w") if kind == "float" else image
