"""A sealed blob as a stream: however its store cuts it, and where the store or the bytes fail."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.blobs.encryption.chunks import CHUNK_BYTES, Opener, Sealer, covering
from gateway.blobs.encryption.keys import DataKey
from gateway.blobs.encryption.reading import ON_LOOP_BYTES, SealedReader
from gateway.blobs.port import Bytes
from gateway.errors import BlobDamaged, StoreUnavailable

KEY = DataKey(bytes(range(32)), bytes(16))
PLAIN = random.Random(11).randbytes(10 * CHUNK_BYTES + 99)
SEALED = bytes(Sealer(KEY, len(PLAIN)).seal([PLAIN]))


class Stored:
    """A store's reader that gives a run in pieces of these sizes, the last of them again and again."""

    fd: int | None = None
    offset = 0

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.length = len(data)
        self._data = data
        self._sizes = sizes
        self.closed = False

    async def read(self) -> Bytes:
        size = self._sizes.pop(0) if len(self._sizes) > 1 else self._sizes[0]
        piece, self._data = self._data[:size], self._data[size:]
        return memoryview(piece) if size % 2 else piece

    def close(self) -> None:
        self.closed = True


def reader_of(
    start: int, length: int, sizes: list[int], sealed: bytes = SEALED
) -> tuple[SealedReader, Stored, list[BlobDamaged]]:
    what = covering(len(PLAIN), start, length)
    stored = Stored(sealed[what.offset : what.offset + what.length], sizes)
    told: list[BlobDamaged] = []
    return SealedReader(stored, Opener(KEY, len(PLAIN), what, length), length, damaged=told.append), stored, told


async def rest(reader: SealedReader, pieces: list[bytes] | None = None) -> bytes:
    """All that is left; `pieces` has what came before an error."""
    pieces = [] if pieces is None else pieces
    while piece := await reader.read():
        pieces.append(bytes(piece))
    return b"".join(pieces)


@given(
    start=st.integers(0, len(PLAIN) - 1),
    length=st.integers(1, len(PLAIN)),
    sizes=st.lists(
        st.sampled_from([1, 15, 16, 17, 1000, 65_551, 65_552, 65_553, ON_LOOP_BYTES, 400_001]), min_size=1, max_size=6
    ),
)
async def test_any_range_in_any_pieces(start: int, length: int, sizes: list[int]) -> None:
    length = min(length, len(PLAIN) - start)
    reader, stored, told = reader_of(start, length, [*sizes, 50_000])
    assert reader.fd is None
    assert reader.length == length
    assert await rest(reader) == PLAIN[start : start + length]
    assert await reader.read() == b""
    reader.close()
    assert stored.closed
    assert not told


@pytest.mark.parametrize("cut", [1, 16, CHUNK_BYTES, 5 * CHUNK_BYTES])
async def test_a_store_that_stops_half_way(cut: int) -> None:
    reader, stored, _ = reader_of(0, len(PLAIN), [30_000])
    stored._data = stored._data[:-cut]
    with pytest.raises(StoreUnavailable, match="fewer bytes"):
        await rest(reader)


@pytest.mark.parametrize("size", [CHUNK_BYTES, 1024 * 1024])
async def test_damage_is_told_and_nothing_of_the_chunk_given(size: int) -> None:
    damaged = bytearray(SEALED)
    damaged[3 * (CHUNK_BYTES + 16) + 5] ^= 1
    reader, _, told = reader_of(0, len(PLAIN), [size], bytes(damaged))
    given_out: list[bytes] = []
    with pytest.raises(BlobDamaged):
        await rest(reader, given_out)
    assert PLAIN.startswith(b"".join(given_out))
    assert sum(map(len, given_out)) <= 3 * CHUNK_BYTES
    assert len(told) == 1
