"""Files of SQLite that nobody but their owner reads, whatever the folder and the umask let others do."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def make_private(path: Path) -> None:
    """Make an empty file of mode 0600 where there is none. The `-wal` and `-shm` beside it get its mode from SQLite.

    A file that is there stays as it is, and unopened: closing it would end the locks that this process has on it. What
    stands in the way is left for SQLite to tell.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
