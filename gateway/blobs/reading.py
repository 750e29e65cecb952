"""Reading runs of files without holding up the event loop.

Reads are tried without waiting (RWF_NOWAIT, the page cache); what is not in memory is read in a thread, so that a cold
disk holds up one request and not the loop.
"""

from __future__ import annotations

import asyncio
import errno
import os

from gateway.errors import StoreUnavailable


class TruncatedBlob(StoreUnavailable):
    """A file ended before its bytes did."""


def read_now(fd: int, position: int, length: int) -> bytearray | None:
    """`length` bytes at `position` if all of them are in memory, else None. Raises OSError."""
    buffer = bytearray(length)
    try:
        count = os.preadv(fd, [buffer], position, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            return None
        raise
    return buffer if count == length else None


def read_waiting(fd: int, position: int, length: int) -> bytes:
    """`length` bytes at `position`, from the disk if need be. Raises TruncatedBlob, OSError."""
    pieces: list[bytes] = []
    while length:
        piece = os.pread(fd, length, position)
        if not piece:
            raise TruncatedBlob(f"The store holds {length} bytes less than it should.")
        pieces.append(piece)
        position += len(piece)
        length -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def read(fd: int, position: int, length: int) -> bytes | bytearray:
    """`length` bytes at `position`, without holding up the loop. Raises TruncatedBlob, OSError."""
    data = read_now(fd, position, length)
    if data is None:
        return await asyncio.to_thread(read_waiting, fd, position, length)
    return data
