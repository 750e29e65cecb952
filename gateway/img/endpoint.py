"""The transform door: one request from URL to answer."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp.web import BaseRequest, StreamResponse

from gateway.config import Settings
from gateway.http.boundary import CLIENT_CLOSED, deliver
from gateway.http.client_address import client_address
from gateway.http.incoming import Incoming
from gateway.http.reply import Reply
from gateway.img.access import Access, Asker, Granted
from gateway.img.answer import SAFETY, ObjectImages, Responder
from gateway.img.errors import CODES, ImageError, translate
from gateway.img.target import ImageById, Target, parse_target
from gateway.render.client import RenderClient
from gateway.services import Services
from gateway.services.derivatives import Derivatives
from gateway.telemetry.request import RequestRecord
from transforms.limits import Limits

if TYPE_CHECKING:
    from gateway.telemetry import Telemetry

LOG = logging.getLogger("pixgate.img")

OPERATION = "RenderImage"
OPERATIONS = (OPERATION,)
"""What metrics and the log call a request of this door."""
ERROR_CODES = tuple(CODES)


def limits_of(settings: Settings) -> Limits:
    """The bounds on images that the settings give."""
    pixels = int(settings.image_max_megapixels * 1_000_000)
    return Limits(source_bytes=settings.image_max_bytes, source_pixels=pixels, output_pixels=pixels)


class ImageEndpoint:
    """The door. `object_images` is what the S3 door calls for `x-img`."""

    def __init__(self, services: Services, settings: Settings, telemetry: Telemetry, render: RenderClient) -> None:
        self._telemetry = telemetry
        self._directory = services.directory
        self._adopted = services.adopted
        self._proxies = settings.trusted_proxies
        self._id_age = settings.image_max_age
        self._key_age = settings.image_key_max_age
        hosts = (urlsplit(settings.public_url).netloc,) if settings.public_url else ()
        self._access = Access(services.directory, services.objects, region=settings.region, hosts=hosts)
        derivatives = Derivatives(
            services.objects, services.stores, render, limits_of(settings), telemetry.metrics, services.cache
        )
        caching = settings.image_worker_cache_bytes or settings.image_memory_cache_bytes or services.cache
        self._responder = Responder(derivatives, caching=bool(caching))
        self.object_images = ObjectImages(self._responder, settings.image_key_max_age)

    async def handle(self, request: BaseRequest) -> StreamResponse:
        """Answer a request. The answer has been sent when this returns."""
        record = RequestRecord(door="img", method=request._method, operation=OPERATION)
        telemetry = self._telemetry
        telemetry.begin()
        incoming = Incoming(request)
        try:
            try:
                reply = await self._answer(request, record)
            except Exception as error:  # noqa: BLE001 -- the boundary: the client gets an answer and the log one line
                reply = _refusal(record, error)
            reply.header_list.append(("x-amz-request-id", record.request_id))
            try:
                await deliver(request, reply, incoming, record)
            except ConnectionError:
                record.status = CLIENT_CLOSED
            return reply
        finally:
            record.bytes_in = incoming.received
            telemetry.finish(record)

    async def _answer(self, request: BaseRequest, record: RequestRecord) -> Reply:
        message = request._message
        headers = message.headers
        record.remote = client_address(request.remote, headers.getall("X-Forwarded-For", ()), self._proxies)
        if message.method not in ("GET", "HEAD"):
            raise ImageError("MethodNotAllowed", headers=(("Allow", "GET, HEAD"),))
        authorization = headers.get("Authorization")
        target = parse_target(message.path, signed_header=authorization is not None)
        now = time.time()
        await self._directory.refresh()
        asker = await self._access.identify(
            target, method=message.method, authorization=authorization, headers=headers, now=now
        )
        key = asker.principal.access_key
        if key is not None:
            record.access_key = key.access_key
        granted = await self._access.find(asker, target)
        record.bucket = granted.bucket.name
        version = granted.version
        cache_control = self._cache_control(target, asker, granted, now)
        if version.content is None or not version.content.adopted:
            return await self._responder.answer(request, version, target.options, cache_control)
        by_id = isinstance(target.address, ImageById)
        return await self._adopted.shown(
            granted.bucket,
            version,
            version.version_id if by_id else None,
            lambda seen: self._responder.answer(request, seen, target.options, cache_control),
            image_id=version.image_id if by_id else None,
        )

    def _cache_control(self, target: Target, asker: Asker, granted: Granted, now: float) -> str:
        """How long others may show this without asking again: what a key means changes, what an id means only ends."""
        age = self._id_age if isinstance(target.address, ImageById) else self._key_age
        if asker.expires is not None:
            age = max(0, min(age, asker.expires - int(now)))
        return f"{'public' if granted.public else 'private'}, max-age={age}"


def _refusal(record: RequestRecord, error: Exception) -> Reply:
    known = translate(error)
    if known is None or known.code == "InternalError":
        LOG.error("request %s failed", record.request_id, exc_info=error)
        known = ImageError("InternalError")
    record.error_code = known.code
    return Reply(
        known.status,
        [("Content-Type", "application/json"), ("Cache-Control", "no-store"), *SAFETY, *known.headers],
        known.document(),
    )
