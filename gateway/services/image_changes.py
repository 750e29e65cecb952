"""What its owner changes of an image, and its end."""

from __future__ import annotations

from collections.abc import Callable

from gateway.errors import ImageNotFound, ObjectNotFound
from gateway.metadata import images, jobs, versions
from gateway.metadata.port import Database, Transaction
from gateway.model.buckets import Bucket
from gateway.model.images import ImageRow, Visibility
from gateway.model.objects import ObjectVersion
from gateway.services import quotas
from gateway.services.audit import Event, note
from gateway.services.s3_images import note_image


async def change(
    database: Database,
    bucket: Bucket,
    version: ObjectVersion,
    made: Callable[[ImageRow], ImageRow],
    event: Event,
    *,
    counts: bool = False,
) -> ImageRow:
    """Change what is known of an image; gives what is known then. Of what came by S3 a row is made first.

    `counts`: such a row needs room in the quota in images of the bucket's owner. Raises ImageNotFound where the image is
    gone meanwhile, and QuotaExceeded.
    """
    image_id = version.image_id
    assert image_id is not None

    async def operation(tx: Transaction) -> ImageRow:
        if counts:
            await quotas.hold(tx, bucket.owner)
        await versions.hold(tx, bucket.id, (version.key,))
        await _still_there(tx, image_id)
        job_id = await note_image(tx, bucket, version)
        if counts and job_id is not None:
            await quotas.verify_images(tx, bucket.owner)
        pair = await images.change(tx, image_id, made)
        if pair is None:
            raise ImageNotFound
        before, after = pair
        if bucket.images.purge and _seen_by(before) != _seen_by(after):
            # Whoever keeps pictures in front of us asks again who may see them.
            payload = {"bucket": bucket.id, "name": bucket.name, "key": version.key.hex()}
            await jobs.add(tx, jobs.PURGE, payload, event.at_ms)
        await note(tx, event)
        return after

    return await database.write(operation)


async def delete(database: Database, version: ObjectVersion, event: Event) -> None:
    """Delete an image: its version, for good, and all that is known of it. Raises ImageNotFound where it is gone.

    Its bytes are left to the sweep, as of every deletion; another image that shares them keeps them.
    """
    image_id = version.image_id
    assert image_id is not None

    async def operation(tx: Transaction) -> None:
        await versions.hold(tx, version.bucket_id, (version.key,))
        # Of a bucket without versions, another object may have this key by now.
        found = await _still_there(tx, image_id)
        await versions.delete(tx, found.bucket_id, found.key, found.version_id, None, event.at_ms)
        await images.delete(tx, image_id)
        await note(tx, event)

    await database.write(operation)


def _seen_by(row: ImageRow) -> tuple[Visibility, bool]:
    """What of a row tells who may see its image."""
    return row.visibility, row.moderation == images.HIDDEN


async def _still_there(tx: Transaction, image_id: str) -> ObjectVersion:
    try:
        return await versions.by_image(tx, image_id)
    except ObjectNotFound:
        raise ImageNotFound from None
