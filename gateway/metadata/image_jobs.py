"""The processing of an image as apps see it. What has to be done is a row of `jobs`; these rows say how far it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.metadata import images
from gateway.metadata.port import Reader, Row, Transaction
from gateway.model.images import JobStatus

GONE = "The image was deleted."
"""The error of a job whose image is not there any more: it ends like one that failed, and is none that did."""
FORGOTTEN = 1_000
"""Rows that one transaction forgets at most."""


@dataclass(frozen=True, slots=True)
class ImageJob:
    """A row. `attempts` counts those that were begun; `result` is what was made, there when it is completed.

    `completed_ms` is when it ended, well or not; times in ms. `error` may be shown to whoever knows the id.
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
    await tx.run("INSERT INTO image_jobs (id, image_id, created_ms) VALUES (?, ?, ?)", (identity, image_id, now_ms))


async def find(reader: Reader, identity: str) -> ImageJob | None:
    row = await reader.one(f"SELECT {COLUMNS} FROM image_jobs WHERE id = ?", (identity,))
    return None if row is None else image_job(row)


async def begin(tx: Transaction, identity: str, image_id: str, attempts: int, now_ms: int) -> None:
    """Somebody works at it, for the so manieth time."""
    await tx.run(
        "UPDATE image_jobs SET status = 'processing', attempts = ?, started_ms = ?, completed_ms = NULL WHERE id = ?",
        (attempts, now_ms, identity),
    )
    await _mark_image(tx, identity, image_id, JobStatus.PROCESSING)


async def wait(tx: Transaction, identity: str, image_id: str, attempts: int, error: str | None) -> None:
    """It comes again; `error` is why."""
    await tx.run(
        "UPDATE image_jobs SET status = 'pending', attempts = ?, error = ?, completed_ms = NULL WHERE id = ?",
        (attempts, error, identity),
    )
    await _mark_image(tx, identity, image_id, JobStatus.PENDING)


async def complete(tx: Transaction, identity: str, attempts: int, result: Mapping[str, Any], now_ms: int) -> None:
    """What was made is there. The image's row is written by whoever knows what was found out."""
    await tx.run(
        "UPDATE image_jobs SET status = 'completed', attempts = ?, error = NULL, result = ?, completed_ms = ? WHERE id = ?",
        (attempts, json.dumps(result, separators=(",", ":")), now_ms, identity),
    )


async def fail(tx: Transaction, identity: str, image_id: str, attempts: int, error: str, now_ms: int) -> None:
    """No further attempt, unless somebody asks for one."""
    await tx.run(
        "UPDATE image_jobs SET status = 'failed', attempts = ?, error = ?, completed_ms = ? WHERE id = ?",
        (attempts, error, now_ms, identity),
    )
    await _mark_image(tx, identity, image_id, JobStatus.FAILED)


async def _mark_image(tx: Transaction, identity: str, image_id: str, status: JobStatus) -> None:
    # Under the lock of those who read the row before they write it.
    await tx.lock("image", image_id)
    await tx.run("UPDATE images SET status = ? WHERE image_id = ? AND job_id = ?", (status.value, image_id, identity))


async def forget_old(tx: Transaction, before_ms: int) -> int:
    """Delete what ended before then, some at a time; how many."""
    return await tx.run(
        "DELETE FROM image_jobs WHERE id IN "
        "(SELECT id FROM image_jobs WHERE completed_ms IS NOT NULL AND completed_ms < ? ORDER BY completed_ms LIMIT ?)",
        (before_ms, FORGOTTEN),
    )


async def forget_images(tx: Transaction, after: str) -> str | None:
    """Delete what is known of images whose version is gone, of a page of rows behind `after`; the last id, None at the end."""
    rows = await tx.all(
        "SELECT i.image_id, v.seq FROM images i LEFT JOIN versions v ON v.seq = i.seq WHERE i.image_id > ? "
        "ORDER BY i.image_id LIMIT ?",
        (after, FORGOTTEN),
    )
    for image_id, seq in rows:
        if seq is None:
            await images.delete(tx, image_id)
    return str(rows[-1][0]) if len(rows) == FORGOTTEN else None
