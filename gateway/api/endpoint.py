"""The JSON door: a request becomes a call of one of the table's operations, the call an answer."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from aiohttp.web import BaseRequest, StreamResponse
from pydantic import BaseModel, ValidationError

from gateway.api.answer import JSON_HEADERS
from gateway.api.call import Call
from gateway.api.cors import Cors
from gateway.api.errors import ApiError, translate
from gateway.api.operation import JSON_BYTES, Access, Body, Operation
from gateway.api.parts import Parts
from gateway.api.table import resolve
from gateway.api.text import is_text
from gateway.auth.authenticate import NOBODY, Authentication, Authenticator
from gateway.errors import Sha256Mismatch
from gateway.http.boundary import CLIENT_CLOSED, deliver
from gateway.http.client_address import client_address
from gateway.http.cross_origin import origin_of
from gateway.http.incoming import Incoming
from gateway.http.reply import Reply
from gateway.model.accounts import KeyScope
from gateway.policy.scope import reaches
from gateway.services import Services
from gateway.settings.settings import Settings
from gateway.telemetry.request import RequestRecord
from signing.canonical import Query, header_map

if TYPE_CHECKING:
    from gateway.telemetry import Telemetry

LOG = logging.getLogger("pixgate.api")

PREFLIGHT = "Preflight"
NOT_FOUND = "NotFound"
OTHER_OPERATIONS = (PREFLIGHT, NOT_FOUND)
"""What metrics and log call requests that are no operation of the table."""


class ApiEndpoint:
    """The door. The answer has been sent when `handle` returns."""

    def __init__(self, services: Services, settings: Settings, telemetry: Telemetry, parts: Parts) -> None:
        self._services = services
        self._settings = settings
        self._telemetry = telemetry
        self._parts = parts
        self._proxies = settings.trusted_proxies
        self._cors = Cors.of(settings)
        self.authenticator = Authenticator(
            services.directory.access_key, region=settings.region, hosts=settings.hosts, who=services.sessions.who
        )

    async def handle(self, request: BaseRequest) -> StreamResponse:
        record = RequestRecord(door="api", method=request._method, remote=self._remote(request), operation=NOT_FOUND)
        self._telemetry.begin()
        incoming = Incoming(request)
        try:
            try:
                reply = await self._answer(request, record, incoming)
            except Exception as error:  # noqa: BLE001 -- the boundary: whatever it is, the client gets an answer and the log one line
                reply = self._refusal(record, error)
            if isinstance(reply, Reply):
                self._complete(request, reply, record)
            try:
                await deliver(request, reply, incoming, record)
            except ConnectionError:
                record.status = CLIENT_CLOSED
            except Exception as error:
                # Nothing has been sent yet: what sends raises only before its first byte, or cuts the line.
                if request._payload_writer.output_size:
                    raise
                reply = self._refusal(record, error)
                self._complete(request, reply, record)
                await deliver(request, reply, incoming, record)
            return reply
        finally:
            record.bytes_in = incoming.received
            self._telemetry.finish(record)

    def _complete(self, request: BaseRequest, reply: Reply, record: RequestRecord) -> None:
        """What every answer carries."""
        reply.header_list.insert(0, ("X-Request-Id", record.request_id))
        if self._cors.concerns(request._message.path.partition("?")[0]):
            self._cors.mark(reply.header_list, origin_of(request._message.headers.getall("Origin", ())))

    def _remote(self, request: BaseRequest) -> str | None:
        forwarded = request._message.headers.getall("X-Forwarded-For", ()) if self._proxies else ()
        return client_address(request.remote, forwarded, self._proxies)

    async def _answer(self, request: BaseRequest, record: RequestRecord, incoming: Incoming) -> StreamResponse:
        message = request._message
        raw_path, _, raw_query = message.path.partition("?")
        path = _decoded(raw_path)
        if message.method == "OPTIONS" and self._cors.concerns(path):
            record.operation = PREFLIGHT
            asked = message.headers.get("Access-Control-Request-Method")
            return self._cors.preflight(message.headers.get("Origin"), asked)
        operation, places = resolve(message.method, path)
        record.operation = operation.name
        headers = header_map(message.headers)
        now = time.time()
        await self._services.directory.refresh()
        authentication = NOBODY
        if operation.access is not Access.ANYBODY:
            authentication = await self._identify(request, raw_path, raw_query, headers, now)
        self._admit(operation, authentication, record, now)
        verified = authentication.verified
        if verified is not None and verified.payload.mode.chunked and operation.body_kind is not Body.NONE:
            raise ApiError(
                "INVALID_REQUEST", "A body in signed chunks is for the S3 door: sign its SHA-256, or nothing."
            )
        expect = headers.get("expect")
        if expect is not None and expect.lower() != "100-continue":
            raise ApiError("EXPECTATION_FAILED")
        call = Call(
            request=request,
            record=record,
            incoming=incoming,
            services=self._services,
            settings=self._settings,
            parts=self._parts,
            operation=operation,
            places=places,
            headers=headers,
            raw_query=raw_query,
            authentication=authentication,
            now=now,
        )
        if operation.query is not None:
            call.query = validated(operation.query, dict(parse_qsl(raw_query, keep_blank_values=True)), "query")
        if operation.body_kind in (Body.JSON, Body.FORM):
            call.body = await self._body(call)
        return await operation.handler(call)

    async def _identify(
        self, request: BaseRequest, raw_path: str, raw_query: str, headers: Mapping[str, str], now: float
    ) -> Authentication:
        message = request._message
        query = Query(raw_query.encode("utf-8", "surrogateescape"))
        return await self.authenticator.authenticate(
            method=message.method,
            raw_path=raw_path.encode("utf-8", "surrogateescape"),
            query=query,
            parameters=dict(query.pairs),
            authorization=headers.get("authorization"),
            headers=message.headers,
            now=now,
        )

    def _admit(self, operation: Operation, authentication: Authentication, record: RequestRecord, now: float) -> None:
        principal = authentication.principal
        key = principal.access_key
        if key is not None:
            record.access_key = key.access_key
            address = None if authentication.presigned else record.remote
            self._services.audit.key_used(key.access_key, key.account.id, address, now, "api")
            if key.scope is not None:
                check_scope(key.scope, operation, record.remote)
        if operation.access in (Access.ANYBODY, Access.OPTIONAL):
            return
        if principal.anonymous:
            raise ApiError("UNAUTHORIZED")
        if (operation.access is Access.ADMIN and not principal.admin) or (
            operation.access is Access.MODERATOR and not principal.moderator
        ):
            raise ApiError("FORBIDDEN")

    async def _body(self, call: Call) -> BaseModel:
        operation, model = call.operation, call.operation.body
        assert model is not None
        data = await read_whole(call.incoming, JSON_BYTES)
        if call.body_sha256 is not None and sha256(data).digest() != call.body_sha256:
            raise Sha256Mismatch("The body is not the one that was signed.")
        if operation.body_kind is Body.FORM:
            try:
                text = data.decode()
            except UnicodeDecodeError:
                raise ApiError("VALIDATION_ERROR", "The form is not UTF-8.") from None
            return validated(model, dict(parse_qsl(text, keep_blank_values=True)), "body")
        try:
            made = model.model_validate_json(data)
        except ValidationError as error:
            raise invalid(error, "body") from None
        if b"\\u0000" in data and not is_text(json.loads(data)):
            raise ApiError("VALIDATION_ERROR", "The body holds a character that no text has: U+0000.")
        return made

    def _refusal(self, record: RequestRecord, error: Exception) -> Reply:
        known = translate(error)
        if known is None:
            LOG.error("request %s failed", record.request_id, exc_info=error)
            known = ApiError("INTERNAL_ERROR")
        record.error_code = known.code
        return Reply(known.status, [*JSON_HEADERS, *known.headers], known.document())


def check_scope(scope: KeyScope, operation: Operation, address: str | None) -> None:
    """Whether a narrowed key may call an operation at all. Raises ApiError FORBIDDEN."""
    if not reaches(scope, address):
        raise ApiError("FORBIDDEN", "This access key may not be used from this address.")
    if scope.read_only and operation.method != "GET":
        raise ApiError("FORBIDDEN", "This access key may only read.")
    if scope.buckets is not None and not operation.narrowed:
        raise ApiError("FORBIDDEN", "This access key is narrowed to some buckets, and this is about more than those.")


def _decoded(raw_path: str) -> str:
    """The path as text. Raises ApiError NOT_FOUND for what is none: nothing here has such a name."""
    try:
        path = unquote(raw_path, errors="strict") if "%" in raw_path else raw_path
        path.encode()
    except UnicodeError:
        raise ApiError("NOT_FOUND") from None
    if "\0" in path:
        raise ApiError("NOT_FOUND")
    return path


async def read_whole(incoming: Incoming, limit: int) -> bytes:
    """A body of at most `limit` bytes. Raises ApiError PAYLOAD_TOO_LARGE."""
    too_large = ApiError("PAYLOAD_TOO_LARGE", f"The body of this request may have {limit} bytes.")
    if incoming.length is not None and incoming.length > limit:
        raise too_large
    pieces: list[bytes] = []
    while piece := await incoming.read():
        pieces.append(piece)
        if incoming.received > limit:
            raise too_large
    return b"".join(pieces)


def validated(model: type[BaseModel], values: Mapping[str, Any], where: str) -> BaseModel:
    """Raises ApiError VALIDATION_ERROR."""
    strange = [name for name, value in values.items() if not is_text(name) or not is_text(value)]
    if strange:
        details = [{"loc": [where], "msg": "holds characters that no text has", "type": "string_unicode"}]
        raise ApiError("VALIDATION_ERROR", details=details)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(error, where) from None


def invalid(error: ValidationError, where: str) -> ApiError:
    """What was wrong, without the values: they may be secrets."""
    details = [
        {"loc": [where, *one["loc"]], "msg": one["msg"], "type": one["type"]} for one in error.errors(include_url=False)
    ]
    return ApiError("VALIDATION_ERROR", details=details)
