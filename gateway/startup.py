"""Starting the server: which program each process runs, imported as late as it can be.

The doors take most of a second to import. Meanwhile the render broker starts, and another process asks the database and the
stores, where these are elsewhere.
"""

from __future__ import annotations

import importlib
import math
import subprocess
from collections.abc import Callable
from pathlib import Path

from gateway.settings.address import Address
from gateway.settings.settings import Settings
from gateway.supervisor.roles import Roles, StartRefused, WorkerContext
from gateway.supervisor.supervisor import Supervisor
from gateway.telemetry.metrics import Metrics
from gateway.tls import TlsRefused, load_tls


def serve(settings: Settings, on_ready: Callable[[Address], None]) -> int:
    """Run the server until it is told to stop. Returns the exit status; raises StartRefused."""
    try:
        load_tls(settings)
    except TlsRefused as error:
        raise StartRefused(str(error)) from error

    def ready(address: Address) -> None:
        settings.address_file.write_text(settings.base_url(address) + "\n", encoding="utf-8")
        on_ready(address)

    roles = Roles(
        prepare=_prepare, load=_load, work=_work, broker=lambda settings: start_broker(settings, settings.render_socket)
    )
    return Supervisor(settings, roles, ready).run()


def _prepare(settings: Settings, address: Address, again: bool) -> int:
    from gateway.first_start import prepare

    return prepare(settings, address, again=again)


def _load(settings: Settings) -> Metrics:
    from gateway.app import metrics
    from gateway.backends import import_adapters
    from gateway.services.services import import_parts

    import_parts()
    import_adapters(settings)
    if settings.by_celery:
        importlib.import_module("gateway.jobs.celery_queue")
        importlib.import_module("gateway.jobs.presence")
    return metrics(settings.workers)


def _work(context: WorkerContext) -> int:
    from gateway.app import work

    return work(context)


def start_broker(settings: Settings, socket: Path, *, decoders: int | None = None) -> subprocess.Popen[bytes]:
    """Start a render broker that answers at `socket`; without `decoders`, with as many as the settings say."""
    from gateway.render import launch
    from gateway.render.settings import BrokerSettings

    return launch.start_broker(
        BrokerSettings(
            socket_path=str(socket.absolute()),
            decoders=decoders or settings.image_decoders,
            cache_bytes=settings.image_memory_cache_bytes,
            queue_jobs=settings.image_queue,
            queue_ms=round(settings.image_queue_time * 1000),
            job_seconds=settings.image_timeout,
            cpu_seconds=math.ceil(settings.image_timeout),
            memory_bytes=settings.image_decoder_memory,
            fonts=settings.fonts_folder,
        )
    )
