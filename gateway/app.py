"""The composition root: the only place that knows which adapters and doors there are, and what the processes do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import uvloop
from aiohttp import web

from gateway.api.endpoint import OTHER_OPERATIONS as OTHER_API_OPERATIONS
from gateway.api.endpoint import ApiEndpoint
from gateway.api.errors import CODES as API_CODES
from gateway.api.parts import Parts
from gateway.api.table import OPERATIONS as API_OPERATIONS
from gateway.backends import pinned_variants, rendition_cache
from gateway.data_folder import open_services
from gateway.doors import PROBES, Doors, is_bucket_host
from gateway.errors import Unavailable
from gateway.http.guard import GuardedServer, Window, close_stalled
from gateway.http.listener import Listener
from gateway.http.request_target import to_origin_form
from gateway.img.dialects.doors import Dialects, bare_host
from gateway.img.endpoint import ERROR_CODES as IMAGE_CODES
from gateway.img.endpoint import OPERATIONS as IMAGE_OPERATIONS
from gateway.img.endpoint import ImageEndpoint
from gateway.img.limits import limits_of
from gateway.jobs.engine import Background
from gateway.metadata.rate_windows import RateWindowFile
from gateway.refusals import Refusals
from gateway.render.client import RenderClient
from gateway.render.confinement import announce
from gateway.s3.checksum_headers import BODY_MODES as S3_BODY_MODES
from gateway.s3.endpoint import S3Endpoint
from gateway.s3.errors import CODES as S3_CODES
from gateway.s3.table import OPERATIONS as S3_OPERATIONS
from gateway.services import Services
from gateway.services.derivatives import Derivatives
from gateway.services.limits import open_limits
from gateway.services.presets import Presets
from gateway.services.renditions import Renditions
from gateway.services.statistics import Statistics
from gateway.services.upload_slots import UploadSlots
from gateway.services.variants import Variants
from gateway.settings.address import Address
from gateway.settings.dialects import DialectName
from gateway.settings.settings import Settings
from gateway.supervisor.roles import WorkerContext
from gateway.telemetry import Telemetry
from gateway.telemetry.log import LogWriter, configure_logging
from gateway.telemetry.metrics import Metrics, Operation
from gateway.telemetry.request import seed_request_ids
from gateway.tls import TlsRefused, load_tls
from gateway.waiting import Waiting
from gateway.web.endpoint import OPERATIONS as WEB_OPERATIONS
from gateway.web.endpoint import RESERVED_PAGES, SHORT_NAMES, WebEndpoint

LOG = logging.getLogger(__name__)

LINGER_SECONDS = 2.0
"""How long the rest of a refused body is read, so that the client sees the answer and not a reset."""
DRAIN_STEP = 0.05
OPEN_SECONDS = 1.0
"""After which connections are answered although the database and the stores are still being opened."""
OPEN_AGAIN_SECONDS = 1.0
"""Between two tries to reach the database and the stores at the start."""
REQUEST_WEIGHT = 16 * 1024
BODY_WEIGHT = 128 * 1024
"""Bytes that a request, and one with a body, may hold between socket and disk."""

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Application:
    """One worker's doors behind one handler."""

    def __init__(
        self,
        settings: Settings,
        services: Services,
        telemetry: Telemetry,
        address: Address,
        render: RenderClient,
        refusals: Refusals,
    ) -> None:
        self._refusals = refusals
        self._window = Window(settings.max_in_flight_bytes)
        services.cache = rendition_cache(settings, services, telemetry.metrics)
        services.pinned = pinned_variants(settings, services)
        self._images = ImageEndpoint(services, settings, telemetry, render)
        variants = Variants(services.database, self._images.derivatives)
        renditions = _renditions(settings, services, self._images.derivatives)
        self.jobs = Background(settings, services, renditions, variants)
        services.wake_jobs = self.jobs.wake
        self._s3 = S3Endpoint(
            services, settings, telemetry, image_responder=self._images.object_images, renditions=renditions
        )
        slots = UploadSlots(settings.upload_slots_file, settings.upload_slots, settings.upload_slot_wait)
        self._web = WebEndpoint(settings, services, telemetry, address, render, slots, self.jobs)
        limits = open_limits(
            settings, RateWindowFile(settings.rate_limits_file), settings.redis_url, services.deployment
        )
        statistics = Statistics(
            services.database, settings.rate_limit_uploads_hour if settings.rate_limits_enabled else 0
        )
        self.parts = Parts(
            settings, services, self._images.derivatives, variants, render, limits, slots, self.jobs, statistics
        )
        self._api = ApiEndpoint(services, settings, telemetry, self.parts)
        self._hosts = tuple("." + domain for domain in settings.domain)
        self._reserved: dict[str, Handler] = dict.fromkeys(RESERVED_PAGES, self._web.handle)
        self._reserved["img"] = self._images.handle
        self._reserved["api"] = self._reserved["openapi.json"] = self._api.handle
        self._dialects = Dialects(settings)
        for prefix, dialect in self._dialects.prefixes.items():
            self._reserved[prefix] = self._speaking(dialect, "/" + prefix)
        self._speakers = {host: self._speaking(dialect) for host, dialect in self._dialects.hosts.items()}

    @property
    def draining(self) -> bool:
        return self._web.draining

    @draining.setter
    def draining(self, value: bool) -> None:
        self._web.draining = value

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        weight = BODY_WEIGHT if request.can_read_body else REQUEST_WEIGHT
        if not self._window.take(weight):
            return self._refusals.answer(503, request._message.path, request.headers.get("Host", ""))
        try:
            answer = await (await self._door(request))(request)
        finally:
            self._window.give(weight)
        if self._web.draining and not answer.prepared:
            answer.force_close()
        return answer

    def _speaking(self, dialect: DialectName, prefix: str = "") -> Handler:
        """The transform door for the URLs of a dialect."""
        parse = self._dialects.parser(dialect, prefix)

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await self._images.serve(request, parse)

        return handle

    async def _door(self, request: web.BaseRequest) -> Handler:
        path = request.raw_path
        name = path[1:].partition("?")[0].partition("/")[0]
        if self._speakers and path.partition("?")[0] not in PROBES:
            speaker = self._speakers.get(bare_host(request.headers.get("Host", "")))
            if speaker is not None:
                return speaker
        handler = self._reserved.get(name)
        if handler is None:
            if (name and name not in SHORT_NAMES) or not await self._web.takes(request, name):
                return self._s3.handle
            handler = self._web.handle
        if self._hosts and is_bucket_host(request.headers.get("Host", ""), self._hosts):
            return self._s3.handle  # on a virtual host every path is a key
        return handler


