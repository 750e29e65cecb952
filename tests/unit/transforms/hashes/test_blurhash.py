"""BlurHash, read back by a decoder that is written apart from the encoder."""

from __future__ import annotations

import math

import numpy
import pytest
from PIL import Image

from transforms.hashes.blurhash import blurhash

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


def number(text: str) -> int:
    value = 0
    for letter in text:
        value = value * 83 + _LETTERS.index(letter)
    return value


def decoded(text: str, width: int, height: int) -> numpy.ndarray:
    """The picture in linear light, height x width x 3, as the published description of the format reads it."""
    down, across = (side + 1 for side in divmod(number(text[0]), 9))
    largest = (number(text[1]) + 1) / 166
    mean = number(text[2:6])
    assert len(text) == 4 + 2 * across * down
    channels = numpy.array([mean >> 16, mean >> 8 & 255, mean & 255]) / 255
    terms = [numpy.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)]
    for at in range(6, len(text), 2):
        packed = number(text[at : at + 2])
        steps = (numpy.array([packed // 361, packed // 19 % 19, packed % 19]) - 9) / 9
        terms.append(numpy.sign(steps) * steps**2 * largest)
    picture = numpy.zeros((height, width, 3))
    for index, term in enumerate(terms):
        j, i = divmod(index, across)
        wave = numpy.outer(
            numpy.cos(math.pi * j * numpy.arange(height) / height), numpy.cos(math.pi * i * numpy.arange(width) / width)
        )
        picture += wave[..., None] * term
    return picture


def linear(image: Image.Image) -> numpy.ndarray:
    shares = numpy.asarray(image).astype(float) / 255
    return numpy.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def gradient(size: tuple[int, int]) -> Image.Image:
    """Red grows to the right, green falls downwards, blue grows downwards."""
    across = Image.linear_gradient("L").rotate(90).resize(size)
    down = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", (across, down.point(lambda value: 255 - value), down))


def quarters(picture: numpy.ndarray) -> numpy.ndarray:
    height, width = picture.shape[:2]
    rows, columns = (slice(0, height // 2), slice(height // 2, None)), (slice(0, width // 2), slice(width // 2, None))
    return numpy.array([[picture[row, column].mean(axis=(0, 1)) for column in columns] for row in rows])


@pytest.mark.parametrize(("size", "terms"), [((40, 30), (4, 3)), ((30, 40), (3, 4)), ((32, 32), (4, 4))])
def test_the_parts_of_a_picture_come_back(size: tuple[int, int], terms: tuple[int, int]) -> None:
    image = gradient(size)
    text = blurhash(image.tobytes(), *size)
    assert len(text) == 4 + 2 * terms[0] * terms[1]
    wanted, found = quarters(linear(image)), quarters(decoded(text, *size))
    assert numpy.abs(wanted - found).max() < 0.1
    assert numpy.abs(linear(image).mean(axis=(0, 1)) - decoded(text, *size).mean(axis=(0, 1))).max() < 0.02


def test_a_plain_colour() -> None:
    text = blurhash(Image.new("RGB", (20, 10), (200, 30, 90)).tobytes(), 20, 10)
    # The mean is exact: 200, 30, 90 as one number of four digits to the base 83.
    assert number(text[2:6]) == (200 << 16) + (30 << 8) + 90
    assert (
        numpy.abs(decoded(text, 20, 10).mean(axis=(0, 1)) - linear(Image.new("RGB", (1, 1), (200, 30, 90)))).max()
        < 0.05
    )


def test_smallest_pictures() -> None:
    assert len(blurhash(b"\x10\x20\x30", 1, 1)) == 4 + 2 * 16
    assert len(blurhash(bytes(range(6)), 2, 1)) == 28
