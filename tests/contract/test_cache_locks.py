"""What locks among nodes do, on each adapter: one holder at a time, and an end even where the holder died."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.backends import DATABASE
from gateway.cache import database_locks
from gateway.cache import redis as redis_adapter
from gateway.cache.database_locks import DatabaseLocks
from gateway.cache.port import ALONE, BUSY, Held, Locks
from gateway.cache.redis import RedisLocks, RedisServer
from gateway.metadata.port import Database
from gateway.metadata.postgres import PostgresDatabase
from gateway.metadata.sqlite import SqliteDatabase
from gateway.redis_address import parse_redis_url
from tests.contract.conftest import ENGINES
from tests.data_folder import new_data_folder

Node = Callable[[], Locks]


@pytest.fixture(params=["redis", *ENGINES])
async def node(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Node]:
    """Gives the locks of another node on the same server."""
    made: list[RedisServer | Database] = []

    def another() -> Locks:
        if request.param == "redis":
            server = RedisServer(url, "one", budget=60)
            made.append(server)
            return RedisLocks(server)
        database: Database = (
            SqliteDatabase(data / DATABASE) if request.param == "sqlite" else PostgresDatabase(postgresql)
        )
        made.append(database)
        return DatabaseLocks(database)

    if request.param == "redis":
        url = parse_redis_url(request.getfixturevalue("redis_url"))
    elif request.param == "sqlite":
        data = new_data_folder(tmp_path / "data")
    else:
        postgresql: str = request.getfixturevalue("migrated_url")
    yield another
    for one in made:
        await one.close()


SHORT = 0.4


@pytest.fixture(autouse=True)
def last(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets how many seconds what is taken, renewed or given from now on lasts."""

    def set_seconds(seconds: float) -> None:
        for module in (redis_adapter, database_locks):
            monkeypatch.setattr(module, "LOCK_SECONDS", seconds)
            monkeypatch.setattr(module, "ALONE_SECONDS", seconds)

    # Longer than any machine stands still.
    set_seconds(600)
    return set_seconds


async def in_the_end(locks: Locks, key: bytes) -> Held:
    """Waits until the lock of somebody else has ended."""
    async with asyncio.timeout(60):
        while isinstance(outcome := await locks.take(key), str):
            await asyncio.sleep(0.05)
    return outcome


async def held(locks: Locks, key: bytes) -> Held:
    outcome = await locks.take(key)
    assert not isinstance(outcome, str)
    return outcome


async def test_one_holder(node: Node) -> None:
    one, other, key = node(), node(), os.urandom(32)
    lock = await held(one, key)
    assert await other.take(key) == BUSY
    assert await one.take(key) == BUSY
    await held(other, os.urandom(32))
    await lock.give(shared=True)
    await (await held(other, key)).give(shared=True)


async def test_among_many_exactly_one(node: Node) -> None:
    nodes = [node() for _ in range(4)]
    for _ in range(10):
        key = os.urandom(32)
        outcomes = await asyncio.gather(*(nodes[number % 4].take(key) for number in range(20)))
        assert sum(not isinstance(outcome, str) for outcome in outcomes) == 1
        assert outcomes.count(BUSY) == 19


async def test_nothing_to_share_is_told_for_a_while(node: Node, last: Callable[[float], None]) -> None:
    one, other, key, another = node(), node(), os.urandom(32), os.urandom(32)
    await (await held(one, key)).give(shared=False)
    assert await other.take(key) == ALONE
    lock = await held(one, another)
    last(SHORT)
    given = time.monotonic()
    await lock.give(shared=False)
    await in_the_end(other, another)
    assert time.monotonic() - given > SHORT * 0.9
    assert await other.take(key) == ALONE


async def test_a_dead_holder_s_lock_ends(node: Node, last: Callable[[float], None]) -> None:
    one, other, key = node(), node(), os.urandom(32)
    last(SHORT)
    taken = time.monotonic()
    dead = await held(one, key)
    last(600)
    heir = await in_the_end(other, key)
    assert time.monotonic() - taken > SHORT * 0.9
    # Whoever was thought dead cannot give away, or keep, what is another's by now.
    await dead.give(shared=True)
    await dead.renew()
    assert await one.take(key) == BUSY
    await heir.give(shared=True)
    await held(one, key)


async def test_one_that_is_renewed_goes_on(node: Node, last: Callable[[float], None]) -> None:
    one, other = node(), node()
    for _ in range(20):
        last(1)
        key = os.urandom(32)
        taken = time.monotonic()
        lock = await held(one, key)
        await lock.renew()
        last(600)
        await lock.renew()
        if time.monotonic() - taken < 0.9:
            break
        # It may have ended before it was renewed: the machine stood still.
    else:
        pytest.fail("this machine is too busy for a lock of a second")
    await asyncio.sleep(max(0.0, taken + 1.1 - time.monotonic()))
    assert await other.take(key) == BUSY
    await lock.give(shared=True)
    await held(other, key)


async def test_rows_of_the_dead_are_removed(
    database: Database, last: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = DatabaseLocks(database)
    last(0)
    await held(locks, os.urandom(32))

    async def rows() -> int:
        found = await database.one("SELECT count(*) FROM locks WHERE name LIKE 'render/%'")
        assert found is not None
        return int(found[0])

    await locks.tidy()
    assert await rows() == 1
    monkeypatch.setattr(database_locks, "FORGET_SECONDS", -1.0)
    await locks.tidy()
    assert await rows() == 0
