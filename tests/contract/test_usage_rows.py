"""What a bucket holds, counted on both engines."""

from __future__ import annotations

import asyncio

from gateway.metadata import sweep, usage
from gateway.metadata.port import Database
from tests.contract.metadata_rows import new_bucket, plain
from tests.contract.writes import Opened, assert_sound


async def test_usage_is_exact_while_it_is_folded(database: Database, opened: Opened) -> None:
    bucket, lease = await new_bucket(database)
    other = opened()
    running = True

    async def folding() -> None:
        while running:
            await other.write(usage.fold, heavy=True)
            await other.write(usage.recount, heavy=True)

    folder = asyncio.create_task(folding())
    for number in range(30):
        await database.put(*plain(bucket, b"%d" % number, lease))
        assert await usage.of_bucket(database, bucket) == (number + 1, 4 * (number + 1))
    running = False
    await folder
    assert await database.write(usage.fold) < usage.FOLDED
    assert await database.one("SELECT count(*) FROM usage_deltas") == (0,)
    assert await database.one("SELECT objects, bytes FROM usage WHERE bucket_id = ?", (bucket,)) == (30, 120)
    await database.write(lambda tx: tx.run("UPDATE usage SET objects = 7"))
    assert await database.read(sweep.inconsistencies) == {"a bucket whose count of objects or bytes is wrong": 1}
    await database.write(usage.recount)
    await assert_sound(database)
    assert await usage.totals(database) == (30, 120)
