"""When things that are limited happened lately: a small SQLite file that the workers of a node share.

It is no part of the deployment's data: what a power failure takes from it is only a count of minutes.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from migrations.private_file import make_private
from migrations.write_ahead import write_ahead

BUSY_SECONDS = 2.0
TIDY_SECONDS = 60.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS hits (name TEXT NOT NULL, at REAL NOT NULL, ends REAL NOT NULL);
CREATE INDEX IF NOT EXISTS hits_name ON hits (name, at);
CREATE INDEX IF NOT EXISTS hits_ends ON hits (ends);
"""


class RateWindowsUnavailable(Exception):
    """The file cannot be used."""


class RateWindowFile:
    """Moving windows in a file. Every method blocks for a moment, and only one thread at a time may call them.

    Times are Unix seconds. All raise RateWindowsUnavailable.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._tidied = 0.0

    def take(self, name: str, limit: int, seconds: float, amount: int, now: float) -> bool:
        """Note `amount` hits now, unless more than `limit` would then lie within the last `seconds`."""
        with self._transaction() as connection:
            if now - self._tidied > TIDY_SECONDS:
                self._tidied = now
                connection.execute("DELETE FROM hits WHERE ends <= ?", (now,))
            (count,) = connection.execute(
                "SELECT count(*) FROM hits WHERE name = ? AND at > ?", (name, now - seconds)
            ).fetchone()
            if count + amount > limit:
                return False
            connection.executemany("INSERT INTO hits VALUES (?, ?, ?)", [(name, now, now + seconds)] * amount)
            return True

    def window(self, name: str, seconds: float, now: float) -> tuple[float, int]:
        """When the oldest hit within the last `seconds` was (now, where there is none), and how many there are."""
        with self._transaction() as connection:
            oldest, count = connection.execute(
                "SELECT min(at), count(*) FROM hits WHERE name = ? AND at > ?", (name, now - seconds)
            ).fetchone()
        return (now, 0) if oldest is None else (float(oldest), int(count))

    def forget(self, name: str) -> None:
        with self._transaction() as connection:
            connection.execute("DELETE FROM hits WHERE name = ?", (name,))

    def forget_all(self) -> int:
        """How many hits were forgotten."""
        with self._transaction() as connection:
            return connection.execute("DELETE FROM hits").rowcount

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._connection or self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                # What is no database (any more) would stay so: the next call begins a new file.
                self._begin_anew()
            raise RateWindowsUnavailable(str(error)) from error

    def _open(self) -> sqlite3.Connection:
        make_private(self._path)
        connection = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=16
        )
        try:
            # A process that dies leaves a WAL whole; what the disk has of it does not matter.
            write_ahead(connection, BUSY_SECONDS)
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _begin_anew(self) -> None:
        self.close()
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                Path(str(self._path) + ending).unlink(missing_ok=True)
