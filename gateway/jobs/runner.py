"""Carries out the jobs of the database in this process. Every process of every node runs one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from gateway.errors import GatewayError
from gateway.jobs.carrier import Carrier
from gateway.jobs.kind import Kind, about
from gateway.metadata import jobs
from gateway.metadata.port import Database
from gateway.services.clock import now_ms

log = logging.getLogger("pixgate.jobs")

POLL_SECONDS = 1.0
"""Between two looks at the table; where the database tells for nothing that nobody committed, not even that."""


class JobRunner:
    """Made on the running event loop; `start` and `close` it. `owner` names this process in claims."""

    def __init__(self, database: Database, kinds: Sequence[Kind], *, owner: str | None = None) -> None:
        self._database = database
        self._kinds = tuple(kinds)
        self._carrier = Carrier(database, owner=owner)
        self._awake = {kind.name: asyncio.Event() for kind in self._kinds}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def owner(self) -> str:
        return self._carrier.owner

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run(kind), name=f"jobs {kind.name}") for kind in self._kinds]

    def wake(self) -> None:
        """Look for what is due now, and not at the next poll."""
        for awake in self._awake.values():
            awake.set()

    async def close(self) -> None:
        """Stop. What was begun is due again at once, for others."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._carrier.close()

    async def run_once(self, kind: Kind) -> int:
        """Claim what is due, up to `at_once`, and do it; how many there were. Raises Unavailable facts."""
        return await self._carrier.run_once(kind)

    async def _run(self, kind: Kind) -> None:
        awake = self._awake[kind.name]
        busy: set[asyncio.Task[None]] = set()
        seen: bytes | None = None
        due: int | None = None
        try:
            while True:
                if awake.is_set():
                    awake.clear()
                    seen = None
                try:
                    snapshot = self._database.snapshot()
                    if snapshot is None or snapshot != seen:
                        due = await jobs.next_due(self._database, kind.name)
                        seen = snapshot
                    if due is not None and due <= now_ms() and len(busy) < kind.parallel:
                        seen = None
                        for _ in range(kind.parallel - len(busy)):
                            task = asyncio.create_task(self._work_off(kind), name=f"jobs {kind.name}")
                            busy.add(task)
                            task.add_done_callback(busy.discard)
                except GatewayError as error:
                    log.warning("jobs wait: %s", error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(about(POLL_SECONDS)):
                        await awake.wait()
        finally:
            for task in busy:
                task.cancel()
            await asyncio.gather(*busy, return_exceptions=True)

    async def _work_off(self, kind: Kind) -> None:
        """Work until nothing is due."""
        try:
            while await self._carrier.run_once(kind):
                pass
        except GatewayError as error:
            log.warning("jobs wait: %s", error)
