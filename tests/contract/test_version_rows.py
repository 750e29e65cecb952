"""Versions of objects on both engines: what is put reads back, and of several writers one wins."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from typing import Any

import pytest

from gateway.errors import BucketNotEmpty, BucketNotFound, LeaseLost, ObjectNotFound, PreconditionFailed
from gateway.metadata import buckets, leases, listing, uploads, usage, versions
from gateway.metadata.contents import NewContent
from gateway.metadata.port import Database
from gateway.metadata.versions import Written
from gateway.model.buckets import Versioning
from gateway.model.checksums import ChecksumAlgorithm, ChecksumType
from tests.contract.metadata_rows import new_bucket, plain
from tests.contract.writes import Opened, Put, assert_sound, new_upload, outcome


async def test_a_new_version_reads_back_as_it_was_put(database: Database, put: Put) -> None:
    bucket, lease = await new_bucket(database)
    new, conditions = plain(bucket, b"a/\xc3\xbc\x01", lease, size=7)
    new = dataclasses.replace(new, tags=(("t", "1"), ("ü", "")), image_id="i" * 26, modified_ms=123)
    written = await put(database, new, conditions)
    assert isinstance(new.content, NewContent)
    assert new.content.blob is not None
    generation, row = await database.current(bucket, new.key)
    assert generation == await database.generation()
    found = await versions.current_of(database, bucket, new.key, row)
    assert found == await versions.current(database, bucket, new.key)
    assert (found.key, found.modified_ms, found.headers, found.tag_count) == (new.key, 123, new.headers, 2)
    assert await versions.get_tags(database, found) == new.tags
    assert found.content is not None
    assert found.content.id == written.content_id
    assert (found.content.uid, found.content.size, found.content.etag) == (new.content.uid, 7, new.content.etag)
    assert found.content.first is not None
    assert (found.content.first.store, found.content.first.name) == ("local", new.content.blob.name)
    assert (found.content.first.offset, found.content.first.start, found.content.first.length) == (0, 0, 7)
    assert (await versions.by_image(database, "i" * 26)).key == new.key
    empty, conditions = plain(bucket, b"empty", lease, size=0)
    await put(database, empty, conditions)
    nothing = await versions.current(database, bucket, b"empty")
    assert nothing.content is not None
    assert (nothing.content.size, nothing.content.first, nothing.content.segment_count) == (0, None, 0)
    assert await usage.of_bucket(database, bucket) == (2, 7)
    await assert_sound(database)


async def test_checksums_are_stored(database: Database, put: Put) -> None:
    from gateway.model.checksums import Checksum

    bucket, lease = await new_bucket(database)
    new, conditions = plain(bucket, b"key", lease)
    checksum = Checksum(ChecksumAlgorithm.CRC64NVME, ChecksumType.FULL_OBJECT, "AAAAAAAAAAA=")
    assert isinstance(new.content, NewContent)
    content = dataclasses.replace(new.content, checksum=checksum)
    await put(database, dataclasses.replace(new, content=content), conditions)
    found = await versions.current(database, bucket, b"key")
    assert found.content is not None
    assert found.content.checksum == checksum
    page = await database.read(lambda reader: listing.objects(reader, bucket, b"", b"", None, 10))
    assert page.objects[0].checksum_algorithm is ChecksumAlgorithm.CRC64NVME


async def test_what_a_put_may_not_do(database: Database, put: Put) -> None:
    bucket, lease = await new_bucket(database)

    async def told(**options: Any) -> Any:
        return await outcome(
            put(database, *plain(options.pop("bucket", bucket), b"key", options.pop("lease", lease), **options))
        )

    assert await told(if_match="x") is ObjectNotFound
    assert await told(if_match="*") is ObjectNotFound
    assert isinstance(await told(if_none_match=True, etag="first"), Written)
    assert await told(if_none_match=True) is PreconditionFailed
    assert await told(if_match="other") is PreconditionFailed
    assert isinstance(await told(if_match="first", etag="second"), Written)
    assert isinstance(await told(if_match="*", etag="third"), Written)
    assert await told(bucket=bucket + 999) is BucketNotFound
    assert await told(lease=lease + 999) is LeaseLost
    await database.write(lambda tx: leases.end(tx, lease))
    assert await told() is LeaseLost
    assert (await versions.current(database, bucket, b"key")).content.etag == "third"  # type: ignore[union-attr]
    with pytest.raises(PreconditionFailed) as failed:
        await put(database, *plain(bucket, b"key", lease + 1, size=0, if_none_match=True))
    assert failed.value.condition == "If-None-Match"
    await assert_sound(database)


async def test_puts_of_one_moment_are_each_their_own(database: Database, put: Put) -> None:
    """Some in the same round trip fail, and take none of the others with them."""
    bucket, lease = await new_bucket(database)
    other, other_lease = await new_bucket(database, Versioning.ENABLED)
    await put(database, *plain(bucket, b"there", lease))
    calls = []
    for number in range(30):
        calls.append(put(database, *plain(bucket, b"new-%d" % number, lease)))
        calls.append(put(database, *plain(bucket, b"there", lease, if_none_match=True)))
        calls.append(put(database, *plain(other, b"same", other_lease)))
        calls.append(put(database, *plain(bucket, b"lost", lease + 1000)))
    results = await asyncio.gather(*(outcome(call) for call in calls))
    kinds = [result if isinstance(result, type) else type(result) for result in results]
    assert kinds == [Written, PreconditionFailed, Written, LeaseLost] * 30
    ids = [result.version_id for result in results if isinstance(result, Written)]
    assert len({name for name in ids if name is not None}) == 30
    assert await usage.of_bucket(database, bucket) == (31, 31 * 4)
    assert await usage.of_bucket(database, other) == (1, 30 * 4)
    await assert_sound(database)


async def test_a_row_that_the_database_refuses_takes_no_other_with_it(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    new, conditions = plain(bucket, b"first", lease)
    await database.put(new, conditions)
    again = dataclasses.replace(new, key=b"second")
    calls = [database.put(again, conditions), *(database.put(*plain(bucket, b"%d" % n, lease)) for n in range(10))]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(results[0], Exception), "its bytes are another version's already"
    assert all(isinstance(result, Written) for result in results[1:])
    await assert_sound(database)


async def test_of_many_conditional_writers_exactly_one_wins(database: Database, opened: Opened, put: Put) -> None:
    databases = [database, opened(), opened()]
    bucket, lease = await new_bucket(database)
    await put(database, *plain(bucket, b"match", lease, etag="round-0"))
    for turn in range(15):
        new = [put(each, *plain(bucket, b"new-%d" % turn, lease, if_none_match=True)) for each in databases * 4]
        match = [
            put(each, *plain(bucket, b"match", lease, if_match=f"round-{turn}", etag=f"round-{turn + 1}"))
            for each in databases * 4
        ]
        results = await asyncio.gather(*(outcome(call) for call in (*new, *match)))
        for half in (results[:12], results[12:]):
            assert sum(isinstance(result, Written) for result in half) == 1
            assert half.count(PreconditionFailed) == 11
    assert await usage.of_bucket(database, bucket) == (16, 16 * 4)
    await assert_sound(database)


@pytest.mark.parametrize("versioning", Versioning)
async def test_writes_and_deletions_of_one_key_leave_it_whole(
    database: Database, opened: Opened, put: Put, versioning: Versioning
) -> None:
    databases = [database, opened(), opened()]
    bucket, lease = await new_bucket(database, versioning)
    chance = random.Random(5)

    async def work(each: Database) -> None:
        for _ in range(15):
            key = chance.choice([b"a", b"b"])
            if chance.random() < 0.6:
                await put(each, *plain(bucket, key, lease, size=chance.randrange(9)))
            else:
                version = "null" if chance.random() < 0.3 else None
                await each.write(lambda tx, key=key, v=version: versions.delete(tx, bucket, key, v, None, 1))  # type: ignore[misc]

    await asyncio.gather(*(work(each) for each in databases))
    await assert_sound(database)
    nulls = await database.all("SELECT key, count(*) FROM versions WHERE nonce IS NULL GROUP BY key")
    assert all(count == 1 for _, count in nulls)


async def test_a_bucket_is_deleted_empty_or_not_at_all(database: Database, opened: Opened, put: Put) -> None:
    other = opened()
    for _ in range(12):
        bucket, lease = await new_bucket(database)
        calls = [put(other, *plain(bucket, b"key-%d" % n, lease)) for n in range(3)]
        upload = new_upload(bucket)
        results = await asyncio.gather(
            outcome(database.write(lambda tx, b=bucket: buckets.delete(tx, b))),  # type: ignore[misc]
            outcome(other.write(lambda tx, u=upload: uploads.create(tx, u))),  # type: ignore[misc]
            *(outcome(call) for call in calls),
        )
        there = await database.one("SELECT 1 FROM buckets WHERE id = ?", (bucket,))
        rows = await database.one("SELECT count(*) FROM heads WHERE bucket_id = ?", (bucket,))
        begun = await database.one("SELECT count(*) FROM uploads WHERE bucket_id = ?", (bucket,))
        written = sum(isinstance(result, Written) for result in results[2:])
        assert (rows, begun) == ((written,), (1 if there and results[1] is None else 0,))
        assert results[0] is (BucketNotEmpty if there else None)
        if not there:
            assert results[2:] == [BucketNotFound] * 3
    await assert_sound(database)
