"""The JPEGs that Pixgate writes for itself, mezzanines, in one go: a third faster than line by line as they are needed."""

from __future__ import annotations

import io

import pyvips
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from transforms.codecs.pixels import BROKEN, image_of
from transforms.errors import DecodeFailed

_BANDS = {"L": 1, "RGB": 3}


def load(data: bytes, like: pyvips.Image) -> pyvips.Image:
    """The pixels in memory, with the orientation that `like`, the same file opened by libvips, has.

    `like` itself for what we do not write. Raises DecodeFailed where the file is broken or ends early.
    """
    try:
        picture: ImageFile = JpegImageFile(io.BytesIO(data))
        if picture.mode not in _BANDS:
            return like
        image = image_of(picture.tobytes(), picture.size, _BANDS[picture.mode])
    except BROKEN as error:
        raise DecodeFailed(f"The JPEG image is truncated or broken: {error}.") from None
    if like.get_typeof("orientation"):
        image.set_type(pyvips.GValue.gint_type, "orientation", like.get("orientation"))
    return image
