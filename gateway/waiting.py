"""What a worker answers while its database or a store is away at the start: 503 at every door, at once."""

from __future__ import annotations

import json
import logging

from aiohttp import web

from gateway.api.errors import ApiError
from gateway.errors import GatewayError, for_operator
from gateway.http.reply import LastReply, Reply
from gateway.s3.error_document import error_document
from gateway.s3.errors import S3Error
from gateway.telemetry import RequestRecord, Telemetry

LOG = logging.getLogger("pixgate.waiting")

RETRY_AFTER = 2
NOT_READY = "The server is not ready yet."
API_NAMES = frozenset({"api", "openapi.json"})
JSON_DOORS = API_NAMES | {"img", "ui", "health", "metrics"}
PROBES = {"livez": (200, b"alive\n"), "readyz": (503, b"not ready\n")}
DATA = ("Content-Type", "application/json")
TEXT = ("Content-Type", "text/plain; charset=utf-8")


class Waiting:
    """Answers in place of the doors, and logs what keeps them closed, once for each reason."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._reason = ""

    def because(self, error: GatewayError) -> None:
        reason = for_operator(error)
        if reason != self._reason:
            self._reason = reason
            LOG.warning("not ready: %s", reason)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        record = RequestRecord(method=request.method)
        self._telemetry.begin()
        try:
            return self._answer(request, record)
        finally:
            self._telemetry.finish(record)

    def _answer(self, request: web.BaseRequest, record: RequestRecord) -> web.StreamResponse:
        name = request.raw_path[1:].partition("?")[0].partition("/")[0]
        retry = ("Retry-After", str(RETRY_AFTER))
        record.error_code = "ServiceUnavailable"
        status, headers = 503, [("x-amz-request-id", record.request_id), retry]
        if name in PROBES:
            status, body = PROBES[name]
            headers.append(TEXT)
        elif name in JSON_DOORS:
            # Anyone may ask: what is away is for the log and for those who look inside later.
            body = b'{"status": "unhealthy"}'
            if name in API_NAMES:
                refusal = ApiError("SERVICE_UNAVAILABLE", NOT_READY)
                record.error_code, body = refusal.code, refusal.document()
            elif name != "health":
                body = json.dumps({"error": {"code": "ServiceUnavailable", "message": NOT_READY}}).encode()
            headers.append(DATA)
        else:
            error = S3Error("ServiceUnavailable")
            body = error_document(error, bucket=None, resource="", request_id=record.request_id, host_id="")
            headers.append(("Content-Type", "application/xml"))
        record.status = status
        record.bytes_out = len(body)
        if request.can_read_body:
            return LastReply(status, headers, body, close=True)
        return Reply(status, headers, body)
