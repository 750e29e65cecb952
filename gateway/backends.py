"""Which adapters the services stand on: the one place that names them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

from gateway.blobs.filesystem import FilesystemStore
from gateway.blobs.port import Store
from gateway.config import Settings
from gateway.errors import InvalidValue
from gateway.metadata.port import Database
from gateway.metadata.sqlite import SqliteDatabase
from gateway.services.services import Backends

DATABASE = "pixgate.sqlite"
HANDOVER = "run/handover.sock"
EMBEDDED_STORE = "local"


def embedded(data: Path, *, min_free: int = 0) -> Backends:
    """SQLite and a folder, both in the data folder. `min_free` in bytes."""

    async def open_database() -> Database:
        path = data / DATABASE
        if not path.exists():
            raise InvalidValue(f"there is no database in {data}: run `pixgate migrate` or `pixgate serve` first")
        return SqliteDatabase(path, data / HANDOVER)

    async def make_stores(deployment: str, executor: Executor) -> Sequence[Store]:
        blobs = data / "blobs"
        blobs.mkdir(mode=0o700, exist_ok=True)
        return (FilesystemStore(blobs, deployment, executor, name=EMBEDDED_STORE, min_free=min_free),)

    return Backends(open_database, make_stores, EMBEDDED_STORE)


def backends_of(settings: Settings) -> Backends:
    """What the settings name."""
    return embedded(settings.data, min_free=settings.min_free_bytes)
