"""Links to images, on both engines."""

from __future__ import annotations

from gateway.metadata import shares
from gateway.metadata.port import Database
from gateway.metadata.shares import ShareRow

IMAGE = "I" + "A" * 26
NOW = 1_000


async def add(database: Database, name: str, expires_ms: int | None = None, image_id: str = IMAGE) -> ShareRow:
    share = ShareRow(name, image_id, 7, NOW, expires_ms, None)
    await database.write(lambda tx: shares.insert(tx, name.encode() * 32, share))
    return share


async def test_a_link_is_found_by_the_hash_of_its_token(database: Database) -> None:
    share = await add(database, "a", NOW + 1)
    assert await shares.by_hash(database, b"a" * 32) == share
    assert await shares.by_hash(database, b"b" * 32) is None
    assert share.open(NOW)
    assert not share.open(NOW + 1)


async def test_links_of_an_image_end_by_time_or_by_hand(database: Database) -> None:
    forever, short = await add(database, "a"), await add(database, "b", NOW + 5)
    other = await add(database, "c", image_id="I" + "B" * 26)
    assert await shares.of_image(database, IMAGE, NOW) == (forever, short)
    assert await shares.of_image(database, IMAGE, NOW + 5) == (forever,)
    assert await database.write(lambda tx: shares.revoke(tx, IMAGE, "c", NOW)) == 0, "it is another image's"
    assert await database.write(lambda tx: shares.revoke(tx, IMAGE, "a", NOW)) == 1
    assert await database.write(lambda tx: shares.revoke(tx, IMAGE, "a", NOW)) == 0
    assert await shares.of_image(database, IMAGE, NOW) == (short,)
    revoked = await shares.by_hash(database, b"a" * 32)
    assert revoked is not None
    assert not revoked.open(NOW)
    assert await database.write(lambda tx: shares.revoke(tx, IMAGE, None, NOW)) == 1
    assert await shares.of_image(database, other.image_id, NOW) == (other,)


async def test_what_ended_long_ago_is_forgotten(database: Database) -> None:
    for name, expires in (("a", None), ("b", NOW + 5), ("c", NOW + 50)):
        await add(database, name, expires)
    await add(database, "d")
    await database.write(lambda tx: shares.revoke(tx, IMAGE, "d", NOW))
    assert await database.write(lambda tx: shares.forget_ended(tx, NOW + 10)) == 2
    assert [row[0] for row in await database.all("SELECT id FROM shares ORDER BY id")] == ["a", "c"]
