"""Whether anybody committed, without asking SQLite: the header of the write-ahead log's index, in shared memory.

`PRAGMA data_version` takes a read lock, four system calls a request. The header says the same: SQLite rewrites its first
copy as the last step of every commit, and readers see a commit exactly when they see that copy (sqlite.org/walformat.html,
section 2.1). Measured: 0.2 us against 15 us.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

HEADER_BYTES = 48


class _Mapping:
    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.memory = mmap.mmap(self.fd, HEADER_BYTES, prot=mmap.PROT_READ)
        self.users = 0


# Closing any descriptor of a file drops all locks of the process on it (POSIX), SQLite's too. So there is one descriptor
# a file and process, closed with the last database that uses it.
_mappings: dict[tuple[int, int], _Mapping] = {}


class WalIndex:
    """The index of the database at `path`, which is open in WAL mode in this process and has been read from.

    Close it after every connection of that database.
    """

    def __init__(self, path: Path) -> None:
        index = path.with_name(path.name + "-shm")
        status = os.stat(index)
        self._place = (status.st_dev, status.st_ino)
        mapping = _mappings.get(self._place)
        if mapping is None:
            mapping = _mappings[self._place] = _Mapping(index)
        mapping.users += 1
        self._memory = mapping.memory

    def header(self) -> bytes:
        """48 bytes that differ after every commit, whichever process made it."""
        return self._memory[:HEADER_BYTES]

    def close(self) -> None:
        mapping = _mappings[self._place]
        mapping.users -= 1
        if not mapping.users:
            del _mappings[self._place]
            mapping.memory.close()
            os.close(mapping.fd)
