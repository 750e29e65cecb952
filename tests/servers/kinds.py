"""Every kind of server, by its name."""

from __future__ import annotations

from tests.servers.kept import Kept
from tests.servers.minio import Minio
from tests.servers.postgresql import PostgreSQL
from tests.servers.rclone import Rclone
from tests.servers.redis import Redis
from tests.servers.standby import Standby

SHARED: dict[str, type[Kept]] = {kind.kind: kind for kind in (PostgreSQL, Minio, Redis, Rclone)}
"""Those that the tests of a run may share."""
KINDS: dict[str, type[Kept]] = {**SHARED, Standby.kind: Standby}
