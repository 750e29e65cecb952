"""What every store must do with blobs."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5

import pytest

from gateway.blobs.port import Store
from gateway.errors import Md5Mismatch, StoreUnavailable
from gateway.model.contents import Segment
from gateway.model.objects import Expectations
from gateway.services.ingest import ingest
from tests.contract.store.blobs import MEBIBYTE, names, read, segment, write
from tests.contract.store.place import DEPLOYMENT, Maker


async def test_small_blobs_come_back_whatever_they_share(store: Store) -> None:
    bodies = [os.urandom(1 + number * 37) for number in range(64)]
    placed = await asyncio.gather(*(store.append(body) for body in bodies))
    places = {(one.name, one.offset) for one in placed}
    assert len(places) == len(bodies)
    assert {one.store for one in placed} == {"s"}
    assert [one.length for one in placed] == [len(body) for body in bodies]
    assert len({one.name for one in placed}) < len(bodies), "none shares a pack"
    for one, body in zip(placed, bodies, strict=True):
        assert await read(store, segment(one)) == body
    assert await read(store, segment(placed[9], 5, 7)) == bodies[9][5:12]


@pytest.mark.parametrize("size", [1, 65_537, 3 * MEBIBYTE + 1])
async def test_a_blob_of_its_own_comes_back_and_in_ranges(store: Store, size: int) -> None:
    data = os.urandom(size)
    placed = await write(store, data)
    assert (placed.offset, placed.length) == (0, size)
    assert await read(store, segment(placed)) == data
    for start, length in ((0, 1), (size - 1, 1), (size // 2, min(1000, size - size // 2))):
        assert await read(store, segment(placed, start, length)) == data[start : start + length]
    assert await read(store, segment(placed, 0, 0)) == b""
    assert await store.size(placed.name) == size


async def test_a_large_blob_in_uneven_pieces(store: Store) -> None:
    data = os.urandom(MEBIBYTE) * 66 + b"end"
    placed = await write(store, data, piece=700_001)
    assert await store.size(placed.name) == len(data)
    assert await read(store, segment(placed, 16 * MEBIBYTE - 10, 20)) == data[16 * MEBIBYTE - 10 : 16 * MEBIBYTE + 10]
    assert md5(await read(store, segment(placed))).digest() == md5(data).digest()


async def test_blobs_are_written_side_by_side(store: Store) -> None:
    bodies = [os.urandom(300_000 + number) for number in range(8)]
    placed = await asyncio.gather(*(write(store, body, 50_000) for body in bodies))
    assert len({one.name for one in placed}) == len(bodies)
    found = await asyncio.gather(*(read(store, segment(one)) for one in placed))
    assert found == bodies


async def test_names_lie_under_their_lease(store: Store) -> None:
    first = await write(store, b"first")
    packed = await store.append(b"packed")
    await store.begin_lease(12)
    second = await write(store, b"second!")
    again = await store.append(b"again")
    assert {one.name.partition("/")[0] for one in (first, packed)} == {"7"}
    assert {one.name.partition("/")[0] for one in (second, again)} == {"12"}
    assert await store.leases() == [7, 12]
    under = await names(store, 7)
    assert under.keys() == {first.name, packed.name}
    assert under[first.name] == 5
    assert (await names(store, 12)).keys() == {second.name, again.name}
    assert await names(store, 99) == {}
    stamps = [entry.modified_ms async for page in store.entries(7) for entry in page]
    assert all(abs(stamp - time.time() * 1000) < 60_000 for stamp in stamps)


async def test_what_is_removed_is_gone_and_may_be_removed_again(store: Store) -> None:
    placed = [await write(store, b"%d" % number) for number in range(5)]
    doomed = [one.name for one in placed[:4]]
    await store.remove(doomed)
    await store.remove([*doomed, "7/987654"])
    await store.remove(doomed[:1])
    await store.remove([])
    assert (await names(store, 7)).keys() == {placed[4].name}
    assert await store.size(doomed[0]) is None
    assert await read(store, segment(placed[4])) == b"4"
    store.release_idle()
    with pytest.raises(StoreUnavailable):
        await read(store, segment(placed[0]))
    await store.remove([placed[4].name])
    await store.remove_lease(7)
    assert await store.leases() == []


async def test_more_than_a_page_of_names(store: Store) -> None:
    async def one(number: int) -> str:
        return (await write(store, b"x")).name

    gate = asyncio.Semaphore(32)

    async def bounded(number: int) -> str:
        async with gate:
            return await one(number)

    made = await asyncio.gather(*(bounded(number) for number in range(1100)))
    assert (await names(store, 7)).keys() == set(made)
    await store.remove(made)
    assert await names(store, 7) == {}


async def test_a_writer_that_is_given_up_leaves_no_blob_that_anybody_named(store: Store) -> None:
    kept = await write(store, b"kept")
    small = await store.create(100)
    await small.write([b"x" * 50])
    small.abandon()
    large = await store.create(80 * MEBIBYTE)
    await large.write([bytes(17 * MEBIBYTE)])
    large.abandon()
    untouched = await store.create(5)
    untouched.abandon()
    assert await read(store, segment(kept)) == b"kept"
    await asyncio.sleep(0.3)
    left = [name for name in await names(store, 7) if name != kept.name]
    await store.remove(left)
    await store.remove_lease(7)
    assert (await names(store, 7)).keys() == {kept.name}


async def test_a_blob_that_is_shorter_than_the_run_is_an_error_not_an_end(store: Store) -> None:
    placed = await write(store, b"0123456789")
    with pytest.raises(StoreUnavailable):
        await read(store, Segment(placed.store, placed.name, 5, 0, 20))
    with pytest.raises(StoreUnavailable):
        await read(store, Segment(placed.store, placed.name, 50, 0, 20))


async def test_a_reader_may_stop_early_and_twice(store: Store) -> None:
    placed = await write(store, os.urandom(5 * MEBIBYTE))
    assert store.oldest_read_ms() is None
    before = int(time.time() * 1000)
    reader = await store.open(segment(placed))
    assert await reader.read()
    assert before - 5 <= (store.oldest_read_ms() or 0) <= time.time() * 1000 + 5
    reader.close()
    reader.close()
    assert store.oldest_read_ms() is None
    assert len(await read(store, segment(placed, 0, 100))) == 100


async def test_without_a_lease_nothing_is_written(maker: Maker) -> None:
    store = maker(DEPLOYMENT)
    await store.claim(used=False)
    with pytest.raises(StoreUnavailable):
        await store.append(b"x")
    with pytest.raises(StoreUnavailable):
        await store.create(1)


async def test_a_blob_that_is_lost_is_named_in_the_log(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    placed = await write(store, b"bytes")
    await store.remove([placed.name])
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await read(store, segment(placed))
    told = [record.getMessage() for record in caplog.records if record.name == "pixgate.stores"]
    assert told, "an operator cannot tell a loss from a store that is away"
    assert all(text.startswith(f"store s answers, but does not have the blob {placed.name}: ") for text in told)


async def test_punching_spares_the_rest_of_a_pack(store: Store) -> None:
    placed = await asyncio.gather(*(store.append(bytes([65 + number]) * 9000) for number in range(6)))
    shared = [one for one in placed if [other.name for other in placed].count(one.name) > 1]
    await store.punch(shared[0].name, shared[0].offset, shared[0].length)
    for one in placed:
        if one is not shared[0]:
            assert await read(store, segment(one)) == bytes([65 + placed.index(one)]) * 9000
    await store.punch("7/p99999", 0, 10)


class Given:
    """A request's body."""

    def __init__(self, data: bytes) -> None:
        self._pieces = [data[start : start + 100_000] for start in range(0, len(data), 100_000)]

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def trailer(self, _name: str) -> str | None:
        return None


@pytest.mark.parametrize("size", [10, 1_500_000])
async def test_what_is_ingested_has_its_md5_whoever_computed_it(store: Store, size: int) -> None:
    data = os.urandom(size)
    executor = ThreadPoolExecutor(2)
    try:
        digest = md5(data).digest()
        for told in (None, digest):
            taken = await ingest(store, executor, Expectations(size, md5=told), Given(data))
            assert taken.md5 == digest.hex()
            assert taken.blob is not None
            wanted = Segment(taken.blob.store, taken.blob.name, taken.blob.offset, 0, size)
            assert await read(store, wanted) == data
        with pytest.raises(Md5Mismatch):
            await ingest(store, executor, Expectations(size, md5=md5(b"other").digest()), Given(data))
    finally:
        executor.shutdown()


@pytest.mark.parametrize("name", ["../7/1", "7/../1", "7/1/2", "/etc/passwd", "7/", "x/1", "7/pp1", "7/1\n", ""])
async def test_names_that_are_not_ours_are_refused(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="not a blob's name"):
        await store.open(Segment("s", name, 0, 0, 1))
    with pytest.raises(ValueError, match="not a blob's name"):
        await store.remove([name])
