"""Background: `bg` under whatever is transparent, and white where the format cannot be."""

from __future__ import annotations

import pyvips

from transforms.formats import FORMATS
from transforms.negotiate import resolve_format
from transforms.steps.pad import WHITE
from transforms.work import Work


def background(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The picture on its background; opaque if that is, or if the format of the result has no alpha."""
    colour = work.options.bg
    if image.hasalpha() and isinstance(colour, tuple) and colour[3]:
        image = _over(image, colour)
    if image.hasalpha() and not FORMATS[output_format(image, work)].alpha:
        image = image.flatten(background=list(WHITE[:3]))
    return image


def output_format(image: pyvips.Image, work: Work) -> str:
    """The name of the format in which `image` will be encoded."""
    return _format(work, image.hasalpha())


def keeps_transparency(work: Work) -> bool:
    """Whether what is transparent at the end stays so in the format of the result."""
    return FORMATS[_format(work, has_alpha=True)].alpha


def _format(work: Work, has_alpha: bool) -> str:
    request = work.request
    animated = work.timing is not None
    return resolve_format(request.options, request.variant, request.source_format, has_alpha, animated=animated)


def _over(image: pyvips.Image, colour: tuple[int, int, int, int]) -> pyvips.Image:
    if colour[3] == 255:
        return image.flatten(background=list(colour[:3]))
    base = image.new_from_image(list(colour)).copy(interpretation="srgb")
    return base.composite2(image, "over").cast("uchar")
