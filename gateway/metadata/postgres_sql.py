"""How the SQL of this package becomes PostgreSQL's, and how its errors become facts."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg

from gateway.errors import DatabaseUnavailable, DiskFull, GatewayError

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any]
    """Rows are asyncpg's own, which unpack, slice and compare as tuples do."""
else:
    Connection = asyncpg.Connection

_PARAMETER = re.compile(r"\?")
_TABLE = re.compile(r"INSERT INTO (\w+)")
IDENTITY = {"versions": "seq"}
"""The generated id of a table where it is not called `id`."""

RETRIED = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    # A migration changed what a statement gives, under a node that runs on; the driver has forgotten the statement.
    asyncpg.InvalidCachedStatementError,
)
"""Errors that undo a transaction as if it had never begun, and that need not come again."""


LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""Errors behind which the connection is gone, even where that was not noticed yet."""


@lru_cache(1024)
def translated(sql: str) -> str:
    """Positional `?` as `$1`, `$2`, ...; no text of ours has a question mark of another meaning."""
    pieces = _PARAMETER.split(sql)
    return pieces[0] + "".join(f"${number}{piece}" for number, piece in enumerate(pieces[1:], 1))


@lru_cache(256)
def returning_identity(sql: str) -> str:
    """An INSERT that gives the id it generated."""
    table = _TABLE.match(sql)
    assert table is not None
    return f"{translated(sql)} RETURNING {IDENTITY.get(table[1], 'id')}"


def lock_number(kind: str, *identity: int | bytes | str) -> int:
    """The advisory lock of that name: 64 bits of a hash. Two names that share one would only wait for each other."""
    digest = blake2b(kind.encode(), digest_size=8)
    for part in identity:
        raw = part if isinstance(part, bytes) else str(part).encode()
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return int.from_bytes(digest.digest(), signed=True)


def without_password(message: str, url: str) -> str:
    """A driver's message, fit for people: it must not tell the password of the URL it is about."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return "the database's URL cannot be read"
    return message.replace(password, "***") if password else message


_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.InternalClientError,
    asyncpg.PostgresSystemError,
)


def translate(error: BaseException, connection: Connection | None = None) -> BaseException:
    """The fact behind a driver's error; the error itself where it says something of the statement alone."""
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, asyncpg.DiskFullError):
        return DiskFull("The metadata database has no space left.")
    if isinstance(error, _AWAY) or (connection is not None and connection.is_closed()):
        return DatabaseUnavailable("The metadata database does not answer.")
    return error
