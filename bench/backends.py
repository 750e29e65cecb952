"""What a production deployment stands on: servers of its own, durable as they come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.server import Endpoint
from migrations.run import upgrade
from tests.servers.minio import Minio
from tests.servers.postgresql import PostgreSQL
from tests.servers.redis import Redis


@dataclass(frozen=True, slots=True)
class Production:
    """`direct` is MinIO as its own clients see it; `environment` what our server is started with."""

    direct: Endpoint
    environment: dict[str, str]
    store_pid: int
    database_pid: int


@contextmanager
def production() -> Iterator[Production]:
    """PostgreSQL, MinIO and Redis, used by nobody else; they end with the block."""
    with PostgreSQL.own() as database, Minio.own() as store, Redis.own() as redis:
        url = database.new_database("migrated", upgrade)
        environment = {
            "PIXGATE_DATABASE_URL": url,
            "PIXGATE_STORE_URL": store.store_url(store.new_bucket()),
            "PIXGATE_REDIS_URL": redis.url,
        }
        port = urlsplit(store.endpoint).port
        assert port is not None
        direct = Endpoint("127.0.0.1", port, store.access_key, store.secret_key, store.pid)
        yield Production(direct, environment, store.pid, database.pid)
