"""`GET /bucket/key?x-img=w:400,f:webp`: renditions on the S3 door, for whoever may GetObject."""

from __future__ import annotations

from aiohttp.web import BaseRequest

from gateway.http.reply import Reply
from gateway.img.answer import Responder
from gateway.img.asker import Asker
from gateway.img.delivery import SAFETY, SHOWN_ANYWHERE, Header
from gateway.img.overlays import Overlays
from gateway.model.buckets import Bucket
from gateway.model.objects import ObjectVersion
from gateway.policy.principal import Principal
from gateway.services.presets import Presets
from signing.canonical import Query
from transforms.errors import OptionError
from transforms.options import ImageRequest, compact_pairs, parse_request


class ObjectImages:
    """What the S3 door calls once it has authorised the request as a GetObject.

    Raises what `Derivatives` raises, OptionError, PreconditionFailed and RangeNotSatisfiable; the S3 door says it in its
    own words.
    """

    def __init__(self, responder: Responder, presets: Presets, overlays: Overlays, max_age: int) -> None:
        self._responder = responder
        self._presets = presets
        self._overlays = overlays
        self._headers: tuple[Header, ...] = (("Cache-Control", f"private, max-age={max_age}"), *SAFETY, SHOWN_ANYWHERE)

    async def __call__(
        self, request: BaseRequest, bucket: Bucket, version: ObjectVersion, options: str, principal: Principal
    ) -> Reply:
        _refuse_combinations(request._message.path.partition("?")[2])
        pairs = compact_pairs(options)
        asked = parse_request(pairs, self._presets.find(bucket))
        _refuse_delivery(asked)
        overlays = []
        if asked.options.wm is not None:
            named = frozenset(name for name, _ in pairs)
            # Of what is hidden this door shows the very object, by presigned addresses as well.
            overlays = await self._overlays.of(bucket, asked, named, Asker(principal))
        contents = [one.version.content for one in overlays if one.version.content is not None]
        return await self._responder.answer(request, version, asked.options, self._headers, overlays=contents)


def _refuse_combinations(query: str) -> None:
    """What GetObject does with these it does to the object's own bytes and headers, of which nothing is left here."""
    for name, _ in Query(query.encode("utf-8", "surrogateescape")).pairs:
        if name == "partNumber" or name.startswith("response-"):
            raise OptionError(name, "nothing of the kind beside x-img", "cannot be combined with it")


def _refuse_delivery(asked: ImageRequest) -> None:
    """GetObject has ways of its own for these."""
    delivery = asked.delivery
    for name, given in (("v", delivery.v), ("dl", delivery.dl), ("raw", delivery.raw)):
        if given:
            raise OptionError(name, "an option about pixels, or a preset of such", "is not available here")
