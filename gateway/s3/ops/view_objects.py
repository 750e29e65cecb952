"""GetObject and HeadObject of a view: the rendition of an object, made where it is not."""

from __future__ import annotations

from gateway.http.conditions import Verdict, evaluate, parse_conditions
from gateway.http.dates import http_date
from gateway.http.ranges import content_range, parse_range
from gateway.http.reply import Reply
from gateway.metadata.renditions import RenditionRow
from gateway.model.objects import NULL_VERSION, ObjectVersion
from gateway.s3.call import Call
from gateway.s3.errors import S3Error, invalid_argument
from gateway.s3.object_headers import guard, override
from gateway.s3.ops.objects import range_applies, resolve_range
from gateway.s3.view_page import shown, view_recipe, viewed


async def get_view_object(call: Call) -> Reply:
    """Its ETag is the MD5 of its bytes, and its time that when these bytes were first made."""
    view, _ = viewed(call)
    if "x-img" in call.parameters:
        raise invalid_argument("A view shows renditions already", "x-img", "")
    if call.version_id() not in (None, NULL_VERSION):
        raise S3Error("NoSuchVersion")
    if call.parameters.get("partNumber", "1") != "1":
        raise S3Error("InvalidPartNumber")
    return await shown(call, view, call.key, lambda version: _show(call, version))


async def _show(call: Call, version: ObjectVersion) -> Reply:
    view, renditions = viewed(call)
    recipe = await view_recipe(view, renditions)
    renditions.plan(recipe, version)  # what is no image has no rendition, whatever was noted once
    row = await renditions.made(recipe, version)
    data: bytes | None = None
    if row is None or not (call.request._method == "HEAD" or _conditional(call, row) is Verdict.NOT_MODIFIED):
        rendition, row = await renditions.shown(recipe, version)
        data = rendition.data
    verdict = _conditional(call, row)
    modified = row.made_ms // 1000
    identity = [("Last-Modified", http_date(modified)), ("ETag", f'"{row.etag}"')]
    if verdict is Verdict.NOT_MODIFIED:
        return Reply(304, identity)
    if verdict.failed:
        raise S3Error("PreconditionFailed", fields=(("Condition", verdict.value),))
    start, length, status = 0, row.size, 200
    extra: list[tuple[str, str]] = []
    wanted = call.headers.get("range")
    if wanted is not None and range_applies(call.headers.get("if-range"), row.etag, modified):
        byte_range = parse_range(wanted)
        if byte_range is not None:
            start, length = resolve_range(byte_range, wanted, row.size)
            status = 206
            extra.append(("Content-Range", content_range(start, length, row.size)))
    printed = [("Content-Type", row.content_type)]
    if call.parameters:
        printed = override(printed, call.parameters)
    printed = guard(printed, navigable=call.authentication.presigned)
    headers = [*identity, ("Accept-Ranges", "bytes"), *printed, *extra]
    if data is None or call.request._method == "HEAD":
        return Reply(status, headers, length=length)
    return Reply(status, headers, data[start : start + length])


def _conditional(call: Call, row: RenditionRow) -> Verdict:
    return evaluate(parse_conditions(call.headers), etag=row.etag, modified=row.made_ms // 1000, now=int(call.now))
