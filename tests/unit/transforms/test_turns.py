"""Turns agree with what Pillow does to pictures, and with each other."""

from __future__ import annotations

import itertools

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from transforms.turns import UPRIGHT, Turn, of_options, of_orientation

_ALL = [of_orientation(orientation) for orientation in range(1, 9)]
_turns = st.sampled_from(_ALL)
_sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))


def _picture(size: tuple[int, int]) -> Image.Image:
    """Every pixel another value."""
    width, height = size
    return Image.fromarray(numpy.arange(width * height, dtype=numpy.int32).reshape(height, width))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_pillows(orientation: int) -> None:
    stored = Image.new("RGB", (7, 4))
    stored.putpixel((5, 1), (255, 255, 255))
    exif = stored.getexif()
    exif[0x0112] = orientation
    upright = ImageOps.exif_transpose(stored)
    turn = of_orientation(orientation)
    assert turn.size((7, 4)) == upright.size
    left, top, width, height = turn.box((5, 1, 1, 1), (7, 4))
    assert (width, height) == (1, 1)
    assert upright.getpixel((left, top)) == (255, 255, 255)


@pytest.mark.parametrize(("quarters", "flip"), [*itertools.product(range(4), (None, "h", "v", "hv"))])
def test_options_turn_clockwise_and_then_mirror(quarters: int, flip: str | None) -> None:
    size, box = (9, 6), (2, 1, 4, 3)
    picture = _picture(size)
    seen = picture.rotate(-90 * quarters, expand=True)
    if "h" in (flip or ""):
        seen = ImageOps.mirror(seen)
    if "v" in (flip or ""):
        seen = ImageOps.flip(seen)
    left, top, width, height = of_options(quarters, flip).box(box, size)
    kept = numpy.asarray(seen.crop((left, top, left + width, top + height)))
    assert set(kept.flat) == set(numpy.asarray(picture.crop((2, 1, 6, 4))).flat)


@given(_turns, _turns, _sizes, st.data())
def test_turns_compose_and_undo(one: Turn, other: Turn, size: tuple[int, int], data: st.DataObject) -> None:
    left, top = data.draw(st.integers(0, size[0] - 1)), data.draw(st.integers(0, size[1] - 1))
    box = (left, top, data.draw(st.integers(1, size[0] - left)), data.draw(st.integers(1, size[1] - top)))
    assert one.then(other).box(box, size) == other.box(one.box(box, size), one.size(size))
    assert one.undone.box(one.box(box, size), one.size(size)) == box
    assert one.then(one.undone) == UPRIGHT
    assert one.then(other) in _ALL
    x, y = one.point(left / size[0], top / size[1])
    assert one.undone.point(x, y) == pytest.approx((left / size[0], top / size[1]))


def test_unknown_orientations_turn_nothing() -> None:
    assert of_orientation(0) == of_orientation(9) == UPRIGHT
