"""The audit finds each kind of damage, and repairs what can be."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.backends import DATABASE
from gateway.metadata import leases
from gateway.model.buckets import Bucket
from gateway.services import Services
from gateway.services.ingest import PACKED_BYTES
from tests.data_folder import folder_of, open_services, put


@pytest.fixture
async def damaged(folder: Path) -> AsyncIterator[Services]:
    """Services with one object, without the check at the end."""
    async with open_services(folder, grace_ms=-1000) as services:
        bucket = await services.buckets.create("photos", services.directory.root_account)
        await put(services, bucket, b"key", bytes(PACKED_BYTES + 1))
        yield services


def change(folder: Path, sql: str) -> None:
    with sqlite3.connect(folder / DATABASE) as connection:
        connection.execute(sql)
    connection.close()


@pytest.mark.parametrize(
    ("sql", "finding"),
    [
        ("DELETE FROM contents", "a version without its content"),
        ("DELETE FROM versions", "a head without its version"),
        ("UPDATE heads SET seq = seq + 1", "a head without its version"),
        ("DELETE FROM heads", "a key whose newest version has no head"),
        ("UPDATE heads SET etag = 'x'", "a head that tells something else"),
        ("UPDATE heads SET size = 1", "a head that tells something else"),
        ("DELETE FROM blobs", "a segment without its blob"),
        ("UPDATE blobs SET state = 'condemned'", "a segment without its blob"),
        ("UPDATE blobs SET length = length - 1", "a segment without its blob"),
        ("UPDATE segments SET length = length - 1", "a content whose segments are not its size"),
        ("DELETE FROM segments", "a content whose segments are not its size"),
        ("UPDATE usage SET objects = 2", "a bucket whose count"),
        ("UPDATE usage SET bytes = 1", "a bucket whose count"),
        ("INSERT INTO parts (upload, number, content_id, modified_ms) VALUES (1, 1, 99, 0)", "a part without"),
        ("UPDATE blobs SET name = '1/99'", "is missing"),
        ("UPDATE blobs SET offset = 1", "ends at"),
        ("UPDATE blobs SET store = 'elsewhere'", "which is not configured"),
        (
            "INSERT INTO versions (bucket_id, key, nonce, content_id, modified_ms, headers) "
            "SELECT bucket_id, key, x'00', content_id, modified_ms, headers FROM versions",
            "a head that is not the newest version",
        ),
    ],
)
@pytest.mark.embedded
async def test_each_kind_of_damage_is_found(damaged: Services, folder: Path, sql: str, finding: str) -> None:
    assert (await damaged.fsck.run()).clean
    change(folder, sql)
    report = await damaged.fsck.run()
    assert not report.clean
    assert any(finding in problem for problem in report.problems), report.problems


@pytest.mark.embedded
async def test_a_missing_and_a_short_file_are_found(damaged: Services) -> None:
    (name,) = folder_of(damaged).names(damaged.lease.id)
    path = folder_of(damaged).path(name)
    path.write_bytes(b"short")
    assert any("ends at 5" in problem for problem in (await damaged.fsck.run()).problems)
    path.unlink()
    assert any("is missing" in problem for problem in (await damaged.fsck.run()).problems)


@pytest.mark.embedded
async def test_counts_are_repaired(damaged: Services, folder: Path) -> None:
    change(folder, "UPDATE usage SET objects = 7, bytes = 7")
    assert not (await damaged.fsck.run(repair=True)).clean
    assert (await damaged.fsck.run()).clean
    assert await damaged.buckets.totals() == (1, PACKED_BYTES + 1)


async def test_contents_that_nobody_knows_of_are_queued_for_the_sweep(services: Services, bucket: Bucket) -> None:
    await put(services, bucket, b"key", b"x")
    await services.objects.delete(bucket, b"key")

    async def forget(tx: object) -> None:
        await tx.run("DELETE FROM orphans")  # type: ignore[attr-defined]

    await services.database.write(forget)
    await services.sweep.run_once()
    assert (await services.fsck.run(repair=True)).blobs == 1
    await services.sweep.run_once()
    assert (await services.fsck.run()).blobs == 0


@pytest.mark.embedded
async def test_leftovers_are_reported_and_removed_only_on_request(services: Services, bucket: Bucket) -> None:
    await put(services, bucket, b"key", b"x")
    writer = folder_of(services).create()
    writer.write([b"left over"])
    name = writer.finish().name
    assert (await services.fsck.run(delete_unknown=True)).leftovers == [], "its process lives"
    old = services.lease.id
    await services.database.write(lambda tx: leases.end(tx, old))
    await services.lease.begin()
    assert (await services.fsck.run(delete_unknown=True)).leftovers == [], "the sweep will do it"
    used_ms = await leases.used_until(services.database, old)
    await services.database.write(lambda tx: leases.swept(tx, old, used_ms))
    report = await services.fsck.run()
    assert (report.leftovers, report.problems) == ([f"local: {name} (9 bytes)"], [])
    await services.fsck.run(repair=True)
    await services.fsck.run(delete_unknown=True, older_than_ms=60_000)
    assert folder_of(services).size(name) == 9
    assert await services.fsck.run(delete_unknown=True)
    assert folder_of(services).size(name) is None
    assert (await services.fsck.run()).leftovers == []


@pytest.mark.embedded
async def test_what_is_named_as_no_blob_is_a_leftover_too(services: Services, bucket: Bucket) -> None:
    content = await put(services, bucket, b"key", bytes(PACKED_BYTES + 1))
    assert content is not None
    root = folder_of(services).root
    base = root / services.deployment
    for name in ("junk/blob", "99/junk", "note.txt", f"{services.lease.id}/\x1b[31m"):
        (base / name).parent.mkdir(exist_ok=True)
        (base / name).write_bytes(b"four")
    (root / "beside").write_bytes(b"not ours")
    wanted = ["junk/blob", "99/junk", "note.txt", f"{services.lease.id}/\\x1b[31m"]
    report = await services.fsck.run(delete_unknown=True, older_than_ms=60_000)
    assert sorted(report.leftovers) == sorted(f"local: {name} (4 bytes)" for name in wanted)
    assert (report.problems, report.repaired) == ([], [])
    report = await services.fsck.run(delete_unknown=True)
    assert sorted(report.repaired) == sorted(f"removed {name} from local, which is no blob's name" for name in wanted)
    assert sorted(path.name for path in base.rglob("*") if path.is_file()) == ["1"]
    assert (root / "beside").read_bytes() == b"not ours"
    report = await services.fsck.run()
    assert (report.leftovers, report.problems, report.blobs) == ([], [], 1)
