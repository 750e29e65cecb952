"""What servers and services under test stand on: `pytest --backends embedded|production|postgresql|minio`.

`embedded` is SQLite and a folder, `production` PostgreSQL, MinIO and Redis; `postgresql` and `minio` are one of them with
the other half embedded. Each server gets a database and a bucket of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.run import upgrade

if TYPE_CHECKING:
    from tests.servers.minio import Minio
    from tests.servers.postgresql import PostgreSQL
    from tests.servers.redis import Redis

KINDS = ("embedded", "production", "postgresql", "minio")


@dataclass(frozen=True, slots=True)
class Backends:
    """The servers that are there; None: the embedded default is used instead."""

    postgresql: PostgreSQL | None = None
    minio: Minio | None = None
    redis: Redis | None = None

    def environment(self) -> dict[str, str]:
        """Settings for a new deployment, on a new database and bucket."""
        found = {}
        if self.postgresql is not None:
            found["PIXGATE_DATABASE_URL"] = self.postgresql.new_database("migrated", upgrade)
            found["PIXGATE_DATABASE_POOL"] = "4"
        if self.minio is not None:
            found["PIXGATE_STORE_URL"] = self.minio.store_url(self.minio.new_bucket())
        if self.redis is not None:
            found["PIXGATE_REDIS_URL"] = self.redis.url
        return found


Make = Callable[[], dict[str, str]]
EMBEDDED = Backends()
