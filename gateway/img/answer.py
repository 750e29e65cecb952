"""From a version and options to an answer: ETag, 304, memory, render. Who asks has been settled before."""

from __future__ import annotations

from time import perf_counter

from aiohttp.web import BaseRequest

from gateway.errors import PreconditionFailed
from gateway.http.conditions import Verdict, evaluate, parse_etags
from gateway.http.reply import Reply, drain, write
from gateway.model import Bucket, ObjectVersion, ReadConditions
from gateway.services.derivatives import Derivatives
from gateway.telemetry.request import RequestRecord
from signing.canonical import Query
from transforms.errors import OptionError
from transforms.negotiate import varies
from transforms.options import Options, parse_compact

SAFETY = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
)
"""What every answer of this door carries: nothing in it is ever run."""
_SHOWN_ANYWHERE = ("Cross-Origin-Resource-Policy", "cross-origin")

_HIT = ("X-Cache", "HIT")
_FROM_MEMORY = (_HIT, ("Server-Timing", 'cache;desc="worker"'))
"""From the worker's own memory, which takes no time worth telling (W3C Server Timing, section 3)."""

PIECE = 128 * 1024
"""Bytes that are handed to a connection at once."""

Header = tuple[str, str]


class Responder:
    """Answers with renditions."""

    def __init__(self, derivatives: Derivatives, *, caching: bool = True) -> None:
        """`caching`: whether there is any memory of renditions."""
        self._derivatives = derivatives
        self._missed = ("X-Cache", "MISS" if caching else "DISABLED")

    async def answer(self, request: BaseRequest, version: ObjectVersion, options: Options, cache_control: str) -> Reply:
        """200 or 304. Raises PreconditionFailed, and what `Derivatives` raises."""
        headers = request._message.headers
        derivative = self._derivatives.plan(version, options, headers.get("Accept"))
        etag = derivative.etag
        named: list[Header] = [("ETag", f'"{etag}"'), ("Cache-Control", cache_control), *SAFETY, _SHOWN_ANYWHERE]
        if varies(options):
            named.append(("Vary", "Accept"))
        none_match = headers.get("If-None-Match")
        match = headers.get("If-Match")
        if none_match is not None or match is not None:
            verdict = _verdict(match, none_match, etag)
            if verdict.failed:
                raise PreconditionFailed(verdict.value)
            if verdict is Verdict.NOT_MODIFIED:
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
        return RenditionReply(200, named, rendition.data)


class RenditionReply(Reply):
    """Sends a large body in pieces that share its memory, so that a slow reader holds one picture and no copy of it."""

    async def send(self, request: BaseRequest) -> int:
        body = self.body
        if len(body) <= PIECE or request._method == "HEAD":
            return await super().send(request)
        self.begin(request)
        whole = memoryview(body)
        for start in range(0, len(body), PIECE):
            piece = whole[start : start + PIECE]
            write(request, piece)
            self.sent += len(piece)
            await drain(request)
        self.finished(len(body))
        return len(body)


class ObjectImages:
    """`GET /bucket/key?x-img=w:400,f:webp`, for the S3 door, which has authorised it as a GetObject.

    Raises what `Derivatives` raises, OptionError and PreconditionFailed; the S3 door says it in its own words.
    """

    def __init__(self, responder: Responder, max_age: int) -> None:
        self._responder = responder
        self._cache_control = f"private, max-age={max_age}"

    async def __call__(
        self,
        request: BaseRequest,
        bucket: Bucket,  # noqa: ARG002 -- the S3 door's protocol
        version: ObjectVersion,
        options: str,
        record: RequestRecord,  # noqa: ARG002 -- likewise
    ) -> Reply:
        _refuse_combinations(request._message.path.partition("?")[2])
        return await self._responder.answer(request, version, parse_compact(options), self._cache_control)


def _refuse_combinations(query: str) -> None:
    """What GetObject does with these it does to the object's own bytes and headers, of which nothing is left here."""
    for name, _ in Query(query.encode("utf-8", "surrogateescape")).pairs:
        if name == "partNumber" or name.startswith("response-"):
            raise OptionError(name, "nothing of the kind beside x-img", "cannot be combined with it")


def _verdict(match: str | None, none_match: str | None, etag: str) -> Verdict:
    conditions = ReadConditions(
        if_match=None if match is None else parse_etags(match),
        if_none_match=None if none_match is None else parse_etags(none_match),
    )
    return evaluate(conditions, etag=etag, modified=0, now=0)
