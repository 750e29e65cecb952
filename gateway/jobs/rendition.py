"""Renditions at upload: what a bucket wants made of each image, made before anybody asks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from gateway.errors import NotFound, Unavailable
from gateway.jobs.kind import Effect, Kind, Postponed
from gateway.metadata import jobs
from gateway.metadata import renditions as rows
from gateway.metadata.jobs import Job
from gateway.metadata.port import Database, Transaction
from gateway.metadata.renditions import RenditionRow
from gateway.render.errors import BrokerUnavailable, RenderBusy
from gateway.services import s3_images
from gateway.services.directory import Directory
from gateway.services.objects import Objects
from gateway.services.renditions import Renditions, accept_headers
from transforms.errors import OptionError, TransformError

log = logging.getLogger("pixgate.jobs")

ATTEMPTS = 4
AWAY_SECONDS = 10.0
"""How long a job waits for a store or a broker that is away."""


def kind(
    database: Database, directory: Directory, objects: Objects, renditions: Renditions, wake: Callable[[], None]
) -> Kind:
    """The kind `rendition`, carried out with these. `wake` is called when a job was added to another kind."""

    async def work(claimed: Sequence[Job]) -> Effect | None:
        (job,) = claimed
        await directory.refresh()
        bucket = await directory.bucket_by_id(job.payload["bucket"])
        if bucket is None:
            return None
        try:
            version = await objects.get(bucket, bytes.fromhex(job.payload["key"]))
        except NotFound:
            return None
        except Unavailable as error:
            raise Postponed(str(error), AWAY_SECONDS) from None
        if version.seq != job.payload["seq"]:
            return None  # the version that took its place has a job of its own
        if bucket.images.catalogue:
            job_id = await database.write(partial(s3_images.note_image, bucket=bucket, version=version))
            if job_id is not None:
                wake()
        made: list[tuple[str, RenditionRow]] = []
        try:
            for text in job.payload.get("renditions", bucket.images.renditions):
                try:
                    recipe = await renditions.recipe(bucket, text)
                except OptionError as error:
                    log.warning("bucket %s: rendition %s: %s", bucket.name, text, error)
                    continue
                for accept in accept_headers(recipe.options):
                    _, row = await renditions.make(recipe, version, accept, later=True)
                    await renditions.make_unsigned(recipe, version, accept, later=True)
                    if recipe.preset is not None and accept is None:
                        made.append((recipe.preset, row))
        except TransformError as error:
            # What was uploaded cannot be shown, which whoever asks for it is told: nothing that another try would mend.
            log.info("bucket %s: no rendition of version %s: %s", bucket.name, version.seq, error)
        except RenderBusy as error:
            raise Postponed("the renderer is busy", error.retry_after) from None
        except (BrokerUnavailable, Unavailable) as error:
            raise Postponed(str(error), AWAY_SECONDS) from None

        async def note(tx: Transaction) -> None:
            for preset, row in made:
                await rows.put(tx, bucket.id, preset, version.key, row)

        return note

    return Kind(jobs.RENDITION, work, attempts=ATTEMPTS)
