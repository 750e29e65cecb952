"""The bytes of an image: as they were sent, its thumbnail, and any size of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from gateway.api.errors import ApiError
from gateway.api.operation import Access, Operation
from gateway.api.v1.access import found, refused, seen
from gateway.api.v1.image_bytes import SHOWN, keeping, not_ready, rendered, stored
from gateway.api.v1.image_resource import BASE
from gateway.api.v1.sizes import plan, size_of, url_of
from gateway.http.reply import Reply
from gateway.model.images import JobStatus
from gateway.policy.images import may_see
from gateway.services.catalogue import Known
from transforms.variants import THUMBNAILS

if TYPE_CHECKING:
    from aiohttp.web import StreamResponse

    from gateway.api.call import Call

TAG = "Images"
_SEEING = ("IMAGE_NOT_FOUND", "UNAUTHORIZED", "FORBIDDEN")
_BYTES = (
    *_SEEING, "PRECONDITION_FAILED", "RANGE_NOT_SATISFIABLE", "INVALID_FILE_FORMAT", "SERVICE_UNAVAILABLE",
    "INTERNAL_ERROR",
)  # fmt: skip
_RENDERED = (*_BYTES, "RENDER_TIMEOUT")
_TYPES = tuple(sorted(SHOWN))
DEFAULT_SIZE = "original"


class Download(BaseModel):
    download: bool = Field(default=False, description="Save it instead of showing it.")


class ThumbnailSize(BaseModel):
    size: Literal["150", "300", "600"] = Field(default="300", description="The longer side in pixels.")


class Direct(BaseModel):
    size: str = Field(
        default=DEFAULT_SIZE, max_length=32, description="thumbnail, medium, large, original or a width in pixels."
    )
    redirect: bool | None = Field(
        default=None, description="Whether to answer with 307 to a presigned address; unset: as the server is set up."
    )
    expires: int | None = Field(default=None, ge=0, le=1 << 40, description="Of a presigned address.")
    by: str | None = Field(default=None, max_length=200, description="Of a presigned address.")
    signature: str | None = Field(default=None, max_length=100, description="Of a presigned address.")


async def get_file(call: Call) -> StreamResponse:
    known = await seen(call, to_read=True)
    headers = (keeping(call, known), ("X-Cache", known.cache))
    return await stored(call, known, headers, download=call.query_as(Download).download)


async def get_thumbnail(call: Call) -> StreamResponse:
    known = await seen(call, to_read=True)
    if known.row.status is not JobStatus.COMPLETED:
        raise not_ready()
    name = THUMBNAILS[int(call.query_as(ThumbnailSize).size)]
    derivative = call.parts.variants.plan(known.version, name)
    return await rendered(call, known, derivative, (keeping(call, known),))


async def get_direct(call: Call) -> StreamResponse:
    asked = call.query_as(Direct)
    signed = asked.signature is not None
    known = await (_by_signature(call, asked) if signed else seen(call, to_read=True))
    size = size_of(call, known, asked.size)
    redirect = call.settings.direct_redirect if asked.redirect is None else asked.redirect
    # An address that ends gives out no other that outlives it.
    if redirect and not signed and not call.authentication.presigned:
        return Reply(307, [("Location", _presigned(call, known, asked.size)), ("Cache-Control", "no-store")], b"")
    derivative, varies = plan(call, known, size)
    return await rendered(call, known, derivative, (keeping(call, known),), varies=varies)


def _presigned(call: Call, known: Known, size: str) -> str:
    """Where the size is to be had without a login: for nobody's requests, where everybody may have it."""
    links = call.parts.direct_links
    signer = links.signer(call.principal)
    image_id = known.row.image_id
    if signer is None:
        return url_of(call, known, size_of(call, known, size))
    expires = int(call.now) + call.settings.direct_expiry
    query = {
        "size": size,
        "expires": str(expires),
        "by": signer,
        "signature": links.signature(image_id, size, expires, signer),
    }
    return f"{call.settings.link_base}{BASE}/{image_id}/direct?{urlencode(query)}"


async def _by_signature(call: Call, asked: Direct) -> Known:
    """The image of a presigned address. Raises ApiError FORBIDDEN for whatever is wrong with it."""
    image_id = call.places["image_id"]
    principal = None
    if asked.expires is not None and asked.by is not None and asked.signature is not None:
        principal = await call.parts.direct_links.principal(
            image_id, asked.size, asked.expires, asked.by, asked.signature, now=call.now, address=call.address
        )
    if principal is None:
        raise ApiError("FORBIDDEN", "This address does not hold, or not any more.")
    known = await found(call, image_id, to_read=True)
    # What is hidden is shown to people who may see it, not to an address that anybody may have.
    if known.facts.hidden or not may_see(principal, known.facts):
        raise refused(call)
    return known


OPERATIONS = (
    Operation(
        name="GetImageFile",
        method="GET",
        path=f"{BASE}/{{image_id}}/file",
        handler=get_file,
        access=Access.OPTIONAL,
        tag=TAG,
        summary="The bytes as they were uploaded",
        responses={200: None, 206: None, 304: None},
        errors=_BYTES,
        query=Download,
        media_types=(*_TYPES, "application/octet-stream"),
        narrowed=True,
    ),
    Operation(
        name="GetImageThumbnail",
        method="GET",
        path=f"{BASE}/{{image_id}}/thumbnail",
        handler=get_thumbnail,
        access=Access.OPTIONAL,
        tag=TAG,
        summary="A JPEG of at most 300 pixels, or of 150 or 600",
        responses={200: None, 206: None, 304: None},
        errors=(*_RENDERED, "THUMBNAIL_NOT_READY"),
        query=ThumbnailSize,
        media_types=("image/jpeg",),
        narrowed=True,
    ),
    Operation(
        name="GetImageDirect",
        method="GET",
        path=f"{BASE}/{{image_id}}/direct",
        handler=get_direct,
        access=Access.OPTIONAL,
        tag=TAG,
        summary="A size of the image, made now where it is not there yet",
        responses={200: None, 206: None, 304: None, 307: None},
        errors=(*_RENDERED, "INVALID_REQUEST"),
        query=Direct,
        media_types=_TYPES,
        narrowed=True,
    ),
)
