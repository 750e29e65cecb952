"""Leases and named locks on both engines: they live while they are renewed, and one holds them."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import pytest

from gateway.errors import LeaseLost
from gateway.metadata import leases
from gateway.metadata.port import Database
from gateway.metadata.versions import Written
from tests.contract.metadata_rows import blob, new_bucket, plain
from tests.contract.writes import Opened, Put, outcome


async def test_a_buried_lease_commits_nothing_any_more(database: Database, opened: Opened, put: Put) -> None:
    other = opened()
    for _ in range(10):
        bucket, lease = await new_bucket(database)
        late = int(time.time() * 1000) + leases.DEAD_AFTER_MS + 10_000

        async def bury_and_look(late: int = late, lease: int = lease) -> set[str]:
            await other.write(lambda tx: leases.bury(tx, late))
            rows = await other.all("SELECT name FROM blobs")
            return {name for (name,) in rows if name.startswith(f"{lease}/")}

        calls = [outcome(put(database, *plain(bucket, b"%d" % n, lease))) for n in range(6)]
        seen, *results = await asyncio.gather(bury_and_look(), *calls)
        rows = await database.all("SELECT name FROM blobs")
        assert {name for (name,) in rows if name.startswith(f"{lease}/")} == seen, "a name came after the burial"
        assert {result if isinstance(result, type) else type(result) for result in results} <= {Written, LeaseLost}


async def test_leases_live_while_they_are_renewed(database: Database) -> None:
    now = int(time.time() * 1000)
    kept, lost = [await database.write(lambda tx: leases.create(tx, "test", now)) for _ in range(2)]
    later = now + leases.DEAD_AFTER_MS + 1000
    await database.write(lambda tx: leases.renew(tx, kept, later, 77))
    await database.write(lambda tx: leases.bury(tx, later))
    assert await leases.live(database) == [kept]
    assert await leases.dead(database) == [lost]
    assert await leases.oldest_read(database) == 77
    with pytest.raises(LeaseLost):
        await database.write(lambda tx: leases.renew(tx, lost, later, None))
    with pytest.raises(LeaseLost):
        await database.write(lambda tx: leases.check(tx, blob(kept), None, blob(lost)))
    adopted = dataclasses.replace(blob(kept), name="@1/vx/key")
    await database.write(lambda tx: leases.check(tx, blob(kept), None, adopted))


async def test_one_of_many_takes_a_named_lock(database: Database, opened: Opened) -> None:
    databases = [database, opened(), opened()]
    now = int(time.time() * 1000)
    taken = await asyncio.gather(
        *(
            each.write(lambda tx, n=n: leases.take_lock(tx, "sweep", f"owner-{n}", now, 60_000))  # type: ignore[misc]
            for n, each in enumerate(databases * 3)
        )
    )
    assert taken.count(True) == 1
    owner = f"owner-{taken.index(True)}"
    assert await database.write(lambda tx: leases.take_lock(tx, "sweep", owner, now, 60_000)), "and keeps it"
    assert not await database.write(lambda tx: leases.take_lock(tx, "sweep", "new", now + 59_000, 60_000))
    assert await database.write(lambda tx: leases.take_lock(tx, "sweep", "new", now + 62_000, 60_000))
