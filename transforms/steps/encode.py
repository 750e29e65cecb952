"""Encode: to the format that was asked for or negotiated, without any metadata."""

from __future__ import annotations

from typing import Any

import pyvips

from transforms.effort import effort
from transforms.errors import TooLarge
from transforms.formats import FORMATS
from transforms.steps.background import output_format
from transforms.steps.join import joined
from transforms.work import Work

_PIXELS_PER_MM = 72 / 25.4


def encode(frames: list[pyvips.Image], work: Work) -> tuple[bytes, str]:
    """The encoded bytes and their format's name; one frame, or those of an animation, all of one size.

    Raises TooLarge for a side that the format cannot hold.
    """
    image = joined(frames, work)
    kind = FORMATS[output_format(image, work)]
    side = max(frames[0].width, frames[0].height)
    if side > kind.max_side:
        raise TooLarge("output_side", side, kind.max_side)
    # The density is metadata too: every result says 72 pixels an inch.
    image = image.copy(xres=_PIXELS_PER_MM, yres=_PIXELS_PER_MM)
    settings = _settings(kind.name, image.width * image.height)
    if kind.default_quality is not None:
        settings["Q"] = work.options.q or kind.default_quality
    return bytes(pyvips.Operation.call(str(kind.saver), image, keep="none", **settings)), kind.name


def _settings(name: str, pixels: int) -> dict[str, Any]:
    match name:
        case "jpeg":
            return {"optimize_coding": True}
        case "png":
            return {"compression": effort(name, pixels), "filter": "all"}
        case "avif":
            return {"compression": "av1", "effort": effort(name, pixels)}
        case _:
            return {"effort": effort(name, pixels)}
