"""Take out what processes that were killed while they wrote it left of their coverage: combining would fail on it.

    python -m tests.torn_coverage FOLDER

A file that ends too early is passed over by `coverage combine` itself, one that is torn in the middle is not.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path


def remove_torn(folder: Path) -> list[Path]:
    """Remove each database in the folder that is not whole; gives those."""
    torn = [path for path in sorted(folder.iterdir()) if path.is_file() and not _whole(path)]
    for path in torn:
        path.unlink()
    return torn


def _whole(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    except sqlite3.DatabaseError:
        return False


if __name__ == "__main__":
    for removed in remove_torn(Path(sys.argv[1])):
        print(f"{removed.name} was torn by a kill and does not count")
