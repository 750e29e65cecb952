"""Sending files: sendfile where the connection is plain TCP, pieces of memory where it is not.

Reads are tried without waiting (RWF_NOWAIT, the page cache); what is not in memory is read in a thread, so that a cold
disk holds up one request and not the loop. uvloop has no sendfile of its own: the kernel's is called on the connection's
descriptor while the transport's buffer is empty, and a duplicate of it is watched until it takes more.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import struct
import termios
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol

from aiohttp.web import BaseRequest

from gateway.http.reply import ConnectionEnded, drain, write

SMALL = 64 * 1024
"""Up to this many bytes are read at once and leave with the head."""
PIECE = 256 * 1024
"""Bytes a read, where sendfile cannot be used."""
TURN = 1024 * 1024
"""Bytes one sendfile call sends at most, so that others have their turn."""
STALL_SECONDS = 30.0
STALL_RATE = 1024
"""A reader slower than so many bytes a second, over STALL_SECONDS, is closed."""


class OpenBlob(Protocol):
    """An open file, and where the wanted bytes begin in it."""

    fd: int
    offset: int


class TruncatedBlob(Exception):
    """A file ended before its bytes did."""


def read_now(blob: OpenBlob, position: int, length: int) -> bytearray | None:
    """`length` bytes at `position` if all of them are in memory, else None."""
    buffer = bytearray(length)
    try:
        count = os.preadv(blob.fd, [buffer], blob.offset + position, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            return None
        raise
    return buffer if count == length else None


def read_waiting(blob: OpenBlob, position: int, length: int) -> bytes:
    """`length` bytes at `position`, from the disk if need be. Raises TruncatedBlob."""
    pieces: list[bytes] = []
    while length:
        piece = os.pread(blob.fd, length, blob.offset + position)
        if not piece:
            raise TruncatedBlob(f"a blob ends {length} bytes early")
        pieces.append(piece)
        position += len(piece)
        length -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def read(blob: OpenBlob, position: int, length: int) -> bytes | bytearray:
    """`length` bytes at `position`, without holding up the loop. Raises TruncatedBlob."""
    data = read_now(blob, position, length)
    if data is None:
        return await asyncio.to_thread(read_waiting, blob, position, length)
    return data


async def pieces(blob: OpenBlob, position: int, length: int) -> AsyncIterator[bytes | bytearray]:
    """The bytes in pieces of at most PIECE."""
    while length:
        size = min(length, PIECE)
        yield await read(blob, position, size)
        position += size
        length -= size


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

    async def send(self, blob: OpenBlob, position: int, length: int) -> None:
        """Send `length` bytes of the blob from `position`. Raises ConnectionError, TruncatedBlob, OSError."""
        if self._socket >= 0 and length > SMALL:
            await self._send_file(blob, position, length)
            return
        async for piece in pieces(blob, position, length):
            write(self._request, piece)
            self.sent += len(piece)
            await drain(self._request)

    def close(self) -> None:
        if self._watched >= 0:
            with suppress(OSError, ValueError):
                asyncio.get_running_loop().remove_writer(self._watched)
            os.close(self._watched)
            self._watched = -1

    async def _send_file(self, blob: OpenBlob, position: int, length: int) -> None:
        await self._flush()
        while length:
            self._check_open()
            size = min(length, TURN)
            if not _in_memory(blob, position, size):
                await asyncio.to_thread(_warm, blob, position, size)
                self._check_open()
            try:
                count = os.sendfile(self._socket, blob.fd, blob.offset + position, size)
            except BlockingIOError:
                await self._writable()
                continue
            except OSError as error:
                if error.errno in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF):
                    raise ConnectionEnded("the client is gone") from error
                raise
            if count == 0:
                raise TruncatedBlob(f"a blob ends {length} bytes early")
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


def _in_memory(blob: OpenBlob, position: int, length: int) -> bool:
    """Whether the first and last page are in the page cache, and so most likely all between."""
    last = max(position, position + length - 1)
    return all(read_now(blob, place, 1) is not None for place in (position, last))


def _warm(blob: OpenBlob, position: int, length: int) -> None:
    os.posix_fadvise(blob.fd, blob.offset + position, length, os.POSIX_FADV_WILLNEED)
    scratch = bytearray(length)
    if os.preadv(blob.fd, [scratch], blob.offset + position) == 0:
        raise TruncatedBlob("a blob ends early")
