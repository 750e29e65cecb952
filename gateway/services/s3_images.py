"""Images that came by S3, made known to apps as if they had been uploaded through the API."""

from __future__ import annotations

from dataclasses import replace

from gateway.metadata import images
from gateway.metadata.port import Transaction
from gateway.model.buckets import Bucket
from gateway.model.images import ImageRow, Visibility
from gateway.model.objects import ObjectVersion
from gateway.services import image_jobs
from gateway.services.clock import now_ms

UNKNOWN_TYPE = "application/octet-stream"
MAX_FILENAME = 255
"""Characters."""


async def note_image(tx: Transaction, bucket: Bucket, version: ObjectVersion, user_id: int | None = None) -> str | None:
    """Have an image known and processed, of which nothing is known yet; gives the id of its job, None where it is known.

    `user_id` is whose it is, None for the account's.
    """
    image_id = version.image_id
    if image_id is None or version.content is None:
        return None
    await tx.lock("image", image_id)
    if await images.get(tx, image_id) is not None:
        return None
    moment = now_ms()
    job_id = await image_jobs.add(tx, image_id, moment)
    await images.insert(tx, replace(row_of(bucket, version), user_id=user_id, job_id=job_id, updated_ms=moment))
    return job_id


def row_of(bucket: Bucket, version: ObjectVersion) -> ImageRow:
    """What the version of an image tells by itself.

    It is unlisted where the bucket's images are open, else private: nobody sees more of it than before.
    """
    image_id, content = version.image_id, version.content
    assert image_id is not None
    assert content is not None
    return ImageRow(
        image_id=image_id,
        seq=version.seq,
        bucket_id=bucket.id,
        account_id=bucket.owner.id,
        filename=filename_of(version.key),
        content_type=dict(version.headers).get("content-type", UNKNOWN_TYPE),
        size=content.size,
        visibility=Visibility.UNLISTED if bucket.images_public else Visibility.PRIVATE,
        created_ms=version.modified_ms,
        updated_ms=version.modified_ms,
    )


def filename_of(key: bytes) -> str:
    """What stands behind the last slash of a key, as text that can be shown."""
    text = key.decode("utf-8", "replace").rstrip("/").rpartition("/")[2]
    shown = "".join(character if character.isprintable() else "_" for character in text)
    return shown[-MAX_FILENAME:] or "image"
