"""One connection to an S3 service: HTTP/1.1 on an asyncio protocol, one exchange at a time.

Bodies are received straight into the buffers that are handed on, and no byte is read beyond the one that ends an
answer. Who waits says how long: one ticker in the pool ends what waits too long, so that no exchange sets a timer.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections import deque
from typing import cast

from gateway.blobs.port import Bytes
from gateway.blobs.upstream.chunked import ChunkedDecoder
from gateway.blobs.upstream.errors import BadResponse, Broken, Failed, TimedOut
from gateway.blobs.upstream.head import HEAD_BYTES, Head, parse_head

PIECE_BYTES = 256 * 1024
"""Bytes that one buffer of a body takes."""
WAKE_BYTES = 256 * 1024
"""Bytes of a long body that are worth waking its reader: it costs as much as copying them. Fewer wait for more, or for the
next tick of the pool."""
SHORT_BYTES = 32 * 1024
"""Below this a buffer of its own costs little."""
READ_AHEAD = 512 * 1024
"""Bytes received and not asked for yet, beyond which the service has to wait."""
WRITE_AHEAD = 512 * 1024
"""Bytes given to the transport and not sent yet, beyond which the writer has to wait."""
INTERIM_ANSWERS = 8

_IDLE, _HEAD, _BODY = range(3)


class Buffers:
    """Buffers of PIECE_BYTES, given out again once nobody looks into them: a new one costs zeroing and page faults."""

    def __init__(self, limit: int = 32) -> None:
        self._limit = limit
        self._kept: deque[bytearray] = deque()

    def take(self, length: int) -> memoryview:
        """Room for `length` bytes, at most PIECE_BYTES."""
        kept = self._kept
        for _ in range(min(len(kept), 4)):
            kept.rotate(1)
            if sys.getrefcount(kept[0]) == _UNSEEN:
                return memoryview(kept[0])[:length]
        buffer = bytearray(PIECE_BYTES)
        if len(kept) < self._limit:
            kept.append(buffer)
        return memoryview(buffer)[:length]


_SAMPLE = deque((bytearray(1),))
_UNSEEN = sys.getrefcount(_SAMPLE[0])
"""References to a kept buffer that nobody looks into. Every view of it, and every part of a view, is one more."""
_BUFFERS = Buffers()


class Connection(asyncio.BufferedProtocol):
    """Made by the pool. `deadline` is in the loop's time; after it whoever waits gets TimedOut."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._scratch = bytearray(HEAD_BYTES)
        self._scratch_view = memoryview(self._scratch)
        self._filled = 0
        self._state = _IDLE
        self._method = ""
        self._interim = 0
        self.head: Head | None = None
        self._left = 0
        self._chunks: ChunkedDecoder | None = None
        self._ready: deque[Bytes] = deque()
        self._queued = 0
        self._piece: memoryview | None = None
        self._piece_filled = 0
        self._piece_taken = 0
        self._reading = True
        self._writing = True
        self._sent = False
        self._waiter: asyncio.Future[None] | None = None
        self._error: Failed | None = None
        self.continued = False
        self.deadline = math.inf
        self.exchanges = 0
        self.idle_since = 0.0

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_AHEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        detail = "the connection ended" if exc is None else f"the connection broke: {exc}"
        self._fail(Broken(detail, reused=self.exchanges > 1 and self.head is None and not self._filled))

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._writing = False

    def resume_writing(self) -> None:
        self._writing = True
        self._wake()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        if self._state == _BODY and self._left and self._chunks is None:
            if self._piece is None:
                length = min(self._left, PIECE_BYTES)
                self._piece = memoryview(bytearray(length)) if length < SHORT_BYTES else _BUFFERS.take(length)
                self._piece_filled = self._piece_taken = 0
            return self._piece[self._piece_filled :]
        return self._scratch_view[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        try:
            if self._state == _HEAD:
                self._filled += nbytes
                self._take_head()
            elif self._state == _BODY:
                self._take_body(nbytes)
            else:
                raise BadResponse("bytes came that nobody asked for")
        except Failed as error:
            self._fail(error)
            self.close()

    def _take_head(self) -> None:
        end = self._scratch.find(b"\r\n\r\n", 0, self._filled)
        if end < 0:
            if self._filled == HEAD_BYTES:
                raise BadResponse("the head of the answer is too long")
            return
        head = parse_head(bytes(self._scratch_view[:end]), self._method)
        rest = bytes(self._scratch_view[end + 4 : self._filled])
        self._filled = 0
        if head.status < 200:
            self._interim += 1
            if head.status == 101 or self._interim > INTERIM_ANSWERS:
                raise BadResponse("the answer is an interim one for ever")
            self.continued = self.continued or head.status == 100
            if rest:
                self._scratch_view[: len(rest)] = rest
                self._filled = len(rest)
                self._take_head()
            self._wake()
            return
        self.head = head
        self._state = _BODY
        if head.length is None:
            self._chunks = ChunkedDecoder()
            self._take_chunks(rest)
        else:
            self._left = head.length - len(rest)
            if self._left < 0:
                raise BadResponse("bytes follow the end of the answer")
            if rest:
                self._queue(rest)
        self._wake()

    def _take_body(self, count: int) -> None:
        if self._chunks is not None:
            self._take_chunks(bytes(self._scratch_view[:count]))
        elif count > self._left or self._piece is None:
            raise BadResponse("bytes follow the end of the answer")
        else:
            self._left -= count
            self._piece_filled += count
            self._queued += count
            if self._piece_filled == len(self._piece):
                self._ready.append(self._piece[self._piece_taken :])
                self._piece = None
            self._hold_back()
            if self._left and self._queued < WAKE_BYTES:
                return
        self._wake()

    def _take_chunks(self, data: bytes) -> None:
        assert self._chunks is not None
        for piece in self._chunks.feed(data):
            self._queue(piece)

    def _queue(self, piece: bytes) -> None:
        self._ready.append(piece)
        self._queued += len(piece)
        self._hold_back()

    def _hold_back(self) -> None:
        if self._queued >= READ_AHEAD and self._reading and self._transport is not None and not self._received:
            self._reading = False
            self._transport.pause_reading()

    # What whoever holds it calls.

    @property
    def usable(self) -> bool:
        """Whether a new exchange may begin on it."""
        return self._transport is not None and self._error is None and self._state == _IDLE

    @property
    def _received(self) -> bool:
        """Whether the whole answer has arrived."""
        if self._state != _BODY:
            return False
        return self._chunks.done if self._chunks is not None else self._left == 0

    def begin(self, method: str, data: bytes, *, whole: bool) -> None:
        """Send the head of a request, and its body with it where that is the `whole` request."""
        if not self.usable or self._transport is None:
            raise self._error or Broken("the connection was closed", reused=self.exchanges > 0)
        self._state = _HEAD
        self._method = method
        self._interim = 0
        self.head = None
        self.continued = False
        self._sent = whole
        self.exchanges += 1
        self._transport.write(data)

    async def write(self, pieces: list[Bytes], timeout: float, *, last: bool) -> None:
        """Send more of the request's body; returns when there is room for more.

        Stops quietly once the service has answered: `head` says what. Raises Failed.
        """
        if self._transport is None or self._error is not None:
            raise self._error or Broken("the connection was closed")
        if self.head is not None:
            return
        self._transport.writelines(pieces)
        self._sent = last
        while not self._writing and self.head is None:
            await self._wait(timeout)

    async def wait_head(self, timeout: float) -> Head:
        """The head of the answer. Raises Failed."""
        while self.head is None:
            await self._wait(timeout)
        return self.head

    async def wait_continue(self, timeout: float) -> bool:
        """Whether the service asked for the body, or answered, in time. Raises Failed."""
        while not self.continued and self.head is None:
            try:
                async with asyncio.timeout(timeout):
                    await self._wait(math.inf)
            except TimeoutError:
                return False
        return True

    async def read(self, timeout: float) -> Bytes:
        """The next piece of the answer's body, empty at its end. Raises Failed."""
        while True:
            if self._ready:
                return self._taken(self._ready.popleft())
            if self._piece is not None and self._piece_filled > self._piece_taken:
                piece = self._piece[self._piece_taken : self._piece_filled]
                self._piece_taken = self._piece_filled
                return self._taken(piece)
            if self._received:
                return b""
            await self._wait(timeout)

    def _taken(self, piece: Bytes) -> Bytes:
        self._queued -= len(piece)
        if not self._reading and self._queued < READ_AHEAD // 2 and self._transport is not None:
            self._reading = True
            self._transport.resume_reading()
        return piece

    def end(self) -> bool:
        """End an exchange whose answer was read to its end; gives whether the connection can serve another."""
        head = self.head
        if not (self._sent and self._received and not self._queued and head is not None and head.keep_alive):
            return False
        if not self._reading and self._transport is not None:
            self._reading = True
            self._transport.resume_reading()
        self._state = _IDLE
        self.head = None
        self._chunks = None
        self._piece = None
        self._ready.clear()
        return self._transport is not None and self._error is None

    def close(self) -> None:
        """Drop the connection, whatever is under way on it."""
        transport, self._transport = self._transport, None
        self._fail(Broken("the connection was closed"))
        if transport is not None:
            transport.abort()

    def check_deadline(self, now: float) -> None:
        """Called by the pool's ticker."""
        if self._queued:
            # Too little to wake the reader for, but nothing followed.
            self._wake()
        elif now >= self.deadline:
            self._fail(TimedOut("nothing came in time"))
            self.close()

    async def _wait(self, timeout: float) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        self.deadline = self._loop.time() + timeout
        try:
            await self._waiter
        finally:
            self._waiter = None
            self.deadline = math.inf

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail(self, error: Failed) -> None:
        if self._error is None:
            self._error = error
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_exception(self._error)
