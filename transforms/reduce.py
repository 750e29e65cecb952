"""Making a mezzanine: an original, made smaller once, as the source of many renditions.

It keeps what a source has and a rendition has not: the stored direction of its sides, with the camera's orientation
noted, and more quality than is ever asked for. Its colours are 8-bit sRGB already. Imports pyvips: decoders only.
"""

from __future__ import annotations

import pyvips

from transforms.codecs import vips
from transforms.headers import Source, read_header
from transforms.limits import DEFAULT_LIMITS, Limits
from transforms.options import Options
from transforms.pipeline import Rendered
from transforms.steps.colour import colour
from transforms.steps.crop_box import crop_box
from transforms.steps.load import load
from transforms.steps.resize import resize
from transforms.steps.settle import settle
from transforms.work import Request

_JPEG_QUALITY = 85
"""With colours at full resolution: at half the size a lower quality loses less (SSIM of RGB over 0.99) than halved colours
do at any (0.98 at 88), for as many bytes."""
_WEBP_QUALITY = 95
_ORIENTATION = "orientation"


def reduce(data: bytes, box: Options, limits: Limits = DEFAULT_LIMITS) -> Rendered:
    """The stored image within the square of `box` (its `w` and `h`), as JPEG, or WebP where it is transparent.

    Raises NotAnImage, UnsupportedFormat, TooLarge and DecodeFailed.
    """
    vips.prepare()
    limits.check_bytes(len(data))
    header = read_header(Source.of_bytes(data))
    limits.check_source(header.width, header.height)
    frames, work = load(data, Request(box, "", limits, header))
    image = next(iter(frames))
    orientation = image.get(_ORIENTATION) if image.get_typeof(_ORIENTATION) else 1
    for step in (crop_box, resize, settle, colour):
        image = step(image, work)
    image = _bare(image, orientation)
    if image.hasalpha():
        # Exact colours under what is half transparent: they are blended later.
        encoded = image.webpsave_buffer(Q=_WEBP_QUALITY, effort=0, alpha_q=100, exact=False, keep="exif")
        return Rendered(encoded, "webp", image.width, image.height)
    encoded = image.jpegsave_buffer(Q=_JPEG_QUALITY, subsample_mode="off", optimize_coding=True, keep="exif")
    return Rendered(encoded, "jpeg", image.width, image.height)


def _bare(image: pyvips.Image, orientation: object) -> pyvips.Image:
    """The pixels, with the orientation and no other metadata."""
    image = pyvips.Image.new_from_memory(image.write_to_memory(), image.width, image.height, image.bands, "uchar")
    image = image.copy(interpretation="srgb")
    if isinstance(orientation, int) and orientation != 1:
        image.set_type(pyvips.GValue.gint_type, _ORIENTATION, orientation)
    return image
