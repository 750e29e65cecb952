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
            server = RedisServer(url, "one", budget=5)
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


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks that end after eight tenths of a second."""
    for module in (redis_adapter, database_locks):
        monkeypatch.setattr(module, "LOCK_SECONDS", 0.8)
        monkeypatch.setattr(module, "ALONE_SECONDS", 0.8)


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


async def test_nothing_to_share_is_told_for_a_while(node: Node, short: None) -> None:
    one, other, key = node(), node(), os.urandom(32)
    await (await held(one, key)).give(shared=False)
    assert await other.take(key) == ALONE
    await asyncio.sleep(1)
    await held(other, key)


async def test_a_dead_holder_s_lock_ends(node: Node, short: None) -> None:
    one, other, key = node(), node(), os.urandom(32)
    dead = await held(one, key)
    assert await other.take(key) == BUSY
    await asyncio.sleep(1)
    heir = await held(other, key)
    # Whoever was thought dead cannot give away, or keep, what is another's by now.
    await dead.give(shared=True)
    await dead.renew()
    assert await one.take(key) == BUSY
    await heir.give(shared=True)
    await held(one, key)


async def test_one_that_is_renewed_goes_on(node: Node, short: None) -> None:
    one, other, key = node(), node(), os.urandom(32)
    lock = await held(one, key)
    until = time.monotonic() + 2
    while time.monotonic() < until:
        await lock.renew()
        assert await other.take(key) == BUSY
        await asyncio.sleep(0.05)
    await lock.give(shared=True)


async def test_rows_of_the_dead_are_removed(database: Database, short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    locks = DatabaseLocks(database)
    await held(locks, os.urandom(32))

    async def rows() -> int:
        found = await database.one("SELECT count(*) FROM locks WHERE name LIKE 'render/%'")
        assert found is not None
        return int(found[0])

    await locks.tidy()
    assert await rows() == 1
    monkeypatch.setattr(database_locks, "FORGET_SECONDS", 0.1)
    await asyncio.sleep(1.2)
    await locks.tidy()
    assert await rows() == 0
