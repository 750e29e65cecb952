"""Several images in one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from gateway.api.answer import answer
from gateway.api.errors import ApiError
from gateway.api.operation import Access, Operation
from gateway.api.v1.access import refused, sees
from gateway.api.v1.image_resource import BASE, Image, resource_of
from gateway.errors import ImageNotFound

if TYPE_CHECKING:
    from aiohttp.web import StreamResponse

    from gateway.api.call import Call

AT_ONCE = 50


class WantedImages(BaseModel):
    image_ids: str = Field(description=f"At most {AT_ONCE} image ids, separated by commas.", max_length=10_000)


class Failed(BaseModel):
    id: str
    code: str
    message: str


class ImageBatch(BaseModel):
    """The images in the order in which they were asked for, and why the others are missing."""

    images: list[Image]
    failed: list[Failed]


async def get_batch(call: Call) -> StreamResponse:
    wanted = [text.strip() for text in call.query_as(WantedImages).image_ids.split(",")]
    wanted = [text for text in wanted if text]
    if not wanted or len(wanted) > AT_ONCE:
        raise ApiError("INVALID_REQUEST", f"image_ids names 1 to {AT_ONCE} images, separated by commas.")
    images: list[Image] = []
    failed: list[Failed] = []
    for image_id in wanted:
        try:
            known = await call.parts.catalogue.find(image_id)
            if not sees(call, known):
                raise refused(call)
        except ImageNotFound:
            failed.append(_failed(image_id, ApiError("IMAGE_NOT_FOUND")))
        except ApiError as error:
            failed.append(_failed(image_id, error))
        else:
            images.append(resource_of(call, known))
    return answer(200, ImageBatch(images=images, failed=failed))


def _failed(image_id: str, error: ApiError) -> Failed:
    return Failed(id=image_id, code=error.code, message=str(error))


OPERATIONS = (
    Operation(
        name="GetImages",
        method="GET",
        path=f"{BASE}/batch",
        handler=get_batch,
        access=Access.OPTIONAL,
        tag="Images",
        summary="Several images by their ids",
        responses={200: ImageBatch},
        errors=("INVALID_REQUEST",),
        query=WantedImages,
        narrowed=True,
    ),
)
