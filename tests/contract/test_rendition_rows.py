"""Listed renditions, on both engines: a row counts for the version that is current and the recipe in force."""

from __future__ import annotations

import random
from typing import Any

from gateway.metadata import attachments, listing, renditions, versions
from gateway.metadata.port import Database
from gateway.metadata.renditions import RenditionRow
from gateway.model.listings import ObjectPage
from tests.contract.metadata_rows import new_bucket, plain

KEYS = [b"a", b"a/1", b"a/2", b"a/b/c", b"b", b"b/1", b"z", "ü/ü".encode()]


def made(seq: int, *, recipe: str = "r", etag: str = "e", at: int = 7) -> RenditionRow:
    return RenditionRow(seq, recipe, b"\x00key\xff" + recipe.encode(), "image/webp", seq + 100, etag, at)


async def put(database: Database, bucket: int, key: bytes, lease: int) -> int:
    await database.put(*plain(bucket, key, lease))
    row = await database.one("SELECT seq FROM heads WHERE bucket_id = ? AND key = ?", (bucket, key))
    assert row is not None
    return int(row[0])


async def note(database: Database, bucket: int, key: bytes, row: RenditionRow, preset: str = "card") -> None:
    await database.write(lambda tx: renditions.put(tx, bucket, preset, key, row))


async def page(database: Database, bucket: int, *, recipe: str = "r", **options: Any) -> ObjectPage:
    wanted = {"prefix": b"", "delimiter": b"", "after": None, "limit": 1000} | options
    return await database.read(lambda reader: renditions.page(reader, bucket, "card", recipe, *wanted.values()))


async def test_only_what_is_current_is_listed(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    seqs = {key: await put(database, bucket, key, lease) for key in KEYS}
    assert (await page(database, bucket)).objects == ()
    for key in KEYS:
        await note(database, bucket, key, made(seqs[key]))
    await note(database, bucket, b"b", made(seqs[b"b"]), "other")
    listed = (await page(database, bucket)).objects
    assert [one.key for one in listed] == KEYS
    assert [(one.size, one.etag, one.modified_ms) for one in listed] == [(seqs[key] + 100, "e", 7) for key in KEYS]
    assert (await page(database, bucket, recipe="another")).objects == ()
    newer = await put(database, bucket, b"a/1", lease)
    await database.write(lambda tx: versions.delete(tx, bucket, b"z", None, None, 5))
    assert [one.key for one in (await page(database, bucket)).objects] == [k for k in KEYS if k not in (b"a/1", b"z")]
    await note(database, bucket, b"a/1", made(newer))
    assert b"a/1" in [one.key for one in (await page(database, bucket)).objects]
    await note(database, bucket, b"a/1", made(seqs[b"a/1"], etag="late"))
    row = await renditions.get(database, bucket, "card", b"a/1")
    assert row is not None
    assert (row.seq, row.etag) == (newer, "e"), "who was slow does not take the place of the newer one"


async def test_pages_with_a_delimiter_are_those_of_the_objects(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    alphabet = [b"a", b"b", b"/", b"-", "é".encode()]
    chance = random.Random(5)
    keys = sorted({b"".join(chance.choices(alphabet, k=chance.randint(1, 6))) for _ in range(120)})
    for key in keys:
        seq = await put(database, bucket, key, lease)
        await note(database, bucket, key, made(seq))
    for prefix, delimiter, limit in ((b"", b"/", 7), (b"a", b"/", 3), (b"", b"-a", 5), (b"b/", b"", 4), (b"", b"", 50)):
        after: bytes | None = None
        while True:
            theirs = await page(database, bucket, prefix=prefix, delimiter=delimiter, after=after, limit=limit)
            ours = await database.read(
                lambda reader, a=after, p=prefix, d=delimiter, n=limit: listing.objects(reader, bucket, p, d, a, n)  # type: ignore[misc]
            )
            assert [one.key for one in theirs.objects] == [one.key for one in ours.objects]
            assert (theirs.common_prefixes, theirs.truncated, theirs.next_key) == (
                ours.common_prefixes,
                ours.truncated,
                ours.next_key,
            )
            after = theirs.next_key
            if after is None:
                break


async def test_the_same_bytes_keep_their_time(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    seq = await put(database, bucket, b"k", lease)
    await note(database, bucket, b"k", made(seq, at=5))
    await note(database, bucket, b"k", made(seq, at=9))
    assert [one.modified_ms for one in (await page(database, bucket)).objects] == [5]
    await note(database, bucket, b"k", made(seq, at=9, etag="other"))
    assert [one.modified_ms for one in (await page(database, bucket)).objects] == [9]


async def test_what_is_stale_is_forgotten(database: Database, monkeypatch: Any) -> None:
    monkeypatch.setattr(renditions, "STALE_PAGE", 3)
    bucket, lease = await new_bucket(database)
    seqs = {key: await put(database, bucket, key, lease) for key in KEYS}
    for key in KEYS:
        await note(database, bucket, key, made(seqs[key]))
    await put(database, bucket, b"a", lease)
    await database.write(lambda tx: versions.delete(tx, bucket, b"b/1", None, None, 5))
    place: renditions.Place | None = None
    while True:
        place = await database.write(lambda tx, at=place: renditions.forget_stale(tx, at))  # type: ignore[misc]
        if place is None:
            break
    left = await database.all("SELECT key FROM renditions ORDER BY key")
    assert [bytes(key) for (key,) in left] == [key for key in KEYS if key not in (b"a", b"b/1")]
    await database.write(lambda tx: renditions.forget_bucket(tx, bucket))
    assert await database.all("SELECT key FROM renditions") == []


async def test_images_that_are_not_made_yet(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    other, _ = await new_bucket(database)
    seqs = {key: await put(database, bucket, key, lease) for key in KEYS}
    await database.write(
        lambda tx: tx.run("UPDATE versions SET image_id = 'i' || seq WHERE bucket_id = ? AND key <> ?", (bucket, b"b"))
    )
    await note(database, bucket, b"a/2", made(seqs[b"a/2"]))

    async def unmade(prefix: bytes, after: bytes, limit: int, preset: str | None = "card") -> list[tuple[bytes, bool]]:
        return await database.read(lambda reader: renditions.unmade(reader, bucket, preset, "r", prefix, after, limit))

    assert await unmade(b"", b"", 100) == [(key, key == b"a/2") for key in KEYS if key != b"b"]
    assert await unmade(b"a/", b"a/1", 1) == [(b"a/2", True)]
    # What was adopted is known to be an image only when somebody looked.
    await database.write(lambda tx: attachments.attach(tx, other, "main", "there", b"", own=False, now_ms=1))
    assert (b"b", False) not in await unmade(b"b", b"", 9)
    await database.write(lambda tx: tx.run("UPDATE attachments SET bucket_id = ? WHERE bucket_id = ?", (bucket, other)))
    assert await unmade(b"b", b"", 9) == [(b"b", False), (b"b/1", False)]
    assert await unmade(b"a/", b"", 9, None) == [(b"a/1", False), (b"a/2", False), (b"a/b/c", False)]
