"""Load: one loader, named by the content's own type, shrinking while it decodes where the format can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pyvips

from transforms.codecs import own_jpeg
from transforms.codecs.pdf import PAGES
from transforms.codecs.reading import failed, open_picture
from transforms.errors import OptionError
from transforms.formats import Format
from transforms.headers import Source, read_header
from transforms.limits import Limits
from transforms.negotiate import frames_shown
from transforms.steps.trim import look_at_all
from transforms.turns import Size
from transforms.work import Request, Timing, Work, begin

_FIRST_TURNED = 5
"""EXIF orientations from here on swap the sides."""
_JPEG_SHRINKS = ((8, 2.0), (4, 1.5), (2, 1.5))
"""Factors by which a JPEG shrinks as it loads, and how much larger than the result it must still be: what is left of it
is coarse. With these a photograph's SSIM is within 0.002 of that of the whole picture shrunk by `thumbnail`; without,
it falls by 0.006 to 0.04."""
_MEZZANINE_SHRINKS = ((8, 2.0), (4, 2.0), (2, 2.0))
"""The same for a mezzanine, which has lost a little already: with 1.5 the SSIM against the original's falls to 0.96."""
_WEBP_RESERVE = 1.2
"""The same for WebP, which shrinks by any factor."""
_OF_ANIMATIONS = ("page-height", "n-pages", "delay", "loop", "gif-delay", "gif-loop")
"""What libvips notes about all pages, and is not true of one of them."""
_DELAY = 100


def load(data: bytes, request: Request) -> tuple[Iterator[pyvips.Image], Work]:
    """The frames, not yet decoded and at least as large as the result, and the work that is to be done on each.

    A frame must be finished (settled) before the next one is asked for.

    Raises UnsupportedFormat, DecodeFailed, TooLarge, and OptionError for an impossible `crop` or `page`.
    """
    kind, options = request.header.format, request.options
    frames = frames_shown(request.header, options, request.variant, request.original_format)
    if frames > 1:
        request.limits.check_animation(request.header.width, request.header.height, frames)
    if kind.name != "pdf" and options.page > request.header.frames:
        raise OptionError("page", f"a page from 1 to {request.header.frames}", "does not exist")
    image = open_picture(data, kind, page=options.page, frames=frames)
    # The decoder's own opinion of the header counts as well as ours.
    height = image.get_page_height() if frames > 1 else image.height
    frames = image.height // height
    request.limits.check_source(image.width, height)
    pages = image.get(PAGES) if image.get_typeof(PAGES) else request.header.frames
    work = replace(begin(request, (image.width, height), _orientation(image)), pages=pages)
    if frames > 1:
        request.limits.check_animation(image.width, height, frames)
        request.limits.check_animated_output(*work.upright.result, frames)
        work = replace(work, timing=_timing(image, frames))
    image, work = _scaled(data, image, work, frames)
    if frames > 1 and options.trim is not None:
        # Decoded twice: held in memory, all frames together would be much more than one.
        look_at_all(_frames(open_picture(data, kind, page=options.page, frames=frames), frames), work)
    return _frames(image, frames), work


def open_still(data: bytes, limits: Limits, wanted: Callable[[Size], Size] = lambda own: own) -> pyvips.Image:
    """An image that is laid over another one: its first frame, upright, in memory, in its own colours and depth.

    `wanted` gives the size that it will be brought to from its own: drawings are drawn in it, and JPEG and WebP shrink to
    no less while they are decoded. Raises NotAnImage, UnsupportedFormat, TooLarge and DecodeFailed.
    """
    limits.check_bytes(len(data))
    header = read_header(Source.of_bytes(data))
    limits.check_source(header.width, header.height)
    settings: dict[str, Any] = {"scale": 1.0} if header.format.name == "svg" else {}
    image = open_picture(data, header.format, **settings)
    limits.check_source(image.width, image.height)
    try:
        image = _near(data, image, header.format, wanted)
        return next(_frames(image, 1)).autorot().copy_memory()
    except pyvips.Error as error:
        raise failed(header.format.name, error) from None


def _near(data: bytes, image: pyvips.Image, kind: Format, wanted: Callable[[Size], Size]) -> pyvips.Image:
    """`image`, opened again by a loader that scales, where the size that is wanted of the upright picture lets it."""
    turned = _orientation(image) >= _FIRST_TURNED
    own = (image.height, image.width) if turned else (image.width, image.height)
    scale = max(side / whole for side, whole in zip(wanted(own), own, strict=True))
    match kind.name:
        case "svg" | "pdf" if scale != 1:
            return open_picture(data, kind, scale=scale)
        case "jpeg":
            for shrink, reserve in _JPEG_SHRINKS:
                if scale * shrink * reserve <= 1:
                    return open_picture(data, kind, shrink=shrink)
        case "webp" if scale * _WEBP_RESERVE <= 1 / 2:
            return open_picture(data, kind, scale=scale * _WEBP_RESERVE)
    return image


def _scaled(data: bytes, image: pyvips.Image, work: Work, frames: int) -> tuple[pyvips.Image, Work]:
    """`image`, opened again by a loader that scales, where that leaves at least the pixels that are wanted."""
    request = work.request
    kind, page = request.header.format, request.options.page
    match kind.name:
        case "jpeg":
            for shrink, reserve in _JPEG_SHRINKS if request.original is None else _MEZZANINE_SHRINKS:
                if shrink * reserve <= work.spare:
                    # Blocks shrink by whole factors; the last one need not be full.
                    return open_picture(data, kind, shrink=shrink), work.loaded_at(1 / shrink, 1 / shrink)
            if request.original is not None:
                return own_jpeg.load(data, image), work
        case "webp" if work.spare >= 2 * _WEBP_RESERVE:
            scale = 1 / int(work.spare / _WEBP_RESERVE)
            small = open_picture(data, kind, page=page, frames=frames, scale=scale)
            return small, work.loaded_at(small.width / image.width, small.height / image.height)
        case "svg" | "pdf":
            # Drawn at the very size, smaller or larger; within a pixel, which the step `resize` evens out.
            scale = work.upright.scale if request.options.trim is None else 1.0
            if kind.name == "pdf" and scale == 1:
                return image, work
            drawn = open_picture(data, kind, page=page, scale=scale)
            return drawn, work.loaded_at(drawn.width / image.width, drawn.height / image.height)
    return image, work


def _frames(image: pyvips.Image, frames: int) -> Iterator[pyvips.Image]:
    """The frames from top to bottom, without what is noted about all of them."""
    height = image.height // frames
    for number in range(frames):
        frame = image.copy() if frames == 1 else image.crop(0, number * height, image.width, height)
        for name in _OF_ANIMATIONS:
            if frame.get_typeof(name):
                frame.remove(name)
        yield frame


def _timing(image: pyvips.Image, frames: int) -> Timing:
    """The source's own; a frame without a delay gets a tenth of a second."""
    delays = list(image.get("delay")) if image.get_typeof("delay") else []
    delays = (delays + [_DELAY] * frames)[:frames]
    return Timing(tuple(max(0, delay) for delay in delays), image.get("loop") if image.get_typeof("loop") else 0)


def _orientation(image: pyvips.Image) -> int:
    value = image.get("orientation") if image.get_typeof("orientation") else 1
    return value if isinstance(value, int) else 1
