"""Which workers live, asked by those who must not wait: a Redis that hangs costs one of them a moment, and not each."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from gateway.cache.breaker import GRACE
from gateway.cache.port import CacheUnavailable

if TYPE_CHECKING:
    from gateway.jobs.presence import Roll

WAIT_SECONDS = 0.3
"""For which somebody waits for an answer."""
SILENT_SECONDS = 3.0
"""For which nobody waits again, after there was none."""


class Asked(Protocol):
    """For the meaning see `gateway.jobs.presence.Presence`."""

    def call(self) -> Coroutine[Any, Any, Roll]: ...

    async def close(self) -> None: ...


class RollCall:
    """On the running event loop. All who come while a question is on its way share its answer; the question itself goes
    on when they have stopped waiting, so that it is known soon that Redis answers again."""

    def __init__(self, presence: Asked, *, wait: float = WAIT_SECONDS, silent: float = SILENT_SECONDS) -> None:
        """`wait` and `silent` in seconds."""
        self._presence = presence
        self._wait = wait
        self._silent = silent
        self._asking: asyncio.Task[Roll] | None = None
        self._problem: str | None = None
        self._until = 0.0

    async def call(self) -> Roll:
        """Raises CacheUnavailable where Redis does not say, or did not a moment ago."""
        loop = asyncio.get_running_loop()
        if self._problem is not None and loop.time() < self._until:
            raise CacheUnavailable(self._problem)
        if self._asking is None or self._asking.done():
            self._asking = loop.create_task(self._presence.call(), name="roll call")
            self._asking.add_done_callback(self._answered)
        asking = self._asking
        # In two steps, so that an answer which came while this process did nothing is read before it counts as late.
        for seconds in (self._wait - GRACE, GRACE):
            if not asking.done():
                await asyncio.wait({asking}, timeout=max(0.0, seconds))
        if not asking.done():
            raise CacheUnavailable(self._remember(f"does not answer within {self._wait * 1000:.0f} ms"))
        return asking.result()

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self._presence.close()

    def _remember(self, problem: str) -> str:
        self._problem = problem
        self._until = asyncio.get_running_loop().time() + self._silent
        return problem

    def _answered(self, asking: asyncio.Task[Roll]) -> None:
        error = None if asking.cancelled() else asking.exception()
        if error is None:
            self._problem = None
        elif self._problem is not None:
            # Somebody waited for it in vain. Who says at once that nothing is there may be asked each time.
            self._remember(str(error))
