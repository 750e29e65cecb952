"""What every store must do (`gateway.blobs.port.Store`): the folder, MinIO, and a service of fewer abilities."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from gateway.blobs.filesystem import FilesystemStore
from gateway.blobs.port import Placed, Store
from gateway.blobs.upstream.check import StoreCheck, check_store
from gateway.blobs.upstream.store import UpstreamStore
from gateway.errors import InvalidValue, Md5Mismatch, StoreUnavailable, for_operator
from gateway.model.contents import Segment
from gateway.model.objects import Expectations
from gateway.services.ingest import ingest
from gateway.settings.stores import S3Store, parse_store
from tests.servers.minio import Minio
from tests.servers.ports import free_port
from tests.servers.rclone import Rclone
from tests.servers.s3 import S3Server

DEPLOYMENT = "d1"
PREFIX = "under/here"
MEBIBYTE = 1024 * 1024

Maker = Callable[[str], Store]


@dataclass(frozen=True, slots=True)
class Place:
    """What the stores of a test share, seen past them: in place of the folder or of the prefix in a bucket."""

    folder: Path
    server: S3Server | None = None
    bucket: str = ""

    async def put(self, name: str, data: bytes) -> None:
        if self.server is not None:
            client = self.server.client()
            await asyncio.to_thread(client.put_object, Bucket=self.bucket, Key=f"{PREFIX}/{name}", Body=data)
            return
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    async def has(self, name: str) -> bool:
        if self.server is None:
            return (self.folder / name).exists()
        return f"{PREFIX}/{name}" in await self._keys(self.server)

    async def probes(self) -> list[str]:
        """What lies there of probes."""
        if self.server is None:
            return [path.name for path in self.folder.iterdir() if path.name.startswith(".probe-")]
        return [key for key in await self._keys(self.server) if key.startswith(f"{PREFIX}/probe-")]

    async def _keys(self, server: S3Server) -> list[str]:
        found = await asyncio.to_thread(server.client().list_objects_v2, Bucket=self.bucket)
        return [one["Key"] for one in found.get("Contents", [])]


@pytest.fixture(params=["folder", "minio", "rclone"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return Place(tmp_path)
    server = request.getfixturevalue("minio" if request.param == "minio" else "rclone_s3")
    return Place(tmp_path, server, server.new_bucket())


@pytest.fixture
async def maker(place: Place) -> AsyncIterator[Maker]:
    """Makes stores of one deployment or another, all in the same place."""
    made: list[Store] = []
    executor = ThreadPoolExecutor(4)

    def make(deployment: str) -> Store:
        if place.server is not None:
            settings = parse_store(f"{place.server.store_url(place.bucket)}&prefix={PREFIX}", "s")
            assert isinstance(settings, S3Store)
            store: Store = UpstreamStore(settings, deployment)
        else:
            store = FilesystemStore(place.folder, deployment, executor, name="s")
        made.append(store)
        return store

    yield make
    for store in made:
        await store.close()
    executor.shutdown()


@pytest.fixture
async def store(maker: Maker) -> Store:
    store = maker(DEPLOYMENT)
    await store.claim(used=False)
    await store.begin_lease(7)
    return store


def segment(placed: Placed, start: int = 0, length: int | None = None) -> Segment:
    return Segment(
        placed.store, placed.name, placed.offset + start, 0, placed.length - start if length is None else length
    )


async def read(store: Store, wanted: Segment) -> bytes:
    reader = await store.open(wanted)
    pieces = []
    try:
        assert reader.length == wanted.length
        while piece := await reader.read():
            assert len(piece) <= MEBIBYTE
            pieces.append(bytes(piece))
        assert await reader.read() == b""
    finally:
        reader.close()
    return b"".join(pieces)


async def write(store: Store, data: bytes, piece: int = MEBIBYTE) -> Placed:
    writer = await store.create(len(data))
    for start in range(0, len(data), piece):
        part = data[start : start + piece]
        await writer.write([part[: piece // 3], memoryview(part)[piece // 3 :]])
    placed = await writer.finish()
    if placed.durable is not None:
        await asyncio.to_thread(placed.durable.sync)
    if writer.gives_md5:
        assert placed.md5 == md5(data).digest()
    return placed


async def names(store: Store, lease: int) -> dict[str, int]:
    return {entry.name: entry.size async for page in store.entries(lease) for entry in page}


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


async def test_the_place_belongs_to_one_deployment(maker: Maker) -> None:
    await maker("d1").claim(used=False)
    await maker("d1").claim(used=True)
    with pytest.raises(InvalidValue, match="belongs to the deployment d1"):
        await maker("d2").claim(used=False)


async def test_a_used_place_without_its_mark_is_refused(maker: Maker) -> None:
    with pytest.raises(InvalidValue, match="is missing"):
        await maker("d1").claim(used=True)
    await maker("d1").claim(used=False)


async def test_a_missing_bucket_is_made_unless_something_was_stored_in_it(minio: Minio) -> None:
    url = minio.store_url(f"{minio.new_bucket()}-more")
    settings = parse_store(url)
    assert isinstance(settings, S3Store)
    store = UpstreamStore(settings, DEPLOYMENT)
    with pytest.raises(InvalidValue, match=f"bucket {settings.bucket} on {settings.endpoint} is missing"):
        await store.claim(used=True)
    found = await check_store(settings)
    assert not found.ok
    assert "does not exist" in found.problems[0]
    await store.claim(used=False)
    await store.claim(used=True)
    assert await store.create_bucket() is False
    await store.close()


async def test_a_blob_that_is_lost_is_named_in_the_log(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    placed = await write(store, b"bytes")
    await store.remove([placed.name])
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await read(store, segment(placed))
    told = [record.getMessage() for record in caplog.records if record.name == "pixgate.stores"]
    assert told, "an operator cannot tell a loss from a store that is away"
    assert all(text.startswith(f"store s answers, but does not have the blob {placed.name}: ") for text in told)


async def test_a_claim_that_is_refused_says_where_but_only_to_the_operator(minio: Minio) -> None:
    url = minio.store_url(minio.new_bucket()).replace(minio.secret_key, "another-secret")
    settings = parse_store(url, "main")
    assert isinstance(settings, S3Store)
    store = UpstreamStore(settings, DEPLOYMENT)
    with pytest.raises(StoreUnavailable) as raised:
        await store.claim(used=False)
    await store.close()
    assert str(raised.value) == "The store refused the request."
    said = for_operator(raised.value)
    assert f"(store main, bucket {settings.bucket} on {settings.endpoint}: the keys are wrong" in said
    assert "another-secret" not in said


async def test_a_check_says_what_is_wrong_and_what_is_missing(minio: Minio, rclone_s3: Rclone) -> None:
    async def check(url: str) -> StoreCheck:
        settings = parse_store(url, "s")
        assert isinstance(settings, S3Store)
        return await check_store(settings, timeout=60)

    url = minio.store_url(minio.new_bucket())
    good = await check(url)
    assert (good.name, good.problems, good.missing) == ("s", (), ())
    assert good.clock_difference is not None
    assert abs(good.clock_difference) < 60
    fewer = await check(rclone_s3.store_url(rclone_s3.new_bucket()))
    assert fewer.ok
    assert "checksum headers (CRC32C)" in fewer.missing
    for wrong, text in (
        (url.replace(minio.secret_key, "another-secret"), "keys are wrong"),
        (url.replace(str(minio.port), str(free_port())), "no connection"),
        (url.replace("tls=off", "tls=on"), "no connection"),
    ):
        found = await check(wrong)
        assert not found.ok
        assert text in found.problems[0]
        assert minio.secret_key not in str(found)


async def test_a_probe_leaves_nothing(store: Store) -> None:
    await store.probe()
    assert await store.leases() in ([], [7])
    assert await names(store, 7) == {}
    store.check_room()


async def test_a_probe_that_was_given_up_leaves_nothing_either(
    maker: Maker, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All that were begun at once may take a busy machine longer than a process that ends waits for them.
    monkeypatch.setattr("gateway.blobs.upstream.store.CLOSE_SECONDS", 60)
    store = maker(DEPLOYMENT)
    await store.claim(used=False)
    whole = await _seconds(store.probe())
    for step in range(20):
        await _give_up(store.probe(), whole * step / 20)
    whole = await _seconds(store.claim(used=True))
    for step in range(20):
        await _give_up(store.claim(used=True), whole * step / 20)
    await store.close()
    assert await place.probes() == []


async def _seconds(work: Coroutine[Any, Any, None]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def _give_up(work: Coroutine[Any, Any, None], after: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(work, after)


async def test_what_a_killed_process_left_of_a_probe_goes_by_its_age(store: Store, place: Place) -> None:
    left = "probe-0123456789abcdef" if place.server is not None else ".probe-17-123456789"
    others = [f"{left}.txt", "probe-", f"d2/{left}"]
    for name in (left, *others):
        await place.put(name, b"pixgate")
    hour = 3_600_000
    assert await store.remove_old_probes(round(time.time() * 1000) - hour) == 0
    assert await place.has(left)
    assert await store.remove_old_probes(round(time.time() * 1000) + hour) == 1
    assert not await place.has(left)
    assert [name for name in others if not await place.has(name)] == []


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


async def test_strays_are_what_lies_among_the_blobs_and_is_none(place: Place, store: Store) -> None:
    blob = await write(store, b"blob")
    packed = await store.append(b"packed")
    strays = {"junk/blob": 4, "99/junk": 1, "note.txt": 7, "7/sub/1": 2, "007/1": 3, "7/ä b+%41\x7f.txt": 5}
    for name, size in strays.items():
        await place.put(f"{DEPLOYMENT}/{name}", bytes(size))
    beyond = ["note.txt", f"cache/{DEPLOYMENT}/aa/bb", f"{DEPLOYMENT}x/junk", "d2/7/junk"]
    for name in beyond:
        await place.put(name, b"not ours")
    before = int(time.time() * 1000)
    found = {entry.name: entry async for page in store.strays() for entry in page}
    assert {name: entry.size for name, entry in found.items()} == strays
    assert all(abs(entry.modified_ms - before) < 60_000 for entry in found.values())

    some = sorted(strays)[1:]
    assert sorted(await store.remove_strays(some)) == some
    assert [entry.name async for page in store.strays() for entry in page] == sorted(strays)[:1]
    await store.remove_strays([*strays])
    assert [page async for page in store.strays()] == []
    for name in (*beyond, "deployment"):
        assert await place.has(name), name
    assert await read(store, segment(blob)) == b"blob"
    assert await read(store, segment(packed)) == b"packed"
    for name in (blob.name, packed.name, ""):
        with pytest.raises(ValueError, match="not a stray's name"):
            await store.remove_strays([name])
    assert await read(store, segment(blob)) == b"blob"


async def test_more_strays_than_a_page(minio: Minio) -> None:
    settings = parse_store(minio.store_url(minio.new_bucket()), "s")
    assert isinstance(settings, S3Store)
    client = minio.client()
    with ThreadPoolExecutor(16) as threads:
        keys = [f"{DEPLOYMENT}/7/old-{number}" for number in range(1005)]
        list(threads.map(lambda key: client.put_object(Bucket=settings.bucket, Key=key, Body=b""), keys))
    store = UpstreamStore(settings, DEPLOYMENT)
    async for page in store.strays():
        await store.remove_strays([entry.name for entry in page])
    assert [page async for page in store.strays()] == []
    assert await store.leases() == []
    await store.close()
