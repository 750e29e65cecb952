"""`/health`: one entry for each thing that the node rests on, and the worst of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from gateway import __version__
from gateway.render.confinement import missing_layers
from gateway.render.sandbox import LAYERS

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"
_ORDER = (HEALTHY, DEGRADED, UNHEALTHY)
PATIENCE = 3.0
"""Seconds until what does not answer counts as unwell."""

Entry = Mapping[str, Any]


class Services(Protocol):
    async def health(self) -> Mapping[str, Entry]: ...


class Renders(Protocol):
    async def stats(self) -> Mapping[str, Any]: ...


class Slots(Protocol):
    limit: int

    def active(self) -> int: ...


class WorkState(Protocol):
    """For the meaning see `gateway.jobs.engine.State`."""

    @property
    def engine(self) -> str: ...

    @property
    def problem(self) -> str | None: ...

    @property
    def workers(self) -> int | None: ...

    @property
    def oldest(self) -> float: ...


class Work(Protocol):
    name: str

    async def state(self) -> WorkState: ...


async def report(services: Services, renders: Renders, slots: Slots, work: Work) -> dict[str, Any]:
    """`status`, `version`, and an entry each for database, store, cache, renders, the uploads of `/api/v1` and
    background work."""
    (storage, rendering, working) = await asyncio.gather(_storage(services), _rendering(renders), _working(work))
    entries = {**storage, **rendering, "uploads": _uploads(slots), "jobs": working}
    worst = max((str(entry["status"]) for entry in entries.values()), key=_ORDER.index)
    return {"status": worst, "version": __version__, **entries}


async def sandbox(renders: Renders) -> dict[str, bool] | None:
    """Which layers of their sandbox the decoders have; None where that is not known."""
    try:
        layers = missing_layers(await asyncio.wait_for(renders.stats(), PATIENCE))
    except Exception:  # noqa: BLE001 -- as below; a scrape has other figures to give
        return None
    return None if layers is None else {name: name not in layers for name in LAYERS}


def _uploads(slots: Slots) -> Entry:
    """`detail` is `active/limit`. That all are taken is no trouble: uploads then wait."""
    active = slots.active()
    return {"status": HEALTHY, "detail": f"{active}/{slots.limit}", "active": active, "limit": slots.limit}


async def _working(work: Work) -> Entry:
    """Everything else goes on without it, so its trouble only degrades."""
    try:
        state = await asyncio.wait_for(work.state(), PATIENCE)
    except Exception as error:  # noqa: BLE001 -- as below
        return {"status": DEGRADED, "detail": type(error).__name__, "engine": work.name}
    entry = {
        "status": DEGRADED if state.problem else HEALTHY,
        "detail": state.problem,
        "engine": state.engine,
        "oldest_seconds": round(state.oldest, 1),
    }
    return entry if state.workers is None else {**entry, "workers": state.workers}


async def _storage(services: Services) -> dict[str, Entry]:
    try:
        return dict(await asyncio.wait_for(services.health(), PATIENCE))
    except Exception as error:  # noqa: BLE001 -- whatever goes wrong in asking is the answer
        detail = {"status": UNHEALTHY, "detail": type(error).__name__}
        return {"database": detail, "store": detail}


async def _rendering(renders: Renders) -> dict[str, Entry]:
    """S3 works without the render broker, so its trouble only degrades."""
    try:
        stats = await asyncio.wait_for(renders.stats(), PATIENCE)
    except Exception as error:  # noqa: BLE001 -- as above
        detail = {"status": DEGRADED, "detail": f"the render broker does not answer ({type(error).__name__})"}
        return {"cache": detail, "renders": detail}
    cache, queue, decoders = stats["cache"], stats["queue"], stats["decoders"]
    problem = stats.get("problem")
    return {
        "cache": {
            "status": HEALTHY,
            "detail": f"{cache['entries']} renditions in memory",
            "bytes": cache["bytes"],
            "limit": cache["limit"],
        },
        "renders": {
            "status": DEGRADED if problem else HEALTHY,
            "detail": problem or f"{decoders['busy']} of {decoders['wanted']} decoders busy",
            "queued": queue["jobs"],
        },
    }
