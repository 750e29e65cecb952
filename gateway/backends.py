"""Which adapters the services stand on: the one place that names them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gateway.blobs.filesystem import FilesystemStore
from gateway.blobs.folder import MARKER
from gateway.blobs.port import Store
from gateway.errors import InvalidValue
from gateway.metadata.port import Database
from gateway.metadata.sqlite import SqliteDatabase
from gateway.services.services import Backends, Services
from gateway.settings.settings import LOCAL_STORE, Settings
from gateway.settings.stores import S3Store

if TYPE_CHECKING:
    from gateway.cache.objects import CacheObjects
    from gateway.cache.pinned import PinnedRenditions
    from gateway.cache.tiered import CacheCounts, RenditionCache

DATABASE = "pixgate.sqlite"
HANDOVER = "run/handover.sock"
FILE_URL = "file://"


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
        return (FilesystemStore(blobs, deployment, executor, name=LOCAL_STORE, min_free=min_free),)

    return Backends(open_database, make_stores, LOCAL_STORE)


def backends_of(settings: Settings) -> Backends:
    """What the settings name."""
    backends = embedded(settings.data, min_free=settings.min_free_bytes)
    if settings.database_url is not None:
        backends = replace(backends, open_database=partial(_open_postgresql, settings))
    if settings.all_stores:
        backends = replace(
            backends,
            make_stores=partial(_make_stores, settings),
            default_store=settings.new_store,
            memory_bytes=settings.blob_memory_bytes,
        )
    return backends


async def _make_stores(settings: Settings, deployment: str, executor: Executor) -> Sequence[Store]:
    """The stores by name. The data folder's own is one of them where it is the default or was this deployment's before."""
    stores: list[Store] = []
    if settings.new_store == LOCAL_STORE or _is_marked(settings.data / "blobs", deployment):
        stores += await embedded(settings.data, min_free=settings.min_free_bytes).make_stores(deployment, executor)
    for named in settings.all_stores:
        if isinstance(named, S3Store):
            from gateway.blobs.upstream.store import UpstreamStore

            stores.append(UpstreamStore(named, deployment))
        else:
            stores.append(
                FilesystemStore(named.path, deployment, executor, name=named.name, min_free=settings.min_free_bytes)
            )
    return stores


def _is_marked(folder: Path, deployment: str) -> bool:
    try:
        return (folder / MARKER).read_text(encoding="ascii").strip() == deployment
    except (OSError, UnicodeDecodeError):
        return False


async def _open_postgresql(settings: Settings) -> Database:
    from gateway.metadata.postgres import PostgresDatabase

    assert settings.database_url is not None
    return PostgresDatabase(
        settings.database_url,
        read_url=settings.database_read_url,
        size=settings.database_pool,
        statement_seconds=settings.database_statement_timeout,
        pgbouncer=settings.database_pgbouncer,
    )


def import_adapters(settings: Settings) -> None:
    """Import the adapters that the settings name, for the workers that are forked afterwards."""
    importlib.import_module("gateway.cache.assemble")
    importlib.import_module("gateway.cache.pinned")
    importlib.import_module("gateway.cache.folder")
    if settings.database_url is not None:
        importlib.import_module("gateway.metadata.postgres")
    if any(isinstance(store, S3Store) for store in settings.all_stores):
        importlib.import_module("gateway.blobs.upstream.store")
        importlib.import_module("gateway.cache.upstream")
    if settings.redis_url is not None:
        importlib.import_module("gateway.cache.redis")


def rendition_cache(settings: Settings, services: Services, counts: CacheCounts) -> RenditionCache | None:
    """The memory of renditions beyond this node that the settings name, begun; None where they name none."""
    from gateway.cache.assemble import open_cache

    return open_cache(
        counts,
        secret=services.master.derive(b"renditions"),
        deployment=services.deployment,
        database=services.database,
        redis_url=settings.redis_url,
        redis_item_bytes=settings.image_redis_item_bytes,
        redis_max_age=settings.image_redis_max_age,
        objects=_cache_objects(settings, services.deployment) if settings.image_store_cache_bytes else None,
        store_bytes=settings.image_store_cache_bytes,
    )


def pinned_variants(settings: Settings, services: Services) -> PinnedRenditions:
    """Where variants are kept that no cache may forget: in the data folder, or beside the blobs of the default store."""
    from gateway.cache.folder import FolderObjects
    from gateway.cache.pinned import PinnedRenditions
    from gateway.cache.sealed import Sealer

    store = next((store for store in settings.all_stores if store.name == settings.new_store), None)
    objects: CacheObjects
    if isinstance(store, S3Store):
        from gateway.cache.upstream import UpstreamObjects

        objects = UpstreamObjects(store, services.deployment, "variants")
    else:
        folder = settings.data if store is None else store.path
        objects = FolderObjects(folder / "variants" / services.deployment, min_free=settings.min_free_bytes)
    return PinnedRenditions(objects, Sealer(services.master.derive(b"renditions")))


def _cache_objects(settings: Settings, deployment: str) -> CacheObjects:
    from gateway.cache.folder import FolderObjects

    where = settings.image_store_cache or settings.new_store
    named = next((store for store in settings.all_stores if store.name == where), None)
    if isinstance(named, S3Store):
        from gateway.cache.upstream import UpstreamObjects

        return UpstreamObjects(named, deployment)
    if named is not None:
        folder = named.path / "renditions" / deployment
    elif where.startswith(FILE_URL):
        folder = Path(unquote(where.removeprefix(FILE_URL))) / deployment
    else:
        folder = settings.data / "renditions" / deployment
    return FolderObjects(folder, min_free=settings.min_free_bytes)
