"""An image as JSON: one shape, whoever answers with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.moment import Moment, moment
from gateway.errors import ImageNotFound
from gateway.model.images import ImageRow, JobStatus, Visibility
from gateway.policy.images import may_see_all
from gateway.services.catalogue import Known, facts_of
from gateway.services.uploading import Uploaded

if TYPE_CHECKING:
    from gateway.api.call import Call

BASE = "/api/v1/images"


class Thumbnails(BaseModel):
    """Addresses of JPEGs by their longer side in pixels; null until they are made."""

    model_config = ConfigDict(populate_by_name=True)

    small: str | None = Field(alias="150")
    middle: str | None = Field(alias="300")
    large: str | None = Field(alias="600")


class Image(BaseModel):
    """An image. What is not known yet, or not for who asks, is null."""

    id: str
    filename: str
    content_type: str
    file_size: int = Field(description="In bytes.")
    width: int | None = Field(description="In pixels, upright.")
    height: int | None
    url: str = Field(description="Where the bytes are, as they were sent.")
    checksum: str | None = Field(description="SHA-256 of these bytes, in hexadecimal digits.")
    created_at: Moment
    updated_at: Moment
    visibility: Visibility
    thumbnail_ready: bool
    thumbnail_url: str | None
    thumbnails: Thumbnails
    delete_token: str | None = Field(description="Only in the answer to an upload without a login.")
    dominant_color: str | None
    blurhash: str | None
    metadata: dict[str, Any] | None
    tags: list[str]
    status: JobStatus = Field(description="How far its processing is.")
    job_id: str | None
    upload_ip: str | None = Field(description="For its owner and administrators; null for all others.")


class SizedImage(Image):
    """An image, with the address of the size that was asked for."""

    size_url: str


async def resource(call: Call, row: ImageRow) -> Image:
    """The image of a row as the asker may see it; that he may is settled before. Raises ImageNotFound."""
    bucket = await call.services.directory.bucket_by_id(row.bucket_id)
    if bucket is None:
        raise ImageNotFound
    # What is told here beyond the image concerns its account, so a key that is narrowed to some keys may know it, too.
    return _image(call, row, full=may_see_all(call.principal, facts_of(bucket, b"", row)))


async def resource_made(call: Call, done: Uploaded) -> Image:
    """The image that an upload has made. What is committed is told, whether or not the database is still there."""
    if done.bucket is None:
        return await resource(call, done.row)
    full = may_see_all(call.principal, facts_of(done.bucket, b"", done.row))
    return _image(call, done.row, full=full, delete_token=done.delete_token)


def resource_of(call: Call, known: Known) -> Image:
    """The same for an image that was looked up."""
    return _image(call, known.row, full=may_see_all(call.principal, known.facts))


def _image(call: Call, row: ImageRow, *, full: bool, delete_token: str | None = None) -> Image:
    address = call.settings.link_base + f"{BASE}/{row.image_id}"
    ready = row.status is JobStatus.COMPLETED
    thumbnail = f"{address}/thumbnail"

    def sized(side: int) -> str | None:
        return f"{thumbnail}?size={side}" if ready else None

    return Image(
        id=row.image_id,
        filename=row.filename,
        content_type=row.content_type,
        file_size=row.size,
        width=row.width,
        height=row.height,
        url=f"{address}/file",
        checksum=None if row.sha256 is None else row.sha256.hex(),
        created_at=moment(row.created_ms),
        updated_at=moment(row.updated_ms),
        visibility=row.visibility,
        thumbnail_ready=ready,
        thumbnail_url=thumbnail if ready else None,
        thumbnails=Thumbnails(small=sized(150), middle=sized(300), large=sized(600)),
        delete_token=delete_token,
        dominant_color=row.dominant_color,
        blurhash=row.blurhash,
        metadata=None if row.metadata is None else dict(row.metadata),
        tags=list(row.tags),
        status=row.status,
        job_id=row.job_id,
        upload_ip=row.upload_ip if full else None,
    )


def image_link(call: Call, image_id: str, options: Mapping[str, str]) -> str:
    """The address of a rendition on the transform door."""
    return f"{call.settings.link_base}/img/{image_id}?{urlencode(options)}"
