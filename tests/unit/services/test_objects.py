"""Objects: what is stored of a body, what is refused, and who wins."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.backends import DATABASE
from gateway.errors import (
    BodyMismatch,
    BucketNotFound,
    ChecksumMismatch,
    DiskFull,
    InvalidKey,
    InvalidVersionId,
    LeaseLost,
    LengthMismatch,
    Md5Mismatch,
    ObjectNotFound,
    ObjectTooLarge,
    PreconditionFailed,
    Sha256Mismatch,
    VersionNotFound,
)
from gateway.metadata import leases
from gateway.model.buckets import Bucket, Versioning
from gateway.model.checksums import ChecksumAlgorithm
from gateway.model.objects import MAX_PUT_BYTES, Expectations, PutResult, WriteConditions
from gateway.services import Services
from gateway.services.ingest import PACKED_BYTES
from tests.data_folder import Pieces, folder_of, open_services, put, read

DATA = b"the bytes of an object"
LARGE = os.urandom(3 * 1024 * 1024 + 17)


def blobs_open(services: Services) -> int:
    """How many descriptors this process has on the files of the store."""
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            count += os.readlink(f"/proc/self/fd/{fd}").startswith(str(folder_of(services).root))
    return count


async def closed(services: Services, before: int) -> None:
    """Wait until there are as many as before."""
    deadline = time.monotonic() + 30
    while (count := blobs_open(services)) != before:
        assert time.monotonic() < deadline, f"{count}, not {before}"
        await asyncio.sleep(0.01)


async def store(
    services: Services,
    bucket: Bucket,
    expect: Expectations,
    pieces: list[bytes],
    trailers: dict[str, str] | None = None,
    key: bytes = b"key",
) -> PutResult:
    return await services.objects.put(
        bucket,
        key,
        headers=(),
        tags=(),
        expect=expect,
        conditions=WriteConditions(),
        body=Pieces(pieces, trailers),
    )


@pytest.mark.parametrize("size", [0, 1, PACKED_BYTES - 1, PACKED_BYTES, PACKED_BYTES + 1, 1024 * 1024, 3_000_001])
async def test_a_body_of_any_size_comes_back(services: Services, bucket: Bucket, size: int) -> None:
    data = os.urandom(size)
    pieces = [data[at : at + 100_000] for at in range(0, size, 100_000)]
    result = await store(services, bucket, Expectations(size), pieces)
    assert (result.etag, result.size) == (hashlib.md5(data).hexdigest(), size)
    assert await read(services, bucket, b"key") == data
    version = await services.objects.get(bucket, b"key")
    assert version.content is not None
    assert (version.content.first is None) == (size == 0)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    headers=st.lists(st.tuples(st.text(max_size=10), st.text(max_size=20)), max_size=4).map(tuple),
    tags=st.lists(st.tuples(st.text(max_size=10), st.text(max_size=20)), max_size=4).map(tuple),
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200).map(str.encode),
)
def test_key_headers_and_tags_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, headers: Any, tags: Any, key: bytes
) -> None:
    async def check() -> None:
        async with open_services(tmp_path_factory.mktemp("data") / "d", worker=True) as services:
            bucket = await services.buckets.create("photos", services.directory.root_account)
            await put(services, bucket, key, b"x", headers=headers, tags=tags)
            found = await services.objects.get(bucket, key)
            assert (found.key, found.headers, found.tag_count) == (key, headers, len(tags))
            assert await services.objects.get_tags(bucket, key) == ("null", tags)

    def storable(text: str) -> bool:
        return not any("\ud800" <= char <= "\udfff" for char in text)

    if all(storable(part) for pair in (*headers, *tags) for part in pair):
        asyncio.run(check())


WRONG: list[tuple[Callable[[bytes], Expectations], type[BodyMismatch]]] = [
    (lambda data: Expectations(len(data) + 1), LengthMismatch),
    (lambda data: Expectations(len(data) - 1), LengthMismatch),
    (lambda data: Expectations(len(data), md5=bytes(16)), Md5Mismatch),
    (lambda data: Expectations(len(data), sha256=bytes(32)), Sha256Mismatch),
    (
        lambda data: Expectations(len(data), checksum_algorithm=ChecksumAlgorithm.CRC32, checksum_value=bytes(4)),
        ChecksumMismatch,
    ),
    (
        lambda data: Expectations(len(data), checksum_algorithm=ChecksumAlgorithm.SHA256, checksum_value=bytes(32)),
        ChecksumMismatch,
    ),
    (
        lambda data: Expectations(len(data), checksum_algorithm=ChecksumAlgorithm.CRC64NVME, checksum_in_trailer=True),
        ChecksumMismatch,
    ),
]


@pytest.mark.parametrize("data", [DATA, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(("expect", "error"), WRONG)
async def test_a_body_that_is_not_what_was_said_leaves_nothing(
    services: Services,
    bucket: Bucket,
    data: bytes,
    expect: Callable[[bytes], Expectations],
    error: type[BodyMismatch],
) -> None:
    await put(services, bucket, b"key", b"before")
    with pytest.raises(error):
        await store(services, bucket, expect(data), [data[:1000], data[1000:]])
    assert await read(services, bucket, b"key") == b"before"
    assert await services.buckets.totals() == (1, 6)


@pytest.mark.parametrize("data", [DATA, LARGE], ids=["small", "large"])
async def test_a_body_that_is_what_was_said(services: Services, bucket: Bucket, data: bytes) -> None:
    sha256 = hashlib.sha256(data).digest()
    value = base64.b64encode(sha256).decode()
    expect = Expectations(
        len(data),
        md5=hashlib.md5(data).digest(),
        sha256=sha256,
        checksum_algorithm=ChecksumAlgorithm.SHA256,
        checksum_in_trailer=True,
    )
    result = await store(services, bucket, expect, [data], {"x-amz-checksum-sha256": value})
    assert result.checksum is not None
    assert result.checksum.value == value
    version = await services.objects.get(bucket, b"key")
    assert version.content is not None
    assert version.content.checksum == result.checksum
    page = await services.listing.objects(bucket, limit=1)
    assert page.objects[0].checksum_algorithm is ChecksumAlgorithm.SHA256


@pytest.mark.parametrize("length", [10, 2 * 1024 * 1024])
async def test_a_body_that_breaks_off_leaves_nothing(services: Services, bucket: Bucket, length: int) -> None:
    class Broken:
        def __init__(self) -> None:
            self.left = 1

        async def read(self) -> bytes:
            if self.left:
                self.left -= 1
                return bytes(length // 2)
            raise ConnectionResetError

        def trailer(self, _name: str) -> str | None:
            return None

    before = blobs_open(services)
    with pytest.raises(ConnectionResetError):
        await services.objects.put(
            bucket,
            b"key",
            headers=(),
            tags=(),
            expect=Expectations(length),
            conditions=WriteConditions(),
            body=Broken(),
        )
    with pytest.raises(ObjectNotFound):
        await services.objects.get(bucket, b"key")
    await closed(services, before)


@pytest.mark.embedded
async def test_a_cancelled_upload_closes_its_file_and_leaves_nothing(services: Services, bucket: Bucket) -> None:
    class Endless:
        def __init__(self) -> None:
            self.count = 0

        async def read(self) -> bytes:
            self.count += 1
            await asyncio.sleep(0)
            return bytes(300_000)

        def trailer(self, _name: str) -> str | None:
            return None

    before = blobs_open(services)
    for wait in (0, 0.001, 0.005, 0.02, 0.05):
        body = Endless()
        task = asyncio.create_task(
            services.objects.put(
                bucket,
                b"key",
                headers=(),
                tags=(),
                expect=Expectations(MAX_PUT_BYTES),
                conditions=WriteConditions(),
                body=body,
            )
        )
        await asyncio.sleep(wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await closed(services, before)
    with pytest.raises(ObjectNotFound):
        await services.objects.get(bucket, b"key")


async def test_keys_end_at_1024_bytes(services: Services, bucket: Bucket) -> None:
    longest = "é".encode() * 512
    await put(services, bucket, longest, b"x")
    assert await read(services, bucket, longest) == b"x"
    for key in (longest + b"a", b""):
        with pytest.raises(InvalidKey):
            await put(services, bucket, key, b"x")
        with pytest.raises(InvalidKey):
            await services.objects.delete(bucket, key)


async def test_more_than_5_gib_is_refused_before_a_byte_is_read(services: Services, bucket: Bucket) -> None:
    class Unread:
        async def read(self) -> bytes:
            raise AssertionError

        def trailer(self, _name: str) -> str | None:
            return None

    with pytest.raises(ObjectTooLarge):
        await services.objects.put(
            bucket,
            b"key",
            headers=(),
            tags=(),
            expect=Expectations(MAX_PUT_BYTES + 1),
            conditions=WriteConditions(),
            body=Unread(),
        )


@pytest.mark.parametrize("text", ["", "x", "0" * 31, "0" * 33, "F" * 32, "f" * 32, "g" * 32, "null ", "NULL"])
async def test_version_ids_that_are_none(services: Services, bucket: Bucket, text: str) -> None:
    await put(services, bucket, b"key", b"x")
    with pytest.raises(InvalidVersionId):
        await services.objects.get(bucket, b"key", text)
    with pytest.raises(InvalidVersionId):
        await services.objects.delete(bucket, b"key", text)


async def test_a_version_id_opens_only_its_own_key(services: Services, versioned: Bucket) -> None:
    result = await put(services, versioned, b"a", b"x")
    await put(services, versioned, b"b", b"y")
    assert result.version_id is not None
    guessed = result.version_id[:16] + "0" * 16
    for key, version in ((b"b", result.version_id), (b"a", guessed)):
        with pytest.raises(VersionNotFound):
            await services.objects.get(versioned, key, version)
        await services.objects.delete(versioned, key, version)
    assert await read(services, versioned, b"a", result.version_id) == b"x"


async def test_a_conditional_deletion(services: Services, bucket: Bucket) -> None:
    result = await put(services, bucket, b"key", b"x")
    with pytest.raises(PreconditionFailed):
        await services.objects.delete(bucket, b"key", if_match="0" * 32)
    assert await read(services, bucket, b"key") == b"x"
    await services.objects.delete(bucket, b"key", if_match=result.etag)
    with pytest.raises(ObjectNotFound):
        await services.objects.delete(bucket, b"key", if_match=result.etag)


async def test_a_write_into_a_bucket_that_was_made_anew_meanwhile_is_refused(
    services: Services, bucket: Bucket
) -> None:
    await services.buckets.delete(bucket)
    again = await services.buckets.create(bucket.name, services.directory.root_account)
    for work in (
        put(services, bucket, b"key", b"x"),
        services.objects.delete(bucket, b"key"),
        services.buckets.set_versioning(bucket, Versioning.ENABLED),
        services.buckets.delete(bucket),
    ):
        with pytest.raises(BucketNotFound):
            await work
    assert (await services.listing.objects(again, limit=10)).objects == ()


async def test_a_bucket_that_goes_while_a_body_comes(services: Services, bucket: Bucket) -> None:
    waiting, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Pieces):
        async def read(self) -> bytes:
            waiting.set()
            await go_on.wait()
            return await super().read()

    task = asyncio.create_task(
        services.objects.put(
            bucket,
            b"key",
            headers=(),
            tags=(),
            expect=Expectations(4),
            conditions=WriteConditions(),
            body=Slow([b"body"]),
        )
    )
    await waiting.wait()
    await services.buckets.delete(bucket)
    go_on.set()
    with pytest.raises(BucketNotFound):
        await task


async def test_a_lease_that_is_lost_while_a_body_comes_forbids_the_commit(services: Services, bucket: Bucket) -> None:
    data = LARGE
    waiting, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Pieces):
        async def read(self) -> bytes:
            piece = await super().read()
            if not piece:
                waiting.set()
                await go_on.wait()
            return piece

    task = asyncio.create_task(
        services.objects.put(
            bucket,
            b"key",
            headers=(),
            tags=(),
            expect=Expectations(len(data)),
            conditions=WriteConditions(),
            body=Slow([data]),
        )
    )
    await waiting.wait()
    # Another process buries us, and we notice and begin anew before the body ends.
    old = services.lease.id
    await services.database.write(lambda tx: leases.end(tx, old))
    await services.lease.begin()
    assert services.lease.id != old
    go_on.set()
    with pytest.raises(LeaseLost):
        await task
    await services.sweep.run_once()
    with pytest.raises(ObjectNotFound):
        await services.objects.get(bucket, b"key")
    await put(services, bucket, b"key", b"under the new lease")
    assert await read(services, bucket, b"key") == b"under the new lease"


@pytest.mark.embedded
async def test_too_little_free_space_stops_writes_and_nothing_else(folder: Path) -> None:
    async with open_services(folder) as services:
        bucket = await services.buckets.create("photos", services.directory.root_account)
        await put(services, bucket, b"a", b"x")
        await put(services, bucket, b"b", b"y")
    async with open_services(folder, min_free=1 << 53) as services:
        with pytest.raises(DiskFull):
            await put(services, bucket, b"c", b"z")
        assert await read(services, bucket, b"a") == b"x"
        await services.objects.delete(bucket, b"a")
        assert await services.buckets.totals() == (1, 1)
        await services.sweep.run_once()
        health = await services.health()
        assert health["store"]["status"] == "degraded"
        assert health["database"]["status"] == "healthy"


async def test_usage_counts_all_versions_and_current_objects(services: Services, versioned: Bucket) -> None:
    await put(services, versioned, b"a", bytes(100))
    await put(services, versioned, b"a", bytes(10))
    await services.objects.delete(versioned, b"a")
    assert await services.buckets.totals() == (0, 110)
    await put(services, versioned, b"a", bytes(1))
    assert await services.buckets.totals() == (1, 111)


RACER = """
import asyncio, sys
from pathlib import Path
from gateway.errors import GatewayError
from gateway.model.objects import WriteConditions
from tests.data_folder import open_services, put
async def main():
    async with open_services(Path(sys.argv[1])) as services:
        bucket = await services.directory.bucket("photos")
        print("ready", flush=True)
        sys.stdin.readline()
        async def attempt(key, number):
            try:
                await put(services, bucket, key, f"{sys.argv[2]}-{number}".encode(), conditions=CONDITIONS)
            except GatewayError as error:
                return type(error).__name__
            return f"{sys.argv[2]}-{number}"
        for key in range(10):
            results = await asyncio.gather(*(attempt(b"%d" % key, number) for number in range(25)))
            print(" ".join(results), flush=True)
