"""Every kind of server, by its name."""

from __future__ import annotations

from tests.servers.kept import Kept
from tests.servers.postgresql import PostgreSQL

KINDS: dict[str, type[Kept]] = {kind.kind: kind for kind in (PostgreSQL,)}
