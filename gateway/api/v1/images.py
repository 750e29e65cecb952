"""One image: what is known of it, and what is done with its bytes beyond sending them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from gateway.api.answer import answer
from gateway.api.errors import ApiError
from gateway.api.operation import Access, Operation
from gateway.api.v1.access import owned, seen
from gateway.api.v1.image_resource import BASE, Image, SizedImage, resource, resource_of
from gateway.api.v1.sizes import Size, size_of, url_of
from gateway.errors import ImageNotFound
from gateway.model.contents import Encryption
from gateway.services.catalogue import SIMILAR
from gateway.services.verify import digest
from transforms.variants import VARIANTS

if TYPE_CHECKING:
    from aiohttp.web import StreamResponse

    from gateway.api.call import Call

TAG = "Images"
_SEEING = ("IMAGE_NOT_FOUND", "UNAUTHORIZED", "FORBIDDEN")


class WantedSize(BaseModel):
    size: str | None = Field(
        default=None, description="thumbnail, medium, large, original or a width in pixels: adds `size_url`."
    )


class MadeVariant(BaseModel):
    """A size of the image by its name. What is not made yet is made at its first request; its facts are null until then."""

    url: str
    ready: bool
    width: int | None
    height: int | None
    bytes: int | None
    content_type: str | None


class ImageUrls(BaseModel):
    """Where everything of an image is."""

    self: str
    file: str
    thumbnail: str
    direct: str
    image: str = Field(description="The transform door: any width, format and crop.")


class WholeImage(BaseModel):
    """Everything that is known of an image."""

    image: Image
    variants: dict[str, MadeVariant]
    urls: ImageUrls


class Verified(BaseModel):
    """What the stored bytes are."""

    id: str
    valid: bool | None = Field(description="Whether they are what was uploaded; null where no checksum is known.")
    checksum: str | None = Field(description="SHA-256 of what was uploaded, in hexadecimal digits.")
    computed: str = Field(description="SHA-256 of what is stored.")
    file_size: int = Field(description="In bytes.")


class LookingAlike(BaseModel):
    distance: int = Field(default=10, ge=0, le=32, description="How many of 64 bits of the perceptual hash may differ.")
    limit: int = Field(default=50, ge=1, le=SIMILAR)


class Duplicate(BaseModel):
    distance: int = Field(description="How many of 64 bits of the perceptual hash differ: 0 is the same picture.")
    image: Image


class Duplicates(BaseModel):
    """Images of the same account that look alike, the nearest first."""

    id: str
    compared: bool = Field(description="False until the image is processed: then nothing can be said yet.")
    duplicates: list[Duplicate]
    truncated: bool = Field(description="Whether more look alike than `limit` let in.")


async def get_image(call: Call) -> StreamResponse:
    known = await seen(call)
    shown = resource_of(call, known)
    asked = call.query_as(WantedSize).size
    if asked is not None:
        size = size_of(call, known, asked)
        shown = SizedImage(**shown.model_dump(by_alias=True), size_url=url_of(call, known, size))
    return answer(200, shown, (("X-Cache", known.cache),))


async def get_all(call: Call) -> StreamResponse:
    known = await seen(call)
    row = known.row
    pinned = await call.parts.variants.pinned(known.version)
    variants = {}
    for name in VARIANTS:
        pin = pinned.get(name)
        variants[name] = MadeVariant(
            url=url_of(call, known, Size(name, None)),
            ready=pin is not None,
            width=None if pin is None else pin.width,
            height=None if pin is None else pin.height,
            bytes=None if pin is None else pin.size,
            content_type=None if pin is None else pin.media_type,
        )
    address = f"{call.settings.link_base}{BASE}/{row.image_id}"
    urls = ImageUrls(
        self=f"{call.settings.public_url or ''}{BASE}/{row.image_id}",
        file=f"{address}/file",
        thumbnail=f"{address}/thumbnail",
        direct=f"{address}/direct",
        image=f"{call.settings.link_base}/img/{row.image_id}",
    )
    whole = WholeImage(image=resource_of(call, known), variants=variants, urls=urls)
    return answer(200, whole, (("X-Cache", known.cache),))


async def verify(call: Call) -> StreamResponse:
    known = await owned(call)
    content = known.version.content
    if content is None or content.encryption is Encryption.SSE_C:
        raise ImageNotFound
    slots: asyncio.Semaphore = call.parts.verifying
    if slots.locked():
        raise ApiError("SERVICE_UNAVAILABLE", "Other images are being verified: try again soon.", retry_after=5)
    async with slots:
        fresh = await call.parts.catalogue.find(known.row.image_id, to_read=True)
        computed = await digest(call.services, fresh.version)
    expected = known.row.sha256
    found = Verified(
        id=known.row.image_id,
        valid=None if expected is None else computed == expected,
        checksum=None if expected is None else expected.hex(),
        computed=computed.hex(),
        file_size=content.size,
    )
    return answer(200, found)


async def duplicates(call: Call) -> StreamResponse:
    known = await owned(call)
    asked = call.query_as(LookingAlike)
    user = call.principal.user
    of_user = user.id if user is not None and user.confined else None
    found, truncated = await call.parts.catalogue.similar(known.row, asked.distance, asked.limit, of_user)
    alike = [Duplicate(distance=distance, image=await resource(call, row)) for distance, row in found]
    compared = known.row.phash is not None
    return answer(200, Duplicates(id=known.row.image_id, compared=compared, duplicates=alike, truncated=truncated))


OPERATIONS = (
    Operation(
        name="GetImage",
        method="GET",
        path=f"{BASE}/{{image_id}}",
        handler=get_image,
        access=Access.OPTIONAL,
        tag=TAG,
        summary="What is known of an image",
        description="`X-Cache` is HIT where it was in memory and the database confirmed that nothing of it has changed.",
        responses={200: Image},
        errors=(*_SEEING, "INVALID_REQUEST"),
        query=WantedSize,
        narrowed=True,
    ),
    Operation(
        name="GetWholeImage",
        method="GET",
        path=f"{BASE}/{{image_id}}/all",
        handler=get_all,
        access=Access.OPTIONAL,
        tag=TAG,
        summary="Everything that is known of an image, with its sizes and addresses",
        responses={200: WholeImage},
        errors=_SEEING,
        narrowed=True,
    ),
    Operation(
        name="VerifyImage",
        method="GET",
        path=f"{BASE}/{{image_id}}/verify",
        handler=verify,
        access=Access.SIGNED_IN,
        tag=TAG,
        summary="Compute the SHA-256 of the stored bytes anew",
        responses={200: Verified},
        errors=("IMAGE_NOT_FOUND", "FORBIDDEN", "SERVICE_UNAVAILABLE"),
        narrowed=True,
    ),
    Operation(
        name="ListDuplicates",
        method="GET",
        path=f"{BASE}/{{image_id}}/duplicates",
        handler=duplicates,
        access=Access.SIGNED_IN,
        tag=TAG,
        summary="Images of the account that look like this one",
        description="The nearest first. `truncated` is true where more look alike than were asked for.",
        responses={200: Duplicates},
        errors=("IMAGE_NOT_FOUND", "FORBIDDEN"),
        query=LookingAlike,
    ),
)