asyncio.run(main())
"""


@pytest.mark.parametrize("kind", ["new", "match"])
@pytest.mark.embedded
async def test_of_fifty_conditional_writers_in_two_processes_one_wins(
    services: Services, bucket: Bucket, folder: Path, kind: str
) -> None:
    if kind == "new":
        conditions, loses = "WriteConditions(if_none_match=True)", "PreconditionFailed"
    else:
        for key in range(10):
            await put(services, bucket, b"%d" % key, b"before")
        conditions, loses = f"WriteConditions(if_match='{hashlib.md5(b'before').hexdigest()}')", "PreconditionFailed"
    program = RACER.replace("CONDITIONS)", conditions + ")")
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(folder), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert await asyncio.to_thread(racer.stdout.readline) == "ready\n"
    outputs = await asyncio.gather(*(asyncio.to_thread(racer.communicate, "go\n", 60) for racer in racers))
    lines = [output.splitlines() for output, _ in outputs]
    assert [len(one) for one in lines] == [10, 10]
    for key in range(10):
        results = (lines[0][key] + " " + lines[1][key]).split()
        won = [result for result in results if result != loses]
        assert len(results) == 50
        assert len(won) == 1, won
        assert (await read(services, bucket, b"%d" % key)).decode() == won[0]


@pytest.mark.embedded
async def test_what_was_acknowledged_is_in_the_database_file(services: Services, bucket: Bucket, folder: Path) -> None:
    await put(services, bucket, b"key", DATA)
    with sqlite3.connect(folder / DATABASE) as other:
        found = other.execute("SELECT b.name, b.offset, b.length FROM blobs b").fetchall()
    other.close()
    (name, offset, length) = found[0]
    assert folder_of(services).path(name).read_bytes()[offset : offset + length] == DATA


async def test_an_image_id_names_its_version(services: Services, versioned: Bucket) -> None:
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\x02\0\0\0"
    first = await put(services, versioned, b"p", png + b"1")
    second = await put(services, versioned, b"p", png + b"2")
    assert first.image_id
    assert second.image_id
    assert first.image_id != second.image_id
    _, found = await services.objects.get_by_image_id(first.image_id)
    assert found.version_id == first.version_id
    assert (await put(services, versioned, b"t", b"no image")).image_id is None
    with pytest.raises(ObjectNotFound):
        await services.objects.get_by_image_id("I" + "A" * 26)
    await services.objects.delete(versioned, b"p", first.version_id)
    with pytest.raises(ObjectNotFound):
        await services.objects.get_by_image_id(first.image_id)
