"""GetObject and HeadObject of an adopted object: what the row says is held against what the store says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from gateway.blobs.source import Tells
from gateway.errors import AdoptedChanged, StoreUnavailable
from gateway.http.dates import parse_http_date
from gateway.http.object_reply import ObjectReply
from gateway.http.reply import Reply
from gateway.model.objects import ObjectVersion
from gateway.s3.call import Call
from gateway.s3.errors import S3Error
from gateway.services.adopted import ATTEMPTS

_CONDITIONS = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"})


async def read_adopted(
    call: Call, version: ObjectVersion, read: Callable[[Call, ObjectVersion], Awaitable[Reply]]
) -> Reply:
    """The answer that `read` makes of the version, or of what took its place in the store meanwhile.

    Bytes are asked for before anything is answered, pinned to what the row says. Where there are none to ask for (HEAD,
    an empty object), where a condition decides, or where the row says that the request is wrong, the store is asked first.
    """
    adopted, version_id = call.services.adopted, call.version_id()
    ask = call.request._method == "HEAD" or not _CONDITIONS.isdisjoint(call.headers)
    agrees = False
    for _ in range(ATTEMPTS):
        content = version.content
        if content is None or not content.adopted:
            return await read(call, version)
        asked = ask or not content.size
        if asked:
            version = await adopted.checked(call.bucket, version, version_id)
        try:
            reply = await read(call, version)
        except S3Error:
            if asked:
                raise
            ask = True
            continue
        try:
            if not isinstance(reply, ObjectReply):
                return reply
            reader = await reply.open(call.request)
            if agrees or reader is None or not isinstance(reader, Tells) or still_is(version, reader.headers):
                return reply
            # Once: of a store that says one thing to a HEAD and another to a GET the bytes are right all the same.
            agrees = True
            reader.close()
        except AdoptedChanged:
            pass
        version = await adopted.refresh(call.bucket, version, version_id)
    raise StoreUnavailable("The object changes faster than it can be read.")


def still_is(version: ObjectVersion, headers: Mapping[str, str]) -> bool:
    """Whether what the store said with the bytes agrees with the row, in what may change though the bytes do not.

    The same bytes may have been written once more with other metadata, and MinIO's listings do not tell `Expires`.
    """
    modified = parse_http_date(headers.get("last-modified", ""))
    return modified == version.modified_ms // 1000 and headers.get("expires") == dict(version.headers).get("expires")
