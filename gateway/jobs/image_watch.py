"""What apps are told of a job that processes an image, while it waits, goes on and fails."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import GatewayError
from gateway.jobs.kind import Died, Hopeless, Postponed, TookTooLong, Watch
from gateway.metadata import image_jobs, images
from gateway.metadata.jobs import Job
from gateway.metadata.port import Transaction
from gateway.render.errors import RenderError
from gateway.services.audit import Action, Actor, Event, note
from gateway.services.clock import now_ms


class ImageWatch(Watch):
    """Keeps `image_jobs` and the status of images in step with `jobs`."""

    async def begun(self, tx: Transaction, jobs: Sequence[Job]) -> None:
        for job in jobs:
            await image_jobs.begin(tx, job.payload["job"], job.payload["image"], job.attempts, now_ms())

    async def waiting(self, tx: Transaction, jobs: Sequence[Job], error: Exception | None) -> None:
        text = None if error is None else for_everyone(error)
        for job in jobs:
            await image_jobs.wait(tx, job.payload["job"], job.payload["image"], job.attempts, text)

    async def failed(self, tx: Transaction, jobs: Sequence[Job], error: Exception) -> None:
        text, moment = for_everyone(error), now_ms()
        for job in jobs:
            identity, image_id = job.payload["job"], job.payload["image"]
            await image_jobs.fail(tx, identity, image_id, job.attempts, text, moment)
            row = await images.get(tx, image_id)
            actor = Actor("job") if row is None else Actor("job", row.account_id, row.user_id)
            detail = {"job": identity, "attempts": job.attempts, "error": text}
            await note(tx, Event(Action.FAILED, actor, moment, target=image_id, detail=detail))


def for_everyone(error: Exception) -> str:
    """Why, in words that whoever knows the job's id may read; the rest is in the log, and for administrators."""
    if isinstance(error, (Hopeless, Postponed, Died, TookTooLong, GatewayError, RenderError)):
        return str(error)[:500]
    return "Something went wrong here."
