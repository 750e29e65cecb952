"""Pins on both engines: announced while their content is there, marked when it goes, forgotten once the bytes are."""

from __future__ import annotations

import secrets
from dataclasses import replace

from gateway.metadata import pins, sweep, versions
from gateway.metadata.pins import Pin
from gateway.metadata.port import Database
from tests.contract.metadata_rows import new_bucket, plain

LATER = 10_000


async def stored(database: Database, bucket: int, key: bytes, lease: int) -> int:
    """A new object; the id of its content."""
    await database.put(*plain(bucket, key, lease))
    row = await database.one(
        "SELECT v.content_id FROM heads h JOIN versions v ON v.seq = h.seq WHERE h.bucket_id = ? AND h.key = ?",
        (bucket, key),
    )
    assert row is not None
    return int(row[0])


def pin(content: int, name: str = "medium", *, at: int = 1000) -> Pin:
    return Pin(secrets.token_bytes(32), content, name, "image/webp", 600, 400, 12_345, at)


async def note(database: Database, *some: Pin) -> bool:
    return await database.write(lambda tx: pins.note(tx, some))


async def swept(database: Database) -> None:
    while await database.write(lambda tx: sweep.collect_orphans(tx, 1, 100)):
        pass


async def delete(database: Database, bucket: int, key: bytes) -> None:
    await database.write(lambda tx: versions.delete(tx, bucket, key, None, None, 1))


async def test_what_is_noted_is_found(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    content, other = await stored(database, bucket, b"a", lease), await stored(database, bucket, b"b", lease)
    medium, large = pin(content), pin(content, "large", at=999)
    assert await note(database, medium, large)
    assert await pins.get(database, medium.key) == medium
    assert await pins.get(database, pin(content).key) is None
    assert await pins.of_content(database, content) == [large, medium]
    assert await pins.of_content(database, other) == []
    assert not await note(database)


async def test_noted_again_it_is_the_same(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    first = pin(await stored(database, bucket, b"a", lease))
    await note(database, first)
    again = replace(first, made_ms=2000)
    assert await note(database, again)
    assert await pins.of_content(database, first.content_id) == [again]


async def test_nothing_is_announced_of_a_content_that_is_gone(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    late = pin(await stored(database, bucket, b"a", lease))
    await delete(database, bucket, b"a")
    await swept(database)
    assert not await note(database, late)
    assert await pins.get(database, late.key) is None


async def test_the_sweep_of_contents_releases_and_bytes_go_before_rows(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    one = pin(await stored(database, bucket, b"a", lease))
    other = pin(await stored(database, bucket, b"b", lease))
    await note(database, one)
    await note(database, other)
    await swept(database)
    assert one.key not in await pins.gone(database)
    await delete(database, bucket, b"a")
    await swept(database)
    assert one.key in await pins.gone(database)
    assert other.key not in await pins.gone(database)
    assert one.key not in await pins.gone(database, one.key)
    assert await pins.gone_of(database, one.content_id) == [one.key]
    assert await pins.gone_of(database, other.content_id) == []
    assert await pins.get(database, one.key) is None
    assert await pins.of_content(database, one.content_id) == []
    assert await pins.unnoted(database, [one.key, b"other"]) == {b"other"}
    await database.write(lambda tx: pins.forget(tx, [one.key, other.key]))
    assert one.key not in await pins.gone(database)
    assert await pins.get(database, other.key) == other
    assert await pins.unnoted(database, [one.key, other.key]) == {one.key}


async def test_released_at_once_only_where_no_version_has_the_content(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    first = pin(await stored(database, bucket, b"a", lease))
    await note(database, first)
    assert await database.write(lambda tx: pins.release_unused(tx, first.content_id)) == 0
    assert await pins.get(database, first.key) == first
    await delete(database, bucket, b"a")
    assert await database.write(lambda tx: pins.release_unused(tx, first.content_id)) == 1
    assert await pins.get(database, first.key) is None
    assert await database.write(lambda tx: pins.release_unused(tx, first.content_id)) == 0


async def test_what_newer_ones_replaced_goes_after_a_while(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    content = await stored(database, bucket, b"a", lease)
    old, large = pin(content, at=1000), pin(content, "large", at=1000)
    await note(database, old, large, pin(content, at=1000 + LATER))
    await database.write(lambda tx: pins.release_superseded(tx, LATER))
    assert await pins.get(database, old.key) == old
    newest = pin(content, at=1001 + LATER)
    await note(database, newest)
    await database.write(lambda tx: pins.release_superseded(tx, LATER))
    assert await pins.get(database, old.key) is None
    assert await pins.get(database, large.key) == large
    assert await pins.get(database, newest.key) == newest
