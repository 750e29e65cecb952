"""`pixgate worker`: background work on this machine, told by Celery which; with a render broker of its own.

The first process keeps the others going: the broker, and the one that Celery runs in, which forks the pool. Nothing outlives
it. It has no threads and no database.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import GatewayError, Unavailable, for_operator
from gateway.render.sandbox import die_with_parent
from gateway.settings.settings import Settings
from gateway.startup import start_broker
from gateway.supervisor.roles import AWAY

if TYPE_CHECKING:
    from gateway.jobs.carrier import Carrier
    from gateway.jobs.kind import Kind
    from gateway.render.client import RenderClient
    from gateway.services import Services

LOG = logging.getLogger(__name__)

AGAIN_SECONDS = 2.0
"""Before a process that ended is started again."""
BROKER_GRACE = 3.0
CONNECTIONS = 3
"""To PostgreSQL, of one process of the pool: it does one job at a time, and renews its claim."""
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}


@dataclass(slots=True)
class WorkerHost:
    """The first process. `run` until SIGTERM or SIGINT; a second one ends it at once."""

    settings: Settings
    kinds: Sequence[str]
    concurrency: int

    _broker: subprocess.Popen[bytes] | None = None
    _celery: int | None = None
    _stopping: bool = False
    _deadline: float | None = None
    _again: float = 0.0
    _status: int = 0
    _socket: Path = field(default_factory=Path)

    def run(self) -> int:
        """Returns the exit status."""
        folder = self.settings.run_folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket = folder / f"worker-{os.getpid()}.sock"
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            while self._celery is not None or not self._stopping:
                self._keep_going()
                caught = signal.sigtimedwait(_SIGNALS, self._patience())
                if caught is not None and caught.si_signo != signal.SIGCHLD:
                    self._stop()
                self._reap()
                if self._deadline is not None and time.monotonic() >= self._deadline:
                    self._kill()
        finally:
            self._kill()
            self._end_broker()
            self._socket.unlink(missing_ok=True)
        return self._status

    def _keep_going(self) -> None:
        if self._stopping or time.monotonic() < self._again:
            return
        with _unblocked():
            if self._broker is None:
                self._broker = start_broker(self.settings, self._socket, decoders=self.concurrency)
            if self._celery is None:
                self._celery = self._fork()

    def _patience(self) -> float:
        """Seconds until something is to be done although nothing happened."""
        now = time.monotonic()
        waits = [60.0]
        if not self._stopping and (self._broker is None or self._celery is None):
            waits.append(self._again - now)
        if self._deadline is not None:
            waits.append(self._deadline - now)
        return max(0.0, min(waits))

    def _fork(self) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            # A terminal sends Ctrl-C to all; the first process decides.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            die_with_parent(parent)
            status = take_jobs(self.settings, self.kinds, self.concurrency, self._socket)
        except BaseException:  # the boundary of the process: nothing may return into the parent's code
            LOG.exception("the worker ended by an error")
        finally:
            os._exit(status)

    def _reap(self) -> None:
        if self._celery is not None:
            done, status = os.waitpid(self._celery, os.WNOHANG)
            if done:
                self._celery = None
                self._ended(os.waitstatus_to_exitcode(status))
        if self._broker is not None and self._broker.poll() is not None:
            self._broker = None
            if not self._stopping:
                LOG.error("the render broker ended")
                self._again = time.monotonic() + AGAIN_SECONDS

    def _ended(self, status: int) -> None:
        if self._stopping:
            return
        if status == os.EX_CONFIG:
            self._status, self._stopping = 1, True
            return
        if status != AWAY:
            LOG.error("the worker's processes ended (%s)", status)
        self._again = time.monotonic() + AGAIN_SECONDS

    def _stop(self) -> None:
        if self._stopping:
            LOG.warning("stopping at once")
            self._kill()
            return
        LOG.info("stopping")
        self._stopping = True
        self._deadline = time.monotonic() + self.settings.stop_timeout
        if self._celery is not None:
            # Warm: what was begun is finished.
            os.kill(self._celery, signal.SIGTERM)

    def _kill(self) -> None:
        """What was begun is due again when its claim ends."""
        if self._celery is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._celery, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._celery, 0)
            self._celery = None

    def _end_broker(self) -> None:
        if self._broker is None:
            return
        self._broker.terminate()
        try:
            self._broker.wait(BROKER_GRACE)
        except subprocess.TimeoutExpired:
            self._broker.kill()
            self._broker.wait()


@contextlib.contextmanager
def _unblocked() -> Iterator[None]:
    """Children inherit what is blocked."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


# --- the process that Celery runs in, and those that it forks


def take_jobs(settings: Settings, kinds: Sequence[str], concurrency: int, render_socket: Path) -> int:
    """Take jobs until SIGTERM. Returns the exit status: AWAY where the database does not answer."""
    from gateway.jobs.celery_app import make_app
    from gateway.jobs.celery_worker import Hands, run
    from gateway.redis_address import parse_redis_url

    try:
        deployment = asyncio.run(_deployment(settings))
    except Unavailable as error:
        LOG.warning("the worker waits: %s", for_operator(error))
        return AWAY
    except GatewayError as error:
        LOG.error("%s", for_operator(error))
        return os.EX_CONFIG
    _quieten(settings)
    address = parse_redis_url(settings.celery_url or settings.redis_url or "")
    hands = Hands(_opener(settings, render_socket), lambda: _begin_process(settings))
    LOG.info("the worker takes %s, %s at a time", ", ".join(kinds), concurrency)
    return run(
        make_app(address),
        deployment,
        kinds,
        hands,
        concurrency=concurrency,
        job_seconds=settings.job_time_limit,
        timeout=settings.job_worker_timeout,
    )


async def _deployment(settings: Settings) -> str:
    from gateway.data_folder import open_services

    services = await open_services(settings)
    try:
        return services.deployment
    finally:
        await services.close()


def _begin_process(settings: Settings) -> None:
    """A process of the pool, right after its fork."""
    from gateway.telemetry.log import LogWriter, configure_logging

    configure_logging(LogWriter(dropped=lambda _: None), settings.log_level)
    _quieten(settings)


def _quieten(settings: Settings) -> None:
    """Celery tells of each message twice; what became of the job is told by whoever carried it out."""
    if settings.log_level != "debug":
        logging.getLogger("celery").setLevel(logging.WARNING)


@dataclass(slots=True)
class Workshop:
    """What a process of the pool works with."""

    services: Services
    render: RenderClient
    carrier: Carrier
    kinds: Mapping[str, Kind]

    async def close(self) -> None:
        await self.carrier.close()
        await self.render.close()
        await self.services.close()


def _opener(settings: Settings, render_socket: Path) -> Callable[[], Awaitable[Workshop]]:
    async def open_workshop() -> Workshop:
        from gateway.app import metrics, rendering_services
        from gateway.data_folder import open_services
        from gateway.jobs.carrier import Carrier
        from gateway.jobs.engine import kinds_of
        from gateway.render.client import RenderClient

        own = settings.model_copy(update={"database_pool": min(settings.database_pool, CONNECTIONS)})
        services = await open_services(own)
        render = RenderClient(render_socket, hot_bytes=0)
        renditions, variants = rendering_services(own, services, render, metrics(1))
        kinds = kinds_of(own, services, renditions, variants, parallel=1)
        return Workshop(services, render, Carrier(services.database), {kind.name: kind for kind in kinds})

    return open_workshop
