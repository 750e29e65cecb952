"""Background work, for administrators: what waits, what failed for good, trying that again, giving it up."""

from __future__ import annotations

from typing import Any

from aiohttp.web import StreamResponse
from pydantic import BaseModel, Field

from gateway.api.admin.paging import ADMIN, TAG, PageQuery, cursor
from gateway.api.answer import answer, nothing
from gateway.api.call import Call
from gateway.api.errors import ApiError
from gateway.api.moment import Moment, moment
from gateway.api.operation import Access, Operation
from gateway.metadata.jobs import Job
from gateway.services import jobs

_PATH = ADMIN + "/jobs"


class AdminJob(BaseModel):
    id: int
    kind: str
    state: str = Field(description="waiting, running or failed (for good).")
    payload: dict[str, Any]
    attempts: int
    created_at: Moment
    due_at: Moment | None
    error: str | None


class AdminJobPage(BaseModel):
    items: list[AdminJob]
    next: str | None


class AdminJobQuery(PageQuery):
    failed: bool = Field(default=False, description="Those that failed for good; without it those that wait or run.")


class Retried(BaseModel):
    retried: int


class Deleted(BaseModel):
    deleted: int


async def list_jobs(call: Call) -> StreamResponse:
    query = call.query_as(AdminJobQuery)
    found = await jobs.page(
        call.services.database, failed=query.failed, after=query.after_number() or 0, limit=query.limit + 1
    )
    page = found[: query.limit]
    following = cursor(page[-1].id if page else "", more=len(found) > len(page))
    return answer(200, AdminJobPage(items=[_job(one) for one in page], next=following))


def _job(job: Job) -> AdminJob:
    payload = dict(job.payload)
    if isinstance(payload.get("key"), str):
        payload["key"] = bytes.fromhex(payload["key"]).decode("utf-8", "backslashreplace")
    return AdminJob(
        id=job.id,
        kind=job.kind,
        state=jobs.state(job),
        payload=payload,
        attempts=job.attempts,
        created_at=moment(job.created_ms),
        due_at=None if job.run_at_ms is None else moment(job.run_at_ms),
        error=job.error,
    )


async def retry_one(call: Call) -> StreamResponse:
    count = await jobs.retry(call.services.database, _number(call), call.actor)
    call.services.wake_jobs()
    return answer(200, Retried(retried=count))


async def retry_all(call: Call) -> StreamResponse:
    count = await jobs.retry(call.services.database, None, call.actor)
    call.services.wake_jobs()
    return answer(200, Retried(retried=count))


async def delete_one(call: Call) -> StreamResponse:
    await jobs.delete(call.services.database, _number(call), call.actor)
    return nothing()


async def delete_all(call: Call) -> StreamResponse:
    return answer(200, Deleted(deleted=await jobs.delete(call.services.database, None, call.actor)))


def _number(call: Call) -> int:
    text = call.places["job"]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ApiError("JOB_NOT_FOUND")
    return int(text)


OPERATIONS = (
    Operation(
        "AdminListJobs",
        "GET",
        _PATH,
        list_jobs,
        Access.ADMIN,
        TAG,
        "Background work: what waits, or what failed for good",
        {200: AdminJobPage},
        errors=("INVALID_REQUEST",),
        query=AdminJobQuery,
    ),
    Operation(
        "AdminRetryJobs",
        "POST",
        _PATH + "/retry",
        retry_all,
        Access.ADMIN,
        TAG,
        "Try all that failed for good again",
        {200: Retried},
    ),
    Operation(
        "AdminRetryJob",
        "POST",
        _PATH + "/{job}/retry",
        retry_one,
        Access.ADMIN,
        TAG,
        "Try a job that failed for good again",
        {200: Retried},
        errors=("JOB_NOT_FOUND",),
    ),
    Operation(
        "AdminDeleteJobs",
        "DELETE",
        _PATH,
        delete_all,
        Access.ADMIN,
        TAG,
        "Give up all that failed for good",
        {200: Deleted},
    ),
    Operation(
        "AdminDeleteJob",
        "DELETE",
        _PATH + "/{job}",
        delete_one,
        Access.ADMIN,
        TAG,
        "Give up a job that failed for good",
        {204: None},
        errors=("JOB_NOT_FOUND",),
    ),
)
