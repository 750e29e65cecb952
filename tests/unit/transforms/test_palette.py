"""The main colours of a picture."""

from __future__ import annotations

import numpy
import pytest
from PIL import Image

from tests import images
from transforms.palette import palette


def test_colours_by_their_share() -> None:
    image = Image.new("RGBA", (10, 10), (255, 0, 0, 255))
    image.paste((0, 0, 255, 255), (0, 0, 10, 3))
    image.paste((9, 9, 9, 0), (0, 3, 10, 5))
    found = palette(image.tobytes())
    assert [entry.colour for entry in found] == ["ff0000", "0000ff"]
    # What is transparent counts for nothing.
    assert [entry.share for entry in found] == [pytest.approx(50 / 80), pytest.approx(30 / 80)]


def test_near_colours_are_one() -> None:
    noise = numpy.random.default_rng(1).integers(-4, 5, (40, 40, 3))
    pixels = numpy.concatenate([numpy.clip(120 + noise, 0, 255), numpy.full((40, 40, 1), 255)], axis=-1)
    (only,) = palette(pixels.astype(numpy.uint8).tobytes())
    assert only.share == 1
    assert all(abs(int(only.colour[at : at + 2], 16) - 120) <= 1 for at in (0, 2, 4))


def test_a_photograph() -> None:
    found = palette(images.photo((60, 40)).convert("RGBA").tobytes())
    assert 2 <= len(found) <= 6
    assert sum(entry.share for entry in found) == pytest.approx(1, abs=0.001)
    assert [entry.share for entry in found] == sorted((entry.share for entry in found), reverse=True)
    assert len({entry.colour for entry in found}) == len(found)


def test_nothing_to_see() -> None:
    assert palette(bytes(400)) == []
