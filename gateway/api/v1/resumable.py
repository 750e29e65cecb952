"""Resumable uploads: the addresses that the parts are sent to, and the image that is made of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.answer import answer, nothing
from gateway.api.errors import ApiError
from gateway.api.moment import Moment, moment
from gateway.api.operation import Access, Body, Operation
from gateway.api.v1.image_resource import BASE, Image, resource_made
from gateway.api.v1.upload import admitted, place, slot
from gateway.api.v1.upload_form import check_metadata, default_visibility, invalid, parse_renditions
from gateway.errors import ObjectTooLarge
from gateway.metadata.resumable import Begun
from gateway.model.buckets import Bucket
from gateway.model.images import Visibility
from gateway.model.uploads import Promise
from gateway.policy.principal import ANONYMOUS, Principal
from gateway.services.filenames import safe_filename
from gateway.services.resumable import part_size, relative, signing_base
from gateway.services.uploading import Uploader, Wanted, image_key, new_image
from transforms.errors import SourceError, TooLarge

if TYPE_CHECKING:
    from aiohttp.web import StreamResponse

    from gateway.api.call import Call


class NewUpload(BaseModel):
    """A file that is to be uploaded in parts."""

    model_config = ConfigDict(extra="forbid")

    filename: str = Field(max_length=4096)
    size: int = Field(ge=1, le=1 << 40, description="Of the whole file, in bytes.")
    bucket: str | None = Field(default=None, max_length=256)


class PartAnswer(BaseModel):
    """Where a part is to be sent by PUT: exactly `size` bytes, and nothing else signed in the request."""

    number: int
    size: int
    url: str | None = Field(
        description="Null for who may only read: by a narrowed access key, or by a presigned address."
    )


class UploadAnswer(BaseModel):
    """An upload that goes on. `parts` are those that are not there yet."""

    upload_id: str
    image_id: str
    size: int
    part_size: int = Field(description="Bytes of every part but the last.")
    parts: list[PartAnswer]
    completed: bool
    created_at: Moment
    urls_expire_at: Moment
    status_url: str
    complete_url: str


class Completion(BaseModel):
    """What is said of the image that is made."""

    model_config = ConfigDict(extra="forbid")

    visibility: Visibility | None = None
    metadata: dict[str, Any] | None = None
    renditions: list[str] = Field(default=[], max_length=20)


async def begin_upload(call: Call) -> StreamResponse:
    given = call.body_as(NewUpload)
    await admitted(call)
    image_id, filename = new_image(), safe_filename(given.filename, "image")
    key = image_key(image_id, filename)
    bucket = await place(call, given.bucket or None, key)
    user = call.principal.user
    promised = Promise(image_id, filename, given.size, call.account.id, None if user is None else user.id)
    try:
        begun = await call.parts.resumable.begin(bucket, key, promised)
    except ObjectTooLarge as error:
        raise ApiError("FILE_TOO_LARGE", str(error)) from error
    shown = await _shown(call, bucket, begun, call.principal)
    return answer(201, shown, (("Location", shown.status_url),))


async def get_upload(call: Call) -> StreamResponse:
    bucket, begun = await _begun(call)
    # An address for reading gives out none for writing.
    asker = ANONYMOUS if call.authentication.presigned else call.principal
    return answer(200, await _shown(call, bucket, begun, asker))


async def end_upload(call: Call) -> StreamResponse:
    bucket, begun = await _begun(call)
    await call.parts.resumable.abort(bucket, begun)
    return nothing()


async def complete_upload(call: Call) -> StreamResponse:
    given = call.body_as(Completion)
    parts = call.parts
    bucket, begun = await _begun(call)
    metadata = given.metadata
    if metadata is not None:
        try:
            size = len(json.dumps(metadata, allow_nan=False, ensure_ascii=False).encode())
        except (ValueError, RecursionError):
            raise invalid("metadata", "This cannot be written as JSON.") from None
        check_metadata(metadata, size)
    at_home = bucket.id == bucket.owner.home_bucket_id
    wanted = Wanted(
        begun.promise.filename,
        given.visibility or default_visibility(bucket, answered_at_once=at_home),
        metadata,
        parse_renditions(json.dumps(given.renditions)),
    )
    uploader = Uploader(call.principal, parts.limits.who(call.principal, call.address), call.actor)
    try:
        async with slot(call):
            done = await parts.resumable.complete(uploader, bucket, begun, wanted)
    except TooLarge as error:
        raise ApiError("FILE_TOO_LARGE", str(error)) from error
    except SourceError as error:
        raise ApiError("INVALID_FILE_FORMAT", str(error)) from error
    return answer(200 if done.existing else 201, await resource_made(call, done), done.allowance.headers)


async def _begun(call: Call) -> tuple[Bucket, Begun]:
    """The upload of the path, whose bucket the log names. Raises UploadNotFound."""
    bucket, begun = await call.parts.resumable.find(call.principal, call.places["upload_id"])
    call.record.bucket = bucket.name
    return bucket, begun


async def _shown(call: Call, bucket: Bucket, begun: Begun, asker: Principal) -> UploadAnswer:
    """What is told of an upload, with addresses for what `asker` may write."""
    settings = call.settings
    scheme = "https" if settings.tls_cert is not None else "http"
    base = signing_base(settings.public_url, scheme, call.headers.get("host", ""))
    missing = [] if begun.completed else await call.parts.resumable.missing(asker, bucket, begun, base)
    # Nothing is built from Host: it is signed, as the client will send it again, and not shown.
    shown = [
        PartAnswer(
            number=part.number,
            size=part.size,
            url=part.url if part.url is None or settings.public_url else relative(part.url),
        )
        for part in missing
    ]
    address = f"{settings.link_base}{BASE}/uploads/{begun.upload_id}"
    return UploadAnswer(
        upload_id=begun.upload_id,
        image_id=begun.image_id,
        size=begun.promise.size,
        part_size=part_size(begun.promise.size),
        parts=shown,
        completed=begun.completed,
        created_at=moment(begun.created_ms),
        urls_expire_at=moment(int(call.now * 1000) + settings.upload_url_expiry * 1000),
        status_url=address,
        complete_url=f"{address}/complete",
    )


_TAG = "Resumable uploads"
_BUSY = ("RATE_LIMIT_EXCEEDED", "SERVICE_UNAVAILABLE")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="BeginUpload",
        method="POST",
        path=f"{BASE}/uploads",
        handler=begin_upload,
        access=Access.SIGNED_IN,
        tag=_TAG,
        summary="Begin an upload in parts",
        description="The answer has a presigned address for each part, which is sent there by PUT. A part that did not arrive "
        "is sent again; `GET` of the upload says which are missing, with new addresses. Addresses are as good as who asked for "
        "them: they end with the user or the access key, and hold where the key may be used.",
        responses={201: UploadAnswer},
        errors=("FILE_TOO_LARGE", "QUOTA_EXCEEDED", "NOT_FOUND", *_BUSY),
        body_kind=Body.JSON,
        body=NewUpload,
    ),
    Operation(
        name="GetUpload",
        method="GET",
        path=f"{BASE}/uploads/{{upload_id}}",
        handler=get_upload,
        access=Access.SIGNED_IN,
        tag=_TAG,
        summary="Which parts of an upload are missing",
        responses={200: UploadAnswer},
        errors=("NOT_FOUND", "SERVICE_UNAVAILABLE"),
    ),
    Operation(
        name="EndUpload",
        method="DELETE",
        path=f"{BASE}/uploads/{{upload_id}}",
        handler=end_upload,
        access=Access.SIGNED_IN,
        tag=_TAG,
        summary="Give an upload up",
        responses={204: None},
        errors=("NOT_FOUND", "SERVICE_UNAVAILABLE"),
    ),
    Operation(
        name="CompleteUpload",
        method="POST",
        path=f"{BASE}/uploads/{{upload_id}}/complete",
        handler=complete_upload,
        access=Access.SIGNED_IN,
        tag=_TAG,
        summary="Make an image of the parts",
        description="What turns out to be no image ends the upload. The answer is 201 with the new image; it is 200 with an "
        "image that was there, where the account has one of these bytes and its `duplicates` is `return`. Asked again, it "
        "answers with the same status and image each time.",
        responses={201: Image, 200: Image},
        errors=("FILE_TOO_LARGE", "INVALID_FILE_FORMAT", "QUOTA_EXCEEDED", "DUPLICATE_IMAGE", "NOT_FOUND", *_BUSY),
        body_kind=Body.JSON,
        body=Completion,
    ),
)
