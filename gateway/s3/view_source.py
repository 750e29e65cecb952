"""A view as the source of a copy: the rendition that a GET of the view gives, made where it is not."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import ObjectNotFound
from gateway.model.contents import Content
from gateway.model.objects import NULL_VERSION, ObjectVersion
from gateway.s3.call import Call
from gateway.s3.copy_source import CopySource, check_conditions
from gateway.s3.encryption_headers import SOURCE_CUSTOMER_HEADERS
from gateway.s3.errors import S3Error
from gateway.s3.view_page import shown, view_recipe
from gateway.services.renditions import View


@dataclass(frozen=True, slots=True)
class ViewSource:
    """A rendition to copy, and the content that it was made of."""

    data: bytes
    content_type: str
    made_of: Content


async def open_view(call: Call, named: CopySource, view: View) -> ViewSource:
    """What the view shows of a key, where the conditions on the source hold.

    Raises S3Error PreconditionFailed, NoSuchKey for what is no image, NoSuchVersion for all but the current version, and
    what rendering raises.
    """
    if named.version_id not in (None, NULL_VERSION):
        raise S3Error("NoSuchVersion")
    if not SOURCE_CUSTOMER_HEADERS.isdisjoint(call.headers):
        raise S3Error("InvalidRequest", "The encryption parameters are not applicable to this object.")
    return await shown(call, view, named.key, lambda version: _rendered(call, view, version))


async def _rendered(call: Call, view: View, version: ObjectVersion) -> ViewSource:
    renditions = call.renditions
    if renditions is None or version.content is None:
        raise ObjectNotFound
    recipe = await view_recipe(view, renditions)
    renditions.plan(recipe, version)  # what is no image has no rendition, whatever was noted once
    noted = await renditions.made(recipe, version)
    if noted is not None:
        # What is not wanted need not be rendered again where it fell out of the caches.
        check_conditions(call, noted.etag, noted.made_ms)
    rendition, row = await renditions.shown(recipe, version)
    check_conditions(call, row.etag, row.made_ms)
    return ViewSource(rendition.data, row.content_type, version.content)
