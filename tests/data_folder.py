"""Data folders for tests: a migrated database, copied rather than made anew, and services over it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path

from gateway.backends import DATABASE, backends_of
from gateway.blobs.filesystem import FilesystemStore
from gateway.blobs.folder import Folder
from gateway.config import load
from gateway.model.buckets import Bucket
from gateway.model.objects import Expectations, Headers, PutResult, Tags, WriteConditions
from gateway.services import RootCredentials, Services
from gateway.services.secrets import MasterKey
from gateway.services.services import Backends
from migrations.run import upgrade
from tests.services import environment_of

MASTER = MasterKey(bytes(range(32)))


@lru_cache(1)
def _template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / DATABASE
        upgrade(path)
        return path.read_bytes()


def new_data_folder(path: Path) -> Path:
    """A data folder with a database of the newest schema, as `pixgate migrate` leaves it."""
    (path / "run").mkdir(parents=True)
    (path / DATABASE).write_bytes(_template())
    return path


@asynccontextmanager
async def open_services(
    data: Path,
    *,
    worker: bool = True,
    grace_ms: int = 24 * 3600 * 1000,
    root: RootCredentials | None = None,
    min_free: int = 0,
) -> AsyncIterator[Services]:
    """Services over a data folder, which is made where it is missing, and over what `--backends` names besides."""
    if not (data / DATABASE).exists():
        shutil.rmtree(data, ignore_errors=True)
        new_data_folder(data)
    services = await Services.open(
        backends_for(data, min_free=min_free), master=MASTER, worker=worker, grace_ms=grace_ms, root=root
    )
    try:
        yield services
    finally:
        await services.close()


def backends_for(data: Path, *, min_free: int = 0) -> Backends:
    """What the services of a data folder stand on."""
    environment = {"PIXGATE_DATA": str(data), "PIXGATE_MIN_FREE_BYTES": str(min_free), **environment_of(data)}
    return backends_of(load(environ=environment, env_file=Path(os.devnull)))


async def names(services: Services) -> list[str]:
    """The names of everything that lies in the stores."""
    found = []
    for store in services.stores:
        for lease in await store.leases():
            found += [entry.name async for page in store.entries(lease) for entry in page]
    return found


def folder_of(services: Services) -> Folder:
    """The folder of blobs behind services on a data folder."""
    store = services.stores.default
    assert isinstance(store, FilesystemStore)
    return store.folder


class Pieces:
    """A body that arrives in these pieces."""

    def __init__(self, pieces: Sequence[bytes], trailers: dict[str, str] | None = None) -> None:
        self._pieces = [piece for piece in pieces if piece]
        self._trailers = trailers or {}

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def trailer(self, name: str) -> str | None:
        return self._trailers.get(name)


async def put(
    services: Services,
    bucket: Bucket,
    key: bytes,
    data: bytes,
    *,
    headers: Headers = (),
    tags: Tags = (),
    conditions: WriteConditions | None = None,
) -> PutResult:
    """Store `data` as one plain PUT does."""
    return await services.objects.put(
        bucket,
        key,
        headers=headers,
        tags=tags,
        expect=Expectations(len(data)),
        conditions=conditions or WriteConditions(),
        body=Pieces([data]),
    )


async def read(services: Services, bucket: Bucket, key: bytes, version_id: str | None = None) -> bytes:
    """All bytes of a version."""
    version = await services.objects.get(bucket, key, version_id)
    assert version.content is not None
    segments = await services.objects.segments(version.content, 0, version.content.size)
    return await services.stores.read(segments)
