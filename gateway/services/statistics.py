"""The service in numbers, counted at most every few seconds: whoever asks often costs little."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.metadata import job_statistics, jobs, upload_windows, usage
from gateway.metadata.job_statistics import Times
from gateway.metadata.port import Database, Reader
from gateway.model.images import JobStatus
from gateway.services.clock import now_ms

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FRESH_SECONDS = 5.0
NEAR = 0.8
"""The share of a limit from which somebody is near it."""
NAMED = 100
"""Of those near a limit so many are named at most."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """`queues` by kind of work: what waits or is worked at, and what failed for good. `near_limit` are those who uploaded
    nearly what they may in this hour, and how much."""

    jobs: Mapping[JobStatus, int]
    last_hour: Times
    last_day: Times
    queues: Mapping[str, tuple[int, int]]
    objects: int
    bytes: int
    near_limit: Sequence[tuple[str, int]]


class Statistics:
    """`uploads_hour` is what somebody may upload in an hour; 0 is no limit."""

    def __init__(self, database: Database, uploads_hour: int) -> None:
        self._database = database
        self.uploads_hour = uploads_hour
        self._counted: Numbers | None = None
        self._at = 0.0
        self._lock = asyncio.Lock()

    async def get(self) -> Numbers:
        """The numbers, some seconds old at most, ten more where a replica is read. Raises DatabaseUnavailable."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._counted is None or now >= self._at + FRESH_SECONDS:
                self._counted = await self._database.read_replica(self._count, heavy=True)
                self._at = now
            return self._counted

    async def _count(self, reader: Reader) -> Numbers:
        moment = now_ms()
        window = moment - moment % HOUR_MS
        near: Sequence[tuple[str, int]] = ()
        if self.uploads_hour:
            at_least = max(1, int(self.uploads_hour * NEAR))
            near = await upload_windows.near_limit(reader, window, at_least, limit=NAMED)
        backlog = await jobs.backlog(reader)
        objects, size = await usage.totals(reader)
        return Numbers(
            jobs=await job_statistics.by_status(reader),
            last_hour=await job_statistics.times_since(reader, moment - HOUR_MS),
            last_day=await job_statistics.times_since(reader, moment - DAY_MS),
            queues=dict(sorted(backlog.items())),
            objects=objects,
            bytes=size,
            near_limit=near,
        )
