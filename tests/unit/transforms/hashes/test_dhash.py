"""dHash against numpy."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.hashes.dhash import HEIGHT, WIDTH, dhash


@given(st.binary(min_size=WIDTH * HEIGHT, max_size=WIDTH * HEIGHT))
def test_a_bit_for_each_step_to_the_right(greys: bytes) -> None:
    picture = numpy.frombuffer(greys, numpy.uint8).reshape(HEIGHT, WIDTH).astype(int)
    bits = (numpy.diff(picture, axis=1) > 0).flatten()
    assert int(dhash(greys), 16) == int("".join(str(int(bit)) for bit in bits), 2)


def test_lightness_as_a_whole_means_nothing() -> None:
    greys = bytes((7 * place) % 100 for place in range(WIDTH * HEIGHT))
    assert dhash(greys) == dhash(bytes(value + 50 for value in greys))


def test_other_sizes_are_none() -> None:
    with pytest.raises(ValueError, match="9 x 8"):
        dhash(bytes(64))
