"""The end of a request: its answer sent, what is left of its body dealt with, its record closed."""

from __future__ import annotations

import logging

from aiohttp.web import BaseRequest, StreamResponse

from gateway.http.incoming import DRAIN_BYTES, Incoming, shut
from gateway.http.reply import Reply
from gateway.telemetry.request import RequestRecord

LOG = logging.getLogger("pixgate.http")
CLIENT_CLOSED = 499
"""What the log says of a request whose client left before the answer was out."""


async def deliver(
    request: BaseRequest, reply: Reply | StreamResponse, incoming: Incoming, record: RequestRecord
) -> None:
    """Send an answer whatever became of the request's body.

    A body that was refused is read to its end where that is near, so that the connection can go on; else the answer
    leaves first, some of the rest is thrown away, and the connection ends in order. Raises what sending raises.
    """
    whole = incoming.complete
    if not whole and isinstance(reply, Reply):
        length = incoming.length
        if not incoming.awaits_continue and length is not None and length - incoming.received <= DRAIN_BYTES:
            whole = await incoming.drain()
        if not whole:
            reply.close = True
    if incoming.awaits_continue and isinstance(reply, Reply):
        if whole and reply.status < 300:
            incoming.say_continue()
        else:
            reply.close = True
    record.status = reply.status
    if isinstance(reply, Reply):
        try:
            await reply.send(request)
        except ConnectionError as error:
            _lost(record, error)
        finally:
            record.bytes_out = reply.sent
    else:
        await reply.prepare(request)
        await reply.write_eof()
        record.bytes_out = reply.body_length
    if not whole:
        await incoming.drain()
        await shut(request)
        request._protocol.force_close()


def _lost(record: RequestRecord, error: ConnectionError) -> None:
    """An answer that did not get through: the client's doing, unless something else is behind it."""
    cause = error.__cause__
    if cause is not None and not isinstance(cause, ConnectionError):
        LOG.error("request %s: the answer broke off", record.request_id, exc_info=cause)
        record.error_code = "InternalError"
        return
    record.status = CLIENT_CLOSED
