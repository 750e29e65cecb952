"""How background work fares, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.metadata.image_jobs import GONE
from gateway.metadata.port import Reader
from gateway.model.images import JobStatus


@dataclass(frozen=True, slots=True)
class Times:
    """Of the image jobs that were completed in a time: how many, and how long after the upload half of them, and 95 of
    100, were done; in ms. None where there were none."""

    count: int
    p50_ms: int | None
    p95_ms: int | None


async def by_status(reader: Reader) -> Mapping[JobStatus, int]:
    """Image jobs, with zeros. What is older than the settings keep is not among them, nor what ended because its image was
    deleted."""
    # The rows that failed are looked at one by one; the others are counted in the index.
    rows = await reader.all(
        "SELECT status, count(*) - CASE WHEN status = 'failed' THEN "
        "(SELECT count(*) FROM image_jobs WHERE status = 'failed' AND error = ?) ELSE 0 END "
        "FROM image_jobs GROUP BY status",
        (GONE,),
    )
    found = {JobStatus(status): int(count) for status, count in rows}
    return {status: found.get(status, 0) for status in JobStatus}


async def times_since(reader: Reader, since_ms: int) -> Times:
    row = await reader.one(
        "SELECT count(*) FROM image_jobs WHERE completed_ms >= ? AND status = 'completed'", (since_ms,)
    )
    count = 0 if row is None else int(row[0])
    if not count:
        return Times(0, None, None)
    return Times(
        count,
        await _ranked(reader, since_ms, count // 2),
        await _ranked(reader, since_ms, min(count * 95 // 100, count - 1)),
    )


async def _ranked(reader: Reader, since_ms: int, place: int) -> int | None:
    row = await reader.one(
        "SELECT completed_ms - created_ms FROM image_jobs WHERE completed_ms >= ? AND status = 'completed' "
        "ORDER BY completed_ms - created_ms LIMIT 1 OFFSET ?",
        (since_ms, place),
    )
    return None if row is None else int(row[0])


async def failures(reader: Reader) -> Mapping[tuple[str, str], int]:
    """What failed for good, counted by kind and by what went wrong (the name of the error, as it is in `jobs.error`)."""
    rows = await reader.all(
        "SELECT kind, CASE WHEN position(': ' in error) > 0 THEN substr(error, 1, position(': ' in error) - 1) ELSE error END "
        "AS what, count(*) FROM jobs WHERE run_at_ms IS NULL GROUP BY kind, what"
        if reader.engine == "postgresql"
        else "SELECT kind, CASE WHEN instr(error, ': ') > 0 THEN substr(error, 1, instr(error, ': ') - 1) ELSE error END "
        "AS what, count(*) FROM jobs WHERE run_at_ms IS NULL GROUP BY kind, what"
    )
    return {(kind, what or ""): int(count) for kind, what, count in rows}
