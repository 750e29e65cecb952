"""Links that show an image to whoever has them: made and revoked by its owner, opened by anybody.

What is shown of a shared image is a rendition, so that nothing is told that a camera wrote into the file.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.answer import answer, nothing
from gateway.api.errors import ApiError
from gateway.api.moment import Moment, moment
from gateway.api.operation import Access, Body, Operation
from gateway.api.v1.access import changeable, found
from gateway.api.v1.image_bytes import SHOWN, rendered
from gateway.api.v1.image_resource import BASE, Thumbnails
from gateway.errors import ImageNotFound, ShareNotFound
from gateway.metadata.shares import ShareRow
from gateway.policy.images import shown
from gateway.services.catalogue import Known
from transforms.variants import THUMBNAILS, VARIANTS

if TYPE_CHECKING:
    from aiohttp.web import StreamResponse

    from gateway.api.call import Call

TAG = "Sharing"
SHARES = "/api/v1/shares"
LONGEST = 100 * 365 * 86_400
"""A hundred years, in seconds."""


class NewShare(BaseModel):
    # Whoever mistakes a name or a type would have a link of a week, or of a second.
    model_config = ConfigDict(extra="forbid", strict=True)

    expires_in: int | None = Field(
        default=None, ge=0, le=LONGEST, description="In seconds; 0: until revoked; null: as the server is set up."
    )


class Share(BaseModel):
    """A link that works. What it opens with was told when it was made."""

    id: str
    image_id: str
    created_at: Moment
    expires_at: Moment | None


class MadeShare(Share):
    """A new link. The token is told here only."""

    token: str
    url: str = Field(description="What the image is, as JSON.")
    image_url: str = Field(description="The picture.")


class ShareList(BaseModel):
    shares: list[Share]


class SharedImage(BaseModel):
    """A shared image, as whoever has the link sees it."""

    id: str
    filename: str
    content_type: str
    width: int | None = Field(description="In pixels, upright.")
    height: int | None
    created_at: Moment
    url: str = Field(description="The picture, without what its camera wrote into it.")
    thumbnail_url: str
    thumbnails: Thumbnails
    dominant_color: str | None
    blurhash: str | None
    tags: list[str]
    expires_at: Moment | None


class SharedSize(BaseModel):
    size: str = Field(default="original", max_length=32, description="The name of a variant, or 150, 300 or 600.")


async def make_share(call: Call) -> StreamResponse:
    known = await changeable(call)
    settings = call.settings
    asked = call.body_as(NewShare).expires_in
    seconds = settings.share_expiry if asked is None else asked
    most = settings.share_expiry_max
    if most and (seconds == 0 or seconds > most):
        if asked is not None:
            raise ApiError("INVALID_REQUEST", f"A link works for {most} seconds at most.")
        seconds = most
    user = call.principal.user
    made = await call.parts.shares.make(
        known.row.image_id, None if user is None else user.id, seconds or None, call.actor
    )
    address = f"{settings.link_base}{SHARES}/{made.token}"
    link = MadeShare(**_share(made.row).model_dump(), token=made.token, url=address, image_url=f"{address}/image")
    return answer(201, link)


async def list_shares(call: Call) -> StreamResponse:
    known = await changeable(call)
    rows = await call.parts.shares.of_image(known.row.image_id)
    return answer(200, ShareList(shares=[_share(row) for row in rows]))


async def revoke_share(call: Call) -> StreamResponse:
    known = await changeable(call)
    await call.parts.shares.revoke(known.row.image_id, call.places["share_id"], call.actor)
    return nothing()


async def revoke_shares(call: Call) -> StreamResponse:
    known = await changeable(call)
    await call.parts.shares.revoke(known.row.image_id, None, call.actor)
    return nothing()


async def get_shared(call: Call) -> StreamResponse:
    known, share = await _shared(call)
    row = known.row
    address = f"{call.settings.link_base}{SHARES}/{call.places['token']}/image"

    def sized(side: int) -> str:
        return f"{address}?size={side}"

    picture = SharedImage(
        id=row.image_id,
        filename=row.filename,
        content_type=row.content_type,
        width=row.width,
        height=row.height,
        created_at=moment(row.created_ms),
        url=address,
        thumbnail_url=sized(300),
        thumbnails=Thumbnails(small=sized(150), middle=sized(300), large=sized(600)),
        dominant_color=row.dominant_color,
        blurhash=row.blurhash,
        tags=list(row.tags),
        expires_at=_moment(share.expires_ms),
    )
    return answer(200, picture)


async def get_shared_image(call: Call) -> StreamResponse:
    known, _ = await _shared(call)
    asked = call.query_as(SharedSize).size
    name = THUMBNAILS.get(int(asked), asked) if asked in ("150", "300", "600") else asked
    if name not in VARIANTS:
        raise ApiError("INVALID_REQUEST", f"size is 150, 300, 600 or one of {', '.join(VARIANTS)}.")
    derivative = call.parts.variants.plan(known.version, name)
    return await rendered(call, known, derivative, (("Cache-Control", "private, no-cache"),))


async def _shared(call: Call) -> tuple[Known, ShareRow]:
    """The image of the link in the path. Raises ShareNotFound, whatever is the reason that it opens nothing."""
    share = await call.parts.shares.find(call.places["token"])
    try:
        known = await found(call, share.image_id, to_read=True)
    except ImageNotFound:
        raise ShareNotFound("There is no such link.") from None
    if not shown(known.facts):
        raise ShareNotFound("There is no such link.")
    return known, share


def _share(row: ShareRow) -> Share:
    return Share(
        id=row.id, image_id=row.image_id, created_at=moment(row.created_ms), expires_at=_moment(row.expires_ms)
    )


def _moment(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else moment(at_ms)


_CHANGING = ("IMAGE_NOT_FOUND", "FORBIDDEN")
_OPENING = ("NOT_FOUND",)

OPERATIONS = (
    Operation(
        name="ShareImage",
        method="POST",
        path=f"{BASE}/{{image_id}}/share",
        handler=make_share,
        access=Access.SIGNED_IN,
        tag=TAG,
        summary="Make a link that shows the image to whoever has it",
        responses={201: MadeShare},
        errors=(*_CHANGING, "INVALID_REQUEST", "CONFLICT"),
        body_kind=Body.JSON,
        body=NewShare,
        narrowed=True,
    ),
    Operation(
        name="ListShares",
        method="GET",
        path=f"{BASE}/{{image_id}}/share",
        handler=list_shares,
        access=Access.SIGNED_IN,
        tag=TAG,
        summary="The links to an image that work",
        responses={200: ShareList},
        errors=_CHANGING,
        narrowed=True,
    ),
    Operation(
        name="RevokeShares",
        method="DELETE",
        path=f"{BASE}/{{image_id}}/share",
        handler=revoke_shares,
        access=Access.SIGNED_IN,
        tag=TAG,
        summary="Revoke all links to an image",
        responses={204: None},
        errors=_CHANGING,
        narrowed=True,
    ),
    Operation(
        name="RevokeShare",
        method="DELETE",
        path=f"{BASE}/{{image_id}}/share/{{share_id}}",
        handler=revoke_share,
        access=Access.SIGNED_IN,
        tag=TAG,
        summary="Revoke a link to an image",
        responses={204: None},
        errors=(*_CHANGING, "NOT_FOUND"),
        narrowed=True,
    ),
    Operation(
        name="GetShared",
        method="GET",
        path=f"{SHARES}/{{token}}",
        handler=get_shared,
        access=Access.ANYBODY,
        tag=TAG,
        summary="What a link shows",
        responses={200: SharedImage},
        errors=_OPENING,
    ),
    Operation(
        name="GetSharedImage",
        method="GET",
        path=f"{SHARES}/{{token}}/image",
        handler=get_shared_image,
        access=Access.ANYBODY,
        tag=TAG,
        summary="The picture that a link shows",
        responses={200: None, 206: None, 304: None},
        errors=(
            *_OPENING,
            "INVALID_REQUEST",
            "INVALID_FILE_FORMAT",
            "PRECONDITION_FAILED",
            "RANGE_NOT_SATISFIABLE",
            "SERVICE_UNAVAILABLE",
            "RENDER_TIMEOUT",
        ),
        query=SharedSize,
        media_types=tuple(sorted(SHOWN)),
    ),
)
