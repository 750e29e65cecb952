"""Answers with bytes of images: stored ones and rendered ones, with conditions and ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.api.errors import ApiError
from gateway.errors import PreconditionFailed
from gateway.http.conditions import Verdict, evaluate, parse_conditions
from gateway.http.dates import http_date
from gateway.http.disposition import attachment, with_extension
from gateway.http.object_reply import ObjectReply
from gateway.http.pieces import PiecesReply
from gateway.http.ranges import content_range, parse_range
from gateway.http.reply import Reply
from gateway.model.contents import Encryption
from gateway.model.images import Visibility
from gateway.model.objects import ObjectVersion
from gateway.policy.images import shown
from gateway.services.catalogue import DISABLED, HIT, MISS, Known
from gateway.services.derivatives import Derivative
from transforms.errors import NotAnImage
from transforms.formats import FORMATS

if TYPE_CHECKING:
    from gateway.api.call import Call

Header = tuple[str, str]

SAFETY: tuple[Header, ...] = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
    ("Accept-Ranges", "bytes"),
)
"""Nothing that users stored is ever run."""
SHOWN = frozenset(entry.media_type for entry in FORMATS.values()) - {"image/svg+xml", "application/pdf"}
"""Types that a browser shows; everything else is saved."""
UNKNOWN = "application/octet-stream"


def keeping(call: Call, known: Known) -> Header:
    """How long an answer may be kept: the bytes never change, but who may see them does."""
    if known.row.visibility is Visibility.PRIVATE or not shown(known.facts):
        return ("Cache-Control", "private, no-cache")
    return ("Cache-Control", f"public, max-age={call.settings.image_max_age}")


async def stored(call: Call, known: Known, headers: Sequence[Header], *, download: bool) -> Reply:
    """The bytes as they were sent: 200, 206, 304. Raises facts, ApiError RANGE_NOT_SATISFIABLE."""
    version = known.version
    if version.content is not None and version.content.adopted:
        return await call.services.adopted.shown(
            known.bucket,
            version,
            version.version_id,
            lambda found: _stored(call, known, found, headers, download),
            image_id=version.image_id,
        )
    return await _stored(call, known, version, headers, download)


async def _stored(call: Call, known: Known, version: ObjectVersion, headers: Sequence[Header], download: bool) -> Reply:
    content = version.content
    if content is None or content.encryption is Encryption.SSE_C:
        raise NotAnImage("The object is not an image of a format that is known here.")
    modified = version.modified_ms // 1000
    named = [("ETag", f'"{content.etag}"'), ("Last-Modified", http_date(modified)), *headers, *SAFETY]
    if _not_modified(call, content.etag, modified):
        return Reply(304, named)
    media_type = known.row.content_type
    kind = "attachment" if download or media_type not in SHOWN else "inline"
    if media_type not in SHOWN and media_type not in ("image/svg+xml", "application/pdf"):
        media_type = UNKNOWN
    named += [("Content-Type", media_type), ("Content-Disposition", attachment(known.row.filename, kind))]
    part = _part(call, content.etag, modified, content.size)
    start, length = part or (0, content.size)
    if part is not None:
        named.append(("Content-Range", content_range(start, length, content.size)))
    reply = ObjectReply(
        200 if part is None else 206,
        named,
        stores=call.services.stores,
        segments=await call.services.objects.segments(content, start, length),
        length=length,
    )
    if content.adopted:
        # Here it is still noticed, and mended, that somebody else changed them.
        await reply.open(call.request)
    return reply


async def rendered(
    call: Call, known: Known, derivative: Derivative, headers: Sequence[Header], *, varies: bool = False
) -> Reply:
    """A rendition: 200, 206, 304, with X-Cache. Raises what `Derivatives.render` raises."""
    named: list[Header] = [("ETag", f'"{derivative.etag}"'), *headers, *SAFETY]
    if varies:
        named.append(("Vary", "Accept"))
    if _not_modified(call, derivative.etag, 0):
        return Reply(304, named)
    derivatives = call.parts.derivatives
    rendition = derivatives.cached(derivative)
    if rendition is None:
        rendition = await derivatives.render(derivative)
        named.append(("X-Cache", (MISS if _caching(call) else DISABLED) if rendition.tier is None else HIT))
    else:
        named.append(("X-Cache", HIT))
    name = with_extension(known.row.filename.rpartition(".")[0] or known.row.filename, rendition.media_type)
    named += [("Content-Type", rendition.media_type), ("Content-Disposition", attachment(name, "inline"))]
    part = _part(call, derivative.etag, None, len(rendition.data))
    if part is None:
        return PiecesReply(200, named, rendition.data)
    start, length = part
    named.append(("Content-Range", content_range(start, length, len(rendition.data))))
    return PiecesReply(206, named, rendition.data[start : start + length])


def _caching(call: Call) -> bool:
    settings = call.settings
    return bool(settings.image_worker_cache_bytes or settings.image_memory_cache_bytes or call.services.cache)


def _not_modified(call: Call, etag: str, modified: int) -> bool:
    verdict = evaluate(parse_conditions(call.headers), etag=etag, modified=modified, now=int(call.now))
    if verdict.failed:
        raise PreconditionFailed(verdict.value)
    return verdict is Verdict.NOT_MODIFIED


def _part(call: Call, etag: str, modified: int | None, size: int) -> tuple[int, int] | None:
    """Start and length of what is asked for; None for all of it. Raises RangeNotSatisfiable."""
    text = call.headers.get("range")
    if text is None or call.request._method != "GET":
        return None
    if_range = call.headers.get("if-range")
    if if_range is not None:
        dated = modified is not None and if_range.strip() == http_date(modified)
        if not dated and if_range.strip() != f'"{etag}"':
            return None
    wanted = parse_range(text)
    return None if wanted is None else wanted.resolve(size)


def not_ready() -> ApiError:
    return ApiError("THUMBNAIL_NOT_READY", headers=(("Retry-After", "2"),))
