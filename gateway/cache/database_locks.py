"""Locks among nodes in the database that they share, where no Redis has them.

A row with an end, not an advisory lock of PostgreSQL: those belong to a session, which a pooler between (pgbouncer in
transaction mode) hands from one client to the next, and a connection would be held for as long as a render takes.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.cache.port import ALONE, BUSY, CacheUnavailable, Held
from gateway.errors import GatewayError
from gateway.metadata import locks
from gateway.metadata.port import Database, Transaction

LOCK_SECONDS = 6.0
ALONE_SECONDS = 2.0
FORGET_SECONDS = 60.0
_POLL_SECONDS = 0.05
_ALONE = "-"

T = TypeVar("T")


class DatabaseLocks:
    """Locks as rows."""

    seconds = LOCK_SECONDS
    pause = _POLL_SECONDS

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, key: bytes) -> Held | str:
        name = key.hex()
        owner = await self._holder(name)
        if owner is None:
            lock = _DatabaseLock(self._database, name)
            if await lock.take():
                return lock
            owner = await self._holder(name)
        return ALONE if owner == _ALONE else BUSY

    async def tidy(self) -> None:
        """Remove the rows that holders left that died."""
        before = _now_ms() - _ms(FORGET_SECONDS)
        await _write(self._database, lambda tx: locks.forget(tx, before))

    async def _holder(self, name: str) -> str | None:
        try:
            return await locks.holder(self._database, name, _now_ms())
        except GatewayError as error:
            raise CacheUnavailable(str(error)) from error


class _DatabaseLock:
    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._token = secrets.token_hex(16)

    async def take(self) -> bool:
        return await _write(
            self._database, lambda tx: locks.take(tx, self._name, self._token, _now_ms(), _ms(LOCK_SECONDS))
        )

    async def renew(self) -> None:
        await _write(self._database, lambda tx: locks.renew(tx, self._name, self._token, _now_ms(), _ms(LOCK_SECONDS)))

    async def give(self, *, shared: bool) -> None:
        if shared:
            await _write(self._database, lambda tx: locks.give(tx, self._name, self._token))
            return
        await _write(
            self._database,
            lambda tx: locks.hand(tx, self._name, self._token, _ALONE, _now_ms(), _ms(ALONE_SECONDS)),
        )


async def _write(database: Database, operation: Callable[[Transaction], Awaitable[T]]) -> T:
    try:
        return await database.write(operation)
    except GatewayError as error:
        raise CacheUnavailable(str(error)) from error


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
