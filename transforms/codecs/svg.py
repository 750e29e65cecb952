"""Drawings through librsvg, which never sees but what the sanitiser has written."""

from __future__ import annotations

from functools import lru_cache

import pyvips

from transforms.svg import cleaned

_LOADER = "VipsForeignLoadSvgBuffer"


_cleaned = lru_cache(maxsize=1)(cleaned)
"""A drawing is opened once to be measured and once to be drawn."""


def load(data: bytes, *, scale: float | None = None) -> pyvips.Image:
    """The drawing at `scale`, drawn when its pixels are read; without `scale` only to be measured.

    Raises DecodeFailed and TooLarge; pyvips.Error.
    """
    drawing = _cleaned(data)
    if scale is not None:
        drawing.check_effects(scale)
    # libvips calls this loader untrusted. It is blocked but for this line, so that no other way leads to it.
    pyvips.operation_block_set(_LOADER, False)
    try:
        return pyvips.Image.svgload_buffer(drawing.data, scale=scale or 1.0, access="sequential")
    finally:
        pyvips.operation_block_set(_LOADER, True)
