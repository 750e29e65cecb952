"""The format of sealed blobs: what was sealed opens, whole and in ranges, and nothing else does."""

from __future__ import annotations

import os
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.blobs.encryption.chunks import (
    CHUNK_BYTES,
    SEALED_CHUNK_BYTES,
    TAG_BYTES,
    Covering,
    Opener,
    Sealer,
    chunk_count,
    covering,
    stored_length,
)
from gateway.blobs.encryption.keys import DataKey, new_data_key
from gateway.errors import BlobDamaged

KEY = DataKey(bytes(range(32)), bytes(16))
PLAIN = random.Random(7).randbytes(5 * CHUNK_BYTES + 1234)
"""Six chunks."""

sizes = st.one_of(
    st.integers(1, 40),
    st.integers(0, 4).flatmap(lambda n: st.integers(max(1, n * CHUNK_BYTES - 2), n * CHUNK_BYTES + 2)),
    st.integers(1, len(PLAIN)),
)


def seal(plain: bytes, key: DataKey = KEY, *, cuts: tuple[int, ...] = ()) -> bytes:
    sealer = Sealer(key, len(plain))
    places = [0, *sorted(cuts), len(plain)]
    return b"".join(sealer.seal([plain[a:b]]) for a, b in pairwise(places))


def read(
    sealed: bytes, total: int, start: int = 0, length: int | None = None, key: DataKey = KEY, step: int = 0
) -> bytes:
    length = total - start if length is None else length
    what = covering(total, start, length)
    opener = Opener(key, total, what, length)
    run = sealed[what.offset : what.offset + what.length]
    step = step or max(1, len(run))
    return b"".join(bytes(opener.open([run[i : i + step]])) for i in range(0, len(run), step))


@given(
    size=sizes, cuts=st.lists(st.integers(0, len(PLAIN)), max_size=5), step=st.sampled_from([0, 1000, 65_552, 70_001])
)
def test_what_was_sealed_opens_however_it_was_cut(size: int, cuts: list[int], step: int) -> None:
    plain = PLAIN[:size]
    sealed = seal(plain, cuts=tuple(min(cut, size) for cut in cuts))
    assert len(sealed) == stored_length(size)
    assert read(sealed, size, step=step) == plain
    assert plain[:32] not in sealed or size < 8


