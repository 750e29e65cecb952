"""Links to images, on both engines."""

from __future__ import annotations

import pytest

from gateway.metadata import accounts, shares, users
from gateway.metadata.port import Database
from gateway.metadata.shares import ShareRow
from gateway.metadata.users import HERE, NewUser
from gateway.model.accounts import Role

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


@pytest.mark.parametrize("table", ["users", "accounts"])
async def test_a_link_works_only_while_who_made_it_is_on(database: Database, table: str) -> None:
    made = await database.write(lambda tx: accounts.insert(tx, "apps", "c" * 64, NOW))
    new = NewUser(made, HERE, "sub", None, None, None, None, Role.USER, NOW)
    user = await database.write(lambda tx: users.insert(tx, new))
    identity = user.id if table == "users" else made.id
    share, another = ShareRow("a", IMAGE, user.id, NOW, None, None), ShareRow("b", IMAGE, None, NOW, None, None)
    await database.write(lambda tx: shares.insert(tx, b"a" * 32, share))
    await database.write(lambda tx: shares.insert(tx, b"b" * 32, another))
    for enabled, expected in ((1, share), (0, None), (1, share)):
        change = f"UPDATE {table} SET enabled = ? WHERE id = ?"
        await database.write(lambda tx, change=change, enabled=enabled: tx.run(change, (enabled, identity)))
        assert await shares.by_hash(database, b"a" * 32) == expected
        assert await shares.by_hash(database, b"b" * 32) == another, "no user made it"


async def test_what_ended_long_ago_is_forgotten(database: Database) -> None:
    for name, expires in (("a", None), ("b", NOW + 5), ("c", NOW + 50)):
        await add(database, name, expires)
    await add(database, "d")
    await database.write(lambda tx: shares.revoke(tx, IMAGE, "d", NOW))
    assert await database.write(lambda tx: shares.forget_ended(tx, NOW + 10)) == 2
    assert [row[0] for row in await database.all("SELECT id FROM shares ORDER BY id")] == ["a", "c"]
