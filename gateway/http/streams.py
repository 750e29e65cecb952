"""Sending blobs: sendfile where they are files and the connection is plain TCP, pieces of memory where not. uvloop has no sendfile of its own: the kernel's is called on the connection's
descriptor while the transport's buffer is empty, and a duplicate of it is watched until it takes more.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import struct
import termios
from contextlib import suppress

from aiohttp.web import BaseRequest

from gateway.blobs.port import BlobReader
from gateway.blobs.reading import TruncatedBlob, read_now
from gateway.http.reply import ConnectionEnded, drain, write

SMALL = 64 * 1024
"""Up to this many bytes are read at once and leave with the head."""
TURN = 1024 * 1024
"""Bytes one sendfile call sends at most, so that others have their turn."""
STALL_SECONDS = 30.0
STALL_RATE = 1024
"""A reader slower than so many bytes a second, over STALL_SECONDS, is closed."""


class Sender:
    """Sends the body of one answer, of one blob after another. `close` it when done."""

    def __init__(self, request: BaseRequest) -> None:
        self._request = request
        self._watched = -1
        transport = request._protocol.transport
        self._socket = -1
        if transport is not None and transport.get_extra_info("sslcontext") is None:
            connection = transport.get_extra_info("socket")
            if connection is not None:
                self._socket = connection.fileno()
        self.sent = 0
        """Bytes so far."""

    async def send(self, reader: BlobReader) -> None:
        """Send all that `reader` has. Raises ConnectionError, StoreUnavailable, OSError."""
        fd = reader.fd
        if fd is not None and self._socket >= 0 and reader.length > SMALL:
            await self._send_file(fd, reader.offset, reader.length)
            return
        while piece := await reader.read():
            write(self._request, piece)
            self.sent += len(piece)
            await drain(self._request)

    def close(self) -> None:
        if self._watched >= 0:
            with suppress(OSError, ValueError):
                asyncio.get_running_loop().remove_writer(self._watched)
            os.close(self._watched)
            self._watched = -1

    async def _send_file(self, fd: int, position: int, length: int) -> None:
        await self._flush()
        while length:
            self._check_open()
            size = min(length, TURN)
            if not _in_memory(fd, position, size):
                await asyncio.to_thread(_warm, fd, position, size)
                self._check_open()
            try:
                count = os.sendfile(self._socket, fd, position, size)
            except BlockingIOError:
                await self._writable()
                continue
            except OSError as error:
                if error.errno in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF):
                    raise ConnectionEnded("the client is gone") from error
                raise
            if count == 0:
                raise TruncatedBlob(f"The store holds {length} bytes less than it should.")
            self.sent += count
            self._request._payload_writer.output_size += count
            position += count
            length -= count
            if length:
                await (self._writable() if count < size else asyncio.sleep(0))

    def _check_open(self) -> None:
        # The descriptor's number may belong to another connection once this one is closed.
        transport = self._request._protocol.transport
        if transport is None or transport.is_closing():
            raise ConnectionEnded("the client is gone")

    async def _flush(self) -> None:
        """Wait until the transport itself holds nothing, or bytes would overtake each other."""
        transport = self._request._protocol.transport
        while transport is not None and transport.get_write_buffer_size():
            await self._writable()
            await asyncio.sleep(0)
            transport = self._request._protocol.transport
        self._check_open()

    async def _writable(self) -> None:
        self._check_open()
        loop = asyncio.get_running_loop()
        if self._watched < 0:
            self._watched = os.dup(self._socket)
        ready = loop.create_future()
        loop.add_writer(self._watched, _wake, ready)
        try:
            queued = _unsent(self._watched)
            while True:
                done, _ = await asyncio.wait((ready,), timeout=STALL_SECONDS)
                if done:
                    return
                now = _unsent(self._watched)
                if queued - now < STALL_RATE * STALL_SECONDS:
                    transport = self._request._protocol.transport
                    if transport is not None:
                        transport.abort()
                    raise ConnectionEnded("the client reads too slowly")
                queued = now
        finally:
            loop.remove_writer(self._watched)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _unsent(fd: int) -> int:
    """Bytes in the socket that the peer has not acknowledged."""
    return int(struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0\0\0\0"))[0])


def _in_memory(fd: int, position: int, length: int) -> bool:
    """Whether the first and last page are in the page cache, and so most likely all between."""
    last = max(position, position + length - 1)
    return all(read_now(fd, place, 1) is not None for place in (position, last))


def _warm(fd: int, position: int, length: int) -> None:
    os.posix_fadvise(fd, position, length, os.POSIX_FADV_WILLNEED)
    scratch = bytearray(length)
    if os.preadv(fd, [scratch], position) == 0:
        raise TruncatedBlob("The store holds fewer bytes than it should.")
