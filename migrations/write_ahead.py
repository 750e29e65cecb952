"""Files of SQLite with a write-ahead log, begun by several processes at once."""

from __future__ import annotations

import sqlite3
import time

BUSY_SECONDS = 60
"""How long a migration waits for another one."""
PAUSE_SECONDS = 0.002


def write_ahead(connection: sqlite3.Connection, seconds: float) -> None:
    """Have a file's changes go to a write-ahead log. Raises sqlite3.Error, also where others hold it for `seconds`.

    While another connection is about to write to a file that has no log yet, SQLite answers at once that it is locked,
    whatever time-out a connection has: who makes a file beside others has to ask again.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(PAUSE_SECONDS)
