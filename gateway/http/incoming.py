"""A request's body as the socket gives it: counted, bounded, and asked for only when somebody wants it."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web
from aiohttp.client_exceptions import ClientError, ClientPayloadError
from aiohttp.web import BaseRequest
from aiohttp.web_protocol import RequestPayloadError

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
DRAIN_BYTES = 1024 * 1024
DRAIN_SECONDS = 2.0


class BodyEnded(ConnectionError):
    """The client went away, or its framing broke, before the body was whole."""


class Incoming:
    """The raw body of a request. `received` counts its bytes."""

    __slots__ = ("_content", "_continue", "_request", "length", "received")

    def __init__(self, request: BaseRequest) -> None:
        self._request = request
        self._content = request._payload
        headers = request._message.headers
        expect = headers.get("Expect")
        self._continue = expect is not None and expect.lower() == "100-continue"
        length = headers.get("Content-Length")
        self.length: int | None = int(length) if length is not None and length.isascii() and length.isdigit() else None
        """Content-Length in bytes; None where the body is in HTTP chunks."""
        self.received = 0

    @property
    def awaits_continue(self) -> bool:
        """Whether the client holds its body back until it is asked for."""
        return self._continue

    @property
    def complete(self) -> bool:
        """Whether nothing of the body is left."""
        return self._content.at_eof()

    async def read(self) -> bytes:
        """The next bytes, as many as there are; empty at the end. Raises BodyEnded."""
        if self._continue:
            if self._request._protocol.transport is None:
                raise BodyEnded("the client is gone")
            self.say_continue()
        try:
            data = await self._content.readany()
        except (RequestPayloadError, ClientPayloadError, web.PayloadAccessError, ClientError, ConnectionError) as error:
            raise BodyEnded("the request body ended early") from error
        self.received += len(data)
        return data

    def say_continue(self) -> None:
        """Ask for the body, unless it is on its way already. An empty one is asked for, too: botocore takes an answer
        without a 100 for a refusal, and then misreads the next answer of the same connection."""
        self._continue = False
        transport = self._request._protocol.transport
        if transport is not None and not getattr(self._content, "_buffer", None):
            transport.write(CONTINUE)

    async def drain(self) -> bool:
        """Take what is left of a refused body, within limits, so that the client gets to read the answer.

        Gives whether all of it came; if not, the connection cannot be used again.
        """
        if self._content.at_eof():
            return True
        if self._continue:
            # The client waits for a word before it sends: the refusal is that word. Some send all the same.
            return False
        deadline = time.monotonic() + DRAIN_SECONDS
        left = DRAIN_BYTES
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + DRAIN_SECONDS):
                while left > 0 and time.monotonic() < deadline:
                    data = await self._content.readany()
                    if not data:
                        return True
                    left -= len(data)
                    self.received += len(data)
        except (TimeoutError, RequestPayloadError, ClientError, ConnectionError):
            return False
        return self._content.at_eof()


async def shut(request: BaseRequest) -> None:
    """End a connection whose request body was not read: what was sent arrives, then the line closes.

    A plain close with unread bytes would make the kernel send a reset, and the client would see that, not the answer. So
    the write side is shut, and what still comes is thrown away for a moment.
    """
    transport = request._protocol.transport
    if transport is None or transport.is_closing():
        return
    if transport.can_write_eof():
        try:
            transport.write_eof()
        except (OSError, RuntimeError):
            return
    content = request._payload
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            left = 16 * DRAIN_BYTES
            while left > 0:
                data = await content.readany()
                if not data:
                    return
                left -= len(data)
    except (TimeoutError, RequestPayloadError, ClientError, ConnectionError, asyncio.IncompleteReadError):
        return
