"""Settle: decode, resize and crop in one pass over the source, into memory."""

from __future__ import annotations

import pyvips

from transforms.codecs.reading import failed
from transforms.work import Work


def settle(image: pyvips.Image, work: Work) -> pyvips.Image:
    """The same image with its pixels in memory: from here on it is small and steps may read it in any order.

    Raises DecodeFailed: this is where a truncated or broken source shows.
    """
    try:
        return image.copy_memory()
    except pyvips.Error as error:
        raise failed(work.request.header.format.name, error) from None
