"""Whether a read URL names a standby of the database, and whether it keeps up: what an operator is told before users notice."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import asyncpg

from gateway.errors import DatabaseUnavailable, GatewayError
from gateway.metadata.postgres_place import ServerPlace, is_itself, place_of, refused, unfit
from gateway.metadata.postgres_pool import Pool
from gateway.metadata.postgres_reader import PostgresReader

CATCH_UP_SECONDS = 3.0
ANSWER_SECONDS = 8.0
"""What a server has to answer once, however often it is asked."""
_BEGIN = "BEGIN READ ONLY"


@dataclass(frozen=True, slots=True)
class StandbyCheck:
    """`problem` is why it is not read, empty where it is; `found` what it is."""

    problem: str
    found: str


async def check_standby(url: str, read_url: str, *, pgbouncer: bool) -> StandbyCheck:
    """Compare both, and wait some seconds until the standby has what the database has now."""
    primary = Pool(url, 1, pgbouncer=pgbouncer, statement_seconds=4)
    other = Pool(read_url, 1, pgbouncer=pgbouncer, statement_seconds=4, standby=True)
    try:
        try:
            before = await _place(primary)
        except (GatewayError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return StandbyCheck("it cannot be compared with the database, which does not answer", "")
        due = time.monotonic() + CATCH_UP_SECONDS
        while True:
            try:
                place = await _place(other)
            except (GatewayError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                return StandbyCheck(refused(error), "")
            if problem := unfit(before, place):
                return StandbyCheck(problem, "")
            if is_itself(before, place):
                return StandbyCheck("", "the database itself")
            if place.position >= before.position:
                return StandbyCheck("", "a standby that keeps up")
            if time.monotonic() > due:
                behind = (before.position - place.position) / 1e6
                return StandbyCheck(f"it is {behind:.1f} MB behind and does not catch up", "")
            await asyncio.sleep(0.1)
    finally:
        await primary.close()
        await other.close()


async def _place(pool: Pool) -> ServerPlace:
    due = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            return await _ask(pool)
        except DatabaseUnavailable:
            if time.monotonic() > due:
                raise
            await asyncio.sleep(0.1)


async def _ask(pool: Pool) -> ServerPlace:
    use = await pool.acquire(time.monotonic() + 4)
    try:
        reader = PostgresReader(use.connection, _BEGIN)
        place = await place_of(reader)
        await use.connection.execute("COMMIT")
    except BaseException:
        pool.drop(use)
        raise
    pool.release(use)
    return place
