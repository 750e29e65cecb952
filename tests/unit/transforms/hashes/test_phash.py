"""pHash: what looks alike differs in few bits, what does not in many; checked against a transform by matrices."""

from __future__ import annotations

import math

import numpy
import pytest
from PIL import Image, ImageEnhance

from tests import images
from transforms.hashes.phash import SIDE, phash


def greys(image: Image.Image) -> bytes:
    return image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX).tobytes()


def distance(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def test_the_bits_are_those_of_the_cosine_transform() -> None:
    data = greys(images.photo())
    places, terms = numpy.arange(SIDE), numpy.arange(SIDE)[:, None]
    matrix = numpy.cos(math.pi * terms * (2 * places + 1) / (2 * SIDE))
    pixels = numpy.frombuffer(data, numpy.uint8).reshape(SIDE, SIDE).astype(float)
    low = (matrix @ pixels @ matrix.T)[:8, :8]
    wanted = "".join("01"[int(term > numpy.median(low))] for term in low.ravel())
    assert phash(data) == f"{int(wanted, 2):016x}"


def test_what_looks_alike_is_near_and_what_does_not_is_far() -> None:
    photo = images.photo()
    hashed = phash(greys(photo))
    assert distance(hashed, phash(greys(ImageEnhance.Brightness(photo).enhance(1.2)))) <= 6
    assert distance(hashed, phash(greys(photo.resize((200, 133))))) <= 4
    assert distance(hashed, phash(greys(images.photo(seed=2)))) >= 16


def test_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        phash(bytes(100))
