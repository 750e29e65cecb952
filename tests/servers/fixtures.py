"""Fixtures: a server of each kind for the whole run, whoever of its workers asks first, and servers of a test's own.

A test that needs a server fails where there is none: no platform that Pixgate runs on lacks any of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TypeVar

import pytest

from tests.servers.kept import Kept
from tests.servers.kinds import SHARED
from tests.servers.minio import Minio
from tests.servers.postgresql import PostgreSQL
from tests.servers.rclone import Rclone
from tests.servers.redis import Redis

K = TypeVar("K", bound=Kept)


# The fixtures that stand on each kind; those of others stand on these.
_NAMES = {
    "postgresql": ("postgresql", "postgresql_url"),
    "minio": ("minio",),
    "redis": ("redis_server", "redis_url"),
    "rclone": ("rclone_s3",),
}


class RunServers:
    """The servers that all tests of a run share, also those of other workers."""

    def __init__(self, run: str, wanted: set[str]) -> None:
        self._run = run
        self._wanted = wanted
        self._servers: dict[str, Kept] = {}

    def get(self, kind: type[K]) -> K:
        """The server of a kind: the one that the environment names, or ours. All that the run will need begin at once."""
        kinds: list[type[Kept]] = [*SHARED.values(), kind]
        for each in kinds:
            if each.kind not in self._servers and (each is kind or self._wanted & set(_NAMES[each.kind])):
                self._servers[each.kind] = each.external() or each(self._run)
        server = self._servers[kind.kind].wait()
        assert isinstance(server, kind)
        return server

    def close(self) -> None:
        """Use them no more."""
        for server in self._servers.values():
            server.close()


@pytest.fixture(scope="session")
def run_servers(request: pytest.FixtureRequest) -> Iterator[RunServers]:
    """The servers of this run; the selected tests tell by the names of their fixtures which there will be."""
    worker = getattr(request.config, "workerinput", {})
    named = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    servers = RunServers(str(worker.get("testrunuid", uuid.uuid4().hex))[:12], named)
    yield servers
    servers.close()


@pytest.fixture(scope="session")
def postgresql(run_servers: RunServers) -> PostgreSQL:
    """PostgreSQL for all tests of the run: take a database each, and do not stop it.

    It waits for no disk: to drop one database made durable what was in hundreds of others, which took minutes of a run, and
    no test cuts the machine's power. One that is killed (`own_postgresql`) is durable as in production.
    """
    server = run_servers.get(PostgreSQL)
    if PostgreSQL.external() is None:
        server.execute("ALTER SYSTEM SET fsync = off")
        server.execute("SELECT pg_reload_conf()")
    return server


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> Iterator[str]:
    """An empty database for one test."""
    with postgresql.database() as url:
        yield url


@pytest.fixture
def own_postgresql() -> Iterator[PostgreSQL]:
    """PostgreSQL for one test, to be paused and killed."""
    with PostgreSQL.own() as server:
        yield server


@pytest.fixture(scope="session")
def minio(run_servers: RunServers) -> Minio:
    """MinIO for all tests of the run: take a bucket each, and do not stop it."""
    return run_servers.get(Minio)


@pytest.fixture
def own_minio() -> Iterator[Minio]:
    """MinIO for one test, to be paused and killed."""
    with Minio.own() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(run_servers: RunServers) -> Redis:
    """Redis for all tests of the run: take a database each, and do not stop it."""
    return run_servers.get(Redis)


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """An empty database for one test."""
    return redis_server.new_database()


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    """Redis for one test, to be paused, killed, filled up and flushed."""
    with Redis.own() as server:
        yield server


@pytest.fixture(scope="session")
def rclone_s3(run_servers: RunServers) -> Rclone:
    """rclone's S3 for all tests of the run: take a bucket each, and do not stop it."""
    return run_servers.get(Rclone)


@pytest.fixture
def own_rclone() -> Iterator[Rclone]:
    """rclone's S3 for one test."""
    with Rclone.own() as server:
        yield server
