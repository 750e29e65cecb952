"""The processing of an uploaded image: how far it is, and what came of it. Whoever has a job's id may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from gateway.api.answer import answer
from gateway.api.errors import ApiError
from gateway.api.moment import Moment, moment
from gateway.api.operation import Access, Operation
from gateway.api.v1.image_resource import image_link
from gateway.metadata.image_jobs import ImageJob
from gateway.model.images import JobStatus
from gateway.services import image_jobs

if TYPE_CHECKING:
    from aiohttp.web import StreamResponse

    from gateway.api.call import Call


class JobAnswer(BaseModel):
    """How far the processing of an image is."""

    job_id: str
    image_id: str
    status: JobStatus
    attempts: int = Field(description="Attempts that were begun.")
    error: str | None = Field(description="Why the last attempt failed, if it did.")
    created_at: Moment
    completed_at: Moment | None = Field(description="When it ended, well or not.")


class MadeVariant(BaseModel):
    """A variant of the image that is ready."""

    url: str
    size: str = Field(description="Width and height in pixels: 600x400.")
    width: int
    height: int
    bytes: int
    content_type: str


class JobResult(BaseModel):
    """What was made of an image; the image shows the rest."""

    job_id: str
    image_id: str
    status: JobStatus
    completed_at: Moment | None
    variants: dict[str, MadeVariant]


async def get_job(call: Call) -> StreamResponse:
    job = await _job(call)
    return answer(
        200,
        JobAnswer(
            job_id=job.id,
            image_id=job.image_id,
            status=job.status,
            attempts=job.attempts,
            error=job.error,
            created_at=moment(job.created_ms),
            completed_at=None if job.completed_ms is None else moment(job.completed_ms),
        ),
    )


async def get_result(call: Call) -> StreamResponse:
    job = await _job(call)
    if job.status is not JobStatus.COMPLETED or job.result is None:
        details = {"status": job.status.value, "error": job.error}
        raise ApiError("JOB_NOT_COMPLETED", f"The job is {job.status.value}.", details=details)
    return answer(
        200,
        JobResult(
            job_id=job.id,
            image_id=job.image_id,
            status=job.status,
            completed_at=None if job.completed_ms is None else moment(job.completed_ms),
            variants={
                made["name"]: MadeVariant(
                    url=image_link(call, job.image_id, {"variant": made["name"]}),
                    size=f"{made['width']}x{made['height']}",
                    width=made["width"],
                    height=made["height"],
                    bytes=made["bytes"],
                    content_type=made["content_type"],
                )
                for made in job.result["variants"]
            },
        ),
    )


async def _job(call: Call) -> ImageJob:
    job = await image_jobs.get(call.services.database, call.places["job_id"])
    if job is None:
        raise ApiError("JOB_NOT_FOUND")
    return job


OPERATIONS = (
    Operation(
        name="GetJob",
        method="GET",
        path="/api/v1/images/jobs/{job_id}",
        handler=get_job,
        access=Access.ANYBODY,
        tag="jobs",
        summary="How far the processing of an image is",
        responses={200: JobAnswer},
        errors=("JOB_NOT_FOUND",),
    ),
    Operation(
        name="GetJobResult",
        method="GET",
        path="/api/v1/images/jobs/{job_id}/result",
        handler=get_result,
        access=Access.ANYBODY,
        tag="jobs",
        summary="What the processing of an image made",
        responses={200: JobResult},
        errors=("JOB_NOT_FOUND", "JOB_NOT_COMPLETED"),
    ),
)
