"""The S3 door: a request becomes a call, the call an answer."""

from __future__ import annotations

import base64
import hashlib
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from aiohttp.web import BaseRequest, StreamResponse

from gateway.auth.authenticate import NOBODY, Authentication, Authenticator
from gateway.http.boundary import CLIENT_CLOSED, deliver
from gateway.http.client_address import client_address
from gateway.http.cross_origin import origin_of
from gateway.http.incoming import Incoming
from gateway.http.ranges import RangeNotSatisfiable
from gateway.http.reply import Reply
from gateway.model.buckets import Bucket
from gateway.model.objects import ObjectVersion
from gateway.policy.decide import decide
from gateway.policy.principal import Principal
from gateway.policy.scope import reaches
from gateway.render.errors import RenderError
from gateway.s3.address import SERVICE, Address, parse_address, split_target
from gateway.s3.asked import refuse_unbuilt
from gateway.s3.bearer import check_user
from gateway.s3.call import Call
from gateway.s3.checksum_headers import BODY_MODES
from gateway.s3.derived_views import shown_bucket, view_handler
from gateway.s3.error_document import error_document
from gateway.s3.errors import S3Error, translate
from gateway.s3.image_errors import image_error
from gateway.s3.key_scope import scope_of
from gateway.s3.operation import BodyKind, Level, Operation
from gateway.s3.part_pages import PartPages
from gateway.s3.render import XML_TYPE
from gateway.s3.resolve import resolve
from gateway.services import Services
from gateway.services.buckets import check_bucket_name
from gateway.services.objects import Ahead
from gateway.services.renditions import Renditions, View
from gateway.settings.settings import Settings
from gateway.telemetry.request import RequestRecord
from signing.canonical import Query, header_map
from signing.sigv4.payload import PayloadMode
from transforms.errors import TransformError

if TYPE_CHECKING:
    from gateway.telemetry import Telemetry

LOG = logging.getLogger("pixgate.s3")

_SIGNING_PARAMETERS = frozenset(
    {
        "x-amz-algorithm",
        "x-amz-content-sha256",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
    }
)
_NO_PARAMETERS: Mapping[str, str] = {}


class ImageResponder(Protocol):
    """Answers `GET /bucket/key?x-img=...` for a version that `principal` may read. `options` is the parameter's value."""

    async def __call__(
        self, request: BaseRequest, bucket: Bucket, version: ObjectVersion, options: str, principal: Principal
    ) -> StreamResponse: ...


