"""What a folder of blobs asks of its disk: all written, names made durable, errors told as ours."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable
from pathlib import Path

from gateway.blobs.port import Bytes
from gateway.errors import DiskFull, GatewayError, StoreUnavailable

IOV_MAX = 1024
LIBC = ctypes.CDLL(None, use_errno=True)


def translate(error: OSError) -> GatewayError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("The store has no space left.")
    return StoreUnavailable("The store does not answer.")


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_all(fd: int, pieces: Iterable[Bytes]) -> int:
    """Write all pieces at the file's position; gives their bytes."""
    buffers = [piece for piece in pieces if len(piece)]
    total = 0
    while buffers:
        written = os.writev(fd, buffers[:IOV_MAX])
        total += written
        while buffers and written >= len(buffers[0]):
            written -= len(buffers.pop(0))
        if written:
            buffers[0] = memoryview(buffers[0])[written:]
    return total
