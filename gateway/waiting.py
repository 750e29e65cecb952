"""What a worker answers while its database or a store is away at the start: 503 at every door, at once."""

from __future__ import annotations

import logging

from aiohttp import web

from gateway.doors import PROBES, Doors
from gateway.errors import GatewayError, for_operator
from gateway.http.reply import LastReply, Reply
from gateway.refusals import Headers, Said, Trouble, said_by
from gateway.telemetry import RequestRecord, Telemetry

LOG = logging.getLogger("pixgate.waiting")

NOT_READY = Trouble(
    "ServiceUnavailable",
    "ServiceUnavailable",
    "SERVICE_UNAVAILABLE",
    "The server is not ready yet.",
    retry_after=2,
)
_TEXT = "text/plain; charset=utf-8"
_PROBED = {
    "/livez": (200, _TEXT, b"alive\n"),
    "/readyz": (503, _TEXT, b"not ready\n"),
    # Anyone may ask: what is away is for the log and for those who look inside later.
    "/health": (503, "application/json", b'{"status": "unhealthy"}'),
}


class Waiting:
    """Answers in place of the doors, and logs what keeps them closed, once for each reason."""

    def __init__(self, telemetry: Telemetry, doors: Doors) -> None:
        self._telemetry = telemetry
        self._doors = doors
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
            said = self._said(request, record.request_id)
            record.status, record.error_code, record.bytes_out = said.status, said.code or None, len(said.body)
            if request.can_read_body:
                return LastReply(said.status, said.headers, said.body, close=True)
            return Reply(said.status, said.headers, said.body)
        finally:
            self._telemetry.finish(record)

    def _said(self, request: web.BaseRequest, request_id: str) -> Said:
        target = request._message.path
        path = target.partition("?")[0]
        if path in PROBES:
            status, content_type, body = _PROBED[path]
            headers: Headers = (("x-amz-request-id", request_id), ("Content-Type", content_type))
            if status == 200:
                return Said(status, "", headers, body)
            return Said(status, NOT_READY.s3, (*headers, ("Retry-After", str(NOT_READY.retry_after))), body)
        return said_by(self._doors.of(target, request.headers.get("Host", "")), 503, NOT_READY, request_id)
