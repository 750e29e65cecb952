"""Generated pictures whose pixels say where they were, and how two pictures differ."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy
from PIL import Image

from tests import images
from transforms.options import parse_compact
from transforms.pipeline import render

Pixels = Any
LANCZOS = Image.Resampling.LANCZOS
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def ramp(size: tuple[int, int]) -> Image.Image:
    """Red tells how far right a pixel is, green how far down, of 255."""
    rows, columns = numpy.indices(size[::-1])
    pixels = numpy.full((*size[::-1], 3), 90, numpy.uint8)
    pixels[..., 0] = numpy.round((columns + 0.5) / size[0] * 255)
    pixels[..., 1] = numpy.round((rows + 0.5) / size[1] * 255)
    return Image.fromarray(pixels)


@cache
def smooth(size: tuple[int, int]) -> Image.Image:
    """A photograph without grain, so that what differs is where things are."""
    return images.photo((size[0] // 5, size[1] // 5)).resize(size, LANCZOS)


def stored(image: Image.Image, orientation: int, format_name: str = "JPEG") -> bytes:
    """A picture as a camera stores it under an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    undo = images.STORED_AS.get(orientation)
    settings = {"quality": 97, "subsampling": 0} if format_name == "JPEG" else {}
    return images.encoded(image if undo is None else image.transpose(undo), format_name, exif=exif, **settings)


def png(image: Image.Image) -> bytes:
    return images.encoded(image, "PNG")


def shown(data: bytes, options: str, **arguments: object) -> Image.Image:
    """The rendition, as PNG unless another format is named; its size is the one that was planned from the source."""
    rendered = render(data, parse_compact(options if "f:" in options else f"{options},f:png"), **arguments)  # type: ignore[arg-type]
    image = Image.open(io.BytesIO(rendered.data))
    assert image.size == (rendered.width, rendered.height)
    return image


def pixels(image: Image.Image, mode: str = "RGB") -> Pixels:
    return numpy.asarray(image.convert(mode)).astype(int)


def difference(one: Image.Image, other: Image.Image, mode: str = "RGB") -> Pixels:
    """By how much each value differs."""
    assert one.size == other.size
    return numpy.abs(pixels(one, mode) - pixels(other, mode))


def framed(
    border: tuple[int, ...], size: tuple[int, int] = (120, 90), box: tuple[int, int, int, int] = (20, 10, 90, 60)
) -> Image.Image:
    """A picture in a border of one colour; no pixel of its edge is like it."""
    image = Image.new("RGBA" if len(border) == 4 else "RGB", size, border)
    inner = ramp((box[2] - box[0], box[3] - box[1])).convert(image.mode)
    image.paste(inner, box[:2])
    return image