@given(size=sizes, data=st.data())
def test_a_range_reads_only_the_chunks_that_cover_it(size: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, size - 1))
    length = data.draw(st.integers(1, size - start))
    what = covering(size, start, length)
    assert what.length <= (length // CHUNK_BYTES + 2) * SEALED_CHUNK_BYTES
    assert what.offset % SEALED_CHUNK_BYTES == 0
    sealed = bytearray(seal(PLAIN[:size]))
    # What lies outside of the covering is of no importance: it may even be broken.
    before, after = what.offset, what.offset + what.length
    sealed[:before] = os.urandom(before)
    sealed[after:] = os.urandom(len(sealed) - after)
    assert read(bytes(sealed), size, start, length) == PLAIN[start : start + length]


def test_every_boundary_of_a_range() -> None:
    size = 3 * CHUNK_BYTES + 5
    sealed = seal(PLAIN[:size])
    edges = sorted({0, 1, size - 1} | {n * CHUNK_BYTES + d for n in (1, 2, 3) for d in (-1, 0, 1)})
    for start in edges:
        for end in edges:
            if start < end:
                assert read(sealed, size, start, end - start, step=1 << 15) == PLAIN[start:end]


@pytest.mark.parametrize("size", [1, 100, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_every_byte_counts(size: int) -> None:
    sealed = seal(PLAIN[:size])
    places = range(len(sealed)) if size < 1000 else random.Random(size).sample(range(len(sealed)), 300)
    for place in places:
        changed = bytearray(sealed)
        changed[place] ^= 1 << place % 8
        with pytest.raises(BlobDamaged):
            read(bytes(changed), size)


@given(place=st.integers(0, stored_length(len(PLAIN)) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_seen(place: int, bit: int) -> None:
    sealed = bytearray(seal(PLAIN))
    sealed[place] ^= 1 << bit
    with pytest.raises(BlobDamaged):
        read(bytes(sealed), len(PLAIN))


@given(first=st.integers(0, 5), second=st.integers(0, 5))
def test_chunks_that_change_places_are_seen(first: int, second: int) -> None:
    size = 6 * CHUNK_BYTES
    plain = (PLAIN * 2)[:size]
    sealed = seal(plain)
    chunks = [sealed[i : i + SEALED_CHUNK_BYTES] for i in range(0, len(sealed), SEALED_CHUNK_BYTES)]
    chunks[first], chunks[second] = chunks[second], chunks[first]
    if first == second:
        assert read(b"".join(chunks), size) == plain
        return
    with pytest.raises(BlobDamaged):
        read(b"".join(chunks), size)


@given(chunks=st.integers(1, 5))
def test_a_blob_that_was_cut_short_at_a_chunk_is_seen(chunks: int) -> None:
    """Also where the row's length was made to fit: the chunk that is now the last one was not sealed as the last."""
    sealed = seal(PLAIN)[: chunks * SEALED_CHUNK_BYTES]
    with pytest.raises(BlobDamaged):
        read(sealed, chunks * CHUNK_BYTES)


@given(size=sizes, cut=st.integers(1, 2000))
def test_a_blob_that_was_cut_anywhere_is_seen(size: int, cut: int) -> None:
    sealed = seal(PLAIN[:size])
    cut = min(cut, len(sealed) - 1)
    total = len(sealed) - cut - TAG_BYTES * chunk_count(len(sealed) - cut)
    if total < 1:
        return
    with pytest.raises(BlobDamaged):
        read(sealed[:-cut][: stored_length(total)], total)


def test_a_blob_that_was_made_longer_is_seen() -> None:
    size = 2 * CHUNK_BYTES
    longer = seal(PLAIN[:size]) + seal(PLAIN[:size])[:SEALED_CHUNK_BYTES]
    with pytest.raises(BlobDamaged):
        read(longer, size + CHUNK_BYTES)


def test_chunks_of_two_blobs_are_not_exchanged() -> None:
    mine, other = new_data_key(), new_data_key()
    first, second = seal(PLAIN, mine), seal(PLAIN, other)
    mixed = first[:SEALED_CHUNK_BYTES] + second[SEALED_CHUNK_BYTES:]
    with pytest.raises(BlobDamaged):
        read(mixed, len(PLAIN), key=mine)


def test_the_id_of_a_blob_is_part_of_what_is_sealed() -> None:
    with pytest.raises(BlobDamaged):
        read(seal(b"abc"), 3, key=DataKey(KEY.secret, bytes(15) + b"\1"))


def test_equal_bytes_do_not_look_equal() -> None:
    sealed = seal(bytes(3 * CHUNK_BYTES), new_data_key())
    chunks = {sealed[i : i + SEALED_CHUNK_BYTES] for i in range(0, len(sealed), SEALED_CHUNK_BYTES)}
    assert len(chunks) == 3
    assert seal(b"same", new_data_key()) != seal(b"same", new_data_key())


def test_a_known_answer() -> None:
    """The format may not change: blobs are kept for years."""
    key = DataKey(bytes(range(32)), bytes(range(16)))
    assert seal(b"pixgate", key).hex() == KNOWN


KNOWN = "65bfc79b25805597e0fb96843330e4b95abf2fb792fa62"


def test_more_than_was_said_is_refused() -> None:
    with pytest.raises(ValueError, match="more bytes"):
        Sealer(KEY, 3).seal([b"abcd"])
    what = covering(3, 0, 3)
    with pytest.raises(ValueError, match="more bytes"):
        Opener(KEY, 3, what, 3).open([seal(b"abc") + b"x"])


@pytest.mark.parametrize(("total", "start", "length"), [(10, -1, 3), (10, 0, 0), (10, 5, 6), (0, 0, 1)])
def test_no_range_outside_of_the_blob(total: int, start: int, length: int) -> None:
    with pytest.raises(ValueError, match="not within"):
        covering(total, start, length)


def test_arithmetic() -> None:
    assert stored_length(0) == 0
    assert stored_length(1) == 17
    assert stored_length(CHUNK_BYTES) == CHUNK_BYTES + 16
    assert stored_length(CHUNK_BYTES + 1) == CHUNK_BYTES + 1 + 32
    assert covering(200_000, 70_000, 10) == Covering(1, SEALED_CHUNK_BYTES, SEALED_CHUNK_BYTES, 70_000 - CHUNK_BYTES)
