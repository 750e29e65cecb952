"""OPTIONS: a browser's question whether a page may send a request. It may send the parts of an app's upload; buckets have no CORS rules."""

from __future__ import annotations

from gateway.http.cross_origin import origin_of
from gateway.http.reply import Reply
from gateway.s3.call import Call
from gateway.s3.errors import S3Error
from gateway.s3.part_pages import PartPages


async def preflight(call: Call) -> Reply:
    origin = origin_of(call.request._message.headers.getall("Origin", ()))
    method = call.headers.get("access-control-request-method")
    reply = await PartPages(call.services, call.settings).preflight(origin, method, call.parameters)
    if reply is None:
        raise S3Error("AccessForbidden", fields=(("Method", "OPTIONS"), ("ResourceType", call.operation.level.name)))
    return reply
