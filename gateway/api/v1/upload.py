"""Uploading an image in one form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TYPE_CHECKING

from pydantic import BaseModel

from gateway.api.answer import answer
from gateway.api.errors import ApiError
from gateway.api.operation import Access, Body, Operation
from gateway.api.v1.image_resource import BASE, Image, resource_made
from gateway.api.v1.upload_form import (
    FORM_ROOM,
    MAX_METADATA,
    UploadForm,
    default_visibility,
    filename_of,
    invalid,
)
from gateway.errors import ObjectTooLarge
from gateway.model.buckets import Bucket
from gateway.model.images import JobStatus
from gateway.services.clock import now_ms
from gateway.services.uploading import Uploaded, Uploader, image_key, new_image
from transforms.errors import SourceError, TooLarge

if TYPE_CHECKING:
    from aiohttp.web import StreamResponse

    from gateway.api.call import Call

FILE = frozenset({"file"})


class Accepted(BaseModel):
    """An upload that was taken; its job says how far the processing is."""

    job_id: str
    image_id: str
    status: JobStatus
    status_url: str


async def upload(call: Call) -> StreamResponse:
    uploader = await admitted(call)
    preferred = prefers_async(call.headers.get("prefer", ""))
    form = UploadForm(call, call.settings.bytes_taken + FORM_ROOM, FILE)
    with refusals(form, preferred):
        await expect_room(call, form, call.settings.bytes_taken)
        async with slot(call):
            done = await _take(call, uploader, form, preferred)
    if done.existing:
        return answer(200, await resource_made(call, done), done.allowance.headers)
    if preferred or form.bucket is not None:
        applied = (("Preference-Applied", "respond-async"),) if preferred else ()
        return answer(202, accepted(call, done), (*done.allowance.headers, *applied))
    made = await resource_made(call, done)
    location = f"{call.settings.link_base}{BASE}/{done.row.image_id}"
    return answer(201, made, (("Location", location), *done.allowance.headers))


async def _take(call: Call, uploader: Uploader, form: UploadForm, preferred: bool) -> Uploaded:
    parts = call.parts
    head = await form.next_file()
    if head is None:
        raise invalid("file", "The file is missing, or none was chosen.")
    form.check()
    if not head.filename:
        raise invalid("file", "The file has no name.")
    image_id = new_image()
    key = image_key(image_id, filename_of(head))
    named = form.bucket
    bucket = await place(call, named, key)
    async with parts.uploading.taking(bucket, form) as taken:
        if await form.next_file() is not None:
            raise invalid("file", "One file is uploaded at a time here; there is a batch for more.")
        if form.bucket != named:
            bucket = await place(call, form.bucket, key)
        default = default_visibility(bucket, answered_at_once=form.bucket is None and not preferred)
        return await parts.uploading.commit(uploader, bucket, taken, form.wanted(head, default), image_id)


def accepted(call: Call, done: Uploaded) -> Accepted:
    assert done.row.job_id is not None
    status_url = f"{call.settings.link_base}{BASE}/jobs/{done.row.job_id}"
    return Accepted(job_id=done.row.job_id, image_id=done.row.image_id, status=done.row.status, status_url=status_url)


async def admitted(call: Call) -> Uploader:
    """Who uploads, where they may and have not done so too often. Raises ApiError UNAUTHORIZED, RateLimited."""
    principal, limits = call.principal, call.parts.limits
    if principal.anonymous and not call.settings.anonymous_uploads:
        raise ApiError("UNAUTHORIZED")
    await limits.uploads_minute(call.address)
    who = limits.who(principal, call.address)
    if limits.enabled:
        limits.refuse(await limits.hour(call.services.database, who, now_ms()))
    return Uploader(principal, who, call.actor)


async def place(call: Call, named: str | None, key: bytes) -> Bucket:
    """The bucket of an upload, which the log names. Raises as `UploadPlaces.find` does."""
    bucket = await call.parts.places.find(call.principal, named, key)
    call.record.bucket = bucket.name
    return bucket


async def expect_room(call: Call, form: UploadForm, most: int) -> None:
    """Refuse a body that is larger than `most` and what a form may have around it, before it is read.

    What it is refused with depends on the fields before the file, so these are read where they are on their way already.
    Raises ObjectTooLarge.
    """
    length = call.incoming.length
    if length is None or length <= most + FORM_ROOM:
        return
    if not call.incoming.awaits_continue:
        await form.next_file()
    raise ObjectTooLarge(f"The file may have {most} bytes.")


@contextmanager
def refusals(form: UploadForm, preferred: bool) -> Iterator[None]:
    """What is wrong with a file, in the words of the form of answer that was asked for."""
    try:
        yield
    except (ObjectTooLarge, TooLarge) as error:
        raise ApiError("PAYLOAD_TOO_LARGE" if preferred or form.bucket else "FILE_TOO_LARGE", str(error)) from error
    except SourceError as error:
        code = "UNSUPPORTED_MEDIA_TYPE" if preferred or form.bucket else "INVALID_FILE_FORMAT"
        raise ApiError(code, str(error)) from error


def slot(call: Call) -> AbstractAsyncContextManager[None]:
    """One of the node's few, for the time of an upload. Raises UploadsBusy."""
    return call.parts.slots.taken(call.parts.limits.clients(call.principal, call.address), lambda: gone(call))


def gone(call: Call) -> bool:
    """Whether the client has left."""
    transport = call.request._protocol.transport
    return transport is None or transport.is_closing()


def prefers_async(prefer: str) -> bool:
    """Whether `Prefer: respond-async` (RFC 7240, section 4.1) is among the preferences."""
    return any(one.partition(";")[0].strip().lower() == "respond-async" for one in prefer.split(","))


FIELDS: dict[str, object] = {
    "bucket": {
        "type": "string",
        "description": "Where it goes; made where nobody has the name. Without it, to the account's own bucket.",
    },
    "metadata": {
        "type": "string",
        "contentMediaType": "application/json",
        "description": f"A JSON object of at most {MAX_METADATA} bytes.",
    },
    "visibility": {"type": "string", "enum": ["public", "unlisted", "private"]},
    "renditions": {
        "type": "string",
        "description": "Renditions to be made at once: options such as `w:300,f:webp`, or `p:<preset>`, separated by blanks.",
    },
}
"""The fields of an upload's form, as JSON schema."""
ERRORS = (
    "REQUEST_TIMEOUT",
    "FORBIDDEN",
    "INVALID_FILE_FORMAT",
    "FILE_TOO_LARGE",
    "PAYLOAD_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "QUOTA_EXCEEDED",
    "DUPLICATE_IMAGE",
    "VALIDATION_ERROR",
    "INVALID_REQUEST",
    "NOT_FOUND",
    "RATE_LIMIT_EXCEEDED",
    "SERVICE_UNAVAILABLE",
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="UploadImage",
        method="POST",
        path=f"{BASE}/upload",
        handler=upload,
        access=Access.OPTIONAL,
        tag="Images",
        summary="Upload an image",
        description="Without `bucket` the answer is the image (201). With `bucket`, or `Prefer: respond-async`, it is the job "
        "that processes it (202). 200 is an image of the same bytes that the account had, where it wants no second one. Fields of other names are passed over.",
        responses={201: Image, 202: Accepted, 200: Image},
        errors=ERRORS,
        body_kind=Body.STREAM,
        request_form={
            "type": "object",
            "required": ["file"],
            "properties": {"file": {"type": "string", "format": "binary"}, **FIELDS},
        },
    ),
)
