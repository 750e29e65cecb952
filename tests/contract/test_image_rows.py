"""What apps know of images, on both engines."""

from __future__ import annotations

from dataclasses import replace

from gateway.metadata import images, meta, versions
from gateway.metadata.port import Database
from gateway.model import JobStatus, Visibility
from tests.contract.image_rows import account_of, put_image
from tests.contract.metadata_rows import new_bucket, plain

FULL = {
    "user_id": 7,
    "filename": "süß \N{CAT}.jpg",
    "sha256": bytes(range(32)),
    "width": 640,
    "height": 480,
    "visibility": Visibility.UNLISTED,
    "moderation": "approved",
    "metadata": {"a": [1, None, "ü\x00"], "b": {"c": True}},
    "tags": ("sea", "ü"),
    "upload_ip": "::1",
    "delete_hash": b"\x00" * 32,
    "delete_expires_ms": 5,
    "dominant_color": "#010203",
    "blurhash": "LEHV6nWB2yk8pyo0adR*.7kCMdnj",
    "phash": b"\xff\x00\x00\x00\x00\x00\x00\x01",
    "status": JobStatus.COMPLETED,
    "job_id": "j",
}


async def test_a_row_is_read_as_it_was_written(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    full = await put_image(database, bucket, lease, **FULL)
    bare = await put_image(database, bucket, lease)
    assert await images.get(database, full.image_id) == full
    assert await images.get(database, bare.image_id) == bare
    assert await images.get(database, "I" + "A" * 26) is None


async def test_the_first_row_of_a_bucket_says_that_visibility_counts_there(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    generation = await database.generation()
    assert await database.one("SELECT known_images FROM buckets WHERE id = ?", (bucket,)) == (0,)
    await put_image(database, bucket, lease)
    assert await database.one("SELECT known_images FROM buckets WHERE id = ?", (bucket,)) == (1,)
    assert await database.generation() == generation + 1
    await put_image(database, bucket, lease)
    assert await database.generation() == generation + 1, "the others change no configuration"
    await database.write(meta.bump_generation)


async def test_a_change_sees_what_is_there_and_keeps_the_tags_in_step(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    row = await put_image(database, bucket, lease, tags=("a", "b"), created_ms=9, size=3)

    async def tags() -> list[tuple[object, ...]]:
        found = await database.all(
            "SELECT tag, created_ms, size, listed FROM image_tags WHERE image_id = ? ORDER BY tag", (row.image_id,)
        )
        return [tuple(one) for one in found]

    assert await tags() == [("a", 9, 3, 1), ("b", 9, 3, 1)]
    changed = await database.write(
        lambda tx: images.change(tx, row.image_id, lambda was: replace(was, tags=(*was.tags[1:], "c"), width=5))
    )
    assert changed is not None
    assert changed[0] == row
    assert changed[1] == replace(row, tags=("b", "c"), width=5) == await images.get(database, row.image_id)
    assert await tags() == [("b", 9, 3, 1), ("c", 9, 3, 1)]
    await database.write(
        lambda tx: images.change(tx, row.image_id, lambda was: replace(was, visibility=Visibility.PRIVATE))
    )
    assert await tags() == [("b", 9, 3, 0), ("c", 9, 3, 0)]
    assert await database.write(lambda tx: images.change(tx, "I" + "A" * 26, lambda was: was)) is None


async def test_a_deleted_row_leaves_nothing(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    row = await put_image(database, bucket, lease, tags=("a",))
    kept = await put_image(database, bucket, lease, tags=("a",))
    assert await database.write(lambda tx: images.delete(tx, row.image_id)) == row
    assert await images.get(database, row.image_id) is None
    assert [tuple(one) for one in await database.all("SELECT image_id FROM image_tags")] == [(kept.image_id,)]
    assert await database.write(lambda tx: images.delete(tx, row.image_id)) is None


async def test_equal_bytes_are_found_while_they_are_current(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    other, other_lease = await new_bucket(database)
    account = await account_of(database, bucket)
    digest = b"\x01" * 32
    await put_image(database, other, other_lease, sha256=digest)
    assert await images.with_bytes(database, account, digest) is None, "never across accounts"
    first = await put_image(database, bucket, lease, b"k", sha256=digest, created_ms=1)
    second = await put_image(database, bucket, lease, sha256=digest, created_ms=2)
    assert await images.with_bytes(database, account, digest) == first
    await database.put(*plain(bucket, b"k", lease))
    assert await images.with_bytes(database, account, digest) == second
    await database.write(lambda tx: versions.delete(tx, bucket, second.image_id.encode(), None, None, 1))
    assert await images.with_bytes(database, account, digest) is None