class S3Endpoint:
    """The door. `image_responder` renders; without one `x-img` is not implemented. `renditions` are what views show."""

    def __init__(
        self,
        services: Services,
        settings: Settings,
        telemetry: Telemetry,
        *,
        image_responder: ImageResponder | None = None,
        renditions: Renditions | None = None,
    ) -> None:
        self._services = services
        self._settings = settings
        self._telemetry = telemetry
        self._image_responder = image_responder
        self._renditions = renditions
        self._domains = tuple(settings.domain)
        self._proxies = settings.trusted_proxies
        self._part_pages = PartPages(services, settings) if settings.cors_origins else None
        hosts = settings.hosts
        self.authenticator = Authenticator(
            services.directory.access_key, region=settings.region, hosts=hosts, who=services.sessions.who
        )
        self._host_id = base64.b64encode(hashlib.sha256(b"pixgate " + settings.region.encode()).digest()).decode()

    async def handle(self, request: BaseRequest) -> StreamResponse:
        """Answer a request. The answer has been sent when this returns."""
        record = RequestRecord(method=request._method, remote=self._remote(request))
        telemetry = self._telemetry
        telemetry.begin()
        incoming = Incoming(request)
        try:
            try:
                reply = await self._answer(request, record, incoming)
            except Exception as error:  # noqa: BLE001 -- the boundary: whatever it is, the client gets an answer and the log one line
                reply = self._refusal(request, record, error)
            if isinstance(reply, Reply):
                reply.header_list.insert(0, ("x-amz-request-id", record.request_id))
                reply.header_list.insert(1, ("x-amz-id-2", self._host_id))
                if self._part_pages is not None and request._method == "PUT" and "Origin" in request._message.headers:
                    origin = origin_of(request._message.headers.getall("Origin"))
                    await self._part_pages.mark(reply, origin, split_target(request._message.path)[1])
            try:
                await deliver(request, reply, incoming, record)
            except ConnectionError:
                record.status = CLIENT_CLOSED
            except Exception as error:
                # Nothing has been sent yet: what sends raises only before its first byte, or cuts the line.
                if request._payload_writer.output_size:
                    raise
                reply = self._refusal(request, record, error)
                assert isinstance(reply, Reply)
                reply.header_list.insert(0, ("x-amz-request-id", record.request_id))
                await deliver(request, reply, incoming, record)
            return reply
        finally:
            record.bytes_in = incoming.received
            telemetry.finish(record)

    def _remote(self, request: BaseRequest) -> str | None:
        peer = request._transport_peername
        address = peer[0] if isinstance(peer, tuple) else None
        if not self._proxies:
            return address
        return client_address(address, request._message.headers.getall("X-Forwarded-For", ()), self._proxies)

    async def _answer(self, request: BaseRequest, record: RequestRecord, incoming: Incoming) -> Reply | StreamResponse:
        message = request._message
        services = self._services
        raw_path, raw_query = split_target(message.path)
        sent_headers = message.headers
        headers = header_map(sent_headers)
        address = parse_address(raw_path, headers.get("host", ""), self._domains)
        record.bucket = address.bucket
        if raw_query:
            query = Query(raw_query.encode("utf-8", "surrogateescape"))
            parameters: Mapping[str, str] = dict(query.pairs)
            if "X-Amz-Signature" in parameters:
                _hoist(query, headers)
        else:
            query = _EMPTY_QUERY
            parameters = _NO_PARAMETERS
        operation = resolve(message.method, _level(address), parameters, headers)
        record.operation = operation.name

        now = time.time()
        authentication = NOBODY
        bucket: Bucket | None = None
        view: View | None = None
        ahead: Ahead | None = None
        if not operation.public:
            read = operation.name in _READS
            ahead = await services.objects.refresh(address.bucket if read else None, address.key if read else None)
            authentication = await self.authenticator.authenticate(
                method=message.method,
                raw_path=raw_path.encode("utf-8", "surrogateescape"),
                query=query,
                parameters=parameters,
                authorization=headers.get("authorization"),
                headers=sent_headers,
                now=now,
            )
            bucket, view = await self._authorise(operation, address, parameters, headers, authentication, record, now)
        handler = operation.handler if view is None else view_handler(operation, view)
        if handler is None:
            raise S3Error("NotImplemented", f"{operation.name} is not implemented")
        if len(headers) > 2:
            refuse_unbuilt(headers)
        expect = headers.get("expect")
        if expect is not None and expect.lower() != "100-continue":
            raise S3Error("ExpectationFailed")
        if operation.body is not BodyKind.NONE:
            record.body_mode = _body_mode(authentication)

        call = Call(
            request=request,
            record=record,
            services=services,
            settings=self._settings,
            operation=operation,
            bucket_name=address.bucket,
            raw_key=address.key,
            parameters=parameters,
            headers=headers,
            authentication=authentication,
            resolved_bucket=bucket,
            now=now,
            incoming=incoming,
            resource=raw_path,
            host_id=self._host_id,
            ahead=ahead,
            view=view,
            renditions=self._renditions,
        )
        if view is None and "x-img" in parameters and operation.name in ("GetObject", "HeadObject"):
            return await self._image(call)
        return await handler(call)

    async def _authorise(
        self,
        operation: Operation,
        address: Address,
        parameters: Mapping[str, str],
        headers: Mapping[str, str],
        authentication: Authentication,
        record: RequestRecord,
        now: float,
    ) -> tuple[Bucket | None, View | None]:
        """The bucket, which may be used so, and the view that it stands for where it is none. Raises S3Error NoSuchBucket, InvalidBucketName, AccessDenied."""
        principal = authentication.principal
        key = principal.access_key
        if key is None:
            check_user(principal)
        else:
            record.access_key = key.access_key
            self._services.audit.key_used(
                key.access_key, key.account.id, None if authentication.presigned else record.remote, now, "s3"
            )
        view = None
        if address.bucket is None or operation.name == "CreateBucket":
            bucket = None
        else:
            bucket = await self._services.directory.bucket(address.bucket)
            if bucket is None:
                check_bucket_name(address.bucket)
                view = None if self._renditions is None else await self._renditions.view(address.bucket)
                if view is None:
                    raise S3Error("NoSuchBucket")
                bucket = shown_bucket(view)
        if key is None or key.scope is None:
            allowed = decide(principal, operation.permission_for(parameters), bucket)
        else:
            permission, place = scope_of(operation, parameters, address.key)
            allowed = reaches(key.scope, record.remote)
            allowed = allowed and decide(principal, permission, bucket if view is None else view.bucket, place)
        if not allowed:
            raise S3Error("AccessDenied")
        expected = headers.get("x-amz-expected-bucket-owner")
        if expected is not None and bucket is not None and not _is_owner(expected, bucket):
            raise S3Error("AccessDenied")
        return bucket, view

    async def _image(self, call: Call) -> StreamResponse:
        if self._image_responder is None:
            raise S3Error("NotImplemented", "Rendering images is not available here", fields=(("Parameter", "x-img"),))
        version = await call.version()
        responder = self._image_responder

        async def show(version: ObjectVersion) -> StreamResponse:
            return await responder(
                call.request, call.bucket, version, call.parameters["x-img"], call.authentication.principal
            )

        try:
            if version.content is None or not version.content.adopted:
                return await show(version)
            return await call.services.adopted.shown(call.bucket, version, call.version_id(), show)
        except (TransformError, RenderError) as error:
            raise image_error(error) from error
        except RangeNotSatisfiable as error:
            headers = (("Content-Range", f"bytes */{error.size}"),)
            raise S3Error("InvalidRange", fields=(("ActualObjectSize", str(error.size)),), headers=headers) from None

    def _refusal(self, request: BaseRequest, record: RequestRecord, error: Exception) -> Reply:
        known = translate(error)
        if known is None:
            LOG.error("request %s failed", record.request_id, exc_info=error)
            known = S3Error("InternalError")
        record.error_code = known.code
        known.fields += self._about(known.code, request)
        document = error_document(
            known,
            bucket=record.bucket,
            resource=_resource(request),
            request_id=record.request_id,
            host_id=self._host_id,
        )
        return Reply(known.status, [XML_TYPE, *known.headers], document, close=known.close)

    def _about(self, code: str, request: BaseRequest) -> tuple[tuple[str, str], ...]:
        """What an error is about, as S3 tells it."""
        wanted = _ABOUT.get(code)
        if wanted is None:
            return ()
        raw_path, raw_query = split_target(request._message.path)
        parameters = dict(Query(raw_query.encode("utf-8", "surrogateescape")).pairs)
        key = parse_address(raw_path, request._message.headers.get("Host", ""), self._domains).key or b""
        known = {
            "Key": key.decode(),
            "VersionId": parameters.get("versionId", ""),
            "UploadId": parameters.get("uploadId", ""),
        }
        return tuple((name, known[name]) for name in wanted)


