"""Jobs that process images: asked for in the transaction of the upload, looked at by whoever has the id."""

from __future__ import annotations

import secrets

from gateway.metadata import image_jobs, jobs
from gateway.metadata.image_jobs import ImageJob
from gateway.metadata.port import Reader, Transaction


async def add(tx: Transaction, image_id: str, now_ms: int) -> str:
    """Have an image processed; gives the job's id, which cannot be guessed.

    The caller writes it to `images.job_id` in the same transaction. After the commit `Services.wake_jobs()` begins it at
    once on this node.
    """
    identity = secrets.token_hex(16)
    await image_jobs.insert(tx, identity, image_id, now_ms)
    await jobs.add(tx, jobs.PROCESS, {"job": identity, "image": image_id}, now_ms)
    return identity


async def get(reader: Reader, identity: str) -> ImageJob | None:
    return await image_jobs.find(reader, identity)
