"""Quotas, on both engines: what an account holds is counted exactly, and writes at once cannot pass one together."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from gateway.errors import QuotaExceeded
from gateway.metadata import accounts, buckets, contents, images, quotas, uploads, usage, versions
from gateway.metadata.buckets import BY_ID, bucket
from gateway.metadata.port import Database, Row, Transaction
from gateway.model.accounts import Account, Duplicates
from gateway.model.buckets import Versioning
from gateway.model.checksums import ChecksumAlgorithm, ChecksumType
from gateway.model.images import JobStatus
from gateway.model.uploads import MultipartUpload
from gateway.services import image_changes
from gateway.services import quotas as service
from gateway.services.audit import CLI, Action, Event
from tests.contract.image_rows import new_id, put_image
from tests.contract.metadata_rows import blob, new_bucket, plain

OBJECT_BYTES = 4
"""What `plain` writes."""


async def limit(database: Database, bucket_id: int, size: int | None, images: int | None = None) -> Account:
    """Give the bucket's owner quotas; gives the owner as it is then."""
    name = await _name(database, bucket_id)
    await database.write(lambda tx: accounts.set_limits(tx, name, size, images, Duplicates.RETURN))
    row = await database.one(BY_ID, (bucket_id,))
    assert row is not None
    return bucket(row).owner


async def _name(database: Database, bucket_id: int) -> str:
    row = await database.one(
        "SELECT a.name FROM accounts a JOIN buckets b ON b.account_id = a.id WHERE b.id = ?", (bucket_id,)
    )
    assert row is not None
    return str(row[0])


async def put(
    database: Database, owner: Account, bucket_id: int, key: bytes, lease: int, *, image_id: str | None = None
) -> None:
    new, conditions = plain(bucket_id, key, lease)
    row = await database.one(BY_ID, (bucket_id,))
    assert row is not None
    assert bucket(row).owner == owner
    new = replace(new, image_id=image_id)
    await database.write(lambda tx: service.put(tx, bucket(row), new, conditions))


async def test_an_account_is_read_with_its_quotas(database: Database) -> None:
    bucket_id, _ = await new_bucket(database)
    owner = await limit(database, bucket_id, 12, 3)
    assert (owner.quota_bytes, owner.quota_images, owner.duplicates, owner.limited) == (12, 3, Duplicates.RETURN, True)
    assert (await limit(database, bucket_id, None)).limited is False
    assert (await limit(database, bucket_id, None, 0)).limited is True


async def test_only_what_fits_is_written(database: Database) -> None:
    bucket_id, lease = await new_bucket(database)
    owner = await limit(database, bucket_id, 2 * OBJECT_BYTES)
    await put(database, owner, bucket_id, b"a", lease)
    await put(database, owner, bucket_id, b"b", lease)
    with pytest.raises(QuotaExceeded):
        await put(database, owner, bucket_id, b"c", lease)
    assert await database.one("SELECT count(*) FROM heads WHERE bucket_id = ?", (bucket_id,)) == (2,)
    await put(database, owner, bucket_id, b"a", lease)  # what it replaces makes room
    await database.write(lambda tx: versions.delete(tx, bucket_id, b"b", None, None, 1))
    await put(database, owner, bucket_id, b"c", lease)
    assert await database.read(lambda reader: quotas.held_bytes(reader, owner.id)) == 2 * OBJECT_BYTES


async def test_old_versions_count(database: Database) -> None:
    bucket_id, lease = await new_bucket(database, Versioning.ENABLED)
    owner = await limit(database, bucket_id, 2 * OBJECT_BYTES)
    await put(database, owner, bucket_id, b"a", lease)
    await put(database, owner, bucket_id, b"a", lease)
    with pytest.raises(QuotaExceeded):
        await put(database, owner, bucket_id, b"a", lease)


async def test_all_buckets_of_the_account_count_and_nobody_elses(database: Database) -> None:
    first, lease = await new_bucket(database)
    other, other_lease = await new_bucket(database)
    owner = await limit(database, first, 2 * OBJECT_BYTES)
    await database.write(lambda tx: tx.run("UPDATE buckets SET account_id = ? WHERE id = ?", (owner.id, other)))
    stranger, stranger_lease = await new_bucket(database)
    await put(database, owner, first, b"a", lease)
    await put(database, owner, other, b"a", other_lease)
    with pytest.raises(QuotaExceeded):
        await put(database, owner, other, b"b", other_lease)
    unlimited = await limit(database, stranger, None)
    for n in range(4):
        await put(database, unlimited, stranger, b"%d" % n, stranger_lease)


async def test_writes_at_once_do_not_pass_the_quota_together(database: Database) -> None:
    bucket_id, lease = await new_bucket(database)
    owner = await limit(database, bucket_id, 5 * OBJECT_BYTES)
    done = await asyncio.gather(
        *(put(database, owner, bucket_id, b"%d" % n, lease) for n in range(20)), return_exceptions=True
    )
    refused = [one for one in done if isinstance(one, BaseException)]
    assert {type(one) for one in refused} == {QuotaExceeded}
    assert len(done) - len(refused) == 5
    await database.write(usage.recount)
    assert await database.read(lambda reader: quotas.held_bytes(reader, owner.id)) == 5 * OBJECT_BYTES


