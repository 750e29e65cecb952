"""The moderation queue: what users report, and what moderators decide."""

from __future__ import annotations

from dataclasses import replace

from gateway.errors import ImageNotFound, ObjectNotFound
from gateway.metadata import buckets, images, versions
from gateway.metadata import moderation as rows
from gateway.metadata.moderation import STATES, Queued
from gateway.metadata.port import Database, Transaction
from gateway.model.images import ImageRow
from gateway.services import image_changes
from gateway.services.audit import CLI, Action, Actor, Event, note
from gateway.services.clock import now_ms

__all__ = ["STATES", "Moderation", "Queued"]

APPROVED = "approved"
HIDDEN = images.HIDDEN
UNKNOWN = "There is no such image."


class Moderation:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, state: str, *, after: tuple[int, str] | None = None, limit: int = 100) -> list[Queued]:
        """Images in one of STATES, the oldest first; `after` is when the last one before was made (ms), and its id."""
        return await self._database.read(lambda reader: rows.page(reader, state, after=after, limit=limit))

    async def report(self, image_id: str, reason: str, actor: Actor) -> None:
        """Put an image into the queue, where nobody has decided yet. Of one person only the first report is kept.

        That the one who reports may see it is settled before. Raises ImageNotFound.
        """
        who = actor.user_id if actor.user_id is not None else f"account {actor.account_id}"
        event = Event(Action.REPORT, actor, now_ms(), image_id, {"reason": reason}, once=f"report {image_id} {who}")

        def reported(row: ImageRow) -> ImageRow:
            return replace(row, moderation="reported") if row.moderation == "none" else row

        async def operation(tx: Transaction) -> None:
            if await images.change(tx, image_id, reported) is None:
                raise ImageNotFound(UNKNOWN)
            await note(tx, event)

        await self._database.write(operation)

    async def approve(self, image_id: str, *, actor: Actor = CLI) -> ImageRow:
        """It is shown again, and further reports change nothing. Raises ImageNotFound."""
        return await self._decide(image_id, APPROVED, Action.APPROVE, actor)

    async def hide(self, image_id: str, *, actor: Actor = CLI) -> ImageRow:
        """Only its owner and moderators see it from now on. Raises ImageNotFound."""
        return await self._decide(image_id, HIDDEN, Action.HIDE, actor)

    async def _decide(self, image_id: str, state: str, action: Action, actor: Actor) -> ImageRow:
        """Of what came by S3 and nobody has reported, a row is made first. Caches in front of us hear of it."""
        try:
            version = await versions.by_image(self._database, image_id)
        except ObjectNotFound:
            raise ImageNotFound(UNKNOWN) from None
        bucket = await self._database.one(buckets.BY_ID, (version.bucket_id,))
        if bucket is None:
            raise ImageNotFound(UNKNOWN)
        event = Event(action, actor, now_ms(), image_id)

        def decided(row: ImageRow) -> ImageRow:
            return replace(row, moderation=state)

        return await image_changes.change(self._database, buckets.bucket(bucket), version, decided, event)
