"""A worker that Celery tells which jobs are due: a pool of processes, each with one event loop made after its fork.

Celery's part is to bring a number to a process and to end a process that hangs. What the number means, whether the job is
still to be done and what came of it is the database's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import uvloop
from celery import Celery, signals
from celery.exceptions import CPendingDeprecationWarning, SoftTimeLimitExceeded

from gateway.errors import GatewayError
from gateway.jobs.carrier import Carrier
from gateway.jobs.celery_app import queue_name, task_name
from gateway.jobs.kind import Kind
from gateway.jobs.presence import Voice, beat_seconds
from gateway.metadata import jobs

log = logging.getLogger("pixgate.jobs")

SOFT_SECONDS = 15.0
"""How long after its own limit a job is interrupted whose event loop does not see to it."""
HARD_SECONDS = 30.0
"""And how long after that its process is killed."""
LONGEST_SECONDS = 6 * 3600.0
"""For kinds of work that have no limit of their own: sweeps of large tables."""
CLOSE_SECONDS = 10.0


class Workshop(Protocol):
    """What a process works with."""

    carrier: Carrier
    kinds: Mapping[str, Kind]

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds after which a task is interrupted, and its process killed."""

    soft: float
    hard: float


def limits_of(kind: str, job_seconds: float) -> Limits:
    longest = job_seconds if kind == jobs.PROCESS else LONGEST_SECONDS
    return Limits(longest + SOFT_SECONDS, longest + HARD_SECONDS)


class Hands:
    """One process of the pool. `open_workshop` is called on its event loop, when its first job comes."""

    def __init__(self, open_workshop: Callable[[], Awaitable[Workshop]], begin: Callable[[], None]) -> None:
        self._open = open_workshop
        self._begin = begin
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._opening: asyncio.Lock | None = None
        self._workshop: Workshop | None = None

    def begin(self, **_: Any) -> None:
        """After the fork: the loop that everything runs on from now on."""
        self._begin()
        loop = self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="loop", daemon=True)
        self._thread.start()

    def do(self, kind: str, identity: int) -> None:
        """Carry a job out, if it is still to be done. Called by Celery, in the main thread."""
        assert self._loop is not None
        work = asyncio.run_coroutine_threadsafe(self._do(kind, identity), self._loop)
        try:
            work.result()
        except SoftTimeLimitExceeded:
            work.cancel()
            log.error("job %s (%s) took too long, and nothing noticed", identity, kind)
            raise
        except GatewayError as error:
            # Whoever sends the jobs sends this one again.
            log.warning("job %s (%s) waits: %s", identity, kind, error)

    def end(self, **_: Any) -> None:
        """Before the process ends."""
        if self._loop is None or self._thread is None:
            return
        closing = asyncio.run_coroutine_threadsafe(self._close(), self._loop)
        try:
            closing.result(CLOSE_SECONDS)
        except TimeoutError:
            log.warning("closing took too long")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_SECONDS)

    async def _do(self, kind: str, identity: int) -> None:
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if self._workshop is None:
                self._workshop = await self._open()
        await self._workshop.carrier.run_once(self._workshop.kinds[kind], identity)

    async def _close(self) -> None:
        if self._workshop is not None:
            await self._workshop.close()


def run(
    app: Celery,
    deployment: str,
    kinds: Sequence[str],
    hands: Hands,
    *,
    concurrency: int,
    job_seconds: float,
    timeout: float,
) -> int:
    """Take jobs of these kinds until told to stop (SIGTERM). Returns the exit status.

    Who is not heard of for `timeout` seconds counts as gone.
    """
    for kind in kinds:
        _add_task(app, kind, hands, limits_of(kind, job_seconds))
    # What is done at a lost connection: nothing, since who finishes a job asks the database whether it is still theirs.
    warnings.simplefilter("ignore", CPendingDeprecationWarning)
    # It names an option that there is none of here.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    # Celery keeps its hands off the logging of a program that listens to this.
    signals.setup_logging.connect(_keep_logging, weak=False)
    signals.worker_process_init.connect(hands.begin, weak=False)
    signals.worker_process_shutdown.connect(hands.end, weak=False)
    voice = Voice(deployment, _host(), kinds, concurrency)
    signals.heartbeat_sent.connect(voice.say, weak=False)
    signals.worker_shutting_down.connect(voice.leave, weak=False)
    worker = app.Worker(
        hostname=f"pixgate-{deployment[:8]}@{_host()}",
        pool="prefork",
        concurrency=concurrency,
        queues=[queue_name(deployment, kind) for kind in kinds],
        task_events=True,
        heartbeat_interval=beat_seconds(timeout),
        optimization="fair",
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def _add_task(app: Celery, kind: str, hands: Hands, limits: Limits) -> None:
    def carry_out(identity: int) -> None:
        hands.do(kind, identity)

    app.task(name=task_name(kind), soft_time_limit=limits.soft, time_limit=limits.hard, ignore_result=True)(carry_out)


def _keep_logging(**_: Any) -> None:
    pass


def _host() -> str:
    """Of several workers of a machine each has a name of its own."""
    return f"{socket.gethostname()}-{os.getpid()}"
