"""The sweep: what it removes, what it must never remove, and what happens while it runs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import LeaseLost, ObjectNotFound, StoreUnavailable
from gateway.metadata import leases, sweep
from gateway.metadata.port import Transaction
from gateway.model.buckets import Bucket
from gateway.model.contents import Segment
from gateway.model.objects import WriteConditions
from gateway.services import Services
from gateway.services.clock import now_ms
from gateway.services.ingest import PACKED_BYTES
from gateway.services.sweep import Sweep
from tests.data_folder import names, open_services, put, read

LARGE = os.urandom(PACKED_BYTES + 1)


async def copy(services: Services, bucket: Bucket, source: bytes, target: bytes) -> None:
    found = await services.objects.get(bucket, source)
    await services.copying.copy(
        found, bucket, target, headers=None, tags=None, checksum_algorithm=None, conditions=WriteConditions()
    )


async def files(services: Services) -> int:
    return len(await names(services))


async def segment_of(services: Services, bucket: Bucket, key: bytes) -> Segment:
    content = (await services.objects.get(bucket, key)).content
    assert content is not None
    assert content.first is not None
    return content.first


async def test_a_file_that_nothing_refers_to_goes_at_once_after_its_grace(services: Services, bucket: Bucket) -> None:
    await put(services, bucket, b"key", LARGE)
    assert await files(services) == 1
    await services.objects.delete(bucket, b"key")
    assert await files(services) == 1, "a request never deletes bytes"
    report = await services.sweep.run_once()
    assert report is not None
    assert (report.contents, report.blobs) == (1, 1)
    assert await files(services) == 0, "under a living lease too: nobody appends to a file of its own"


async def test_bytes_outlive_their_last_row_by_the_grace_time(folder: Path) -> None:
    async with open_services(folder, grace_ms=60_000) as services:
        bucket = await services.buckets.create("photos", services.directory.root_account)
        await put(services, bucket, b"key", LARGE)
        segment = await segment_of(services, bucket, b"key")
        await services.objects.delete(bucket, b"key")
        report = await services.sweep.run_once()
        assert report is not None
        assert (report.contents, report.blobs) == (1, 0)
        assert await services.stores.read([segment]) == LARGE
        later = Sweep(services.database, tuple(services.stores), "later", grace_ms=-1000)
        report = await later.run_once()
        assert report is not None
        assert report.blobs == 1
        assert await files(services) == 0


@pytest.mark.embedded
async def test_an_open_read_keeps_its_bytes(services: Services, bucket: Bucket) -> None:
    await put(services, bucket, b"key", LARGE)
    segment = await segment_of(services, bucket, b"key")
    reader = await services.stores.open(segment)
    lease = services.lease.id
    # As the renewal every ten seconds does.
    await services.database.write(lambda tx: leases.renew(tx, lease, now_ms(), services.lease.oldest_use()))
    await asyncio.sleep(0.01)
    await services.objects.delete(bucket, b"key")
    report = await services.sweep.run_once()
    assert report is not None
    assert report.blobs == 0
    assert os.pread(reader.fd, reader.length, reader.offset) == LARGE
    assert await files(services) == 1
    reader.close()
    await services.database.write(lambda tx: leases.renew(tx, lease, now_ms(), services.lease.oldest_use()))
    report = await services.sweep.run_once()
    assert report is not None
    assert report.blobs == 1
    assert await files(services) == 0


async def test_a_noted_read_keeps_its_bytes_between_two_files(services: Services, bucket: Bucket) -> None:
    await put(services, bucket, b"key", LARGE)
    ticket = services.lease.begin_read()
    other = services.lease.begin_read()
    services.lease.end_read(other)
    assert services.lease.oldest_use() is not None
    services.lease.end_read(ticket)
    services.lease.end_read(ticket)
    assert services.lease.oldest_use() is None


async def test_bytes_that_a_copy_shares_stay(services: Services, bucket: Bucket) -> None:
    await put(services, bucket, b"a", LARGE)
    await copy(services, bucket, b"a", b"b")
    await services.objects.delete(bucket, b"a")
    await services.sweep.run_once()
    assert await read(services, bucket, b"b") == LARGE
    await copy(services, bucket, b"b", b"b")
    await services.sweep.run_once()
    assert await read(services, bucket, b"b") == LARGE
    await services.objects.delete(bucket, b"b")
    await services.sweep.run_once()
    assert await files(services) == 0


async def test_neighbours_in_a_pack_stay(services: Services, bucket: Bucket) -> None:
    block = 16 * 1024
    for number in range(10):
        await put(services, bucket, b"%d" % number, bytes([number]) * block)
    for number in range(0, 10, 2):
        await services.objects.delete(bucket, b"%d" % number)
    await services.sweep.run_once()
    for number in range(1, 10, 2):
        assert await read(services, bucket, b"%d" % number) == bytes([number]) * block
    await put(services, bucket, b"more", b"appended to the same pack")
    for number in range(1, 10, 2):
        await services.objects.delete(bucket, b"%d" % number)
    await services.sweep.run_once()
    assert await read(services, bucket, b"more") == b"appended to the same pack"
    assert await files(services) == 1


@pytest.mark.embedded
async def test_a_pack_goes_with_its_last_blob_once_its_process_is_gone(folder: Path) -> None:
    async with open_services(folder) as services:
        bucket = await services.buckets.create("photos", services.directory.root_account)
        await put(services, bucket, b"a", b"1")
        await put(services, bucket, b"b", b"2")
    async with open_services(folder, grace_ms=-1000) as services:
        await services.sweep.run_once()
        assert await files(services) == 1
        await services.objects.delete(bucket, b"a")
        await services.sweep.run_once()
        assert await read(services, bucket, b"b") == b"2"
        await services.objects.delete(bucket, b"b")
        await services.sweep.run_once()
        assert await files(services) == 0
        assert await services.stores.default.leases() in ([], [services.lease.id])


async def test_what_a_dead_process_wrote_and_never_committed_goes(services: Services, bucket: Bucket) -> None:
    await put(services, bucket, b"kept", LARGE)
    writer = await services.stores.default.create(15)
    await writer.write([b"never committed"])
    await writer.finish()
    placed = await services.stores.default.append(b"never committed either")
    await services.sweep.run_once()
    assert await files(services) == 3, "pending under a living lease"
    old = services.lease.id
    await services.database.write(lambda tx: leases.end(tx, old))
    await services.lease.begin()
    report = await services.sweep.run_once()
    assert report is not None
    assert report.names == 2
    assert await read(services, bucket, b"kept") == LARGE
    del placed


async def test_a_process_that_was_away_for_too_long_is_buried_and_may_not_commit(
    services: Services, bucket: Bucket
) -> None:
    lease = services.lease.id
    await services.database.write(lambda tx: leases.renew(tx, lease, now_ms() - leases.DEAD_AFTER_MS - 1, None))
    await services.sweep.run_once()
    # Its folder may be gone already.
    with pytest.raises((LeaseLost, StoreUnavailable)):
        await put(services, bucket, b"key", b"x")
    with pytest.raises(LeaseLost):
        await services.database.write(lambda tx: leases.renew(tx, lease, now_ms(), None))
    await services.lease.begin()
    await put(services, bucket, b"key", b"x")


async def test_what_was_written_under_a_lease_after_its_sweep_is_swept_too(services: Services, bucket: Bucket) -> None:
    """A process that slept past its lease does not know: it writes on, until the database refuses the commit."""
    lease = services.lease.id
    await put(services, bucket, b"kept", LARGE)
    await services.database.write(lambda tx: leases.renew(tx, lease, now_ms() - leases.DEAD_AFTER_MS - 1, None))
    await services.sweep.run_once()
    with pytest.raises(LeaseLost):
        await put(services, bucket, b"key", LARGE)
    with pytest.raises(LeaseLost):
        services.lease.id  # noqa: B018 - it raises where there is none
    assert len(await names(services)) == 2
    # Without waiting for the next renewal.
    for _ in range(3000):
        await asyncio.sleep(0.01)
        if await leases.dead(services.database) == [lease]:
            break
    await put(services, bucket, b"key", LARGE)
    await services.sweep.run_once()
    assert len(await names(services)) == 2, "two that are kept, and no third"
    assert await leases.dead(services.database) == []
    assert await read(services, bucket, b"kept") == LARGE


async def test_a_sweep_that_did_not_see_the_last_write_does_not_count(services: Services) -> None:
    lease = services.lease.id
    await services.database.write(lambda tx: leases.end(tx, lease))
    used_ms = await leases.used_until(services.database, lease)
    await services.database.write(lambda tx: leases.sweep_again(tx, lease, now_ms() + 1))
    await services.database.write(lambda tx: leases.swept(tx, lease, used_ms))
    assert await leases.dead(services.database) == [lease]


async def test_one_process_sweeps_at_a_time(services: Services) -> None:
    other = Sweep(services.database, tuple(services.stores), "another process")
    # It died, or is at it: the others wait for the end of its lock.
    await services.database.write(lambda tx: leases.take_lock(tx, "sweep", other.owner, now_ms(), 60_000))
    assert await services.sweep.run_once() is None
    assert await other.run_once() is not None
    assert await services.sweep.run_once() is not None, "whoever is through gives the lock back"


async def test_copying_the_last_reference_while_sweeping(services: Services, bucket: Bucket) -> None:
    """Either the copy finds its source gone, or its bytes stay: never a row without bytes."""
    for number in range(40):
        source, target = b"s%d" % number, b"t%d" % number
        body = bytes([number]) * (100 if number % 2 else PACKED_BYTES + 1)
        await put(services, bucket, source, body)
        found = await services.objects.get(bucket, source)
        await services.objects.delete(bucket, source)
        work = [
            services.copying.copy(
                found, bucket, target, headers=None, tags=None, checksum_algorithm=None, conditions=WriteConditions()
            ),
            services.sweep.run_once(),
        ]
        if number % 3 == 0:
            work.reverse()
        results = await asyncio.gather(*work, return_exceptions=True)
        if any(isinstance(result, ObjectNotFound) for result in results):
            with pytest.raises(ObjectNotFound):
                await services.objects.get(bucket, target)
        else:
            await services.sweep.run_once()
            assert await read(services, bucket, target) == body


async def test_a_part_copied_from_a_source_that_was_swept_is_refused(services: Services, bucket: Bucket) -> None:
    await put(services, bucket, b"source", b"bytes")
    found = await services.objects.get(bucket, b"source")
    upload = await services.uploads.create(
        bucket, b"target", headers=(), tags=(), algorithm=None, type=None, initiator="me"
    )
    await services.objects.delete(bucket, b"source")
    await services.sweep.run_once()
    # The bytes are gone too, so that reading them for a digest may fail first.
    with pytest.raises((ObjectNotFound, StoreUnavailable)):
        await services.upload_parts.copy_part(upload, 1, found, 0, 5)
    assert (await services.uploads.parts(upload, 0, 10)).parts == ()


async def test_a_transaction_of_the_sweep_is_bounded(
    services: Services, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "MAX_SEGMENTS_A_BATCH", 3)
    for number in range(10):
        await put(services, bucket, b"%d" % number, b"x")
        await services.objects.delete(bucket, b"%d" % number)

    async def step(tx: Transaction) -> int:
        return await sweep.collect_orphans(tx, now_ms(), 200)

    assert [await services.database.write(step) for _ in range(5)] == [3, 3, 3, 1, 0]


async def test_a_sweep_that_was_cut_off_goes_on(
    services: Services, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(services, bucket, b"key", LARGE)
    await services.objects.delete(bucket, b"key")

    async def fail(*_: object, **__: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "forget", fail)
        with pytest.raises(ConnectionResetError):
            await services.sweep.run_once()
    await services.sweep.run_once()
    assert await files(services) == 0


WRITER = """
import asyncio, sys
from pathlib import Path
from tests.data_folder import open_services, put
async def main():
    async with open_services(Path(sys.argv[1])) as services:
        bucket = await services.directory.bucket("photos")
        async def writer(name):
            number = 0
            while True:
                key, size = f"{name}-{number}", (100, 70_000)[number % 2]
                await put(services, bucket, key.encode(), key.encode().ljust(size, b"."))
                print(key, size, flush=True)
                number += 1
        await asyncio.gather(*(writer(name) for name in "abcd"))
asyncio.run(main())
"""


@pytest.mark.embedded
async def test_nothing_acknowledged_is_lost_by_a_kill(services: Services, bucket: Bucket, folder: Path) -> None:
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        first = await asyncio.to_thread(process.stdout.readline)
        await asyncio.sleep(0.2)
        os.kill(process.pid, signal.SIGKILL)
        rest, _ = await asyncio.to_thread(process.communicate)
        lines = [line.split() for line in (first + rest).splitlines() if line.count(" ") == 1]
        assert lines
        dead = [lease for lease in await leases.live(services.database) if lease != services.lease.id]
        for lease in dead:
            await services.database.write(lambda tx, lease=lease: leases.end(tx, lease))  # type: ignore[misc]
        await services.sweep.run_once()
        for key, size in lines:
            assert await read(services, bucket, key.encode()) == key.encode().ljust(int(size), b".")
        report = await services.fsck.run()
        assert (report.problems, report.leftovers) == ([], [])
