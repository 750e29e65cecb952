"""Renditions that stay as long as their originals: what is in this place is removed by name and never to make room.

They are sealed as in a cache, and what is lost can be made anew: nothing is synced to the disk for them. New ones lie beside
the blobs of the default store; as that may have been another one before, the places of all stores are looked at.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from gateway.cache.breaker import Breaker
from gateway.cache.objects import CacheObjects, key_of, place_of
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


class PinnedPlace:
    """What lies in one place, sealed, by the derivatives' keys. All of it raises CacheUnavailable."""

    def __init__(self, objects: CacheObjects, called: str = "the store of variants") -> None:
        self._objects = objects
        self.breaker = Breaker(called, objects.probe, budget=BUDGET)

    async def get(self, key: bytes) -> bytes | None:
        return await self.breaker.call(lambda: self._objects.get(place_of(key)))

    async def put(self, key: bytes, sealed: bytes) -> None:
        await self.breaker.write(lambda: self._objects.put(place_of(key), sealed), WRITE_BUDGET)

    async def remove(self, keys: Sequence[bytes], budget: float | None = None) -> None:
        """What is not there is removed already. It may take `budget` seconds."""
        seconds = SWEEP_BUDGET if budget is None else budget
        await self.breaker.call(lambda: self._objects.remove([place_of(key) for key in keys]), seconds)

    async def entries(self) -> AsyncIterator[list[tuple[bytes, int]]]:
        """Keys and when they were written (in ms), in pages."""
        async for page in self._objects.entries():
            found = [(key_of(entry.name), entry.modified_ms) for entry in page]
            yield [(key, modified_ms) for key, modified_ms in found if key is not None]

    async def close(self) -> None:
        await self.breaker.close()
        await self._objects.close()


class OtherPlace(PinnedPlace):
    """The place of a store that is not the default, and may have been. Most never were: nothing is put there, so what was
    found empty is not asked again, until somebody looks through it."""

    def __init__(self, objects: CacheObjects, store: str) -> None:
        super().__init__(objects, f"the place of variants in the store {store}")
        self._empty: bool | None = None

    async def get(self, key: bytes) -> bytes | None:
        return None if await self._is_empty() else await super().get(key)

    async def remove(self, keys: Sequence[bytes], budget: float | None = None) -> None:
        if not await self._is_empty():
            await super().remove(keys, budget)

    async def entries(self) -> AsyncIterator[list[tuple[bytes, int]]]:
        some = False
        async for page in super().entries():
            some = some or bool(page)
            yield page
        self._empty = not some

    async def _is_empty(self) -> bool:
        if self._empty is None:
            self._empty = await self.breaker.call(self._look)
        return self._empty

    async def _look(self) -> bool:
        pages = self._objects.entries()
        try:
            async for page in pages:
                if page:
                    return False
            return True
        finally:
            if isinstance(pages, AsyncGenerator):
                await pages.aclose()


class PinnedRenditions:
    """Renditions by their derivatives' keys. Made and used on one event loop."""

    def __init__(self, objects: CacheObjects, sealer: Sealer, others: Mapping[str, CacheObjects] | None = None) -> None:
        """`objects` are the place for new ones, `others` the places in the other stores, by the stores' names."""
        self._sealer = sealer
        self._default = PinnedPlace(objects)
        self._others = tuple(OtherPlace(place, store) for store, place in (others or {}).items())
        self.places: Sequence[PinnedPlace] = (self._default, *self._others)
        self.breaker = self._default.breaker

    async def get(self, key: bytes) -> Rendition | None:
        """The rendition, or None where it is not whole in the place for new ones. Raises CacheUnavailable."""
        return self._opened(key, await self._default.get(key))

    async def get_elsewhere(self, key: bytes) -> Rendition | None:
        """The same from the places of the other stores. Raises CacheUnavailable where one that may have it is away."""
        away: CacheUnavailable | None = None
        for place in self._others:
            try:
                found = self._opened(key, await place.get(key))
            except CacheUnavailable as error:
                away = error
                continue
            if found is not None:
                return found
        if away is not None:
            raise away
        return None

    async def put(self, key: bytes, rendition: Rendition) -> bool:
        """Keep it; False where it is larger than what is kept. Raises CacheUnavailable, CacheFull."""
        if len(rendition.data) > ITEM_BYTES:
            return False
        await self._default.put(key, self._sealer.seal(key, rendition))
        return True

    async def remove(self, keys: Sequence[bytes], budget: float | None = None) -> None:
        """Remove them wherever they are, within `budget` seconds. Raises CacheUnavailable, when all that can be done is done."""
        removals = [place.remove(keys, budget) for place in self.places]
        for error in await asyncio.gather(*removals, return_exceptions=True):
            if error is not None:
                raise error

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
        for place in self.places:
            await place.close()

    def _opened(self, key: bytes, sealed: bytes | None) -> Rendition | None:
        return None if sealed is None else self._sealer.open(key, sealed, NAME)


class _Flight:
    def __init__(self, pinned: PinnedRenditions, key: bytes, beyond: Beyond | None, counts: PinnedCounts) -> None:
        self._pinned = pinned
        self._key = key
        self._beyond = beyond
        self._counts = counts
        self._asked = False

    async def look(self) -> Rendition | None:
        found = await self._from(self._pinned.get)
        if found is None and self._beyond is not None:
            self._asked = True
            found = await self._beyond.look()
        # Last, as it is the least likely: what is found before costs no look there.
        return await self._from(self._pinned.get_elsewhere) if found is None else found

    async def _from(self, get: Callable[[bytes], Awaitable[Rendition | None]]) -> Rendition | None:
        try:
            return await get(self._key)
        except CacheUnavailable:
            self._counts.render_cache_error(NAME)
            return None

    def settled(self, rendition: Rendition | None) -> None:
        if self._beyond is not None and self._asked:
            self._beyond.settled(rendition)
