"""What a connection may take: time for a header, a least speed for bodies, a share of memory.

aiohttp knows a keep-alive time-out only. A socket that says nothing, sends its header byte by byte, or stops in the
middle of a body would otherwise hold its place for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from gateway.http.request_target import told_by

_TCP_INFO = struct.Struct("=120x QQ 8x I")
"""`tcpi_bytes_acked`, `tcpi_bytes_received` and `tcpi_notsent_bytes` of Linux' `struct tcp_info` (since 4.6)."""
SWEEP_INTERVAL = 5.0
"""Seconds between looks at the connections that wait for their client."""
FAREWELL_SECONDS = 1.0
_TOO_MANY_FIELDS = "Too many headers received"
"""What aiohttp's parser says; it has no exception for it."""
LINE_LIMIT = 16 * 1024
"""Bytes of path and query: a presigned URL of a 1,024-byte key, escaped, is past aiohttp's 8 KiB."""
FIELD_LIMIT = LINE_LIMIT + 1
"""Bytes of a header field; not as many as of a line, so that the limit which is passed tells the two apart."""
HEADER_COUNT = 256
HEADER_BYTES = 64 * 1024
"""Bytes of a whole header, give or take one read: aiohttp bounds its lines and their number, which makes megabytes."""
BEGINNING_BYTES = 2048
"""Bytes of a request that are kept, so that what cannot be parsed is refused in the words of the door it was meant for.

Most clients send Host right behind the path, and a presigned path has a kilobyte."""


class GuardedHandler(RequestHandler):
    """aiohttp's connection with limits for the header of every request: in time, and in bytes."""

    __slots__ = ("_beginning", "_header_bytes", "_header_timer", "_last_body", "_refused")

    _manager: GuardedServer | None

    def __init__(self, manager: GuardedServer, **options: Any) -> None:
        super().__init__(manager, **options)
        self._header_timer: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._beginning = b""
        self._last_body: StreamReader | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        seen = self._request_count
        # Asked before they are read: afterwards the last bytes of a body would look like a header's.
        between = self._between_requests()
        if between:
            if not self._header_bytes:
                self._beginning = data[:BEGINNING_BYTES]
            elif len(self._beginning) < BEGINNING_BYTES:
                self._beginning += data[:BEGINNING_BYTES]
        super().data_received(data)
        if self._request_count != seen:
            self._last_body = self._messages[-1][1]
            self._header_bytes = 0
            if self._header_timer is not None:
                self._header_timer.cancel()
                self._header_timer = None
        elif between and data:
            # These bytes belong to no body and did not make a request whole: its header has begun.
            if self._header_timer is None:
                self._arm()
            self._header_bytes += len(data)
            if self._header_bytes > HEADER_BYTES:
                self._refuse_header()

    def _between_requests(self) -> bool:
        """Whether the last request that was begun is there as a whole. Neither aiohttp's queue nor its current request
        would do: for a moment a request is in neither, and what comes then is its body."""
        return self._last_body is None or self._last_body.is_eof()

    def _refuse_header(self) -> None:
        """Answer 431 as if the parser had refused it, after what came before; nothing more is read."""
        self._refused = True
        error = LineTooLong(b"header", HEADER_BYTES)
        self._messages.append((_ErrInfo(status=400, exc=error, message=error.message), EMPTY_PAYLOAD))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _arm(self) -> None:
        manager = self._manager
        if manager is not None:
            self._header_timer = self._loop.call_later(manager.header_timeout, self._header_late)

    def _header_late(self) -> None:
        self._header_timer = None
        if self._waiter is not None:
            self.force_close()
        else:
            self._arm()  # the request before is still in the works; that is not this client's fault

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be parsed (and what escaped the boundary) without a word from the inside."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        if status >= 500 and exc is not None:
            self.logger.error("a request failed outside its boundary", exc_info=exc)
        manager = self._manager
        if manager is None:
            return _plain_refusal(status, "", "")
        return manager.refusal(_exactly(status, exc), *told_by(self._beginning))

    def waits_for_body(self) -> bool:
        """Whether a request of this connection waits for more of its body."""
        request = self._current_request
        if request is None:
            return False
        body = request.content
        return getattr(body, "_waiter", None) is not None and not body.is_eof()

    def moved_while_waiting(self) -> int | None:
        """Bytes that went either way, where a request stands still until its client reads or sends; else None."""
        if self._current_request is None or (progress := _progress(self.transport)) is None:
            return None
        moved, unsent = progress
        return moved if unsent or self._paused or self.waits_for_body() else None


