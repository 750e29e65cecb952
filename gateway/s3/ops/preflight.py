"""OPTIONS: a browser's question whether a page may send a request. There are no CORS rules yet, so it may not."""

from __future__ import annotations

from gateway.http.reply import Reply
from gateway.s3.call import Call
from gateway.s3.errors import S3Error


async def preflight(call: Call) -> Reply:
    raise S3Error("AccessForbidden", fields=(("Method", "OPTIONS"), ("ResourceType", call.operation.level.name)))
