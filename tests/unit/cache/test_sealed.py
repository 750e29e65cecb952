"""Sealed renditions: what opens is what was sealed, for this key; everything else is not there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.sealed import Sealer
from gateway.render.rendition import Rendition

KEY, OTHER = bytes(range(32)), bytes(32)
PICTURE = Rendition(b"\xff\xd8 picture " * 50, "image/jpeg", "jpeg", 300, 200, None, 12.345)
SEALER = Sealer(b"k" * 32)


def test_opens_as_it_was() -> None:
    opened = SEALER.open(KEY, SEALER.seal(KEY, PICTURE), "redis")
    assert opened == Rendition(PICTURE.data, "image/jpeg", "jpeg", 300, 200, "redis", 12.3)


def test_nothing_of_the_picture_shows() -> None:
    sealed = SEALER.seal(KEY, PICTURE)
    assert b"picture" not in sealed
    assert b"jpeg" not in sealed
    assert len({SEALER.seal(KEY, PICTURE) for _ in range(10)}) == 10


def test_another_key_or_deployment_opens_nothing() -> None:
    sealed = SEALER.seal(KEY, PICTURE)
    assert SEALER.open(OTHER, sealed, "redis") is None
    assert Sealer(b"K" * 32).open(KEY, sealed, "redis") is None


@given(place=st.integers(0, 10_000), change=st.integers(1, 255))
def test_one_byte_changed_anywhere(place: int, change: int) -> None:
    sealed = bytearray(SEALER.seal(KEY, PICTURE))
    sealed[place % len(sealed)] ^= change
    assert SEALER.open(KEY, bytes(sealed), "redis") is None


@given(end=st.integers(0, 10_000))
def test_cut_anywhere(end: int) -> None:
    sealed = SEALER.seal(KEY, PICTURE)
    assert SEALER.open(KEY, sealed[: end % len(sealed)], "redis") is None


@given(garbage=st.binary(max_size=200))
def test_garbage(garbage: bytes) -> None:
    assert SEALER.open(KEY, garbage, "redis") is None
    assert SEALER.open(KEY, SEALER.seal(KEY, PICTURE)[:20] + garbage, "redis") is None


@pytest.mark.parametrize("made", ["jpegxl2", "ktx"])
def test_a_format_of_a_later_release(made: str) -> None:
    later = Rendition(b"x", "image/x", made, 1, 1, None, 1.0)
    assert SEALER.open(KEY, SEALER.seal(KEY, later), "redis") is None
