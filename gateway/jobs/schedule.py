"""What is done now and then, once in the whole deployment: a row of `jobs` each, by a unique name, that adds itself again.

The engine that carries out jobs carries these out, too: whoever is killed at it costs a repeat, and what fails comes again,
later each time.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.jobs.kind import Effect, Kind, Postponed, about
from gateway.metadata import jobs
from gateway.metadata.jobs import Job
from gateway.metadata.port import Database, Transaction
from gateway.services.clock import now_ms

log = logging.getLogger("pixgate.jobs")

MINUTE = 60.0
HOUR = 3600.0
DAY = 86_400.0
UNKNOWN_SECONDS = 300.0
FIRST_SECONDS = 5.0
"""After the first start of all."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Something that is done again so many seconds after it was done."""

    name: str
    seconds: float
    action: Callable[[], Awaitable[object]]


class Schedule:
    def __init__(self, database: Database, tasks: Sequence[Scheduled]) -> None:
        self._database = database
        self._tasks = {task.name: task for task in tasks}

    async def begin(self) -> None:
        """See that there is a row of each."""
        moment = now_ms()
        first = moment + int(FIRST_SECONDS * 1000)

        async def add(tx: Transaction) -> None:
            for name in self._tasks:
                await jobs.add_named(tx, jobs.SCHEDULED, name, {"task": name}, moment, first)

        await self._database.write(add)

    @property
    def kind(self) -> Kind:
        """The kind `scheduled`. There is no last attempt."""
        return Kind(jobs.SCHEDULED, self._work, attempts=2**31)

    async def _work(self, claimed: Sequence[Job]) -> Effect | None:
        (job,) = claimed
        task = self._tasks.get(job.payload["task"])
        if task is None:
            raise Postponed("this version has no such task; a newer one has", UNKNOWN_SECONDS)
        done = await task.action()
        if done:
            log.info("%s: %s", task.name, done)

        async def again(tx: Transaction) -> None:
            moment = now_ms()
            later = moment + int(about(task.seconds) * 1000)
            await jobs.add_named(tx, jobs.SCHEDULED, task.name, {"task": task.name}, moment, later)

        return again
