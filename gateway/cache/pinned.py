"""Renditions that stay as long as their originals: what is in this place is removed by name and never to make room.

They are sealed as in a cache, and what is lost can be made anew: nothing is synced to the disk for them.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from gateway.cache.breaker import Breaker
from gateway.cache.objects import CacheObjects
from gateway.cache.port import CacheUnavailable
from gateway.cache.sealed import Sealer
from gateway.render.rendition import Rendition
from gateway.render.request import Beyond

LOG = logging.getLogger("pixgate.cache")

NAME = "variants"
BUDGET = 2.0
"""Seconds that looking for a rendition may take; to make it anew on a busy node takes as long."""
WRITE_BUDGET = 10.0
SWEEP_BUDGET = 30.0
ITEM_BYTES = 16 << 20
"""The largest rendition that is kept."""


class PinnedCounts(Protocol):
    """Where trouble is counted, by tier."""

    def render_cache_error(self, tier: str) -> None: ...


class PinnedRenditions:
    """Renditions by their derivatives' keys. Made and used on one event loop."""

    def __init__(self, objects: CacheObjects, sealer: Sealer) -> None:
        self._objects = objects
        self._sealer = sealer
        self.breaker = Breaker("the store of variants", objects.probe, budget=BUDGET)

    async def get(self, key: bytes) -> Rendition | None:
        """The rendition, or None where it is not there whole. Raises CacheUnavailable."""
        sealed = await self.breaker.call(lambda: self._objects.get(_place(key)))
        return None if sealed is None else self._sealer.open(key, sealed, NAME)

    async def put(self, key: bytes, rendition: Rendition) -> bool:
        """Keep it; False where it is larger than what is kept. Raises CacheUnavailable, CacheFull."""
        if len(rendition.data) > ITEM_BYTES:
            return False
        sealed = self._sealer.seal(key, rendition)
        await self.breaker.write(lambda: self._objects.put(_place(key), sealed), WRITE_BUDGET)
        return True

    async def remove(self, keys: Sequence[bytes]) -> None:
        """What is not there is removed already. Raises CacheUnavailable."""
        await self.breaker.call(lambda: self._objects.remove([_place(key) for key in keys]), SWEEP_BUDGET)

    async def entries(self) -> AsyncIterator[list[tuple[bytes, int]]]:
        """Keys and when they were written (in ms), in pages. Raises CacheUnavailable."""
        async for page in self._objects.entries():
            found = [(_key(entry.name), entry.modified_ms) for entry in page]
            yield [(key, modified_ms) for key, modified_ms in found if key is not None]

    def flight(self, key: bytes, beyond: Beyond | None, counts: PinnedCounts) -> Beyond:
        """What looks here before it looks `beyond`."""
        return _Flight(self, key, beyond, counts)

    async def check(self) -> None:
        """Find out how it is now; `health` tells."""
        await self.breaker.check()

    def health(self) -> Mapping[str, Any]:
        """Facts for /health."""
        return self.breaker.health()

    async def close(self) -> None:
        await self.breaker.close()
        await self._objects.close()


class _Flight:
    def __init__(self, pinned: PinnedRenditions, key: bytes, beyond: Beyond | None, counts: PinnedCounts) -> None:
        self._pinned = pinned
        self._key = key
        self._beyond = beyond
        self._counts = counts
        self._asked = False

    async def look(self) -> Rendition | None:
        try:
            found = await self._pinned.get(self._key)
        except CacheUnavailable:
            self._counts.render_cache_error(NAME)
            found = None
        if found is not None or self._beyond is None:
            return found
        self._asked = True
        return await self._beyond.look()

    def settled(self, rendition: Rendition | None) -> None:
        if self._beyond is not None and self._asked:
            self._beyond.settled(rendition)


def _place(key: bytes) -> str:
    name = key.hex()
    return f"{name[:2]}/{name[2:]}"


def _key(place: str) -> bytes | None:
    """The key behind a name; None for what is not ours."""
    try:
        key = bytes.fromhex(place.replace("/", ""))
    except ValueError:
        return None
    return key if _place(key) == place else None
