"""Uploading several images in one form."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from gateway.api.answer import answer
from gateway.api.errors import ApiError, translate
from gateway.api.form import PartHead
from gateway.api.operation import Access, Body, Operation
from gateway.api.v1.image_resource import BASE, Image, resource_made
from gateway.api.v1.upload import ERRORS, FIELDS, admitted, expect_room, place, slot
from gateway.api.v1.upload_form import FORM_ROOM, UploadForm, default_visibility, filename_of, invalid
from gateway.errors import DuplicateImage, ObjectTooLarge, QuotaExceeded, RateLimited
from gateway.model.buckets import Bucket
from gateway.services.uploading import Taken, Uploader, image_key, new_image
from transforms.errors import SourceError, TooLarge

if TYPE_CHECKING:
    from aiohttp.web import StreamResponse

    from gateway.api.call import Call

FILES = frozenset({"file", "files", "files[]"})


class Refused(BaseModel):
    """A file that was not taken; the others are not concerned."""

    index: int = Field(description="Which file of the form it was; the first is 0.")
    filename: str
    code: str
    message: str


class BatchAnswer(BaseModel):
    """What became of each file, in the order of the form."""

    images: list[Image]
    failed: list[Refused]


@dataclass(frozen=True, slots=True)
class _Held:
    """A file whose bytes are taken and that is no image yet."""

    index: int
    head: PartHead
    bucket: Bucket
    image_id: str
    taken: Taken


async def upload_batch(call: Call) -> StreamResponse:
    uploader = await admitted(call)
    most = call.settings.bytes_taken * call.settings.upload_batch
    form = UploadForm(call, most + FORM_ROOM, FILES)
    try:
        await expect_room(call, form, most)
        async with slot(call):
            return answer(200, await _take(call, uploader, form))
    except ObjectTooLarge as error:
        raise ApiError("PAYLOAD_TOO_LARGE", str(error)) from error


async def _take(call: Call, uploader: Uploader, form: UploadForm) -> BatchAnswer:
    """Take all files, then make images of them: so nothing is there where the form turns out to be none."""
    held: list[_Held] = []
    failed: list[Refused] = []
    index = 0
    async with AsyncExitStack() as stack:
        while (head := await form.next_file()) is not None:
            form.check()
            if index >= call.settings.upload_batch:
                raise invalid(head.name, f"A batch may have {call.settings.upload_batch} files.")
            image_id = new_image()
            key = image_key(image_id, filename_of(head))
            bucket = await place(call, form.bucket, key)
            try:
                taken = await stack.enter_async_context(call.parts.uploading.taking(bucket, form))
                held.append(_Held(index, head, bucket, image_id, taken))
            except (ObjectTooLarge, SourceError) as error:
                if form.spent:
                    raise
                failed.append(_refused(index, head, error))
            index += 1
        if not index:
            raise invalid("files", "There is no file, or none was chosen.")
        images = await _make(call, uploader, form, held, failed)
    failed.sort(key=lambda refused: refused.index)
    return BatchAnswer(images=images, failed=failed)


async def _make(
    call: Call, uploader: Uploader, form: UploadForm, held: Sequence[_Held], failed: list[Refused]
) -> list[Image]:
    """Make images one after the other; a file that becomes none goes to `failed`.

    Once there is one, its answer is given whatever becomes of the others: a request that fails as a whole would be sent
    again, and nobody would know of what is there.
    """
    images: list[Image] = []
    away: Exception | None = None
    for one in held:
        try:
            if away is not None:
                raise away
            images.append(await _image(call, uploader, form, one))
        except Exception as error:
            known = translate(error)
            if known is None or not (images or isinstance(error, _OF_ONE_FILE)):
                raise
            failed.append(_refused(one.index, one.head, error))
            if known.code == "SERVICE_UNAVAILABLE":
                # Each of the others would only wait as long as this one.
                away = error
    return images


async def _image(call: Call, uploader: Uploader, form: UploadForm, one: _Held) -> Image:
    bucket = await place(call, form.bucket, image_key(one.image_id, filename_of(one.head)))
    wanted = form.wanted(one.head, default_visibility(bucket, answered_at_once=form.bucket is None))
    done = await call.parts.uploading.commit(uploader, bucket, one.taken, wanted, one.image_id)
    return await resource_made(call, done)


_OF_ONE_FILE = (DuplicateImage, QuotaExceeded, RateLimited)


def _refused(index: int, head: PartHead, error: Exception) -> Refused:
    if isinstance(error, (ObjectTooLarge, TooLarge)):
        known: ApiError | None = ApiError("FILE_TOO_LARGE", str(error))
    else:
        known = translate(error)
    assert known is not None
    return Refused(index=index, filename=filename_of(head), code=known.code, message=str(known))


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="UploadImages",
        method="POST",
        path=f"{BASE}/batch/upload",
        handler=upload_batch,
        access=Access.OPTIONAL,
        tag="Images",
        summary="Upload several images",
        description="All files of the form are taken before the first becomes an image: a form that is broken leaves none. "
        "What is wrong with one file is told beside the images of the others, also where the database or the store goes away "
        "after the first: `failed` then has `SERVICE_UNAVAILABLE` for those that can be sent again. The fields hold for all.",
        responses={200: BatchAnswer},
        errors=ERRORS,
        body_kind=Body.STREAM,
        request_form={
            "type": "object",
            "required": ["files"],
            "properties": {
                "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                **FIELDS,
            },
        },
    ),
)
