"""Migrations on PostgreSQL: Alembic writes the statements, asyncpg runs them, so that no second driver is needed.

The whole way up is one transaction under an advisory lock: nodes that start at once migrate once, and what fails leaves
nothing half done.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg

from migrations.unreachable import Unreachable

T = TypeVar("T")

LOCK = 0x7078_6761_7465_0001
"""The advisory lock of those who migrate: a number of our own, the same in every version."""
CONNECT_SECONDS = 4.0
MINIMUM = 15
"""The oldest major version of PostgreSQL that the SQL is written for and tested with."""


def current_revision(url: str) -> str | None:
    """The revision of the database behind `url`; None where it is new. Raises Unreachable, RuntimeError."""
    return asyncio.run(_connected(url, _revision, CONNECT_SECONDS))


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate the database behind `url`, which must exist. Raises Unreachable, RuntimeError."""

    async def work(connection: asyncpg.Connection) -> None:
        async with connection.transaction():
            await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
            script = statements(await _revision(connection), revision)
            if script:
                await connection.execute(script)

    asyncio.run(_connected(url, work, None))


def statements(current: str | None, revision: str = "head") -> str:
    """The SQL that leads from `current` (None: an empty database) to `revision`; empty where it is reached."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    script = io.StringIO()
    config = Config(attributes={"script": script})
    config.set_main_option("script_location", str(Path(__file__).parent))
    known = {entry.revision for entry in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise RuntimeError(f"the database is of schema {current}, which this version of pixgate does not know")
    command.upgrade(config, revision if current is None else f"{current}:{revision}", sql=True)
    return script.getvalue().strip()


def _without_password(message: str, url: str) -> str:
    try:
        password = urlsplit(url).password
    except ValueError:
        return "its URL cannot be read"
    return message.replace(password, "***") if password else message


async def _revision(connection: asyncpg.Connection) -> str | None:
    if not await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL"):
        return None
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return revision


async def _connected(url: str, work: Callable[[asyncpg.Connection], Awaitable[T]], seconds: float | None) -> T:
    """Do something over one connection. Statements are not prepared by name, for poolers that share connections."""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS, statement_cache_size=0)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError) as error:
        raise Unreachable(f"the PostgreSQL server cannot be reached: {str(error) or type(error).__name__}") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise RuntimeError(f"PostgreSQL refuses the connection: {_without_password(str(error), url)}") from None
    try:
        major = connection.get_server_version().major
        if major < MINIMUM:
            raise RuntimeError(f"PostgreSQL {major} is too old: pixgate needs {MINIMUM} or later")
        return await asyncio.wait_for(work(connection), seconds)
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError) as error:
        raise Unreachable(f"the PostgreSQL server went away: {str(error) or type(error).__name__}") from None
    finally:
        connection.terminate()
