"""The tiers of renditions beyond this node, nearest first, and single flight among nodes.

A rendition that a farther tier has is filled into the nearer ones; one that was rendered goes to all of them. Both happen
behind the answer. Trouble in a tier or with a lock costs time, at most, and never an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from gateway.cache.background import Background
from gateway.cache.port import ALONE, CacheUnavailable, Held, Locks, Tier
from gateway.render.rendition import Rendition

TIDY_SECONDS = 60.0
PATIENCE_SECONDS = 20.0
"""How long a node waits for a rendition that another one makes. Less than a broker waits for its worker (30 s)."""
HEALTH_NAMES = {"redis": "redis", "store": "cache_store"}


class CacheCounts(Protocol):
    """Where trouble is counted, by tier."""

    def render_cache_error(self, tier: str) -> None: ...


class RenditionCache:
    """Tiers, nearest first, and the places that may have locks, best first; without tiers no lock is ever taken."""

    def __init__(
        self,
        tiers: Sequence[Tier],
        locks: Sequence[Locks],
        counts: CacheCounts,
        *,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._tiers = tuple(tiers)
        self._locks = tuple(locks)
        self._counts = counts
        self.patience = patience
        # Apart, so that a slow store never holds up what other nodes wait for.
        self._sharing = Background()
        self._filling = Background()
        self._tidying: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start what goes on in the background."""
        self._tidying = asyncio.get_running_loop().create_task(self._tidy())

    def flight(self, key: bytes) -> Flight:
        """What a render of this derivative looks in before it begins, and is told when it is over."""
        return Flight(self, key)

    async def find(self, key: bytes) -> Rendition | None:
        """The rendition from the nearest tier that has it and answers."""
        for number, tier in enumerate(self._tiers):
            try:
                found = await tier.get(key)
            except CacheUnavailable:
                self._counts.render_cache_error(tier.name)
                continue
            if found is not None:
                if number:
                    self._filling.submit(len(found.data), partial(self._fill, key, found, self._tiers[:number]))
                return found
        return None

    async def take(self, key: bytes) -> tuple[Held | str, float, float]:
        """The lock of this derivative, or what `Locks.take` says instead; and its `seconds` and `pause`.

        ALONE where no lock is to be had, or where there is nothing that could be shared.
        """
        for locks in self._locks:
            try:
                return await locks.take(key), locks.seconds, locks.pause
            except CacheUnavailable:
                continue
        return ALONE, 0.0, 0.0

    def keep(self, key: bytes, rendition: Rendition, held: Held | None) -> None:
        """Put what was rendered into all tiers, soon, and give the lock back once others can find it."""
        if not self._sharing.submit(len(rendition.data), partial(self._share, key, rendition, held)):
            self.give(held, shared=False)

    def give(self, held: Held | None, *, shared: bool) -> None:
        """Give a lock back, soon. One that cannot be given back ends by itself."""
        if held is not None:
            self._sharing.submit(0, partial(_give, held, shared=shared))

    async def check(self) -> None:
        """Find out how each tier is at the moment; `health` tells."""
        await asyncio.gather(*(tier.check() for tier in self._tiers))

    def health(self) -> dict[str, dict[str, Any]]:
        """An entry for each tier, as /health has them."""
        entries: dict[str, dict[str, Any]] = {}
        for tier in self._tiers:
            facts: Mapping[str, Any] = tier.health()
            entries[HEALTH_NAMES.get(tier.name, tier.name)] = dict(facts)
        return entries

    async def close(self) -> None:
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)
        await asyncio.gather(self._sharing.close(), self._filling.close())
        for tier in self._tiers:
            await tier.close()

    async def _fill(self, key: bytes, rendition: Rendition, tiers: Sequence[Tier]) -> None:
        for tier in tiers:
            await self._put(tier, key, rendition)

    async def _share(self, key: bytes, rendition: Rendition, held: Held | None) -> None:
        for number, tier in enumerate(self._tiers):
            if await self._put(tier, key, rendition):
                if held is not None:
                    await _give(held, shared=True)
                rest = self._tiers[number + 1 :]
                if rest:
                    self._filling.submit(len(rendition.data), partial(self._fill, key, rendition, rest))
                return
        if held is not None:
            await _give(held, shared=False)

    async def _put(self, tier: Tier, key: bytes, rendition: Rendition) -> bool:
        try:
            return await tier.put(key, rendition)
        except CacheUnavailable:
            self._counts.render_cache_error(tier.name)
            return False

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            for tier in self._tiers:
                try:
                    await tier.tidy()
                except CacheUnavailable:
                    self._counts.render_cache_error(tier.name)
            for locks in self._locks:
                with contextlib.suppress(CacheUnavailable):
                    await locks.tidy()


class Flight:
    """One rendition that is wanted and that this node does not have: looked for, waited for, or about to be rendered."""

    def __init__(self, cache: RenditionCache, key: bytes) -> None:
        self._cache = cache
        self._key = key
        self._held: Held | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def look(self) -> Rendition | None:
        """The rendition from a tier, where another node is making it as soon as it is there. None: it is ours to render."""
        cache, key = self._cache, self._key
        found = await cache.find(key)
        if found is not None or self._held is not None:
            return found
        deadline = time.monotonic() + cache.patience
        while True:
            outcome, seconds, pause = await cache.take(key)
            if not isinstance(outcome, str):
                self._held = outcome
                self._renewing = asyncio.get_running_loop().create_task(_keep(outcome, seconds))
                # Whoever held it before us may have put it there since we looked.
                return await cache.find(key)
            if outcome == ALONE or time.monotonic() + pause > deadline:
                return None
            await asyncio.sleep(pause)

    def settled(self, rendition: Rendition | None) -> None:
        """The end: shares what was rendered."""
        if self._renewing is not None:
            self._renewing.cancel()
        if rendition is None or rendition.cached:
            self._cache.give(self._held, shared=rendition is not None)
        else:
            self._cache.keep(self._key, rendition, self._held)
        self._held = None


async def _keep(held: Held, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds / 3)
        try:
            await held.renew()
        except CacheUnavailable:
            continue


async def _give(held: Held, *, shared: bool) -> None:
    try:
        await held.give(shared=shared)
    except CacheUnavailable:
        # It ends by itself.
        return
