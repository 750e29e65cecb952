"""What a PostgreSQL server says of itself, to tell whether another one is a standby of it, and how far that is."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from gateway.errors import GatewayError
from gateway.metadata.meta import DEPLOYMENT
from gateway.metadata.port import Reader
from gateway.metadata.postgres_sql import LOST

_ASKED = """
SELECT
  pg_is_in_recovery(),
  (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn)::bigint,
  pg_postmaster_start_time()::text,
  (SELECT system_identifier FROM pg_control_system()),
  (SELECT oid::bigint FROM pg_database WHERE datname = current_database()),
  (SELECT value FROM meta WHERE name = ?),
  (SELECT max(version_num) FROM alembic_version)
"""

DIVERGED = "it has what the database has not: a standby of the server that was the primary before"


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """`position` is how far its log is written or, on a standby, replayed: in bytes since the cluster was made.

    `started` and `system` tell servers apart: those of one cluster share `system`, none shares both. `database` is one of
    a cluster.
    """

    standby: bool
    position: int
    started: str
    system: int
    database: int
    deployment: bytes | None
    schema: str


async def place_of(reader: Reader) -> ServerPlace:
    """As of a moment after the call. Raises what the driver does: no tables, no permission, a server that is away."""
    row = await reader.one(_ASKED, (DEPLOYMENT,))
    assert row is not None
    standby, position, started, system, database, deployment, schema = row
    fact = None if deployment is None else bytes(deployment)
    return ServerPlace(standby, position or 0, started, system, database, fact, str(schema))


def is_itself(primary: ServerPlace, other: ServerPlace) -> bool:
    """Whether both are one server, which is asked for one database."""
    return (primary.system, primary.started, primary.database) == (other.system, other.started, other.database)


def unfit(primary: ServerPlace, other: ServerPlace) -> str:
    """Why nothing may be read from `other` instead of the primary, for people; empty where it may."""
    if other.deployment != primary.deployment:
        return "it is of another deployment"
    if other.schema != primary.schema:
        return f"its schema is {other.schema}, that of the database {primary.schema}"
    if is_itself(primary, other):
        return ""
    if not other.standby:
        return "it is neither a standby nor the database itself: promoted, or a copy"
    if (other.system, other.database) != (primary.system, primary.database):
        return "it is a standby of another server, or another database of a standby"
    return ""


def refused(error: Exception) -> str:
    """Why a server that was asked for its place did not tell it, for people."""
    if isinstance(error, asyncpg.UndefinedTableError | asyncpg.UndefinedColumnError):
        return "it has not the tables of this version"
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return "its user may not read the tables"
    if isinstance(error, (GatewayError, OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, *LOST)):
        return "it does not answer"
    return f"it refuses what it is asked ({type(error).__name__})"
