"""Contents that are shared by what their bytes are, on both engines; and multipart uploads that apps began."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from gateway.errors import UploadNotFound
from gateway.metadata import accounts, buckets, contents, resumable, same_bytes, sweep, uploads, versions
from gateway.metadata.contents import NewContent
from gateway.metadata.port import Database, Transaction
from gateway.metadata.versions import NewVersion
from gateway.model.buckets import Bucket
from gateway.model.checksums import ChecksumAlgorithm, ChecksumType
from gateway.model.objects import WriteConditions
from gateway.model.uploads import MultipartUpload, Promise


async def new_bucket(database: Database, name: str = "shared") -> Bucket:
    async def operation(tx: Transaction) -> Bucket:
        owner = await accounts.root(tx) or await accounts.create(tx, "root", "f" * 64, 1, is_root=True)
        return await buckets.create(tx, name, owner, "us-east-1", 1)

    return await database.write(operation)


def new() -> NewContent:
    return NewContent(random.randbytes(16), 0, "etag")


async def put(database: Database, bucket: Bucket, key: bytes, mark: bytes, *, account: int = 1, kind: str = "") -> int:
    """Write a version of these bytes; gives its content."""
    content = new()

    async def operation(tx: Transaction) -> int:
        shared = await same_bytes.share(tx, account, kind, mark, content)
        await versions.put(tx, NewVersion(bucket.id, key, shared, (), (), None, 5), WriteConditions())
        return shared

    return await database.write(operation)


async def collect(database: Database) -> None:
    await database.write(lambda tx: sweep.collect_orphans(tx, 10, 1000))


async def test_equal_bytes_share_a_content_within_account_and_kind(database: Database) -> None:
    bucket = await new_bucket(database)
    first = await put(database, bucket, b"a", b"mark")
    assert await put(database, bucket, b"b", b"mark") == first
    assert await put(database, bucket, b"c", b"other") != first
    assert await put(database, bucket, b"d", b"mark", account=2) != first
    assert await put(database, bucket, b"e", b"mark", kind="AES256") != first


async def test_the_content_lives_as_long_as_one_refers_to_it(database: Database) -> None:
    bucket = await new_bucket(database)
    first = await put(database, bucket, b"a", b"mark")
    await put(database, bucket, b"b", b"mark")
    await collect(database)
    await database.write(lambda tx: versions.delete(tx, bucket.id, b"a", None, None, 6))
    await collect(database)
    assert await database.write(lambda tx: contents.exists(tx, first))
    await database.write(lambda tx: versions.delete(tx, bucket.id, b"b", None, None, 6))
    # Deleted and not swept yet: the same bytes may come back to it.
    assert await put(database, bucket, b"c", b"mark") == first
    await collect(database)
    assert await database.write(lambda tx: contents.exists(tx, first))
    await database.write(lambda tx: versions.delete(tx, bucket.id, b"c", None, None, 6))
    await collect(database)
    assert not await database.write(lambda tx: contents.exists(tx, first))
    assert await database.all("SELECT 1 FROM same_bytes") == []
    assert await put(database, bucket, b"d", b"mark") != first


async def test_bytes_that_came_for_nothing_are_left_to_the_sweep(database: Database) -> None:
    bucket = await new_bucket(database)
    await put(database, bucket, b"a", b"mark")
    await put(database, bucket, b"b", b"mark")
    assert await database.all("SELECT count(*) FROM contents") == [(2,)]
    await collect(database)
    assert await database.all("SELECT count(*) FROM contents") == [(1,)]


async def test_those_that_come_at_once_share(opened: Callable[[], Database]) -> None:
    one, other = opened(), opened()
    bucket = await new_bucket(one)
    found = await asyncio.gather(
        *(put(database, bucket, b"%d" % number, b"mark") for number, database in enumerate([one, other] * 6))
    )
    assert len(set(found)) == 1


# Multipart uploads that apps began


async def begin(database: Database, bucket: Bucket, upload_id: str, created_ms: int, promise: Promise | None) -> None:
    upload = MultipartUpload(
        0,
        upload_id,
        bucket.id,
        b"key",
        (),
        (),
        ChecksumAlgorithm.CRC32,
        ChecksumType.FULL_OBJECT,
        False,
        "x",
        created_ms,
    )

    async def operation(tx: Transaction) -> None:
        await uploads.create(tx, upload)
        if promise is not None:
            await resumable.promise(tx, upload_id, promise)
        found = await uploads.get(tx, bucket.id, b"key", upload_id)
        await uploads.put_part(tx, found.id, 1, new(), created_ms)

    await database.write(operation)


@pytest.mark.parametrize("user", [None, 7])
async def test_abandoned_uploads_of_apps_end_and_others_stay(database: Database, user: int | None) -> None:
    bucket = await new_bucket(database)
    promise = Promise("I" * 27, "ü.jpg", 1000, 1, user)
    for name, created, promised in (("old", 5, promise), ("new", 50, promise), ("of s3", 5, None)):
        await begin(database, bucket, name, created, promised)
    found = await resumable.find(database, "old")
    assert found is not None
    assert (found.promise, found.bucket_id, found.key, found.completed) == (promise, bucket.id, b"key", False)
    assert await resumable.find(database, "of s3") is None
    assert await database.write(lambda tx: resumable.forget_abandoned(tx, 10)) == 1
    assert await resumable.find(database, "old") is None
    rows = await database.all("SELECT upload_id FROM uploads ORDER BY upload_id")
    assert rows == [("new",), ("of s3",)]
    assert await database.all("SELECT count(*) FROM orphans") == [(1,)]


async def test_an_upload_of_bytes_that_are_there_is_closed_with_their_image(database: Database) -> None:
    bucket = await new_bucket(database)
    await begin(database, bucket, "again", 5, Promise("I" * 27, "a.jpg", 1000, 1, None))
    begun = await resumable.find(database, "again")
    assert begun is not None
    assert begun.image_id == "I" * 27
    await database.write(lambda tx: resumable.answer_with(tx, begun, "J" * 27, 7))
    closed = await resumable.find(database, "again")
    assert closed is not None
    assert (closed.completed, closed.image_id) == (True, "J" * 27)
    assert await database.all("SELECT count(*) FROM parts") == [(0,)]
    with pytest.raises(UploadNotFound):
        await database.write(lambda tx: resumable.answer_with(tx, begun, "K" * 27, 8))


async def test_what_became_no_image_is_no_upload_of_an_app(database: Database) -> None:
    bucket = await new_bucket(database)
    await begin(database, bucket, "bytes", 5, Promise("I" * 27, "a.bin", 1000, 1, None))
    found = await uploads.get(database, bucket.id, b"key", "bytes")
    assert found.promised is not None
    await database.write(lambda tx: resumable.disown(tx, found.id))
    assert await resumable.find(database, "bytes") is None
    assert (await uploads.get(database, bucket.id, b"key", "bytes")).promised is None
