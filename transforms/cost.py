"""What a render will take, in milliseconds of one ordinary core: by this the queue decides what it admits.

An estimate within a factor of about two is enough; it is never used to choose how to render.
"""

from __future__ import annotations

from transforms.formats import FORMATS
from transforms.geometry import plan
from transforms.headers import Header
from transforms.limits import Limits
from transforms.negotiate import resolve_format
from transforms.options import Options

_FIXED_MS = 3.0
_BLUR_MS = 4.0
_SHRINKS_AT_LOAD = ("jpeg", "webp")


def estimate(header: Header, options: Options, variant: str, limits: Limits) -> float:
    """Milliseconds for one render. Raises TooLarge where source or result pass a limit."""
    limits.check_source(header.width, header.height)
    sides = (header.width, header.height)
    # Orientation is not known yet; of both ways the dearer one counts.
    canvases = [plan(sides, options).canvas, plan(sides[::-1], options).canvas]
    for width, height in canvases:
        limits.check_output(width, height)
    out_megapixels = max(width * height for width, height in canvases) / 1e6
    in_megapixels = header.pixels / 1e6
    if header.format.name in _SHRINKS_AT_LOAD and out_megapixels * 4 < in_megapixels:
        in_megapixels *= 0.6
    output = FORMATS[resolve_format(options, variant, header.format.name, has_alpha=True)]
    blur = _BLUR_MS * float(options.blur) * out_megapixels
    decode = header.format.decode_weight * in_megapixels
    return _FIXED_MS + decode + blur + output.encode_weight * out_megapixels
