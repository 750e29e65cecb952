"""Which kinds of work there are, and who carries them out: this process, or workers that Celery tells."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.cache.port import CacheUnavailable
from gateway.errors import GatewayError
from gateway.jobs import processing, rendition
from gateway.jobs.dispatcher import Dispatcher
from gateway.jobs.housekeeping import tasks
from gateway.jobs.kind import Kind
from gateway.jobs.purge import Purger
from gateway.jobs.roll_call import RollCall
from gateway.jobs.runner import JobRunner
from gateway.jobs.schedule import Schedule
from gateway.metadata import jobs
from gateway.metadata.port import Database
from gateway.redis_address import RedisAddress, parse_redis_url
from gateway.services import Services
from gateway.services.clock import now_ms
from gateway.services.renditions import Renditions
from gateway.services.variants import Variants
from gateway.settings.settings import Settings

if TYPE_CHECKING:
    from gateway.jobs.presence import Presence

log = logging.getLogger("pixgate.jobs")

BEGIN_AGAIN_SECONDS = 5.0


def kinds_of(
    settings: Settings, services: Services, renditions: Renditions, variants: Variants, *, parallel: int
) -> tuple[Kind, ...]:
    """Every kind of work. `parallel` images are processed at the same time in one process."""
    purger = Purger(
        settings.purge_url,
        settings.purge_kind,
        settings.purge_token,
        services.cache_tags,
        again_seconds=settings.purge_again,
    )

    def wake() -> None:
        # Who that is, is said later.
        services.wake_jobs()

    process = processing.kind(
        services.directory,
        services.objects,
        variants,
        attempts=settings.job_attempts,
        retry_seconds=settings.job_retry_seconds,
        time_limit=settings.job_time_limit,
        parallel=parallel,
    )
    schedule = Schedule(services.database, tasks(settings, services, variants))
    return (
        process,
        rendition.kind(services.database, services.directory, services.objects, renditions, wake),
        purger.kind,
        schedule.kind,
    )


@dataclass(frozen=True, slots=True)
class State:
    """How the background work is done. For operators."""

    engine: str
    problem: str | None
    """Why jobs do not get to those who carry them out; None where they do."""
    workers: int | None
    """How many workers live; None where servers do the work themselves, and where that is not known."""
    waiting: Mapping[str, float]
    """For how many seconds the oldest job of each kind has been due; kinds without one are left out."""

    @property
    def oldest(self) -> float:
        return max(self.waiting.values(), default=0.0)


class Background:
    """A server process's share of the background work. Made on the running event loop; `start` and `close` it."""

    def __init__(self, settings: Settings, services: Services, renditions: Renditions, variants: Variants) -> None:
        self._schedule = Schedule(services.database, tasks(settings, services, variants))
        self._engine: JobRunner | Dispatcher
        self._database = services.database
        self._roll_call: RollCall | None = None
        if settings.by_celery:
            self.name = "celery"
            self._engine = _dispatcher(settings, services)
            self._roll_call = RollCall(presence_of(settings, services.deployment))
        else:
            self.name = "in-process"
            # One more: while the outcome of one is written, its decoder is at another.
            parallel = 1 + math.ceil(settings.image_decoders / settings.workers)
            self._engine = JobRunner(
                services.database, kinds_of(settings, services, renditions, variants, parallel=parallel)
            )
        self._beginning: asyncio.Task[None] | None = None

    async def state(self) -> State:
        """How it is now. Raises DatabaseUnavailable."""
        waiting = await waiting_seconds(self._database)
        problem = self._engine.problem if isinstance(self._engine, Dispatcher) else None
        workers: int | None = None
        if self._roll_call is not None:
            try:
                roll = await self._roll_call.call()
            except CacheUnavailable as error:
                problem = problem or f"the Redis of Celery: {error}"
            else:
                workers = len(roll.living)
                problem = problem or roll.problem(jobs.KINDS)
        return State(self.name, problem, workers, waiting)

    def start(self) -> None:
        self._engine.start()
        self._beginning = asyncio.get_running_loop().create_task(self._begin(), name="schedule")

    def wake(self) -> None:
        """Have what was just added done at once. Costs nothing."""
        self._engine.wake()

    async def close(self) -> None:
        """Stop. What was begun is due again at once, for others."""
        if self._beginning is not None:
            self._beginning.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beginning
        await self._engine.close()
        if self._roll_call is not None:
            await self._roll_call.close()

    async def _begin(self) -> None:
        while True:
            try:
                await self._schedule.begin()
            except GatewayError as error:
                log.warning("the schedule waits: %s", error)
                await asyncio.sleep(BEGIN_AGAIN_SECONDS)
            else:
                return


async def waiting_seconds(database: Database) -> dict[str, float]:
    """For how long the oldest job of each kind has been due. Raises DatabaseUnavailable."""
    found = await database.read(lambda reader: jobs.longest_waiting(reader, jobs.KINDS, now_ms()))
    return {kind: waited / 1000 for kind, waited in found.items()}


def _celery_address(settings: Settings) -> RedisAddress:
    return parse_redis_url(settings.celery_url or settings.redis_url or "")


def presence_of(settings: Settings, deployment: str) -> Presence:
    """Of the workers that Celery tells. On the running event loop; `close` it."""
    # Imported by those who use it, as the driver of Redis takes its time.
    from gateway.jobs.presence import Presence

    return Presence(_celery_address(settings), deployment, timeout=settings.job_worker_timeout)


def _dispatcher(settings: Settings, services: Services) -> Dispatcher:
    # Imported by those who use it: it takes a third of a second.
    from gateway.jobs.celery_app import KINDS
    from gateway.jobs.celery_queue import CeleryQueue

    address = _celery_address(settings)
    return Dispatcher(
        services.database,
        KINDS,
        CeleryQueue(address, services.deployment),
        resend_seconds=settings.job_resend_seconds,
    )
