"""Which adapters the services stand on: the one place that names them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
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
from gateway.settings.stores import FolderStore, S3Store, StoreSettings

if TYPE_CHECKING:
    from gateway.cache.objects import CacheObjects
    from gateway.cache.pinned import PinnedRenditions
    from gateway.cache.tiered import CacheCounts, RenditionCache
    from gateway.services.fsck_renditions import CheckedPlace

DATABASE = "pixgate.sqlite"
HANDOVER = "run/handover.sock"
FILE_URL = "file://"
VARIANTS = "variants"
CACHE = "cache"
_FOLDERS = {VARIANTS: "variants", CACHE: "renditions"}
"""What renditions of a kind are called in a folder; in a bucket by the kind."""

_Address = tuple[str, ...]


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
        former={place.store: place.open() for place in _former_caches(settings, services.deployment)}
        if settings.image_store_cache_bytes
        else None,
    )


def pinned_variants(settings: Settings, services: Services) -> PinnedRenditions:
    """Where variants are kept that no cache may forget: beside the blobs of the default store, or of one that was it."""
    from gateway.cache.pinned import PinnedRenditions
    from gateway.cache.sealed import Sealer

    places = _places(settings, services.deployment, VARIANTS)
    place = places.pop(_address(settings, services.deployment, settings.new_store, VARIANTS))
    others = {other.store: other.open() for other in places.values()}
    return PinnedRenditions(place.open(), Sealer(services.master.derive(b"renditions")), others)


def checked_renditions(settings: Settings, deployment: str) -> Sequence[CheckedPlace]:
    """What fsck looks through besides blobs: variants, and caches that no tier reads. The receiver closes them."""
    from gateway.services.fsck_renditions import CheckedPlace

    caches = _former_caches(settings, deployment, read=settings.image_store_cache_bytes > 0)
    variants = _places(settings, deployment, VARIANTS).values()
    return [CheckedPlace(place.store, place.what, place.open()) for place in (*variants, *caches)]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where renditions of one kind lie beside the blobs of a store, or would."""

    store: str
    what: str
    open: Callable[[], CacheObjects]


def _places(settings: Settings, deployment: str, what: str) -> dict[_Address, _Place]:
    """Those of all stores: one entry for two stores that share a place. `local` is one where it is the default or has some."""
    found: dict[_Address, _Place] = {}
    local = settings.data / _FOLDERS[what] / deployment
    names = [store.name for store in settings.all_stores]
    if LOCAL_STORE not in names and (settings.new_store == LOCAL_STORE or local.is_dir()):
        names.append(LOCAL_STORE)
    for name in names:
        opened = partial(_beside, settings, deployment, name, what)
        found.setdefault(_address(settings, deployment, name, what), _Place(name, what, opened))
    return found


def _former_caches(settings: Settings, deployment: str, *, read: bool = True) -> Sequence[_Place]:
    """Where the store tier may have lain, and does not lie. `read`: whether there is one."""
    places = _places(settings, deployment, CACHE)
    if read:
        where = settings.image_store_cache or settings.new_store
        places.pop(_address(settings, deployment, where, CACHE), None)
    return list(places.values())


def _cache_objects(settings: Settings, deployment: str) -> CacheObjects:
    return _beside(settings, deployment, settings.image_store_cache or settings.new_store, CACHE)


def _beside(settings: Settings, deployment: str, where: str, what: str) -> CacheObjects:
    """Renditions beside the blobs of a store, or in the folder that a `file:` URL names."""
    store = _named(settings, where)
    if isinstance(store, S3Store):
        from gateway.cache.upstream import UpstreamObjects

        return UpstreamObjects(store, deployment, what)
    from gateway.cache.folder import FolderObjects

    return FolderObjects(_folder(settings, deployment, where, what), min_free=settings.min_free_bytes)


def _address(settings: Settings, deployment: str, where: str, what: str) -> _Address:
    """What is equal for one place under two names."""
    store = _named(settings, where)
    if isinstance(store, S3Store):
        return store.endpoint, store.bucket, store.prefix
    return (os.path.realpath(_folder(settings, deployment, where, what)),)


def _folder(settings: Settings, deployment: str, where: str, what: str) -> Path:
    store = _named(settings, where)
    if isinstance(store, FolderStore):
        return store.path / _FOLDERS[what] / deployment
    if where.startswith(FILE_URL):
        return Path(unquote(where.removeprefix(FILE_URL))) / deployment
    return settings.data / _FOLDERS[what] / deployment


def _named(settings: Settings, where: str) -> StoreSettings | None:
    return next((store for store in settings.all_stores if store.name == where), None)
