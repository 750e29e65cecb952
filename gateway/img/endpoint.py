"""The transform door: one request from URL to answer."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp.web import BaseRequest, StreamResponse

from gateway.http.boundary import CLIENT_CLOSED, deliver
from gateway.http.client_address import client_address
from gateway.http.incoming import Incoming
from gateway.http.reply import Reply
from gateway.img import info
from gateway.img.access import Access, Granted, Permit
from gateway.img.answer import Responder
from gateway.img.asked import Asked
from gateway.img.asker import Asker
from gateway.img.delivery import (
    ANY_ORIGIN,
    NO_STORE,
    PREFLIGHT,
    REVOCABLE,
    SAFETY,
    SHOWN_ANYWHERE,
    CachePolicy,
    Header,
    TagHeaders,
    cors,
)
from gateway.img.dialects.explain import Explainer, asked_about
from gateway.img.errors import CODES, ImageError, translate
from gateway.img.fallback import FALLBACK_CODES, Fallback
from gateway.img.limits import limits_of
from gateway.img.object_images import ObjectImages
from gateway.img.options_document import options_document
from gateway.img.overlays import Overlays
from gateway.img.srcset import Linker, document, parse_wanted
from gateway.img.stored_bytes import StoredBytes
from gateway.img.target import IMAGE, ImageById, ImageByKey, Target, parse_target
from gateway.model.buckets import Bucket
from gateway.model.objects import ObjectVersion
from gateway.render.client import RenderClient
from gateway.services import Services
from gateway.services.content_tag import rendition_tag
from gateway.services.derivatives import Derivatives
from gateway.services.images import is_image_id
from gateway.services.presets import Presets
from gateway.services.shares import Shares
from gateway.services.watermarks import Watermark
from gateway.settings.settings import Settings
from gateway.telemetry.request import RequestRecord
from signing.canonical import Query
from transforms.options import ImageRequest

if TYPE_CHECKING:
    from gateway.telemetry import Telemetry

LOG = logging.getLogger("pixgate.img")

OPERATION = "RenderImage"
VERB_OPERATIONS = {
    IMAGE: OPERATION,
    "info": "GetImageInfo",
    "placeholder": "GetImagePlaceholder",
    "srcset": "GetImageSrcset",
}
OPTIONS_OPERATION, EXPLAIN_OPERATION = "GetImageOptions", "ExplainImageUrl"
OPERATIONS = (*VERB_OPERATIONS.values(), OPTIONS_OPERATION, EXPLAIN_OPERATION)
"""What metrics and the log call a request of this door."""
ERROR_CODES = tuple(CODES)
OPTIONS_PATH, EXPLAIN_PATH = "/img/-/options", "/img/-/explain"
OPTIONS_AGE = 3600

_ON_ALL = (*SAFETY, SHOWN_ANYWHERE)

Parse = Callable[[BaseRequest], Target]


def parse_native(request: BaseRequest) -> Target:
    """A URL of our own. Raises AddressError, OptionError, LinkRefused."""
    message = request._message
    return parse_target(message.path, signed_header="Authorization" in message.headers)


class ImageEndpoint:
    """The door. `object_images` is what the S3 door calls for `x-img`."""

    def __init__(self, services: Services, settings: Settings, telemetry: Telemetry, render: RenderClient) -> None:
        self._telemetry = telemetry
        self._settings = settings
        self._directory = services.directory
        self._audit = services.audit
        self._objects = services.objects
        self._adopted = services.adopted
        self._proxies = settings.trusted_proxies
        self._policy = CachePolicy.of(settings)
        self._tags = TagHeaders(services.cache_tags, settings.image_cache_tags)
        self._presets = Presets(settings.image_presets)
        self._overlays = Overlays(services.watermarks, self._presets)
        self._access = Access(
            services.directory,
            services.objects,
            region=settings.region,
            hosts=settings.hosts,
            presets=self._presets,
            only_presets=settings.image_only_presets,
            shares=Shares(services.database),
            who=services.sessions.who,
        )
        self._explainer = Explainer(settings, services.directory, self._access, self._presets)
        self.derivatives = Derivatives(
            services.objects,
            services.stores,
            render,
            limits_of(settings),
            telemetry.metrics,
            services.cache,
            rendering=settings.rendering,
            pinned=services.pinned,
        )
        caching = settings.image_worker_cache_bytes or settings.image_memory_cache_bytes or services.cache
        self._responder = Responder(self.derivatives, caching=bool(caching))
        self._fallback = Fallback(settings, services.directory, services.objects, self._presets, self._responder)
        self._stored = StoredBytes(services.objects, services.stores)
        self.object_images = ObjectImages(self._responder, self._presets, self._overlays, settings.image_key_max_age)

    async def handle(self, request: BaseRequest) -> StreamResponse:
        """Answer a request for a URL of our own. The answer has been sent when this returns."""
        return await self.serve(request, parse_native)

    async def serve(self, request: BaseRequest, parse: Parse) -> StreamResponse:
        """Answer a request whose URL `parse` reads: everything behind that is the same for all dialects.

        `parse` raises AddressError, OptionError and LinkRefused.
        """
        record = RequestRecord(door="img", method=request._method, operation=OPERATION)
        telemetry = self._telemetry
        telemetry.begin()
        incoming = Incoming(request)
        try:
            try:
                reply = await self._answer(request, record, parse)
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

    async def _answer(self, request: BaseRequest, record: RequestRecord, parse: Parse) -> Reply:
        message = request._message
        headers = message.headers
        record.remote = client_address(request.remote, headers.getall("X-Forwarded-For", ()), self._proxies)
        method = message.method
        if method not in ("GET", "HEAD"):
            if method == "OPTIONS":
                return Reply(204, PREFLIGHT)
            raise ImageError("MethodNotAllowed", headers=(("Allow", "GET, HEAD, OPTIONS"),))
        if message.path.startswith("/img/-/"):
            fixed = await self._fixed(request, record)
            if fixed is not None:
                return fixed
        target = parse(request)
        record.operation = VERB_OPERATIONS[target.verb]
        if isinstance(target.address, ImageByKey):
            record.bucket = target.address.bucket
        now = time.time()
        await self._directory.refresh()
        asked = Asked(request, target, now)
        try:
            asker = asked.asker = await self._access.identify(
                target,
                method=method,
                authorization=headers.get("Authorization"),
                headers=headers,
                now=now,
                address=record.remote,
                referer=headers.get("Referer"),
            )
            key = asker.principal.access_key
            if key is not None:
                record.access_key = key.access_key
                # Addresses are opened by all who see a page: of them it is enough that the key is in use.
                self._audit.key_used(
                    key.access_key, key.account.id, record.remote if asker.in_person else None, now, "img"
                )
            permit = asked.permit = await self._access.permit(asker, target)
            record.bucket = permit.bucket.name
            version = permit.version or await self._objects.get(permit.bucket, permit.key)
            if version.content is None or not version.content.adopted:
                return await self._show(asked, asker, permit, version)
            by_id = isinstance(target.address, ImageById)
            return await self._adopted.shown(
                permit.bucket,
                version,
                version.version_id if by_id else None,
                lambda seen: self._show(asked, asker, permit, seen),
                image_id=version.image_id if by_id else None,
            )
        except Exception as error:
            # Anything not foreseen is for the boundary to log.
            known = translate(error)
            if known is None or known.code not in FALLBACK_CODES or target.verb != IMAGE or asked.asker is None:
                raise
            reply = await self._fallback.answer(asked, asked.asker, known)
            if reply is None:
                raise
            record.error_code = known.code
            return reply

    async def _show(self, asked: Asked, asker: Asker, permit: Permit, version: ObjectVersion) -> Reply:
        target = asked.target
        if target.verb != IMAGE:
            return await self._tell(asked, asker, permit, version)
        request, bucket = permit.request, permit.bucket
        options, delivery = request.options, request.delivery
        overlays: list[Watermark] = []
        if options.wm is not None:
            settled = target.by_presets
            overlays = await self._overlays.of(bucket, request, target.named, asker, by_settings=settled)
        pinned = False
        if delivery.v is not None:
            tag = self._tag(bucket, version, request, overlays)
            pinned = delivery.v == tag
            if not pinned:
                location = self._elsewhere(target, asker, tag)
                if location is not None:
                    return Reply(302, [("Location", location), NO_STORE, *SAFETY, ANY_ORIGIN])
        headers, vary = self._headers(asked, asker, permit, overlays, pinned=pinned)
        if delivery.v is not None and not pinned:
            # Who signs each request himself cannot be sent elsewhere. He gets the picture, and nobody keeps it.
            headers[0] = NO_STORE
        if delivery.raw:
            return await self._stored.answer(asked.request, version, headers, download=delivery.dl, vary=vary)
        contents = [one.version.content for one in overlays if one.version.content is not None]
        return await self._responder.answer(
            asked.request, version, options, headers, overlays=contents, download=delivery.dl, vary=vary
        )

    def _tag(
        self, bucket: Bucket, version: ObjectVersion, request: ImageRequest, overlays: list[Watermark]
    ) -> str | None:
        """What `v` must be; None where there is nothing to show."""
        if version.content is None:
            return None
        name = request.delivery.p
        uids = tuple(one.version.content.uid for one in overlays if one.version.content is not None)
        preset = None if name is None else self._presets.find(bucket)(name)
        return rendition_tag(version, request.options, preset=preset, overlays=uids)

    def _elsewhere(self, target: Target, asker: Asker, tag: str | None) -> str | None:
        """The URL with the right `v`, its signature valid; None where we cannot make one."""
        if tag is None:
            return None
        if target.signature is not None:
            path = target.signature.with_version(asker, tag)
        elif asker.principal.anonymous and "v" in {name for name, _ in target.pairs}:
            path = target.with_version(tag)
        else:
            return None
        return None if path is None else self._settings.link_base + path

    def _headers(
        self, asked: Asked, asker: Asker, permit: Permit, overlays: list[Watermark], *, pinned: bool = False
    ) -> tuple[list[Header], str]:
        """Cache-Control first, then what else all answers with pictures carry; and what they vary on besides Accept."""
        public = permit.public and not asker.bound
        left = None if asker.expires is None else asker.expires - int(asked.now)
        # A watermark that is named by its key may be overwritten, whatever the picture under it is named by.
        mark = permit.request.options.wm
        lasting = mark is None or is_image_id(mark)
        by_id = lasting and isinstance(asked.target.address, ImageById)
        if permit.shared:
            control = REVOCABLE
        else:
            told = lasting or not permit.bucket.images.purge or all(one.bucket.images.purge for one in overlays)
            control = self._policy.header(by_id=by_id, public=public, pinned=pinned, left=left, told=told)
        sharing, varies = cors(permit.bucket, asked.request._message.headers.get("Origin"))
        headers: list[Header] = [("Cache-Control", control), *_ON_ALL, *sharing]
        if public and self._tags:
            made_of = ((one.bucket.id, one.version.key) for one in overlays)
            headers += self._tags.of((permit.bucket.id, permit.key), *made_of)
        return headers, "Origin" if varies else ""

    async def _tell(self, asked: Asked, asker: Asker, permit: Permit, version: ObjectVersion) -> Reply:
        """Info, placeholder and srcset."""
        target = asked.target
        headers, vary = self._headers(asked, asker, permit, [])
        if vary:
            headers.append(("Vary", vary))
        if target.verb == "srcset":
            return await self._srcset(asked, asker, permit, version, headers)
        granted = Granted(permit.bucket, version, permit.request, permit.public, permit.reader)
        handler = info.info if target.verb == "info" else info.placeholder
        return await handler(self.derivatives, asked.request, granted, headers, target.pairs)

    async def _srcset(
        self, asked: Asked, asker: Asker, permit: Permit, version: ObjectVersion, headers: list[Header]
    ) -> Reply:
        wanted = parse_wanted(asked.target.pairs)
        bucket = permit.bucket
        linker = Linker(
            base=self._settings.link_base,
            bucket=bucket,
            target=asked.target,
            asker=asker,
            find_preset=self._presets.find(bucket),
            only_presets=self._access.only_presets(bucket),
            now=asked.now,
            image_id=version.image_id,
        )
        overlays: list[Watermark] = []
        common = linker.parse(wanted.pairs)
        if common.options.wm is not None:
            named = frozenset(name for name, _ in wanted.pairs)
            overlays = await self._overlays.of(bucket, common, named, asker)
        found = document(linker, wanted, lambda one: self._tag(bucket, version, one, overlays) or "")
        if permit.reader:
            headers[0] = NO_STORE
        return Reply(200, [*headers, ("Content-Type", "application/json")], json.dumps(found).encode() + b"\n")

    async def _fixed(self, request: BaseRequest, record: RequestRecord) -> Reply | None:
        """What is about no image, or about a URL; None for the path of an image."""
        path, _, query = request._message.path.partition("?")
        if path == OPTIONS_PATH:
            record.operation = OPTIONS_OPERATION
            body, control = options_document(), f"public, max-age={OPTIONS_AGE}"
        elif path == EXPLAIN_PATH:
            record.operation = EXPLAIN_OPERATION
            body, control = await self._explained(request, query), "no-store"
        else:
            return None
        headers = [("Content-Type", "application/json"), ("Cache-Control", control), *SAFETY, ANY_ORIGIN]
        return Reply(200, headers, body)

    async def _explained(self, request: BaseRequest, query_text: str) -> bytes:
        """How the URL in the query is read. Who asks may sign as S3 does."""
        message = request._message
        query = Query(query_text.encode("utf-8", "surrogateescape"))
        urls = [value for name, value in query.pairs if name == "url"]
        if len(urls) != 1:
            raise ImageError("InvalidRequest", "The parameter url holds the URL to explain, percent-encoded.")
        now = time.time()
        await self._directory.refresh()
        asker = await self._access.identify(
            asked_about(EXPLAIN_PATH.encode(), query),
            method=message.method,
            authorization=message.headers.get("Authorization"),
            headers=message.headers,
            now=now,
        )
        return json.dumps(await self._explainer.explain(urls[0], asker, now)).encode() + b"\n"


def _refusal(record: RequestRecord, error: Exception) -> Reply:
    known = translate(error)
    if known is None or known.code == "InternalError":
        LOG.error("request %s failed", record.request_id, exc_info=error)
        known = ImageError("InternalError")
    record.error_code = known.code
    return Reply(
        known.status,
        [("Content-Type", "application/json"), NO_STORE, *SAFETY, ANY_ORIGIN, *known.headers],
        known.document(),
    )
