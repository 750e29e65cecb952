"""From a version and options to an answer: ETag, 304, memory, render, range. Who asks has been settled before."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

from aiohttp.web import BaseRequest

from gateway.errors import PreconditionFailed
from gateway.http.conditions import Verdict, evaluate, parse_etags
from gateway.http.disposition import attachment, with_extension
from gateway.http.pieces import PiecesReply
from gateway.http.ranges import content_range, parse_range
from gateway.http.reply import Reply
from gateway.img.delivery import DRAWING, SANDBOX, Header
from gateway.model.contents import Content
from gateway.model.objects import ObjectVersion, ReadConditions
from gateway.services.derivatives import Derivatives
from transforms.negotiate import varies
from transforms.options import Options

_HIT = ("X-Cache", "HIT")
_FROM_MEMORY = (_HIT, ("Server-Timing", 'cache;desc="worker"'))
"""From the worker's own memory, which takes no time worth telling (W3C Server Timing, section 3)."""
ACCEPT_RANGES = ("Accept-Ranges", "bytes")


class Responder:
    """Answers with renditions."""

    def __init__(self, derivatives: Derivatives, *, caching: bool = True) -> None:
        """`caching`: whether there is any memory of renditions."""
        self._derivatives = derivatives
        self._missed = ("X-Cache", "MISS" if caching else "DISABLED")

    async def answer(
        self,
        request: BaseRequest,
        version: ObjectVersion,
        options: Options,
        headers: Sequence[Header],
        *,
        overlays: Sequence[Content] = (),
        download: str | None = None,
        instead: int | None = None,
        vary: str = "",
    ) -> Reply:
        """200, 206 or 304, with `headers`. `vary`: what else than Accept the answer depends on.

        `download` is the name to save it under. `instead` is the status of an error in whose place the picture is shown:
        then there are no conditions and no ranges. Raises PreconditionFailed, RangeNotSatisfiable, and what `Derivatives`
        raises.
        """
        asked = request._message.headers
        derivative = self._derivatives.plan(version, options, asked.get("Accept"), overlays)
        etag = derivative.etag
        named: list[Header] = [("ETag", f'"{etag}"'), *headers] if instead is None else list(headers)
        if options.f == "svg":
            named = [header for header in named if header != SANDBOX] + [DRAWING]
        if varies(options):
            named.append(("Vary", f"Accept, {vary}" if vary else "Accept"))
        elif vary:
            named.append(("Vary", vary))
        if instead is None and not_modified(request, etag):
            return Reply(304, named)
        rendition = self._derivatives.cached(derivative)
        if rendition is not None:
            named += _FROM_MEMORY
        else:
            started = perf_counter()
            rendition = await self._derivatives.render(derivative)
            if rendition.tier is None:
                named += (self._missed, ("Server-Timing", f'cache;desc="miss", render;dur={rendition.render_ms:.1f}'))
            else:
                took = (perf_counter() - started) * 1000
                named += (_HIT, ("Server-Timing", f'cache;desc="{rendition.tier}";dur={took:.1f}'))
        named.append(("Content-Type", rendition.media_type))
        if download is not None:
            named.append(("Content-Disposition", attachment(with_extension(download, rendition.media_type))))
        if instead is not None:
            return PiecesReply(instead, named, rendition.data)
        named.append(ACCEPT_RANGES)
        part = wanted_range(request, etag, len(rendition.data))
        if part is None:
            return PiecesReply(200, named, rendition.data)
        start, length = part
        named.append(("Content-Range", content_range(start, length, len(rendition.data))))
        return PiecesReply(206, named, rendition.data[start : start + length])


def not_modified(request: BaseRequest, etag: str) -> bool:
    """Whether the asker has it already: 304. `etag` has no quotes. Raises PreconditionFailed."""
    headers = request._message.headers
    none_match = headers.get("If-None-Match")
    match = headers.get("If-Match")
    if none_match is None and match is None:
        return False
    conditions = ReadConditions(
        if_match=None if match is None else parse_etags(match),
        if_none_match=None if none_match is None else parse_etags(none_match),
    )
    verdict = evaluate(conditions, etag=etag, modified=0, now=0)
    if verdict.failed:
        raise PreconditionFailed(verdict.value)
    return verdict is Verdict.NOT_MODIFIED


def wanted_range(request: BaseRequest, etag: str, size: int) -> tuple[int, int] | None:
    """Start and length of the run of `size` bytes that is asked for; None for the whole.

    An `If-Range` holds where it is this strong entity tag; a date never does, as renditions have none (RFC 9110, section
    13.1.5). Raises RangeNotSatisfiable.
    """
    headers = request._message.headers
    text = headers.get("Range")
    if text is None or request._method != "GET":
        return None
    if_range = headers.get("If-Range")
    if if_range is not None and if_range.strip() != f'"{etag}"':
        return None
    wanted = parse_range(text)
    return None if wanted is None else wanted.resolve(size)
