"""Images that came by S3, made known to apps as if they had been uploaded through the API."""

from __future__ import annotations

from gateway.metadata import images
from gateway.metadata.port import Transaction
from gateway.model import Bucket, ImageRow, JobStatus, ObjectVersion, Visibility
from gateway.services import image_jobs
from gateway.services.clock import now_ms

UNKNOWN_TYPE = "application/octet-stream"
MAX_FILENAME = 255
"""Characters."""


async def note_image(tx: Transaction, bucket: Bucket, version: ObjectVersion) -> str | None:
    """Have an image known and processed, of which nothing is known yet; gives the id of its job, None where it is known.

    It is unlisted where the bucket's images are open, else private: nobody sees more of it than before.
    """
    image_id, content = version.image_id, version.content
    if image_id is None or content is None:
        return None
    await tx.lock("image", image_id)
    if await images.get(tx, image_id) is not None:
        return None
    moment = now_ms()
    job_id = await image_jobs.add(tx, image_id, moment)
    row = ImageRow(
        image_id=image_id,
        seq=version.seq,
        bucket_id=bucket.id,
        account_id=bucket.owner.id,
        user_id=None,
        filename=filename_of(version.key),
        content_type=dict(version.headers).get("content-type", UNKNOWN_TYPE),
        size=content.size,
        sha256=None,
        width=None,
        height=None,
        visibility=Visibility.UNLISTED if bucket.images_public else Visibility.PRIVATE,
        moderation="none",
        metadata=None,
        tags=(),
        upload_ip=None,
        delete_hash=None,
        delete_expires_ms=None,
        dominant_color=None,
        blurhash=None,
        phash=None,
        status=JobStatus.PENDING,
        job_id=job_id,
        created_ms=version.modified_ms,
        updated_ms=moment,
    )
    await images.insert(tx, row)
    return job_id


def filename_of(key: bytes) -> str:
    """What stands behind the last slash of a key, as text that can be shown."""
    text = key.decode("utf-8", "replace").rstrip("/").rpartition("/")[2]
    shown = "".join(character if character.isprintable() else "_" for character in text)
    return shown[-MAX_FILENAME:] or "image"
