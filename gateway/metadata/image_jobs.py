"""The processing of an image as apps see it. What has to be done is a row of `jobs`; these rows say how far it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.metadata.port import Reader, Row, Transaction
from gateway.model import JobStatus


@dataclass(frozen=True, slots=True)
class ImageJob:
    """A row. `attempts` counts those that were begun; `result` is what was made, there when it is completed.

    `completed_ms` is when it ended, well or not; times in ms.
    """

    id: str
    image_id: str
    status: JobStatus
    attempts: int
    error: str | None
    result: Mapping[str, Any] | None
    created_ms: int
    started_ms: int | None
    completed_ms: int | None


COLUMNS = "id, image_id, status, attempts, error, result, created_ms, started_ms, completed_ms"


def image_job(row: Row) -> ImageJob:
    identity, image_id, status, attempts, error, result, created_ms, started_ms, completed_ms = row
    made = None if result is None else json.loads(result)
    return ImageJob(identity, image_id, JobStatus(status), attempts, error, made, created_ms, started_ms, completed_ms)


async def insert(tx: Transaction, identity: str, image_id: str, now_ms: int) -> None:
    await tx.run(
        "INSERT INTO image_jobs (id, image_id, created_ms) VALUES (?, ?, ?)",
        (identity, image_id, now_ms),
    )


async def find(reader: Reader, identity: str) -> ImageJob | None:
    row = await reader.one(f"SELECT {COLUMNS} FROM image_jobs WHERE id = ?", (identity,))
    return None if row is None else image_job(row)


async def begin(tx: Transaction, identity: str, attempts: int, now_ms: int) -> None:
    """Somebody works at it, for the so manieth time."""
    await _mark(tx, identity, JobStatus.PROCESSING, attempts, now_ms)
    await tx.run("UPDATE image_jobs SET started_ms = ? WHERE id = ?", (now_ms, identity))


async def wait(tx: Transaction, identity: str, attempts: int, error: str | None, now_ms: int) -> None:
    """It comes again; `error` is why."""
    await _mark(tx, identity, JobStatus.PENDING, attempts, now_ms)
    await tx.run("UPDATE image_jobs SET error = ? WHERE id = ?", (error, identity))


async def complete(tx: Transaction, identity: str, attempts: int, result: Mapping[str, Any], now_ms: int) -> None:
    await _mark(tx, identity, JobStatus.COMPLETED, attempts, now_ms)
    await tx.run(
        "UPDATE image_jobs SET result = ?, error = NULL, completed_ms = ? WHERE id = ?",
        (json.dumps(result), now_ms, identity),
    )


async def fail(tx: Transaction, identity: str, attempts: int, error: str, now_ms: int) -> None:
    """No further attempt, unless somebody asks for one."""
    await _mark(tx, identity, JobStatus.FAILED, attempts, now_ms)
    await tx.run("UPDATE image_jobs SET error = ?, completed_ms = ? WHERE id = ?", (error, now_ms, identity))


async def _mark(tx: Transaction, identity: str, status: JobStatus, attempts: int, now_ms: int) -> None:
    """The status in the job and in the image that it is the job of."""
    await tx.run(
        "UPDATE image_jobs SET status = ?, attempts = ?, completed_ms = NULL WHERE id = ?",
        (status.value, attempts, identity),
    )
    await tx.run(
        "UPDATE images SET status = ?, updated_ms = ? WHERE job_id = ? AND image_id = "
        "(SELECT image_id FROM image_jobs WHERE id = ?)",
        (status.value, now_ms, identity, identity),
    )
