"""What stands between requests and a server that may be away: a budget for each call, and no calls while it is dead."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from gateway.cache.port import CacheFull, CacheUnavailable

LOG = logging.getLogger("pixgate.cache")

FAILURES = 3
"""Calls in a row that fail until none is made any more."""
PROBE_SECONDS = 1.0
"""Pause between two probes of what is away or full."""
PROBE_BUDGET = 2.0
"""Seconds that a probe may take; it may have to connect first."""

CHECK_BUDGET = 1.0
"""Seconds that somebody who asks how it is may have to wait."""

GRACE = 0.02
"""The last part of a budget, in seconds, during which the loop must have turned."""

T = TypeVar("T")


class Breaker:
    """Calls go through `call`, writes through `write`. `name` is for the log; `probe` finds out whether it works again.

    While it is open, calls fail at once and a probe every second closes it; while it is full, only writes do.
    """

    def __init__(self, name: str, probe: Callable[[], Awaitable[object]], *, budget: float) -> None:
        """`budget` is what a call may take, in seconds."""
        self._name = name
        self._probe = probe
        self._budget = budget
        self._failures = 0
        self._unwritten = 0
        self._problem: str | None = None
        self._full: str | None = None
        self._since = 0.0
        self._prober: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def is_open(self) -> bool:
        """Whether it is away, so that no call is made."""
        return self._problem is not None

    async def call(self, operation: Callable[[], Awaitable[T]], budget: float | None = None) -> T:
        """Raises CacheUnavailable where it fails, takes longer than the budget, or is known to be away."""
        if self._problem is not None:
            raise CacheUnavailable(self._problem)
        try:
            result = await self._within(operation, self._budget if budget is None else budget)
        except CacheFull as error:
            self._fill(str(error))
            raise
        except CacheUnavailable as error:
            self._fail(str(error))
            raise
        self._failures = 0
        return result

    async def write(self, operation: Callable[[], Awaitable[T]], budget: float | None = None) -> T:
        """The same, but fails at once while it is full as well: CacheFull.

        What can be read but fails to be written, some times in a row, counts as full.
        """
        if self._full is not None:
            raise CacheFull(self._full)
        try:
            result = await self.call(operation, budget)
        except CacheFull:
            raise
        except CacheUnavailable as error:
            self._unwritten += 1
            if self._unwritten >= FAILURES and self._problem is None:
                self._fill(str(error))
            raise
        self._unwritten = 0
        return result

    async def check(self) -> None:
        """Find out how it is at the moment, so that `health` tells that; who does not answer is left alone at once."""
        if self._problem is not None or self._full is not None:
            return  # a probe every second finds out
        try:
            await self._within(self._probe, CHECK_BUDGET)
        except CacheFull as error:
            self._fill(str(error))
        except CacheUnavailable as error:
            self._probed(str(error))

    def health(self) -> Mapping[str, Any]:
        """`status` healthy or degraded, and in `detail` what is wrong."""
        problem = self._problem or self._full
        if problem is None:
            return {"status": "healthy"}
        return {"status": "degraded", "detail": problem, "seconds": round(time.monotonic() - self._since)}

    def begin(self) -> None:
        """Connect in the background, so that the first request need not."""
        self._begin_probing(at_once=True)

    async def close(self) -> None:
        self._closed = True
        if self._prober is not None:
            self._prober.cancel()
            await asyncio.gather(self._prober, return_exceptions=True)

    async def _within(self, operation: Callable[[], Awaitable[T]], budget: float) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as limit:
                # Not in one step: after a moment in which this process itself did nothing, an answer that is there by
                # now is read before anybody is called late.
                nearly = loop.call_later(max(budget - GRACE, 0), lambda: limit.reschedule(loop.time() + GRACE))
                try:
                    return await operation()
                finally:
                    nearly.cancel()
        except TimeoutError:
            raise CacheUnavailable(f"does not answer within {budget * 1000:.0f} ms") from None

    def _fail(self, problem: str) -> None:
        self._failures += 1
        if self._failures >= FAILURES and self._problem is None:
            self._open(problem)

    def _open(self, problem: str) -> None:
        self._problem = problem
        self._since = time.monotonic()
        LOG.warning("%s is left alone: %s", self._name, problem)
        self._begin_probing()

    def _fill(self, problem: str) -> None:
        # It answered.
        self._failures = 0
        if self._full is None:
            self._full = problem
            self._since = time.monotonic()
            LOG.warning("%s takes nothing more: %s", self._name, problem)
            self._begin_probing()

    def _begin_probing(self, *, at_once: bool = False) -> None:
        if not self._closed and (self._prober is None or self._prober.done()):
            self._prober = asyncio.get_running_loop().create_task(self._probe_until_well(at_once))

    async def _probe_until_well(self, at_once: bool) -> None:
        while True:
            if not at_once:
                # Not all workers in step.
                await asyncio.sleep(PROBE_SECONDS * random.uniform(0.75, 1.25))  # noqa: S311 -- no secret
            at_once = False
            try:
                await self._within(self._probe, PROBE_BUDGET)
            except CacheFull as error:
                if self._full is None:
                    self._fill(str(error))
                self._problem = None
                continue
            except CacheUnavailable as error:
                if self._full is None or self._problem is not None:
                    self._probed(str(error))
                continue
            if self._problem is not None or self._full is not None:
                LOG.info("%s is used again", self._name)
            self._problem = self._full = None
            self._failures = self._unwritten = 0
            return

    def _probed(self, problem: str) -> None:
        if self._problem is None:
            self._open(problem)
        self._problem = problem
