"""A picture with the statistics of a photograph: gradients, edges and noise, 2,040 x 1,356."""

from __future__ import annotations

import io

import numpy
from PIL import Image, ImageFilter


def photo_jpeg(width: int = 2040, height: int = 1356, seed: int = 7) -> bytes:
    chance = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:height, 0:width].astype(numpy.float32)
    planes = [128 + 60 * numpy.sin(x / (90 + 40 * plane)) + 50 * numpy.cos(y / (70 + 30 * plane)) for plane in range(3)]
    picture = numpy.stack(planes, axis=-1) + chance.normal(0, 12, (height, width, 3))
    for _ in range(120):
        left, top = chance.integers(0, width - 200), chance.integers(0, height - 200)
        w, h = chance.integers(20, 200, 2)
        picture[top : top + h, left : left + w] += chance.normal(0, 40, 3)
    image = Image.fromarray(numpy.clip(picture, 0, 255).astype(numpy.uint8)).filter(ImageFilter.GaussianBlur(0.8))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()
