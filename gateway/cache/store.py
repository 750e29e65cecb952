"""Renditions in a store, the last of the tiers: larger and slower than Redis, and still there after everything else.

They are sealed, and lie apart from the blobs and their leases: nothing refers to them, and each of them can be made anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import Mapping
from typing import Any

from gateway.cache.breaker import Breaker
from gateway.cache.objects import CacheObjects, place_of
from gateway.cache.port import CacheUnavailable, Locks
from gateway.cache.sealed import Sealer
from gateway.render.rendition import Rendition

LOG = logging.getLogger("pixgate.cache")

BUDGET = 1.0
"""Seconds that looking for a rendition may take; a render that reads its original from a store takes as long."""
WRITE_BUDGET = 10.0
ITEM_BYTES = 16 << 20
"""The largest rendition that is kept."""
SHARE = 32
"""A process trims when it has written this part of the budget since it trimmed last."""
LOW = 0.9
"""How full it may be after trimming, as a part of the budget."""
TRIM_SECONDS = 3600.0
FORMER_MS = 24 * 3600 * 1000
"""How long something stays where no tier lies any more: nodes that still have the settings from before may be using it."""
PAGE = 1000
_MINUTE = 60_000
TRIM_KEY = hashlib.sha256(b"pixgate-trim").digest()


class StoreTier:
    """At most `limit` bytes of renditions, the oldest going first. Several processes share it: `locks` keep them apart.

    `former` are places by their stores' names where such a tier may have lain before: what is there goes.
    """

    name = "store"

    def __init__(
        self,
        objects: CacheObjects,
        sealer: Sealer,
        *,
        limit: int,
        locks: Locks | None = None,
        former: Mapping[str, CacheObjects] | None = None,
    ) -> None:
        self._objects = objects
        self._former = dict(former or {})
        self._sealer = sealer
        self._limit = limit
        self._locks = locks
        self._written = 0
        self._trim_at = time.monotonic() + random.uniform(60, TRIM_SECONDS)  # noqa: S311 -- no secret
        self._trimming: asyncio.Task[None] | None = None
        self._size: int | None = None
        self.breaker = Breaker("the store of renditions", objects.probe, budget=BUDGET)

    async def get(self, key: bytes) -> Rendition | None:
        sealed = await self.breaker.call(lambda: self._objects.get(place_of(key)))
        return None if sealed is None else self._sealer.open(key, sealed, self.name)

    async def put(self, key: bytes, rendition: Rendition) -> bool:
        if len(rendition.data) > min(ITEM_BYTES, self._limit // 4):
            return False
        sealed = self._sealer.seal(key, rendition)
        await self.breaker.write(lambda: self._objects.put(place_of(key), sealed), WRITE_BUDGET)
        self._written += len(sealed)
        if self._written > self._limit // SHARE:
            self._begin_trim()
        return True

    async def probe(self) -> None:
        await self._objects.probe()

    async def tidy(self) -> None:
        if time.monotonic() >= self._trim_at:
            self._begin_trim()

    async def check(self) -> None:
        await self.breaker.check()

    def health(self) -> Mapping[str, Any]:
        known = {} if self._size is None else {"bytes": self._size}
        return {**self.breaker.health(), **known, "limit": self._limit}

    async def close(self) -> None:
        if self._trimming is not None:
            self._trimming.cancel()
            await asyncio.gather(self._trimming, return_exceptions=True)
        await self.breaker.close()
        for objects in (self._objects, *self._former.values()):
            await objects.close()

    async def trim(self) -> int:
        """Remove the oldest until it is at most LOW full, if it is more than full, and what is left of a tier that lay
        elsewhere before; bytes removed.

        Looks through everything, twice if something is to go, and remembers a number for each minute, not each object.
        Raises CacheUnavailable.
        """
        by_minute: dict[int, int] = {}
        async for page in self._objects.entries():
            for entry in page:
                minute = entry.modified_ms // _MINUTE
                by_minute[minute] = by_minute.get(minute, 0) + entry.size
        size = sum(by_minute.values())
        removed = 0
        if size > self._limit:
            removed = await self._remove_oldest(by_minute, size - int(self._limit * LOW))
        self._size = size - removed
        return removed + await self._empty_former()

    async def _empty_former(self) -> int:
        """Remove what is older than FORMER_MS. What is found empty is not looked at again: nothing is put there."""
        removed = 0
        for store, objects in list(self._former.items()):
            before = int(time.time() * 1000) - FORMER_MS
            some = False
            try:
                async for page in objects.entries():
                    some = some or bool(page)
                    old = [entry for entry in page if entry.modified_ms < before]
                    if old:
                        await objects.remove([entry.name for entry in old])
                        removed += sum(entry.size for entry in old)
            except CacheUnavailable as error:
                LOG.warning("old renditions in the store %s could not be removed: %s", store, error)
                continue
            if not some:
                del self._former[store]
                await objects.close()
        return removed

    async def _remove_oldest(self, by_minute: Mapping[int, int], excess: int) -> int:
        border, before = 0, 0
        for border in sorted(by_minute):
            if before + by_minute[border] >= excess:
                break
            before += by_minute[border]
        removed, of_border = 0, excess - before
        names: list[str] = []
        async for page in self._objects.entries():
            for entry in page:
                minute = entry.modified_ms // _MINUTE
                if minute > border or (minute == border and of_border <= 0):
                    continue
                if minute == border:
                    of_border -= entry.size
                names.append(entry.name)
                removed += entry.size
                if len(names) >= PAGE:
                    await self._objects.remove(names)
                    names = []
        if names:
            await self._objects.remove(names)
        return removed

    def _begin_trim(self) -> None:
        if self._trimming is None or self._trimming.done():
            self._trimming = asyncio.get_running_loop().create_task(self._trim_alone())

    async def _trim_alone(self) -> None:
        while self._written > self._limit // SHARE or time.monotonic() >= self._trim_at:
            # Again, if more came in the meantime.
            self._written = 0
            self._trim_at = time.monotonic() + TRIM_SECONDS
            await self._trim_once()

    async def _trim_once(self) -> None:
        try:
            held = await self._locks.take(TRIM_KEY) if self._locks is not None else None
            if isinstance(held, str):
                # Another one is at it.
                return
            try:
                removed = await self.trim()
            finally:
                if held is not None:
                    await held.give(shared=True)
        except CacheUnavailable as error:
            LOG.warning("renditions in the store could not be trimmed: %s", error)
            return
        if removed:
            LOG.info("renditions in stores: %s bytes of the oldest removed", removed)
