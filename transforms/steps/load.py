"""Load: one loader, named by the content's own type, shrinking while it decodes where the format can."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pyvips

from transforms.codecs import heic
from transforms.errors import DecodeFailed, UnsupportedFormat
from transforms.geometry import plan
from transforms.work import Request, Work

_TURNING_ORIENTATIONS = (5, 6, 7, 8)
_JPEG_SHRINKS = (8, 4, 2)
_NO_MEMORY = re.compile("out of memory|allocat", re.IGNORECASE)
_FAIL_ON = {"tiff": "error"}
"""What ends a decode besides a file that is too short; libtiff calls that an error and nothing less."""


def load(data: bytes, request: Request) -> tuple[Iterator[pyvips.Image], Work]:
    """The frames, not yet decoded and at least as large as the result, and the work that is to be done on each.

    A frame must be finished (settled) before the next one is asked for.

    Raises UnsupportedFormat, DecodeFailed and TooLarge.
    """
    image = _open(data, request)
    # libvips' own opinion of the header counts as well as ours.
    request.limits.check_source(image.width, image.height)
    turned = _orientation(image) in _TURNING_ORIENTATIONS
    turned ^= request.options.rotate in (90, 270)
    stored = (image.width, image.height)
    geometry = plan(stored[::-1] if turned else stored, request.options)
    request.limits.check_output(*geometry.canvas)
    work = Work(request, geometry, turned)
    return iter([_shrunk(data, image, work)]), work


def _shrunk(data: bytes, image: pyvips.Image, work: Work) -> pyvips.Image:
    """`image`, opened again by a loader that shrinks, where that leaves at least the pixels that are wanted."""
    width, height = work.as_stored(work.upright.resized)
    match work.request.header.format.name:
        case "jpeg":
            for shrink in _JPEG_SHRINKS:
                if image.width >= width * shrink and image.height >= height * shrink:
                    return _open(data, work.request, shrink=shrink)
        case "webp":
            shrink = min(image.width // width, image.height // height)
            if shrink >= 2:
                return _open(data, work.request, scale=1 / shrink)
    return image


def _open(data: bytes, request: Request, **settings: Any) -> pyvips.Image:
    kind = request.header.format
    if kind.name == "heic":
        return heic.load(data)
    if kind.loader is None:
        raise UnsupportedFormat(kind.name, kind.extra)
    try:
        image: pyvips.Image = pyvips.Operation.call(
            kind.loader, data, access="sequential", fail_on=_FAIL_ON.get(kind.name, "truncated"), **settings
        )
        return image
    except pyvips.Error as error:
        raise failed(kind.name, error) from None


def failed(name: str, error: pyvips.Error) -> Exception:
    """The fact behind an error of libvips while it reads: the image's fault, or MemoryError where memory ran out."""
    text = str(error.detail or error.message)
    if _NO_MEMORY.search(text):
        return MemoryError(text[:200])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    detail = (lines[0] if lines else "unreadable")[:200].rstrip(".")
    return DecodeFailed(f"The {name} image is truncated or broken: {detail}.")


def _orientation(image: pyvips.Image) -> int:
    value = image.get("orientation") if image.get_typeof("orientation") else 1
    return value if isinstance(value, int) else 1
