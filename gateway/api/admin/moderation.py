"""The moderation queue, for moderators."""

from __future__ import annotations

from typing import Literal

from aiohttp.web import StreamResponse
from pydantic import BaseModel, Field

from gateway.api.admin.paging import ADMIN, PageQuery, cursor
from gateway.api.answer import answer
from gateway.api.call import Call
from gateway.api.errors import ApiError
from gateway.api.moment import Moment, moment
from gateway.api.operation import Access, Operation
from gateway.api.v1.image_resource import BASE
from gateway.model.images import ImageRow, Visibility
from gateway.services.moderation import Queued

TAG = "Moderation"


class Decision(BaseModel):
    """What was decided of an image."""

    id: str
    moderation: str = Field(description="none, reported, pending, approved or hidden.")


class QueuedImage(Decision):
    """An image to be looked at: its bytes are at `url`, for moderators too where it is private or hidden."""

    url: str
    filename: str
    content_type: str
    account: str
    bucket: str
    visibility: Visibility
    created_at: Moment
    reports: int = Field(description="How many reported it, up to 100.")
    reason: str | None = Field(description="What the last of them said.")


class Queue(BaseModel):
    items: list[QueuedImage]
    next: str | None


class QueueQuery(PageQuery):
    state: Literal["reported", "pending", "approved", "hidden"] = "reported"


async def list_queue(call: Call) -> StreamResponse:
    query = call.query_as(QueueQuery)
    found = await call.services.moderation.page(query.state, after=_after(query), limit=query.limit + 1)
    page = found[: query.limit]
    last = f"{page[-1].image.created_ms} {page[-1].image.image_id}" if page else ""
    items = [_queued(call, one) for one in page]
    return answer(200, Queue(items=items, next=cursor(last, more=len(found) > len(page))))


def _after(query: QueueQuery) -> tuple[int, str] | None:
    at, _, image_id = query.after().partition(" ")
    if not at:
        return None
    if not (at.isascii() and at.isdigit() and len(at) < 16):
        raise ApiError("INVALID_REQUEST", "The cursor is none that was given out here.")
    return int(at), image_id


async def approve(call: Call) -> StreamResponse:
    return _decided(await call.services.moderation.approve(call.places["image_id"], actor=call.actor))


async def hide(call: Call) -> StreamResponse:
    return _decided(await call.services.moderation.hide(call.places["image_id"], actor=call.actor))


def _decided(row: ImageRow) -> StreamResponse:
    return answer(200, Decision(id=row.image_id, moderation=row.moderation))


def _queued(call: Call, queued: Queued) -> QueuedImage:
    row = queued.image
    return QueuedImage(
        id=row.image_id,
        moderation=row.moderation,
        url=f"{call.settings.link_base}{BASE}/{row.image_id}/file",
        filename=row.filename,
        content_type=row.content_type,
        account=queued.account,
        bucket=queued.bucket,
        visibility=row.visibility,
        created_at=moment(row.created_ms),
        reports=queued.reports,
        reason=queued.reason,
    )


_PATH = f"{ADMIN}/moderation"
OPERATIONS = (
    Operation(
        "AdminListModeration",
        "GET",
        _PATH,
        list_queue,
        Access.MODERATOR,
        TAG,
        "Images that were reported, wait to be looked at, or are hidden; the oldest first",
        {200: Queue},
        errors=("INVALID_REQUEST",),
        query=QueueQuery,
    ),
    Operation(
        "AdminApproveImage",
        "POST",
        _PATH + "/{image_id}/approve",
        approve,
        Access.MODERATOR,
        TAG,
        "Show an image, whoever reports it",
        {200: Decision},
        errors=("IMAGE_NOT_FOUND",),
    ),
    Operation(
        "AdminHideImage",
        "POST",
        _PATH + "/{image_id}/hide",
        hide,
        Access.MODERATOR,
        TAG,
        "Hide an image from all but its owner and moderators",
        {200: Decision},
        errors=("IMAGE_NOT_FOUND",),
    ),
)
