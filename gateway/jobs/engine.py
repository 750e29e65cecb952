"""Which kinds of work there are, and who carries them out: this process, or workers that Celery tells."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math

from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.jobs import processing, rendition
from gateway.jobs.dispatcher import Dispatcher
from gateway.jobs.housekeeping import tasks
from gateway.jobs.kind import Kind
from gateway.jobs.purge import Purger
from gateway.jobs.runner import JobRunner
from gateway.jobs.schedule import Schedule
from gateway.redis_address import parse_redis_url
from gateway.services import Services
from gateway.services.renditions import Renditions
from gateway.services.variants import Variants

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


class Background:
    """A server process's share of the background work. Made on the running event loop; `start` and `close` it."""

    def __init__(self, settings: Settings, services: Services, renditions: Renditions, variants: Variants) -> None:
        self._schedule = Schedule(services.database, tasks(settings, services, variants))
        self._engine: JobRunner | Dispatcher
        if settings.by_celery:
            self.name = "celery"
            self._engine = _dispatcher(settings, services)
        else:
            self.name = "in-process"
            # One more: while the outcome of one is written, its decoder is at another.
            parallel = 1 + math.ceil(settings.image_decoders / settings.workers)
            self._engine = JobRunner(
                services.database, kinds_of(settings, services, renditions, variants, parallel=parallel)
            )
        self._beginning: asyncio.Task[None] | None = None

    @property
    def problem(self) -> str | None:
        """Why jobs do not get to those who carry them out; None where they do. For operators."""
        return self._engine.problem if isinstance(self._engine, Dispatcher) else None

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

    async def _begin(self) -> None:
        while True:
            try:
                await self._schedule.begin()
            except GatewayError as error:
                log.warning("the schedule waits: %s", error)
                await asyncio.sleep(BEGIN_AGAIN_SECONDS)
            else:
                return


def _dispatcher(settings: Settings, services: Services) -> Dispatcher:
    # Imported by those who use it: it takes a third of a second.
    from gateway.jobs.celery_app import KINDS
    from gateway.jobs.celery_queue import CeleryQueue

    address = parse_redis_url(settings.celery_url or settings.redis_url or "")
    return Dispatcher(
        services.database,
        KINDS,
        CeleryQueue(address, services.deployment),
        resend_seconds=settings.job_resend_seconds,
    )
