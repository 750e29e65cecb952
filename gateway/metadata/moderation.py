"""Images that moderators look through."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.metadata import audit, images
from gateway.metadata.audit import Action
from gateway.metadata.port import Reader
from gateway.model.images import ImageRow

STATES = ("reported", "pending", "hidden", "approved")
"""Reported: somebody did, and it is shown meanwhile. Pending: it is not listed until somebody looked. Hidden: only its
owner and moderators see it. Approved: it is shown, whoever reports it."""


@dataclass(frozen=True, slots=True)
class Queued:
    """An image to be looked at. `reports` counts who reported it; `reason` is what the last of them said."""

    image: ImageRow
    bucket: str
    account: str
    reports: int = 0
    reason: str | None = None


async def page(reader: Reader, state: str, *, after: tuple[int, str] | None, limit: int) -> list[Queued]:
    """Images in a state, the oldest first; `after` is when the last one before was made, and its id."""
    behind, values = ("", ()) if after is None else ("AND (i.created_ms, i.image_id) > (?, ?) ", after)
    rows = await reader.all(
        f"SELECT b.name, a.name, {images.COLUMNS} FROM images i JOIN versions v ON v.seq = i.seq "
        "JOIN buckets b ON b.id = i.bucket_id JOIN accounts a ON a.id = i.account_id "
        f"WHERE i.moderation = ? {behind}ORDER BY i.created_ms, i.image_id LIMIT ?",
        (state, *values, limit),
    )
    return [await _reported(reader, Queued(images.image(tuple(row[2:])), row[0], row[1])) for row in rows]


async def _reported(reader: Reader, queued: Queued) -> Queued:
    wanted = audit.Wanted(action=Action.REPORT.value, target=queued.image.image_id)
    # Some hundred reports say no more than the first of them.
    reports = await audit.page(reader, wanted, before=None, limit=100)
    if not reports:
        return queued
    return Queued(queued.image, queued.bucket, queued.account, len(reports), reports[0].detail.get("reason"))
