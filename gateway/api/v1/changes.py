"""Changing and deleting images."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.api.answer import answer, nothing
from gateway.api.errors import ApiError
from gateway.api.operation import Access, Body, Operation
from gateway.api.v1.access import found
from gateway.api.v1.image_resource import BASE, Image, resource
from gateway.api.v1.upload_form import check_metadata, invalid
from gateway.model.images import ImageRow, Visibility
from gateway.policy.images import may_change
from gateway.services import image_changes
from gateway.services.audit import Action, Event
from gateway.services.clock import now_ms
from gateway.services.uploading import token_hash

if TYPE_CHECKING:
    from aiohttp.web import StreamResponse

    from gateway.api.call import Call
    from gateway.services.catalogue import Known

MAX_TAGS = 50
Tag = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")
]


class Changes(BaseModel):
    """What is to be otherwise; what is not there stays as it is."""

    model_config = ConfigDict(extra="forbid")

    visibility: Visibility | None = None
    metadata: dict[str, Any] | None = Field(default=None, description="In place of all that was; null for none.")
    tags: list[Tag] | None = Field(default=None, max_length=MAX_TAGS, description="In place of all that were.")


class Deletion(BaseModel):
    delete_token: str | None = Field(default=None, description="From the answer to an upload without a login.")


async def change_image(call: Call) -> StreamResponse:
    given = call.body_as(Changes)
    wanted: dict[str, Any] = {}
    if given.visibility is not None:
        wanted["visibility"] = given.visibility
    if "metadata" in given.model_fields_set:
        wanted["metadata"] = None if given.metadata is None else _checked(given.metadata)
    if "tags" in given.model_fields_set:
        wanted["tags"] = tuple(dict.fromkeys(_text(tag) for tag in given.tags or ()))
    known = await found(call)
    if not may_change(call.principal, known.facts):
        raise ApiError("FORBIDDEN")
    now = now_ms()

    def made(row: ImageRow) -> ImageRow:
        changed = replace(row, **wanted)
        return row if changed == row else replace(changed, updated_ms=max(now, row.updated_ms + 1))

    detail = {
        "changed": sorted(wanted),
        **({"visibility": wanted["visibility"].value} if "visibility" in wanted else {}),
    }
    event = Event(Action.CHANGE, call.actor, now, known.row.image_id, detail)
    row = await image_changes.change(
        call.services.database, known.bucket, known.version, made, event, counts=not known.catalogued
    )
    call.services.wake_jobs()
    return answer(200, await resource(call, row))


async def delete_image(call: Call) -> StreamResponse:
    known = await found(call)
    token = call.query_as(Deletion).delete_token
    _expect_right(call, known, token)
    detail = {"bucket": known.bucket.name, "bytes": known.row.size, **({} if token is None else {"by": "delete token"})}
    event = Event(Action.DELETE, call.actor, now_ms(), known.row.image_id, detail)
    await image_changes.delete(call.services.database, known.version, event)
    if known.version.content is not None:
        await call.parts.variants.removed(known.version.content.id)
    return nothing()


def _expect_right(call: Call, known: Known, token: str | None) -> None:
    """Raises ApiError where the asker may not delete it."""
    principal = call.principal
    if not principal.anonymous and may_change(principal, known.facts):
        return
    row = known.row
    if token is not None:
        if not _opens(row, token, now_ms()):
            raise ApiError("INVALID_DELETE_TOKEN")
        return
    if row.delete_hash is not None:
        raise ApiError("DELETE_TOKEN_REQUIRED")
    raise ApiError("UNAUTHORIZED" if principal.anonymous else "FORBIDDEN")


def _opens(row: ImageRow, token: str, now: int) -> bool:
    if row.delete_hash is None or (row.delete_expires_ms is not None and row.delete_expires_ms <= now):
        return False
    return hmac.compare_digest(row.delete_hash, token_hash(token))


def _checked(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        size = len(json.dumps(metadata, allow_nan=False, ensure_ascii=False).encode())
    except (ValueError, RecursionError):
        raise invalid("metadata", "This cannot be written as JSON.") from None
    check_metadata(metadata, size)
    return metadata


def _text(tag: str) -> str:
    try:
        tag.encode()
    except UnicodeEncodeError:
        raise invalid("tags", "A tag is no text.") from None
    return tag


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="ChangeImage",
        method="PATCH",
        path=f"{BASE}/{{image_id}}",
        handler=change_image,
        access=Access.SIGNED_IN,
        tag="Images",
        summary="Change who may see an image, its metadata or its tags",
        responses={200: Image},
        errors=("IMAGE_NOT_FOUND", "FORBIDDEN", "QUOTA_EXCEEDED", "SERVICE_UNAVAILABLE"),
        body_kind=Body.JSON,
        body=Changes,
    ),
    Operation(
        name="DeleteImage",
        method="DELETE",
        path=f"{BASE}/{{image_id}}",
        handler=delete_image,
        access=Access.OPTIONAL,
        tag="Images",
        summary="Delete an image",
        description="By its owner, an administrator, or whoever has its delete token.",
        responses={204: None},
        errors=(
            "IMAGE_NOT_FOUND",
            "FORBIDDEN",
            "DELETE_TOKEN_REQUIRED",
            "INVALID_DELETE_TOKEN",
            "SERVICE_UNAVAILABLE",
        ),
        query=Deletion,
    ),
)