_ABOUT = {"NoSuchKey": ("Key",), "NoSuchVersion": ("Key", "VersionId"), "NoSuchUpload": ("UploadId",)}
_READS = frozenset({"GetObject", "HeadObject"})
_EMPTY_QUERY = Query(b"")


def _level(address: Address) -> Level:
    if address is SERVICE:
        return Level.SERVICE
    return Level.BUCKET if address.key is None else Level.OBJECT


def _hoist(query: Query, headers: dict[str, str]) -> None:
    """Take `x-amz-*` parameters of a presigned URL as headers: SDKs put them there, and the signature covers them."""
    for name, value in query.pairs:
        lower = name.lower()
        if lower.startswith("x-amz-") and lower not in _SIGNING_PARAMETERS:
            headers.setdefault(lower, value)


def _body_mode(authentication: Authentication) -> str:
    verified = authentication.verified
    if verified is None or (verified.presigned and verified.payload.mode is PayloadMode.UNSIGNED):
        return "plain"
    return BODY_MODES[verified.payload.mode]


def _is_owner(expected: str, bucket: Bucket) -> bool:
    return expected in (bucket.owner.canonical_id, bucket.owner.name)


def _resource(request: BaseRequest) -> str:
    path = request._message.path.partition("?")[0]
    return unquote(path, errors="replace")[:2048]
