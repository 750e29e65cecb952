"""The cache that the settings name. What it takes to talk to Redis is imported only where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.cache.database_locks import DatabaseLocks
from gateway.cache.objects import CacheObjects
from gateway.cache.port import Locks, Tier
from gateway.cache.sealed import Sealer
from gateway.cache.store import StoreTier
from gateway.cache.tiered import CacheCounts, RenditionCache
from gateway.metadata.port import Database
from gateway.redis_address import parse_redis_url


def open_cache(
    counts: CacheCounts,
    *,
    secret: bytes,
    deployment: str,
    database: Database,
    redis_url: str | None = None,
    redis_item_bytes: int = 1 << 20,
    redis_max_age: int = 604_800,
    objects: CacheObjects | None = None,
    store_bytes: int = 0,
    former: Mapping[str, CacheObjects] | None = None,
) -> RenditionCache | None:
    """The tiers beyond this node, begun; None where there are none. `objects`: where renditions lie in a store; `former`:
    where they may have lain before, by store."""
    sealer = Sealer(secret)
    tiers: list[Tier] = []
    locks: list[Locks] = []
    if redis_url is not None:
        from gateway.cache.redis import RedisLocks, RedisServer, RedisTier

        server = RedisServer(parse_redis_url(redis_url), deployment)
        server.begin()
        tiers.append(RedisTier(server, sealer, item_bytes=redis_item_bytes, max_age=redis_max_age))
        locks.append(RedisLocks(server))
    if objects is not None and store_bytes:
        in_database = DatabaseLocks(database)
        tiers.append(StoreTier(objects, sealer, limit=store_bytes, locks=in_database, former=former))
        if database.engine != "sqlite":
            # One node has a database of its own: what it renders twice at a time its broker sees.
            locks.append(in_database)
    return _begun(tiers, locks, counts)


def _begun(tiers: Sequence[Tier], locks: Sequence[Locks], counts: CacheCounts) -> RenditionCache | None:
    if not tiers:
        return None
    cache = RenditionCache(tiers, locks, counts)
    cache.begin()
    return cache
