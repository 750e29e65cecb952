"""BMP through Pillow, told that it is one: libvips has no reader of its own for it."""

from __future__ import annotations

import io

import pyvips
from PIL import Image, ImageFile

from transforms.codecs.pixels import BROKEN, image_of
from transforms.errors import DecodeFailed

_BANDS = {"L": 1, "RGB": 3, "RGBA": 4}


def load(data: bytes) -> pyvips.Image:
    """The picture, 8 bits a band. Raises DecodeFailed where the file is broken or ends early."""
    # How many pixels are too many is checked by the header, before anything is opened.
    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with Image.open(io.BytesIO(data), formats=["BMP"]) as picture:
            picture.load()
            plain = picture if picture.mode in _BANDS else picture.convert("L" if picture.mode == "1" else "RGB")
            return image_of(plain.tobytes(), plain.size, _BANDS[plain.mode])
    except BROKEN as error:
        raise DecodeFailed(f"The BMP image is truncated or broken: {error}.") from None
