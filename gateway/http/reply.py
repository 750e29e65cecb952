"""An answer with little ceremony: the head and a small body leave in one write.

aiohttp's own response builds a multidict, fills in headers that S3 may not have (Content-Type, Server) and serialises it
again. This one is a status, a list of headers and the bytes; whoever made it sends it, and aiohttp finds it sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from http import HTTPStatus

from aiohttp.http_writer import HttpVersion10
from aiohttp.web import BaseRequest, StreamResponse

from gateway.http.dates import http_date

_REASONS = {status.value: status.phrase for status in HTTPStatus}
LAST_SECONDS = 0.5
LAST_STEPS = 25
_BODILESS = frozenset({204, 304})


class ConnectionEnded(ConnectionError):
    """The client is gone, or the connection has to be: nothing more can be said on it."""


class Reply(StreamResponse):
    """An answer. Header values are text with surrogates for bytes that are not UTF-8.

    `length` is the Content-Length where the body is sent apart from the head, or is not sent (HEAD); None: that of `body`.
    """

    __slots__ = ("_bytes", "_length", "_names", "close", "sent")

    def __init__(
        self,
        status: int,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        length: int | None = None,
        close: bool = False,
    ) -> None:
        # Not StreamResponse.__init__: its multidict is never used.
        self._status = status
        self._names = list(headers)
        self._bytes: bytes | bytearray = body
        self._length: int | None = len(body) if length is None else length
        self._eof_sent = False
        self._keep_alive: bool | None = None
        self.sent = 0
        self._req = None
        self._payload_writer = None
        self._cookies = None
        self._state = {}
        self.close = close

    @property
    def header_list(self) -> list[tuple[str, str]]:
        """The headers that will be sent, without those of the connection. May be added to until it is sent."""
        return self._names

    @property
    def body(self) -> bytes:
        return bytes(self._bytes)

    def head(self, request: BaseRequest) -> bytes:
        """The status line and the headers. Raises ValueError where a value would break out of its line."""
        message = request._message
        keep_alive = not message.should_close and not self.close and not request._protocol._force_close
        self._keep_alive = keep_alive
        status = self._status
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}"]
        for name, value in self._names:
            lines.append(f"{name}: {value}")
        if status not in _BODILESS and self._length is not None:
            lines.append(f"Content-Length: {self._length}")
        lines.append(f"Date: {http_date(int(time.time()))}")
        if not keep_alive:
            lines.append("Connection: close")
        elif message.version == HttpVersion10:
            lines.append("Connection: keep-alive")
        text = "\r\n".join(lines)
        if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or "\0" in text:
            raise ValueError("a header value holds a line break")
        return text.encode("utf-8", "surrogateescape") + b"\r\n\r\n"

    async def send(self, request: BaseRequest) -> int:
        """Send it whole. The number of body bytes; none for HEAD. Raises ConnectionError."""
        head = self.head(request)
        body = b"" if request._method == "HEAD" or self._status in _BODILESS else self._bytes
        write(request, head + body if body else head)
        if request._protocol._paused:
            await request._protocol._drain_helper()
        self.finished(len(body))
        return len(body)

    def begin(self, request: BaseRequest) -> None:
        """Send the head; the body follows by `write`, and then `finished`. Raises ConnectionError."""
        write(request, self.head(request))

    def finished(self, sent: int) -> None:
        """The answer is out, with `sent` bytes of body."""
        self.sent = sent
        self._eof_sent = True

    async def prepare(self, request: BaseRequest) -> None:
        if not self._eof_sent:
            await self.send(request)

    async def write_eof(self, data: bytes = b"") -> None:
        pass

    @property
    def prepared(self) -> bool:
        return self._eof_sent

    def __repr__(self) -> str:
        return f"<Reply {self._status}>"


class LastReply(Reply):
    """The last answer on its connection, to what could not be read as a request.

    The write side is shut behind it and the client given a moment: what it still sends would else make the kernel reset
    the line before the answer is read.
    """

    async def send(self, request: BaseRequest) -> int:
        sent = await super().send(request)
        transport = request._protocol.transport
        if transport is not None and not transport.is_closing() and transport.can_write_eof():
            transport.write_eof()
            for _ in range(LAST_STEPS):
                if request._protocol.transport is None:
                    break
                await asyncio.sleep(LAST_SECONDS / LAST_STEPS)
        return sent


def write(request: BaseRequest, data: bytes | bytearray | memoryview) -> None:
    """Hand bytes to the connection. Raises ConnectionEnded where it is gone."""
    writer = request._payload_writer
    transport = request._protocol.transport
    if transport is None or transport.is_closing():
        raise ConnectionEnded("the client is gone")
    transport.write(data)
    # What aiohttp looks at to see whether an answer has begun.
    writer.output_size += len(data)


async def drain(request: BaseRequest) -> None:
    """Wait until the connection takes more. Raises ConnectionError where it is gone."""
    protocol = request._protocol
    if protocol.transport is None:
        raise ConnectionEnded("the client is gone")
    if protocol._paused:
        await protocol._drain_helper()


def cut(request: BaseRequest) -> ConnectionEnded:
    """End the connection in the middle of an answer, so that the client cannot take it for whole. Gives what to raise."""
    transport = request._protocol.transport
    if transport is not None:
        transport.abort()
    return ConnectionEnded("an answer broke off")
