"""From stored bytes to a rendition: a literal list of steps, one file each in `transforms.steps`.

Imports pyvips, so it belongs in decoders only. The same arguments give the same bytes on every machine of one codec
epoch: one thread, no clock, no metadata.
"""

from __future__ import annotations

from dataclasses import dataclass

from transforms.codecs import vips
from transforms.headers import Source, read_header
from transforms.limits import DEFAULT_LIMITS, Limits
from transforms.options import Options
from transforms.steps.background import background
from transforms.steps.blur import blur
from transforms.steps.colour import colour
from transforms.steps.crop import crop
from transforms.steps.encode import encode
from transforms.steps.load import load
from transforms.steps.orient import orient
from transforms.steps.pad import pad
from transforms.steps.resize import resize
from transforms.steps.settle import settle
from transforms.work import Request

STEPS = (resize, crop, settle, orient, colour, blur, pad, background)
"""What happens between `load` and `encode`. Up to `settle` nothing is computed; after it the picture is small."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The result of a render: encoded bytes, their format's name, and their size in pixels."""

    data: bytes
    format: str
    width: int
    height: int


def render(data: bytes, options: Options, variant: str = "", limits: Limits = DEFAULT_LIMITS) -> Rendered:
    """Renders a stored image.

    `variant` is `negotiate.variant(options, accept_class)`. Raises NotAnImage, UnsupportedFormat, TooLarge and
    DecodeFailed; for the first three nothing was decoded.
    """
    vips.prepare()
    limits.check_bytes(len(data))
    header = read_header(Source.of_bytes(data))
    limits.check_source(header.width, header.height)
    image, work = load(data, Request(options, variant, limits, header))
    for step in STEPS:
        image = step(image, work)
    encoded, name = encode(image, work)
    return Rendered(encoded, name, image.width, image.height)