def rendering_services(
    settings: Settings, services: Services, render: RenderClient, counts: Metrics
) -> tuple[Renditions, Variants]:
    """What jobs work with in a process that answers no requests."""
    services.cache = rendition_cache(settings, services, counts)
    services.pinned = pinned_variants(settings, services)
    derivatives = Derivatives(
        services.objects,
        services.stores,
        render,
        limits_of(settings),
        counts,
        services.cache,
        rendering=settings.rendering,
        pinned=services.pinned,
    )
    return _renditions(settings, services, derivatives), Variants(services.database, derivatives)


def _renditions(settings: Settings, services: Services, derivatives: Derivatives) -> Renditions:
    return Renditions(
        services.database,
        services.directory,
        derivatives,
        Presets(settings.image_presets),
        services.watermarks,
        rendering_tag=settings.rendering.tag,
    )


@dataclass(slots=True)
class Front:
    """What a worker answers with at the moment."""

    doors: Handler
    refusals: Refusals

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request._message.path[0] != "/" and not to_origin_form(request):
            return self.refusals.answer(400, "", request.headers.get("Host", ""))
        return await self.doors(request)


# --- the processes


def metrics(workers: int) -> Metrics:
    """The metrics of a node with so many workers: a region for each, with the operations and errors of every door."""
    return Metrics(
        _operations(),
        [*S3_CODES, *IMAGE_CODES, *API_CODES],
        workers=workers,
        body_modes=["plain", *S3_BODY_MODES.values()],
    )


