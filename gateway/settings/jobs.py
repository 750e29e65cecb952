"""Work that is done later: who does it, how often it is tried, how long its traces are kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gateway.redis_address import parse_redis_url
from gateway.settings.fields import SettingsGroup, secret


def _parse_celery(value: object) -> object:
    if isinstance(value, str) and parse_redis_url(value).kind == "cluster":
        raise ValueError("is a cluster, which Celery cannot work with: name one server, or sentinels")
    return value


class JobSettings(SettingsGroup):
    """Sizes in bytes, times in seconds."""

    jobs_engine: Literal["auto", "in-process", "celery"] = Field(
        default="auto",
        description="Who carries out background work: the server's own processes (`in-process`), or workers on this and "
        "other machines (`pixgate worker`) that are told by Celery (`celery`). `auto`: Celery where `celery_url` is set.",
    )
    celery_url: Annotated[str | None, BeforeValidator(_parse_celery)] = secret(
        "Redis that carries the numbers of jobs to workers, written as `redis_url` is, which stands in for it where "
        "`jobs_engine` is `celery`; no cluster. It may forget everything: the jobs are in the database."
    )
    job_attempts: int = Field(
        default=3, ge=1, le=100, description="How often the processing of an image is tried in all."
    )
    job_retry_seconds: float = Field(
        default=60.0,
        ge=0.01,
        le=86_400,
        description="Wait before its second attempt; before each further one twice that.",
    )
    job_time_limit: float = Field(
        default=120.0,
        ge=1,
        le=3600,
        description="How long the processing of an image may take at one attempt. A worker's process that does not even "
        "notice the end is killed half a minute later.",
    )
    job_resend_seconds: float = Field(
        default=30.0,
        ge=0.1,
        le=3600,
        description="After which a job that no worker has begun, while none waits in Celery's queue, is sent once more.",
    )
    job_worker_timeout: float = Field(
        default=30.0,
        ge=0.5,
        le=3600,
        description="After which a worker that Celery tells, and that has not said meanwhile that it lives, counts as gone: "
        "`/health`, `/metrics`, `pixgate doctor` and `pixgate jobs list` say so. The same for servers and workers.",
    )
    jobs_kept_days: int = Field(
        default=90,
        ge=0,
        le=36_500,
        description="Days that the outcome of an image's processing can be asked for by its job's id; 0: always.",
    )

    @property
    def by_celery(self) -> bool:
        """Whether jobs are carried out by workers that Celery tells."""
        return self.jobs_engine == "celery" or (self.jobs_engine == "auto" and self.celery_url is not None)
