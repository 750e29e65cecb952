"""ThumbHash, read back by a decoder that is written apart from the encoder."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy
import pytest
from PIL import Image

from transforms.hashes.thumbhash import MAX_SIDE, thumbhash


def bits(data: bytes, start: int, count: int) -> int:
    return int.from_bytes(data, "little") >> start & (1 << count) - 1


def decoded(data: bytes, width: int, height: int) -> numpy.ndarray:
    """The picture as RGBA from 0 to 1, height x width x 4, as the published description of the format reads it."""
    transparent, landscape = bits(data, 23, 1), bits(data, 39, 1)
    shorter, longest = bits(data, 24, 3), 5 if transparent else 7
    across, down = (longest, shorter) if landscape else (shorter, longest)
    nibbles: Iterator[int] = (bits(data, at, 4) for at in range(48 if transparent else 40, len(data) * 8, 4))

    def plane(mean: float, scale: float, i_end: int, j_end: int) -> numpy.ndarray:
        picture = numpy.full((height, width), mean)
        for j in range(j_end):
            for i in range(0 if j else 1, i_end):
                if i * j_end < i_end * (j_end - j):
                    factor = (next(nibbles) / 7.5 - 1) * scale
                    wave = numpy.outer(
                        numpy.cos(math.pi / height * j * (numpy.arange(height) + 0.5)),
                        numpy.cos(math.pi / width * i * (numpy.arange(width) + 0.5)),
                    )
                    picture += 2 * factor * wave
        return picture

    light = plane(bits(data, 0, 6) / 63, bits(data, 18, 5) / 31, max(3, across), max(3, down))
    yellow = plane(bits(data, 6, 6) / 31.5 - 1, bits(data, 27, 6) / 63, 3, 3)
    red = plane(bits(data, 12, 6) / 31.5 - 1, bits(data, 33, 6) / 63, 3, 3)
    alpha = plane(bits(data, 40, 4) / 15, bits(data, 44, 4) / 15, 5, 5) if transparent else numpy.ones_like(light)
    blue = light - 2 / 3 * yellow
    reds = (3 * light - blue + red) / 2
    return numpy.clip(numpy.stack([reds, reds - red, blue, alpha], axis=-1), 0, 1)


def gradient(size: tuple[int, int]) -> Image.Image:
    """Red grows to the right, green falls downwards, blue grows downwards."""
    across = Image.linear_gradient("L").rotate(90).resize(size)
    down = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", (across, down.point(lambda value: 255 - value), down))


def quarters(picture: numpy.ndarray) -> numpy.ndarray:
    height, width = picture.shape[:2]
    rows, columns = (slice(0, height // 2), slice(height // 2, None)), (slice(0, width // 2), slice(width // 2, None))
    return numpy.array([[picture[row, column].mean(axis=(0, 1)) for column in columns] for row in rows])


@pytest.mark.parametrize("size", [(40, 30), (30, 40), (32, 32), (MAX_SIDE, 20)])
def test_the_parts_of_a_picture_come_back(size: tuple[int, int]) -> None:
    image = gradient(size).convert("RGBA")
    data = thumbhash(image.tobytes(), *size)
    assert 17 <= len(data) <= 25
    assert bits(data, 23, 1) == 0
    assert bits(data, 39, 1) == (size[0] > size[1])
    wanted, found = quarters(numpy.asarray(image) / 255), quarters(decoded(data, *size))
    assert numpy.abs(wanted - found).max() < 0.12
    assert numpy.abs(wanted.mean(axis=(0, 1)) - found.mean(axis=(0, 1))).max() < 0.03


def test_transparency_comes_back() -> None:
    pixels = numpy.zeros((30, 40, 4), numpy.uint8)
    pixels[:, :20] = (250, 20, 20, 255)
    data = thumbhash(pixels.tobytes(), 40, 30)
    assert bits(data, 23, 1) == 1
    found = decoded(data, 40, 30)
    assert found[:, :15, 3].mean() > 0.9
    assert found[:, 25:, 3].mean() < 0.1
    # What is transparent has the mean colour of what is not.
    assert numpy.abs(found[..., :3].mean(axis=(0, 1)) - numpy.array([250, 20, 20]) / 255).max() < 0.04


def test_the_ratio_is_noted() -> None:
    for size in ((96, 32), (32, 96), (64, 64)):
        data = thumbhash(Image.new("RGBA", size, (9, 99, 199, 255)).tobytes(), *size)
        sides = (7, bits(data, 24, 3)) if bits(data, 39, 1) else (bits(data, 24, 3), 7)
        assert math.isclose(sides[0] / sides[1], size[0] / size[1], rel_tol=0.3)


def test_bounds() -> None:
    with pytest.raises(ValueError, match="100"):
        thumbhash(bytes(4 * 101), 101, 1)
    assert len(thumbhash(bytes(4), 1, 1)) >= 6
