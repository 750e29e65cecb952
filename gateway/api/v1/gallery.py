"""Lists of images: the public gallery, and one's own."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field

from gateway.api.answer import answer
from gateway.api.errors import ApiError
from gateway.api.operation import Access, Operation
from gateway.api.v1.image_resource import BASE, Image, resource
from gateway.metadata.gallery import Place, Sort, Wanted
from gateway.model.images import Visibility
from gateway.services.images import is_image_id

if TYPE_CHECKING:
    from aiohttp.web import StreamResponse

    from gateway.api.call import Call

TAG = "Images"
LARGEST = (1 << 62) - 1


class Listed(BaseModel):
    """Which images, in what order."""

    limit: int = Field(default=50, ge=1, le=100, description="Images in one answer at most; there may be fewer.")
    cursor: str | None = Field(default=None, max_length=200, description="`next_cursor` of the page before.")
    sort: Sort = Sort.CREATED
    order: Literal["asc", "desc"] = "desc"
    tag: str | None = Field(default=None, max_length=200)
    content_type: str | None = Field(default=None, max_length=100)
    created_after: datetime | None = Field(default=None, description="That moment or later.")
    created_before: datetime | None = Field(default=None, description="Before that moment.")
    min_size: int | None = Field(default=None, ge=0, le=LARGEST, description="In bytes.")
    max_size: int | None = Field(default=None, ge=0, le=LARGEST)
    min_width: int | None = Field(default=None, ge=0, le=LARGEST, description="In pixels.")
    min_height: int | None = Field(default=None, ge=0, le=LARGEST)


class ListedPublic(Listed):
    owner: str | None = Field(
        default=None, max_length=200, description="The id of a user who registered here, or the name of an account."
    )


class ListedOwn(Listed):
    visibility: Visibility | None = None


class ImagePage(BaseModel):
    """A page. Where `next_cursor` is null nothing more comes; else there may be more, however many images are here."""

    images: list[Image]
    next_cursor: str | None


async def list_public(call: Call) -> StreamResponse:
    asked = call.query_as(ListedPublic)
    if asked.owner is None:
        return await _answer(call, asked, public=True)
    owner = await call.parts.catalogue.owner(asked.owner)
    if owner is None:
        return answer(200, ImagePage(images=[], next_cursor=None))
    account_id, user_id = owner
    return await _answer(call, asked, public=True, account_id=account_id, user_id=user_id)


async def list_own(call: Call) -> StreamResponse:
    asked = call.query_as(ListedOwn)
    user = call.principal.user
    if user is not None and user.confined:
        return await _answer(call, asked, user_id=user.id, visibility=asked.visibility)
    return await _answer(call, asked, account_id=call.account.id, visibility=asked.visibility)


async def _answer(
    call: Call,
    asked: Listed,
    *,
    public: bool = False,
    account_id: int | None = None,
    user_id: int | None = None,
    visibility: Visibility | None = None,
) -> StreamResponse:
    wanted = Wanted(
        public=public,
        account_id=account_id,
        user_id=user_id,
        tag=asked.tag,
        content_type=asked.content_type,
        visibility=visibility,
        from_ms=_ms(asked.created_after),
        before_ms=_ms(asked.created_before),
        min_size=asked.min_size,
        max_size=asked.max_size,
        min_width=asked.min_width,
        min_height=asked.min_height,
        sort=asked.sort,
        descending=asked.order == "desc",
    )
    after = None if asked.cursor is None else _parse_cursor(asked.cursor, wanted)
    page = await call.parts.catalogue.page(wanted, after, asked.limit)
    images = [await resource(call, row) for row in page.images]
    return answer(200, ImagePage(images=images, next_cursor=None if page.end is None else _cursor(page.end, wanted)))


def _ms(at: datetime | None) -> int | None:
    """Milliseconds since the epoch; a time without a zone is UTC."""
    if at is None:
        return None
    return int((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _order(wanted: Wanted) -> str:
    return f"{wanted.sort.value}-{'desc' if wanted.descending else 'asc'}"


def _cursor(place: Place, wanted: Wanted) -> str:
    text = json.dumps([_order(wanted), *place], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _parse_cursor(text: str, wanted: Wanted) -> Place:
    """Raises ApiError INVALID_REQUEST for what is no cursor, or one of another order."""
    try:
        order, value, image_id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError):
        raise ApiError("INVALID_REQUEST", "The cursor is none: take next_cursor of the page before.") from None
    fits = type(value) is int and abs(value) <= LARGEST and isinstance(image_id, str) and is_image_id(image_id)
    if not fits or order != _order(wanted):
        raise ApiError("INVALID_REQUEST", "The cursor is of a list in another order.")
    return value, image_id


OPERATIONS = (
    Operation(
        name="ListImages",
        method="GET",
        path=BASE,
        handler=list_public,
        access=Access.OPTIONAL,
        tag=TAG,
        summary="The public gallery",
        description="What a page is sorted by is found at once. Other filters look at so many images a page, so a page may "
        "have fewer than were asked for, even none, and a `next_cursor` all the same.",
        responses={200: ImagePage},
        errors=("INVALID_REQUEST",),
        query=ListedPublic,
        narrowed=True,
    ),
    Operation(
        name="ListOwnImages",
        method="GET",
        path="/api/v1/users/me/images",
        handler=list_own,
        access=Access.SIGNED_IN,
        tag=TAG,
        summary="One's own images",
        description="Of a user that an app signs tokens for: what that user uploaded; of everybody else: the account's.",
        responses={200: ImagePage},
        errors=("INVALID_REQUEST",),
        query=ListedOwn,
    ),
)
