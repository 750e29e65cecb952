"""Hands the numbers of jobs that are due to a queue beyond the database, from which workers take them.

One process of all does it once a second; whoever adds a job sends that one on at once. The queue may lose, double and
reorder what it is given: a worker claims the job in the database or leaves it, and what nobody has begun is sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Sequence
from typing import Protocol

from gateway.errors import GatewayError
from gateway.jobs.kind import about
from gateway.metadata import jobs
from gateway.metadata.port import Database
from gateway.services.clock import now_ms
from gateway.services.sweep import take_turn

log = logging.getLogger("pixgate.jobs")

POLL_SECONDS = 1.0
LOCK = "dispatch"
LOCK_MS = 15_000
LEAD_SECONDS = 4.0
"""Between two tries to take or keep the lock."""
LONGEST_PAUSE = 15.0
"""While the queue is away."""
WINDOW = 1_000
"""Numbers of a kind that may wait in the queue: the rest waits in the database."""
AT_ONCE = 200


class QueueUnavailable(Exception):
    """The queue does not answer."""


class Queue(Protocol):
    """Where workers take numbers from."""

    async def send(self, kind: str, identities: Sequence[int]) -> None:
        """Raises QueueUnavailable; some may be in the queue then."""

    async def waiting(self, kind: str) -> int:
        """How many lie in the queue and are with no worker yet. Raises QueueUnavailable."""

    async def close(self) -> None: ...


class Dispatcher:
    """Made on the running event loop; `start` and `close` it. `resend_seconds` after it was sent, a job that nobody began
    is sent once more, if none waits in the queue."""

    def __init__(
        self,
        database: Database,
        kinds: Sequence[str],
        queue: Queue,
        *,
        resend_seconds: float,
        owner: str | None = None,
    ) -> None:
        self._database = database
        self._kinds = tuple(kinds)
        self._queue = queue
        self._resend_ms = int(resend_seconds * 1000)
        self._owner = owner or secrets.token_hex(8)
        self._awake = asyncio.Event()
        self._leads = False
        self._asked = 0.0
        self._task: asyncio.Task[None] | None = None
        self.problem: str | None = None
        """Why nothing is sent at the moment."""

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="dispatcher")

    def wake(self) -> None:
        """Send what was just added, at once."""
        self._awake.set()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._queue.close()

    async def _run(self) -> None:
        pause = POLL_SECONDS
        while True:
            woken = self._awake.is_set()
            self._awake.clear()
            try:
                await self._lead()
                if self._leads or woken:
                    await self.dispatch(again=self._leads)
                pause, self.problem = POLL_SECONDS, None
            except QueueUnavailable as error:
                if self.problem is None:
                    log.warning("jobs wait: the queue does not answer: %s", error)
                self.problem = str(error)
                pause = min(2 * pause, LONGEST_PAUSE)
                await asyncio.sleep(about(pause))
            except GatewayError as error:
                log.warning("jobs wait: %s", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(about(POLL_SECONDS)):
                    await self._awake.wait()

    async def _lead(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._asked + LEAD_SECONDS:
            self._leads = False
            self._leads = await take_turn(self._database, LOCK, self._owner, LOCK_MS)
            self._asked = now

    async def dispatch(self, *, again: bool) -> int:
        """Send what is due and was not sent; `again`: also what was, and got lost. How many jobs were sent.

        Raises QueueUnavailable.
        """
        sent = 0
        for kind in self._kinds:
            moment = now_ms()
            due = await jobs.next_due(self._database, kind)
            if due is None or due > moment:
                continue
            waiting = await self._queue.waiting(kind) if again else 0
            lost_before = moment - self._resend_ms if again and not waiting else None
            room = WINDOW - waiting
            while room > 0:
                count = min(room, AT_ONCE)
                found = await self._mark(kind, moment, count, lost_before)
                await self._send(kind, found)
                sent += len(found)
                room -= len(found)
                if len(found) < count:
                    break
        return sent

    async def _mark(self, kind: str, moment: int, count: int, lost_before: int | None) -> list[int]:
        return await self._database.write(lambda tx: jobs.to_send(tx, kind, moment, count, again_before_ms=lost_before))

    async def _send(self, kind: str, identities: Sequence[int]) -> None:
        if not identities:
            return
        try:
            await self._queue.send(kind, identities)
        except QueueUnavailable:
            await self._database.write(lambda tx: jobs.not_sent(tx, identities))
            raise
