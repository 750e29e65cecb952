"""What nobody waits for: done a few at a time, and left out where too much of it waits already."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

LOG = logging.getLogger("pixgate.cache")

LIMIT_BYTES = 32 << 20
LIMIT_JOBS = 256
AT_ONCE = 4
_CLOSE_SECONDS = 2.0

Job = Callable[[], Awaitable[object]]


class Background:
    """At most LIMIT_JOBS jobs that hold LIMIT_BYTES bytes wait; AT_ONCE of them run at a time."""

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES, limit_jobs: int = LIMIT_JOBS) -> None:
        self._limit_bytes = limit_bytes
        self._limit_jobs = limit_jobs
        self._waiting: deque[tuple[int, Job]] = deque()
        self._held = 0
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    def submit(self, held: int, job: Job) -> bool:
        """Do it soon; `held` is the bytes that it keeps in memory. False where there is no room for it."""
        # One that is larger than all the room goes when nothing else does.
        too_much = self._held and self._held + held > self._limit_bytes
        if self._closed or too_much or len(self._waiting) >= self._limit_jobs:
            return False
        self._held += held
        self._waiting.append((held, job))
        if len(self._running) < AT_ONCE:
            task = asyncio.get_running_loop().create_task(self._work())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return True

    async def close(self) -> None:
        """Finish what was taken, if that does not take long."""
        self._closed = True
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=_CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._waiting.clear()

    async def _work(self) -> None:
        while self._waiting:
            held, job = self._waiting.popleft()
            try:
                await job()
            except Exception:
                LOG.exception("a rendition could not be passed on")
            finally:
                self._held -= held