async def test_what_is_about_to_be_added_is_checked_before(database: Database) -> None:
    bucket_id, lease = await new_bucket(database)
    owner = await limit(database, bucket_id, 2 * OBJECT_BYTES, 2)

    async def upload(size: int) -> None:
        async def work(tx: Transaction) -> None:
            await service.check(tx, owner, size, 1)

        await database.write(work)

    await upload(2 * OBJECT_BYTES)
    with pytest.raises(QuotaExceeded):
        await upload(2 * OBJECT_BYTES + 1)
    first = await put_image(database, bucket_id, lease)
    await upload(OBJECT_BYTES)
    await put_image(database, bucket_id, lease)
    with pytest.raises(QuotaExceeded):
        await upload(0)
    # The row of an image that is gone counts for nothing, swept or not.
    key = first.image_id.encode()
    await database.write(lambda tx: versions.delete(tx, bucket_id, key, None, None, 1))
    await upload(0)


async def test_images_that_s3_clients_write_count_where_apps_know_them(database: Database) -> None:
    bucket_id, lease = await new_bucket(database)
    owner = await limit(database, bucket_id, None, 1)
    await put(database, owner, bucket_id, b"unknown", lease, image_id=new_id())
    await put(database, owner, bucket_id, b"unknown too", lease, image_id=new_id())
    change = partial(buckets.change_images, change=lambda before: replace(before, catalogue=True), now_ms=1)
    await database.write(lambda tx: change(tx, bucket_id))
    known = await put_image(database, bucket_id, lease)
    with pytest.raises(QuotaExceeded):
        await put(database, owner, bucket_id, b"k", lease, image_id=new_id())
    await put(database, owner, bucket_id, b"k", lease)  # no image
    await put(database, owner, bucket_id, known.image_id.encode(), lease, image_id=new_id())  # in its place


async def test_images_of_s3_clients_count_before_any_job_has_run(database: Database) -> None:
    bucket_id, lease = await new_bucket(database)
    owner = await limit(database, bucket_id, None, 2)
    change = partial(buckets.change_images, change=lambda before: replace(before, catalogue=True), now_ms=1)
    await database.write(lambda tx: change(tx, bucket_id))
    ids = [new_id() for _ in range(2)]
    for image_id in ids:
        await put(database, owner, bucket_id, image_id.encode(), lease, image_id=image_id)
    with pytest.raises(QuotaExceeded):
        await put(database, owner, bucket_id, b"third", lease, image_id=new_id())
    # They have the row and the job of any image, and no other job: nothing is done twice.
    found = [await images.get(database, image_id) for image_id in ids]
    assert [row is not None and row.status for row in found] == [JobStatus.PENDING] * 2
    assert await database.all("SELECT kind, count(*) FROM jobs GROUP BY kind") == [("process", 2)]
    # Nobody else pays for it: without a quota in images a job makes the row.
    assert (await limit(database, bucket_id, 100)).quota_images is None
    owner = await limit(database, bucket_id, 100)
    late = new_id()
    await put(database, owner, bucket_id, b"late", lease, image_id=late)
    assert await images.get(database, late) is None


async def test_a_row_that_a_change_makes_of_what_s3_clients_wrote_needs_room(database: Database) -> None:
    bucket_id, lease = await new_bucket(database)
    ids = [new_id() for _ in range(4)]
    unlimited = await limit(database, bucket_id, None)
    for image_id in ids:
        await put(database, unlimited, bucket_id, image_id.encode(), lease, image_id=image_id)
    # Their bytes are more than the quota, and stay: what is asked for room is the row.
    owner = await limit(database, bucket_id, OBJECT_BYTES, 1)
    found = bucket(await _bucket_row(database, bucket_id))
    assert found.owner == owner

    async def change(image_id: str, *, counts: bool = True) -> None:
        version = await versions.by_image(database, image_id)
        event = Event(Action.CHANGE, CLI, 1, image_id)
        await image_changes.change(
            database, found, version, lambda row: replace(row, tags=("a",)), event, counts=counts
        )

    done = await asyncio.gather(*(change(image_id) for image_id in ids[:3]), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["NoneType", "QuotaExceeded", "QuotaExceeded"]
    rows = [await images.get(database, image_id) for image_id in ids]
    assert [row is not None for row in rows] == [one is None for one in done] + [False]
    assert await database.one("SELECT count(*) FROM jobs") == (1,)
    await change(ids[done.index(None)])  # what has its row is changed as before
    await change(ids[3], counts=False)  # a moderator's word does not wait for room
    assert await images.get(database, ids[3]) is not None


async def _bucket_row(database: Database, bucket_id: int) -> Row:
    row = await database.one(BY_ID, (bucket_id,))
    assert row is not None
    return row


async def test_parts_of_uploads_count_until_they_are_an_object(database: Database) -> None:
    bucket_id, lease = await new_bucket(database)
    owner = await limit(database, bucket_id, 100)
    new = MultipartUpload(
        id=0,
        upload_id="u" * 8,
        bucket_id=bucket_id,
        key=b"k",
        headers=(),
        tags=(),
        checksum_algorithm=ChecksumAlgorithm.CRC64NVME,
        checksum_type=ChecksumType.FULL_OBJECT,
        checksum_asked=False,
        initiator="i",
        created_ms=1,
    )
    await database.write(lambda tx: uploads.create(tx, new))
    upload = await uploads.get(database, bucket_id, b"k", new.upload_id)
    for number, size in ((1, 30), (2, 40), (1, 50)):  # the third takes the place of the first
        content = contents.NewContent(number.to_bytes(8) + size.to_bytes(8), size, "e" * 32, None, blob(lease, size))
        await database.write(lambda tx, n=number, c=content: uploads.put_part(tx, upload.id, n, c, 1))  # type: ignore[misc]
    assert await database.read(lambda reader: quotas.held_bytes(reader, owner.id)) == 90
    await database.write(lambda tx: uploads.abort(tx, bucket_id, b"k", new.upload_id))
    assert await database.read(lambda reader: quotas.held_bytes(reader, owner.id)) == 0
