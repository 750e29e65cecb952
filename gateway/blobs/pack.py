"""A pack: the file that small blobs of one process share."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

from gateway.blobs.disk import sync_folder, translate
from gateway.errors import StoreUnavailable


class Pack:
    """An append-only file of small blobs, written by one process."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.size = 0
        self._fd = -1
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._folder: Path | None = path.parent
        self._lock = threading.Lock()
        self._synced = 0
        self.broken = False

    def append(self, data: bytes) -> int:
        """Write at the end; gives the offset. What fails half-way is overwritten by the next."""
        offset = self.size
        written = os.pwrite(self._fd, data, offset)
        if written != len(data):
            raise OSError(errno.ENOSPC, "short write")
        self.size = offset + written
        return offset

    def sync(self) -> None:
        # What was written before this call is below `target`, and durable once it returns.
        target = self.size
        with self._lock:
            if self._synced >= target:
                return
            if self.broken:
                raise StoreUnavailable("The store could not make earlier bytes durable.")
            try:
                os.fdatasync(self._fd)
                if self._folder is not None:
                    sync_folder(self._folder)
                    self._folder = None
            except OSError as error:
                # The kernel reports a failed write-back once and then forgets it: a second try would seem to succeed.
                self.broken = True
                raise translate(error) from error
            self._synced = target

    def __del__(self) -> None:
        # A waiting commit may be the last that knows this pack, long after the store began the next one.
        if self._fd >= 0:
            os.close(self._fd)
