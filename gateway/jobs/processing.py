"""Processing of images that were uploaded: what they look like in numbers, and the variants that apps ask for."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from gateway.errors import IsDeleteMarker, NotFound, Unavailable
from gateway.jobs.image_watch import ImageWatch
from gateway.jobs.kind import Effect, Hopeless, Kind, Postponed, delay_seconds
from gateway.metadata import image_jobs, images, jobs, pins
from gateway.metadata.jobs import Job
from gateway.metadata.port import Transaction
from gateway.model.images import ImageRow, JobStatus
from gateway.render.errors import BrokerUnavailable, RenderBusy
from gateway.services.audit import Action, Actor, Event, note
from gateway.services.clock import now_ms
from gateway.services.directory import Directory
from gateway.services.objects import Objects
from gateway.services.s3_images import UNKNOWN_TYPE
from gateway.services.variants import Variants, VariantSet
from transforms.errors import TransformError
from transforms.formats import FORMATS

log = logging.getLogger("pixgate.jobs")

AWAY_SECONDS = 10.0
"""How long a job waits for a store or a broker that is away."""
MAX_DELAY_SECONDS = 3600.0


def kind(
    directory: Directory,
    objects: Objects,
    variants: Variants,
    *,
    attempts: int,
    retry_seconds: float,
    time_limit: float,
    parallel: int,
) -> Kind:
    """The kind `process`, carried out with these. Times in seconds."""

    async def work(claimed: Sequence[Job]) -> Effect | None:
        (job,) = claimed
        await directory.refresh()
        try:
            _, version = await objects.get_by_image_id(job.payload["image"])
        except (NotFound, IsDeleteMarker):
            return partial(_gone, job=job)
        except Unavailable as error:
            raise Postponed(str(error), AWAY_SECONDS) from None
        try:
            made = await variants.make_all(version)
        except TransformError as error:
            # The file is what it is: no further attempt would mend it.
            raise Hopeless(str(error)) from None
        except RenderBusy as error:
            raise Postponed("The renderer is busy.", error.retry_after) from None
        except (BrokerUnavailable, Unavailable) as error:
            raise Postponed(str(error), AWAY_SECONDS) from None
        return partial(_completed, job=job, made=made)

    return Kind(
        jobs.PROCESS,
        work,
        attempts=attempts,
        delay=lambda number: delay_seconds(number, retry_seconds, MAX_DELAY_SECONDS),
        watch=ImageWatch(),
        parallel=parallel,
        seconds=time_limit,
        deaths_count=True,
    )


async def _completed(tx: Transaction, job: Job, made: VariantSet) -> None:
    """All that came of it, at once: whoever sees one of it sees the rest."""
    identity, image_id = job.payload["job"], job.payload["image"]
    moment = now_ms()
    facts = made.facts
    # What came by S3 has the type that its client gave it, if any.
    known = FORMATS.get(facts.format)
    media_type = UNKNOWN_TYPE if known is None else known.media_type

    def found_out(row: ImageRow) -> ImageRow:
        if row.job_id not in (None, identity):
            return row
        return replace(
            row,
            content_type=row.content_type if row.content_type.startswith("image/") else media_type,
            width=facts.width,
            height=facts.height,
            dominant_color=facts.dominant_color,
            blurhash=facts.blurhash,
            phash=facts.phash,
            status=JobStatus.COMPLETED,
            updated_ms=moment,
        )

    changed = await images.change(tx, image_id, found_out)
    if changed is None:
        # Deleted while it was processed: nobody may learn of its picture by the job.
        await _gone(tx, job)
        return
    await pins.note(tx, made.pins)
    await image_jobs.complete(tx, identity, job.attempts, result_of(made), moment)
    row, _ = changed
    await note(
        tx,
        Event(
            Action.PROCESSED,
            Actor("job", row.account_id, row.user_id),
            moment,
            target=image_id,
            detail={"job": identity, "attempts": job.attempts},
        ),
    )


async def _gone(tx: Transaction, job: Job) -> None:
    """There is nothing to be done any more, and nothing that failed."""
    await image_jobs.fail(tx, job.payload["job"], job.payload["image"], job.attempts, image_jobs.GONE, now_ms())


def result_of(made: VariantSet) -> dict[str, Any]:
    """What the job's row keeps of the variants; sizes in pixels and bytes. Where they are follows from their names."""
    return {
        "variants": [
            {
                "name": item.name,
                "width": item.width,
                "height": item.height,
                "bytes": item.size,
                "content_type": item.media_type,
            }
            for item in made.items.values()
        ]
    }
