"""The servers that tests stand on do what their names say."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from tests.servers.postgresql import PostgreSQL


async def _counted(url: str, timeout: float = 10) -> int:
    connection = await asyncpg.connect(url, timeout=timeout)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM kept", timeout=timeout))
    finally:
        await connection.close()


def _fill(url: str) -> None:
    async def fill() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 10)")
        await connection.close()

    asyncio.run(fill())


async def test_a_database_each(postgresql: PostgreSQL, postgresql_url: str) -> None:
    filled = []
    with postgresql.database("ten", lambda url: (filled.append(url), _fill(url))) as first:
        assert await _counted(first) == 10
        with postgresql.database("ten", filled.append) as second:
            assert await _counted(second) == 10
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await _counted(second)
    assert len(filled) <= 1
    with pytest.raises(asyncpg.UndefinedTableError):
        await _counted(postgresql_url)


async def test_postgresql_paused_killed_restarted(own_postgresql: PostgreSQL) -> None:
    url = own_postgresql.new_database("ten", _fill)
    connection = await asyncpg.connect(url)
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        assert await connection.fetchval(f"SHOW {name}") == "on"
    own_postgresql.pause()
    with pytest.raises(TimeoutError):
        await connection.fetchval("SELECT 1", timeout=0.3)
    with pytest.raises(TimeoutError):
        await _counted(url, timeout=0.3)
    own_postgresql.resume()
    await connection.close()
    assert await _counted(url) == 10
    own_postgresql.kill()
    with pytest.raises(ConnectionRefusedError):
        await _counted(url)
    own_postgresql.start()
    assert await _counted(url) == 10
    before = own_postgresql.pid
    own_postgresql.restart()
    assert own_postgresql.pid != before
    assert await _counted(url) == 10