def _operations() -> list[Operation]:
    return [
        *(Operation("s3", operation.name) for operation in S3_OPERATIONS),
        *(Operation("img", name) for name in IMAGE_OPERATIONS),
        *(Operation("api", operation.name) for operation in API_OPERATIONS),
        *(Operation("api", name) for name in OTHER_API_OPERATIONS),
        *(Operation("web", name) for name in WEB_OPERATIONS),
    ]


def work(context: WorkerContext) -> int:
    """Be a worker until told to stop. Returns the exit status."""
    writer = LogWriter(dropped=context.metrics.log_dropped)
    configure_logging(writer, context.settings.log_level)
    seed_request_ids()
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_run_worker(context, writer))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
        writer.close()
    return 0


async def _run_worker(context: WorkerContext, writer: LogWriter) -> None:
    settings = context.settings
    loop = asyncio.get_running_loop()
    writer.attach(loop)
    telemetry = Telemetry(context.metrics, writer, log_requests=settings.log_level in ("debug", "info"))
    doors = Doors(settings)
    waiting = Waiting(telemetry, doors)
    refusals = Refusals(telemetry, doors)
    front = Front(waiting.handle, refusals)
    server = GuardedServer(
        front.handle,
        header_timeout=settings.header_timeout,
        keepalive_timeout=settings.keepalive_timeout,
        auto_decompress=False,
        lingering_time=LINGER_SECONDS,
        access_log=None,
    )
    server.refusal = refusals.answer
    tls = load_tls(settings)

    def reload_tls() -> None:
        nonlocal tls
        try:
            tls = load_tls(settings)
            LOG.info("certificate read again")
        except TlsRefused as error:
            LOG.error("%s; the one before stays", error)

    listener = Listener(
        context.listening,
        server,
        context.metrics,
        max_connections=settings.max_connections,
        handshake_timeout=settings.header_timeout,
        tls=lambda: tls,
    )
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload_tls)
    stalls = loop.create_task(
        close_stalled(server, min_rate=settings.body_min_rate, timeout=settings.body_stall_timeout)
    )
    render = RenderClient(settings.render_socket, hot_bytes=settings.image_worker_cache_bytes)
    if context.slot == 0 and not settings.rate_limits_enabled:
        LOG.warning("rate limits are off: PIXGATE_RATE_LIMITS_ENABLED is false")
    # One worker says it for the node.
    announcing = loop.create_task(announce(render)) if context.slot == 0 else None
    services: Services | None = None
    runner: Background | None = None
    application: Application | None = None
    try:
        services = await _open(settings, stop, waiting, listener)
        if services is not None:
            application = Application(settings, services, telemetry, context.address, render, refusals)
            front.doors = application.handle
            runner = application.jobs
            runner.start()
            listener.start()
            context.say_ready()
            await stop.wait()
            application.draining = True
            if settings.drain_delay:
                await asyncio.sleep(settings.drain_delay)
        listener.close()
        await _drain(server, settings.stop_timeout)
    finally:
        if runner is not None:
            await runner.close()
        if application is not None:
            await application.parts.close()
        if announcing is not None:
            announcing.cancel()
        stalls.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await stalls
        await server.shutdown(0.1)
        await render.close()
        if services is not None:
            await services.close()


async def _open(settings: Settings, stop: asyncio.Event, waiting: Waiting, listener: Listener) -> Services | None:
    """The services, as soon as what they stand on answers; None when told to stop before.

    Raises InvalidValue for what no waiting will mend.
    """
    answering = asyncio.get_running_loop().call_later(OPEN_SECONDS, listener.start)
    while not stop.is_set():
        try:
            return await open_services(settings, worker=True)
        except Unavailable as error:
            waiting.because(error)
            listener.start()
        finally:
            answering.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), OPEN_AGAIN_SECONDS)
    return None


async def _drain(server: GuardedServer, timeout: float) -> None:
    """Close idle connections as they become idle, until none is left or the time is up."""
    deadline = asyncio.get_running_loop().time() + timeout
    while server.connection_count and asyncio.get_running_loop().time() < deadline:
        server.close_idle()
        await asyncio.sleep(DRAIN_STEP)
