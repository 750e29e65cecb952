"""How the service is: numbers, ids and codes for everybody, texts and names for administrators."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.answer import answer
from gateway.api.moment import Moment, moment
from gateway.api.operation import Access, Operation
from gateway.errors import Unavailable
from gateway.http import health
from gateway.metadata import job_statistics, jobs
from gateway.metadata.job_statistics import Times
from gateway.metadata.port import Reader
from gateway.model.images import JobStatus

if TYPE_CHECKING:
    from aiohttp.web import StreamResponse

    from gateway.api.call import Call

SHOWN = 100
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class JobsHealth(BaseModel):
    engine: str = Field(description="Who carries out jobs: `in-process` or `celery`.")
    status: str
    waiting: int | None = Field(description="Jobs of all kinds that wait or are worked at.")
    failed: int | None = Field(description="Jobs of all kinds that failed for good.")
    oldest_seconds: float | None = Field(description="For how long the oldest job has been due; 0: none is.")
    workers: int | None = Field(description="Workers that live, where Celery tells them what to do.")
    detail: str | None = None


class Part(BaseModel):
    """Something that the service rests on."""

    model_config = ConfigDict(extra="allow")

    status: str
    detail: str | None = Field(default=None, description="For administrators.")


class Health(BaseModel):
    """The worst of its parts is `status`: healthy, degraded or unhealthy."""

    model_config = ConfigDict(extra="allow")

    status: str
    version: str
    database: Part
    store: Part
    cache: Part
    jobs: JobsHealth
    upload_slots: str = Field(description="`active/limit` of this node.")


class TimesAnswer(BaseModel):
    """Of jobs that were completed, from the upload to the end; in seconds."""

    completed: int
    p50_seconds: float | None
    p95_seconds: float | None


class Queue(BaseModel):
    waiting: int
    failed: int


class Storage(BaseModel):
    objects: int
    bytes: int


class Uploader(BaseModel):
    """For administrators: who it is, as `user:ID`, `account:ID` or `address:NETWORK`."""

    who: str
    uploads: int


class NearLimit(BaseModel):
    """Uploads in this hour, where that many are near what is allowed."""

    limit: int
    count: int
    users: list[Uploader] | None


class Stats(BaseModel):
    jobs: dict[JobStatus, int]
    times: dict[str, TimesAnswer] = Field(description="By `1h` and `24h`.")
    queues: dict[str, Queue] = Field(description="By kind of work.")
    storage: Storage
    near_limit: NearLimit


class FailedJob(BaseModel):
    """`error` and what it was about are for administrators."""

    id: int
    kind: str
    code: str
    attempts: int
    created_at: Moment
    error: str | None
    job_id: str | None
    image_id: str | None


class Failed(BaseModel):
    """What failed for good; `jobs` are the newest."""

    total: int
    codes: dict[str, int]
    jobs: list[FailedJob]


async def get_health(call: Call) -> StreamResponse:
    admin = call.principal.admin
    parts = call.parts
    found, backlog = await asyncio.gather(
        health.report(call.services, parts.render, parts.slots, parts.background), _backlog(call)
    )
    work = found["jobs"]
    entries = {
        name: _public(entry, admin=admin) if isinstance(entry, Mapping) else entry for name, entry in found.items()
    }
    entries["jobs"] = JobsHealth(
        engine=work["engine"],
        status=work["status"],
        waiting=None if backlog is None else sum(waiting for waiting, _ in backlog.values()),
        failed=None if backlog is None else sum(failed for _, failed in backlog.values()),
        oldest_seconds=work.get("oldest_seconds"),
        workers=work.get("workers"),
        detail=work["detail"] if admin else None,
    )
    entries["upload_slots"] = f"{parts.slots.active()}/{parts.slots.limit}"
    return answer(200, Health(**entries))


async def _backlog(call: Call) -> Mapping[str, tuple[int, int]] | None:
    try:
        async with asyncio.timeout(health.PATIENCE):
            return await call.services.database.read(jobs.backlog)
    except (Unavailable, TimeoutError):
        return None


def _public(entry: Mapping[str, Any], *, admin: bool) -> dict[str, Any]:
    """An entry of `/health`: its numbers, and its texts where somebody asks who may read them."""
    words = ("status", "engine", "kind")
    return {name: value for name, value in entry.items() if admin or name in words or not isinstance(value, str)}


async def get_stats(call: Call) -> StreamResponse:
    statistics = call.parts.statistics
    numbers = await statistics.get()
    near = [Uploader(who=who, uploads=count) for who, count in numbers.near_limit]
    return answer(
        200,
        Stats(
            jobs=dict(numbers.jobs),
            times={"1h": _times(numbers.last_hour), "24h": _times(numbers.last_day)},
            queues={kind: Queue(waiting=waiting, failed=failed) for kind, (waiting, failed) in numbers.queues.items()},
            storage=Storage(objects=numbers.objects, bytes=numbers.bytes),
            near_limit=NearLimit(
                limit=statistics.uploads_hour, count=len(near), users=near if call.principal.admin else None
            ),
        ),
    )


def _times(found: Times) -> TimesAnswer:
    return TimesAnswer(
        completed=found.count,
        p50_seconds=None if found.p50_ms is None else found.p50_ms / 1000,
        p95_seconds=None if found.p95_ms is None else found.p95_ms / 1000,
    )


async def get_failed(call: Call) -> StreamResponse:
    admin = call.principal.admin

    async def work(reader: Reader) -> Failed:
        counted = await job_statistics.failures(reader)
        codes: dict[str, int] = {}
        for (_, what), count in counted.items():
            codes[code_of(what)] = codes.get(code_of(what), 0) + count
        newest = await jobs.newest_failed(reader, SHOWN)
        return Failed(total=sum(counted.values()), codes=codes, jobs=[_failed(job, admin=admin) for job in newest])

    return answer(200, await call.services.database.read(work))


def _failed(job: jobs.Job, *, admin: bool) -> FailedJob:
    return FailedJob(
        id=job.id,
        kind=job.kind,
        code=code_of((job.error or "").partition(": ")[0]),
        attempts=job.attempts,
        created_at=moment(job.created_ms),
        error=job.error if admin else None,
        # An image that is unlisted is shown to whoever knows its id.
        job_id=job.payload.get("job") if admin else None,
        image_id=job.payload.get("image") if admin else None,
    )


def code_of(what: str) -> str:
    """The name of an error as a code: `TookTooLong` is TOOK_TOO_LONG."""
    return _WORDS.sub("_", what).upper() if what.isidentifier() else "UNKNOWN"


_ERRORS = ("SERVICE_UNAVAILABLE",)
OPERATIONS = (
    Operation(
        name="GetHealth",
        method="GET",
        path="/api/v1/health",
        handler=get_health,
        access=Access.OPTIONAL,
        tag="health",
        summary="How the service is",
        responses={200: Health},
    ),
    Operation(
        name="GetHealthStats",
        method="GET",
        path="/api/v1/health/stats",
        handler=get_stats,
        access=Access.OPTIONAL,
        tag="health",
        summary="Jobs, times, queues and storage in numbers",
        responses={200: Stats},
        errors=_ERRORS,
    ),
    Operation(
        name="GetHealthFailed",
        method="GET",
        path="/api/v1/health/failed",
        handler=get_failed,
        access=Access.OPTIONAL,
        tag="health",
        summary="Jobs that failed for good",
        responses={200: Failed},
        errors=_ERRORS,
    ),
)
