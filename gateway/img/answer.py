"""From a version and options to an answer: ETag, 304, memory, render. Who asks has been settled before."""

from __future__ import annotations

from aiohttp.web import BaseRequest

from gateway.http.conditions import Verdict, evaluate, parse_etags
from gateway.http.reply import Reply
from gateway.img.errors import ImageError
from gateway.model import Bucket, ObjectVersion, ReadConditions
from gateway.services.derivatives import Derivatives
from gateway.telemetry.request import RequestRecord
from transforms.negotiate import varies
from transforms.options import Options, parse_compact

SAFETY = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
)
"""What every answer of this door carries: nothing in it is ever run."""
_SHOWN_ANYWHERE = ("Cross-Origin-Resource-Policy", "cross-origin")

Header = tuple[str, str]


class Responder:
    """Answers with renditions."""

    def __init__(self, derivatives: Derivatives) -> None:
        self._derivatives = derivatives

    async def answer(self, request: BaseRequest, version: ObjectVersion, options: Options, cache_control: str) -> Reply:
        """200 or 304. Raises ImageError PreconditionFailed, and what `Derivatives` raises."""
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
                raise ImageError("PreconditionFailed")
            if verdict is Verdict.NOT_MODIFIED:
                return Reply(304, named)
        rendition = self._derivatives.cached(derivative)
        if rendition is None:
            rendition = await self._derivatives.render(derivative)
        named.append(("Content-Type", rendition.media_type))
        named.append(("X-Cache", "HIT" if rendition.cached else "MISS"))
        return Reply(200, named, rendition.data)


class ObjectImages:
    """`GET /bucket/key?x-img=w:400,f:webp`, for the S3 door, which has authorised it as a GetObject.

    Raises what `Derivatives` raises, and OptionError; the S3 door says it in its own words.
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
        return await self._responder.answer(request, version, parse_compact(options), self._cache_control)


def _verdict(match: str | None, none_match: str | None, etag: str) -> Verdict:
    conditions = ReadConditions(
        if_match=None if match is None else parse_etags(match),
        if_none_match=None if none_match is None else parse_etags(none_match),
    )
    return evaluate(conditions, etag=etag, modified=0, now=0)
