"""A blob's file, written and read. What blocks says so."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from gateway.blobs.disk import LIBC, sync_folder, translate, write_all
from gateway.blobs.port import Bytes, Placed
from gateway.blobs.reading import read

PIECE_BYTES = 256 * 1024
"""Bytes a read."""
WRITE_BEHIND_BYTES = 4 * 1024**2
"""The kernel is told to start writing each time this much of a blob was written, so that its fdatasync is short."""
_SYNC_FILE_RANGE_WRITE = 2


class FileWriter:
    """A blob of its own. The lock lets whoever gives up close the file only when no thread is inside it any more."""

    def __init__(self, store: str, path: Path, name: str) -> None:
        self._store = store
        self._name = name
        self._folder = path.parent
        self._size = 0
        self._behind = 0
        self._lock = threading.Lock()
        self._fd = -1
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise translate(error) from error

    def write(self, pieces: Iterable[Bytes]) -> None:
        with self._lock:
            try:
                self._size += write_all(self._fd, pieces)
            except OSError as error:
                raise translate(error) from error
            if self._size - self._behind >= WRITE_BEHIND_BYTES:
                LIBC.sync_file_range(
                    self._fd,
                    ctypes.c_longlong(self._behind),
                    ctypes.c_longlong(self._size - self._behind),
                    _SYNC_FILE_RANGE_WRITE,
                )
                self._behind = self._size

    def finish(self) -> Placed:
        with self._lock:
            try:
                os.fdatasync(self._fd)
                self._close()
                sync_folder(self._folder)
            except OSError as error:
                raise translate(error) from error
        return Placed(self._store, self._name, 0, self._size, None)

    def abandon(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        # Whoever asked for the writer may have been cancelled before it was there.
        with contextlib.suppress(OSError):
            self._close()


class OpenFile:
    __slots__ = ("fd", "name", "stale", "users")

    def __init__(self, name: str, fd: int) -> None:
        self.name = name
        self.fd = fd
        self.users = 0
        self.stale = False


class FileReader:
    """A run of a blob file; the descriptor is shared with other readers of the same file."""

    __slots__ = ("_file", "_position", "_reads", "fd", "length", "offset")

    def __init__(self, file: OpenFile, offset: int, length: int, reads: dict[FileReader, int]) -> None:
        self._file: OpenFile | None = file
        self._reads = reads
        reads[self] = time.time_ns()
        self.fd = file.fd
        self.offset = offset
        self.length = length
        self._position = 0
        file.users += 1

    async def read(self) -> bytes | bytearray:
        """The next piece; empty at the end. Raises StoreUnavailable where the file is shorter than it should be."""
        size = min(PIECE_BYTES, self.length - self._position)
        if size <= 0:
            return b""
        try:
            data = await read(self.fd, self.offset + self._position, size)
        except OSError as error:
            raise translate(error) from error
        self._position += size
        return data

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            del self._reads[self]
            file.users -= 1
            if file.stale and not file.users:
                os.close(file.fd)
