"""What apps know of images, on both engines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.metadata import images, meta, similar, versions
from gateway.metadata.port import Database
from gateway.model.images import JobStatus, Visibility
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


async def test_what_looks_alike_is_found_by_the_bits_that_differ(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    other, other_lease = await new_bucket(database)
    account = await account_of(database, bucket)

    def looks(number: int) -> bytes:
        return (number & (1 << 64) - 1).to_bytes(8)

    base = 0x8000_0000_0000_00F0
    itself = await put_image(database, bucket, lease, phash=looks(base), user_id=1)
    same = await put_image(database, bucket, lease, phash=looks(base), user_id=2)
    one_off = await put_image(database, bucket, lease, phash=looks(base ^ 1 << 63), user_id=1)
    three_off = await put_image(database, bucket, lease, phash=looks(base ^ 0b111), user_id=1)
    await put_image(database, bucket, lease, phash=looks(~base))
    await put_image(database, bucket, lease)
    await put_image(database, other, other_lease, phash=looks(base))
    gone = await put_image(database, bucket, lease, b"gone", phash=looks(base))
    await database.write(lambda tx: versions.delete(tx, bucket, b"gone", None, None, 1))

    async def found(distance: int, limit: int = 10, user_id: int | None = None) -> list[tuple[int, str]]:
        wanted = similar.Similar(account, user_id, looks(base), distance, limit, itself.image_id)
        return [(far, row.image_id) for far, row in await database.read(lambda r: similar.similar(r, wanted))]

    assert await found(0) == [(0, same.image_id)]
    assert await found(1) == [(0, same.image_id), (1, one_off.image_id)]
    assert await found(8) == [(0, same.image_id), (1, one_off.image_id), (3, three_off.image_id)]
    assert await found(8, limit=2) == [(0, same.image_id), (1, one_off.image_id)]
    assert await found(8, user_id=1) == [(1, one_off.image_id), (3, three_off.image_id)]
    assert len(await found(64)) == 4
    assert gone.image_id not in [image_id for _, image_id in await found(64)]


async def test_what_looks_alike_is_found_behind_any_number_that_is_gone(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similar, "PAGE", 3)
    monkeypatch.setattr(similar, "BATCH", 2)
    bucket, lease = await new_bucket(database)
    account = await account_of(database, bucket)
    alike, other = (0).to_bytes(8), (1).to_bytes(8)
    for number in range(7):
        key = b"%d" % number
        await put_image(database, bucket, lease, key, phash=alike, user_id=1)
        await database.write(lambda tx, key=key: versions.delete(tx, bucket, key, None, None, 1))  # type: ignore[misc]
    kept = sorted([(await put_image(database, bucket, lease, phash=alike, user_id=2)).image_id for _ in range(5)])
    further = [(await put_image(database, bucket, lease, phash=other, user_id=user)).image_id for user in (1, 2)]

    async def found(limit: int, user_id: int | None) -> list[str]:
        wanted = similar.Similar(account, user_id, alike, 8, limit, kept[0])
        return [row.image_id for _, row in await database.read(lambda reader: similar.similar(reader, wanted))]

    assert await found(100, None) == [*kept[1:], *sorted(further)]
    assert await found(3, None) == kept[1:4]
    assert await found(100, 1) == [further[0]]
    assert await found(100, 2) == [*kept[1:], further[1]]
    assert await found(100, 3) == []


async def test_one_look_up_finds_version_and_row_and_another_whether_they_still_hold(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    row = await put_image(database, bucket, lease, b"k", user_id=7, visibility=Visibility.PRIVATE)
    found = await images.find(database, row.image_id)
    assert found is not None
    assert (found.version.key, found.row) == (b"k", row)
    assert await images.unchanged(database, row.image_id, found)
    version, standing = await images.by_image(database, row.image_id)
    assert version == found.version
    assert standing == images.Standing(row.account_id, 7, Visibility.PRIVATE, False)
    await database.write(lambda tx: images.change(tx, row.image_id, lambda was: replace(was, moderation="hidden")))
    assert not await images.unchanged(database, row.image_id, found)
    assert await images.standing(database, row.image_id) == replace(standing, hidden=True)
    again = await images.find(database, row.image_id)
    assert again is not None
    await database.write(lambda tx: images.delete(tx, row.image_id))
    assert not await images.unchanged(database, row.image_id, again)
    bare = await images.find(database, row.image_id)
    assert bare is not None
    assert bare.row is None
    assert await images.unchanged(database, row.image_id, bare), "an image without a row is one, too"
    assert await images.by_image(database, row.image_id) == (version, None)
    await database.write(lambda tx: versions.delete(tx, bucket, b"k", None, None, 1))
    assert await images.find(database, row.image_id) is None
    assert not await images.unchanged(database, row.image_id, bare)


@pytest.mark.parametrize("catalogued", [True, False])
async def test_the_same_look_up_tells_whether_the_key_still_shows_it(database: Database, catalogued: bool) -> None:
    bucket, lease = await new_bucket(database)
    await database.write(lambda tx: tx.run("UPDATE buckets SET versioning = 'Enabled' WHERE id = ?", (bucket,)))
    row = await put_image(database, bucket, lease, b"k")
    if not catalogued:
        await database.write(lambda tx: images.delete(tx, row.image_id))

    async def current() -> bool:
        found = await images.find(database, row.image_id)
        assert found is not None
        assert await images.unchanged(database, row.image_id, found)
        version, standing = await images.by_image(database, row.image_id)
        assert version == found.version
        assert (standing is not None, found.row is not None) == (catalogued, catalogued)
        return version.is_latest

    assert await current()
    before = await images.find(database, row.image_id)
    assert before is not None
    gone = await database.write(lambda tx: versions.delete(tx, bucket, b"k", None, None, 1))
    assert not await images.unchanged(database, row.image_id, before), "what was remembered says that it is current"
    assert not await current()
    await database.write(lambda tx: versions.delete(tx, bucket, b"k", gone.version_id, None, 1))
    assert await current(), "the delete marker is gone"
    assert await images.unchanged(database, row.image_id, before)
    await put_image(database, bucket, lease, b"k")
    assert not await current()