class GuardedServer(web.Server):
    """A `web.Server` whose connections are guarded.

    `refusal(status, target, host)` makes the answer to what is not HTTP (400), to a line or a header that is too long (414,
    431) and to what went wrong outside every boundary (500); it may be replaced. Target and Host header are the request's, as
    far as they can be told, else empty. Times in seconds.
    """

    def __init__(self, handler: Any, *, header_timeout: float, **options: Any) -> None:
        super().__init__(
            handler, max_line_size=LINE_LIMIT, max_field_size=FIELD_LIMIT, max_headers=HEADER_COUNT, **options
        )
        self.header_timeout = header_timeout
        self.refusal: Callable[[int, str, str], web.StreamResponse] = _plain_refusal
        self._farewells: dict[RequestHandler, tuple[asyncio.Transport | None, float]] = {}

    def __call__(self) -> RequestHandler:
        return GuardedHandler(self, loop=self._loop, **self._kwargs)

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    def close_idle(self) -> None:
        """Close the connections that have no request in the works. Called again, it ends those that were closed a while
        ago and still wait for the client's TLS farewell, which the idle connections of SDKs never send."""
        now = time.monotonic()
        for connection in self.connections:
            if connection in self._farewells:
                transport, began = self._farewells[connection]
                if transport is not None and now - began >= FAREWELL_SECONDS and not transport.get_write_buffer_size():
                    transport.abort()
            elif connection._waiter is not None and not connection._messages:
                self._farewells[connection] = (connection.transport, now)
                connection.force_close()


def _exactly(status: int, error: BaseException | None) -> int:
    """The status that tells a client which part of its request is too long, and it can do something about it."""
    if isinstance(error, LineTooLong):
        return 414 if error.args[1] == LINE_LIMIT else 431
    if isinstance(error, BadHttpMessage) and error.message == _TOO_MANY_FIELDS:
        return 431
    return status


def _plain_refusal(status: int, _target: str, _host: str) -> web.StreamResponse:
    answer = web.Response(status=status, text="")
    answer.force_close()
    return answer


async def close_stalled(server: GuardedServer, *, min_rate: int, timeout: float) -> None:
    """Close, for ever, what moved less than `min_rate` bytes a second for `timeout` seconds while we waited for it.

    Progress is read from the kernel (bytes acknowledged and received), so it costs the requests nothing and is as right
    for TLS as without.
    """
    since: dict[RequestHandler, tuple[float, int]] = {}
    while min_rate > 0:
        await asyncio.sleep(min(SWEEP_INTERVAL, timeout / 4))
        now = time.monotonic()
        waiting: dict[RequestHandler, tuple[float, int]] = {}
        for connection in server.connections:
            moved = connection.moved_while_waiting() if isinstance(connection, GuardedHandler) else None
            if moved is None:
                continue
            began, before = since.get(connection, (now, moved))
            if now - began < timeout:
                waiting[connection] = (began, before)
            elif moved - before < min_rate * (now - began):
                _abort(connection)
            else:
                waiting[connection] = (now, moved)
        since = waiting


def _progress(transport: asyncio.BaseTransport | None) -> tuple[int, int] | None:
    """Bytes that the client acknowledged or sent, and bytes that wait in the kernel because it does not read."""
    connection = None if transport is None else transport.get_extra_info("socket")
    if connection is None or connection.family == socket.AF_UNIX:
        return None
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    except OSError:
        return None
    if len(info) < _TCP_INFO.size:
        return None
    acknowledged, received, unsent = _TCP_INFO.unpack(info)
    return acknowledged + received, unsent


def _abort(connection: RequestHandler) -> None:
    """End a connection for good, also for what sends on a duplicate of its descriptor."""
    transport = connection.transport
    if transport is None:
        return
    shown = transport.get_extra_info("socket")
    if shown is not None:
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(shown.fileno())) as duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)
    transport.abort()


class Window:
    """The bytes that the requests in flight of this process may hold together."""

    __slots__ = ("held", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def take(self, size: int) -> bool:
        """Count `size` bytes as held, unless that would pass the limit. Give them back with `give`."""
        if self.held + size > self.limit:
            return False
        self.held += size
        return True

    def give(self, size: int) -> None:
        self.held -= size
