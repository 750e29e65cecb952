"""References to bytes on both engines: none is lost while others copy, delete and sweep."""

from __future__ import annotations

import asyncio
import random
import secrets

from gateway.errors import ObjectNotFound
from gateway.metadata import contents, sweep, versions
from gateway.metadata.contents import NewContent
from gateway.metadata.port import Database, Transaction
from gateway.metadata.versions import NewVersion
from tests.contract.metadata_rows import blob, new_bucket, plain
from tests.contract.writes import NO_CONDITIONS, Opened, assert_sound, outcome


async def test_copies_deletions_and_the_sweep_lose_no_byte(database: Database, opened: Opened) -> None:
    """Whoever copies either finds the source gone, or keeps its bytes: none that a version needs is ever condemned."""
    databases = [opened(), opened()]
    bucket, lease = await new_bucket(database)

    async def sweeping() -> None:
        while running:
            await database.write(lambda tx: sweep.collect_orphans(tx, 5, 200), heavy=True)

    async def copy(each: Database, source: bytes, target: bytes, part: bool) -> object:
        found = await versions.current(each, bucket, source)
        assert found.content is not None
        content = found.content.id

        async def operation(tx: Transaction) -> None:
            if not await contents.exists(tx, content):
                raise ObjectNotFound
            what: NewContent | int = content
            if part:
                references = await contents.references(tx, content, 0, 2)
                what = NewContent(secrets.token_bytes(16), 2, "part", references=references)
            await versions.put(tx, NewVersion(bucket, target, what, (), (), None, 1), NO_CONDITIONS)

        return await each.write(operation)

    async def play(each: Database, number: int) -> None:
        chance = random.Random(number)
        for turn in range(25):
            key = b"key-%d" % chance.randrange(4)
            match chance.randrange(3):
                case 0:
                    await each.put(*plain(bucket, key, lease))
                case 1:
                    await each.write(lambda tx, key=key: versions.delete(tx, bucket, key, None, None, 1))  # type: ignore[misc]
                case _:
                    await outcome(copy(each, key, b"key-%d" % chance.randrange(4), turn % 2 == 0))

    for key in range(4):
        await database.put(*plain(bucket, b"key-%d" % key, lease))
    running = True
    sweeper = asyncio.create_task(sweeping())
    await asyncio.gather(*(play(each, number) for number, each in enumerate(databases * 2)))
    running = False
    await sweeper
    await assert_sound(database)
    while await database.write(lambda tx: sweep.collect_orphans(tx, 5, 200), heavy=True):
        pass
    await assert_sound(database)
    left = await database.one(
        "SELECT count(*) FROM contents c WHERE NOT EXISTS (SELECT 1 FROM versions v WHERE v.content_id = c.id)"
    )
    live = await database.one(
        "SELECT count(*) FROM blobs b WHERE state = 'live' AND NOT EXISTS "
        "(SELECT 1 FROM segments s WHERE s.blob_id = b.id)"
    )
    assert (left, live) == ((0,), (0,)), "and what nobody needs is condemned"


async def test_names_in_use_and_condemned_are_of_one_store(database: Database) -> None:
    bucket, lease = await new_bucket(database)
    blobs = [blob(lease, store=store) for store in ("local", "minio")]
    for number, each in enumerate(blobs):
        content = NewContent(secrets.token_bytes(16), 4, "e", blob=each)
        await database.put(NewVersion(bucket, b"%d" % number, content, (), (), None, 1), NO_CONDITIONS)
    names = [each.name for each in blobs]
    unknown = [f"9/{n}" for n in range(1500)]
    assert await sweep.names_in_use(database, "local", [*unknown, *names]) == {names[0]}
    assert await sweep.names_in_use(database, "minio", names) == {names[1]}
    rows = await sweep.blobs_after(database, 0, 10)
    assert await sweep.names_in_use(database, "minio", names, besides=[row.id for row in rows]) == set()
    for number in range(2):
        await database.write(lambda tx, n=number: versions.delete(tx, bucket, b"%d" % n, None, None, 1))  # type: ignore[misc]
    assert await database.write(lambda tx: sweep.collect_orphans(tx, 5, 200)) == 2
    found = await sweep.condemned(database, "minio", 6, 10)
    assert [(row.name, row.store, row.state) for row in found] == [(names[1], "minio", "condemned")]
    await database.write(lambda tx: sweep.forget(tx, [row.id for row in found]))
    assert await sweep.condemned(database, "minio", 6, 10) == []
    assert len(await sweep.condemned(database, "local", 6, 10)) == 1
