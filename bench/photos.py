"""Photographs to measure with: 2,040 x 1,356, tiled from crops of the photographs that scikit-image ships.

The crops have their native resolution, so that what encoders and filters see is what cameras give.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy
import skimage
from PIL import Image

WIDTH, HEIGHT = 2040, 1356
_TILE = (340, 226)
_NAMES = (
    "astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg", "retina.jpg",
    "motorcycle_left.png", "ihc.png",
)  # fmt: skip


@cache
def photo(seed: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """The same picture for the same seed. Do not change it in place."""
    chance = numpy.random.default_rng(seed)
    folder = Path(skimage.__file__).parent / "data"
    sources = [Image.open(folder / name).convert("RGB") for name in _NAMES]
    picture = Image.new("RGB", size)
    across, down = _TILE
    for top in range(0, size[1], down):
        for left in range(0, size[0], across):
            source = sources[int(chance.integers(len(sources)))]
            x, y = (int(chance.integers(0, have - need)) for have, need in zip(source.size, _TILE, strict=True))
            picture.paste(source.crop((x, y, x + across, y + down)), (left, top))
    return picture


def encoded(seed: int, format_name: str, size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """The picture as a file of that format (`jpeg`, `webp`, `png`), as cameras and tools write them."""
    buffer = io.BytesIO()
    settings = {"jpeg": {"quality": 90}, "webp": {"quality": 90, "method": 2}, "png": {"compress_level": 6}}
    photo(seed, size).save(buffer, format_name.upper(), **settings[format_name])
    return buffer.getvalue()
