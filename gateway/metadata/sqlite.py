"""The SQLite driver: look-ups on the event loop, longer reads in threads, writes in group commits.

Writes are gathered into batches: one thread hop makes the named bytes durable, takes the hand-over and the write lock,
the statements run on the loop (each a few microseconds; in a thread they would fight over the interpreter lock at each
statement), a second hop commits, and only then all are answered. See docs/adr/0003.
"""

from __future__ import annotations

import asyncio
import errno
import sqlite3
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from gateway.errors import DatabaseUnavailable, DiskFull, GatewayError
from gateway.metadata.handover import Handover
from gateway.metadata.port import Durable, Parameters, Reader, Row, Transaction

T = TypeVar("T")

BATCH = 64
"""Operations a commit at most: bounds how long the write lock is held."""
CHECKPOINT_BYTES = 8 * 1024**2
"""Size of the write-ahead log above which it is copied into the database, in bytes."""
STRICT_CHECKPOINT_BYTES = 64 * 1024**2
"""Size above which writers wait while that is done, so that the log can start anew."""


def translate(error: Exception) -> GatewayError:
    """The fact behind a driver's error."""
    if isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
        return DiskFull("The metadata database has no space left.")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("No space left.")
    return DatabaseUnavailable("The metadata database does not answer.")


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=10, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA cache_size = -16384")
    connection.execute("PRAGMA mmap_size = 268435456")
    connection.execute("PRAGMA temp_store = MEMORY")
    if read_only:
        connection.execute("PRAGMA query_only = 1")
    return connection


class SqliteReader:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        row: Row | None = self._connection.execute(sql, parameters).fetchone()
        return row

    async def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        return self._connection.execute(sql, parameters).fetchall()


class SqliteTransaction(SqliteReader):
    async def run(self, sql: str, parameters: Parameters = ()) -> int:
        return self._connection.execute(sql, parameters).rowcount

    async def insert(self, sql: str, parameters: Parameters = ()) -> int:
        identity = self._connection.execute(sql, parameters).lastrowid
        assert identity is not None
        return identity

    async def many(self, sql: str, rows: Iterable[Parameters]) -> None:
        self._connection.executemany(sql, rows)


def run_now(awaitable: Awaitable[T]) -> T:
    """Run a coroutine over this driver, which never waits, to its end."""
    assert isinstance(awaitable, Coroutine)
    try:
        awaitable.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    awaitable.close()
    raise RuntimeError("an operation on the database waited for something else")


class _Operation:
    __slots__ = ("durable", "error", "future", "heavy", "operation", "result")

    def __init__(
        self,
        operation: Callable[[Transaction], Awaitable[Any]],
        durable: Durable | None,
        heavy: bool,
        future: asyncio.Future[Any],
    ) -> None:
        self.operation = operation
        self.durable = durable
        self.heavy = heavy
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None


class SqliteDatabase:
    """A SQLite file, shared by any number of processes. `handover` is the socket of their `HandoverServer`.

    Made and used on one event loop. `data_version` moves whenever another connection has committed.
    """

    def __init__(self, path: Path, handover: Path | None = None) -> None:
        self.path = path
        self._handover = Handover(handover)
        self._reading = connect(path, read_only=True)
        self._reader = SqliteReader(self._reading)
        self._writing = connect(path, read_only=False)
        self._transaction = SqliteTransaction(self._writing)
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="sqlite-read")
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-commit")
        self._thread = threading.local()
        self._pending: deque[_Operation] = deque()
        self._flushing: asyncio.Task[None] | None = None
        self._closed = False

    def data_version(self) -> int:
        try:
            return int(self._reading.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error as error:
            raise translate(error) from error

    def one_now(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """`one`, for those that are not coroutines."""
        try:
            row: Row | None = self._reading.execute(sql, parameters).fetchone()
        except sqlite3.Error as error:
            raise translate(error) from error
        return row

    async def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        return self.one_now(sql, parameters)

    async def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        try:
            return self._reading.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise translate(error) from error

    async def read(self, operation: Callable[[Reader], Awaitable[T]]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, operation)

    def _read(self, operation: Callable[[Reader], Awaitable[T]]) -> T:
        try:
            reader: SqliteReader | None = getattr(self._thread, "reader", None)
            if reader is None:
                connection = connect(self.path, read_only=True)
                reader = self._thread.reader = SqliteReader(connection)
                self._thread.connection = connection
            connection = self._thread.connection
            connection.execute("BEGIN")
            try:
                return run_now(operation(reader))
            finally:
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise translate(error) from error

    async def write(
        self,
        operation: Callable[[Transaction], Awaitable[T]],
        *,
        durable: Durable | None = None,
        heavy: bool = False,
    ) -> T:
        if self._closed:
            raise DatabaseUnavailable("The database is closed.")
        loop = asyncio.get_running_loop()
        pending = _Operation(operation, durable, heavy, loop.create_future())
        self._pending.append(pending)
        if self._flushing is None:
            self._flushing = loop.create_task(self._flush())
        result: T = await asyncio.shield(pending.future)
        return result

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._pending:
                batch = [self._pending.popleft() for _ in range(min(BATCH, len(self._pending)))]
                try:
                    await loop.run_in_executor(self._committer, self._begin, {o.durable for o in batch if o.durable})
                    if any(operation.heavy for operation in batch):
                        await loop.run_in_executor(self._committer, self._execute, batch)
                    else:
                        self._execute(batch)
                    await loop.run_in_executor(self._committer, self._commit)
                except Exception as error:
                    await loop.run_in_executor(self._committer, self._rollback)
                    fact = translate(error)
                    for operation in batch:
                        operation.error = operation.error or fact
                for operation in batch:
                    self._resolve(operation)
        finally:
            self._flushing = None

    @staticmethod
    def _resolve(operation: _Operation) -> None:
        if operation.future.cancelled():
            return
        if operation.error is None:
            operation.future.set_result(operation.result)
        else:
            operation.future.set_exception(operation.error)
            # Whoever asked may be gone; the error was theirs alone.
            operation.future.exception()

    def _begin(self, durables: set[Durable]) -> None:
        self._handover.ask()
        try:
            for durable in durables:
                durable.sync()
        finally:
            self._handover.wait()
        try:
            self._writing.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._handover.release()
            raise

    def _execute(self, batch: list[_Operation]) -> None:
        execute = self._writing.execute
        for operation in batch:
            execute("SAVEPOINT operation")
            try:
                operation.result = run_now(operation.operation(self._transaction))
            except sqlite3.IntegrityError as error:
                execute("ROLLBACK TO operation")
                operation.error = error
            except sqlite3.Error:
                raise
            except Exception as error:
                execute("ROLLBACK TO operation")
                operation.error = error
            execute("RELEASE operation")

    def _commit(self) -> None:
        try:
            self._writing.execute("COMMIT")
        finally:
            if not self._writing.in_transaction:
                self._handover.release()

    def _rollback(self) -> None:
        if self._writing.in_transaction:
            try:
                self._writing.execute("ROLLBACK")
            finally:
                self._handover.release()

    async def checkpoint(self) -> None:
        """Copy the write-ahead log into the database when it has grown; called every second by one process."""
        await asyncio.get_running_loop().run_in_executor(self._readers, self._checkpoint)

    def _checkpoint(self) -> None:
        log = self.path.with_name(self.path.name + "-wal")
        try:
            size = log.stat().st_size
        except FileNotFoundError:
            return
        if size < CHECKPOINT_BYTES:
            return
        connection: sqlite3.Connection | None = getattr(self._thread, "checkpointer", None)
        if connection is None:
            connection = self._thread.checkpointer = connect(self.path, read_only=False)
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            if size < STRICT_CHECKPOINT_BYTES:
                return
            # Under writes without a pause the log never starts anew by itself: hold the writers for the rest of it.
            handover = Handover(self._handover._path)
            handover.ask()
            handover.wait()
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                handover.release()
                handover.close()
        except sqlite3.Error as error:
            raise translate(error) from error

    async def close(self) -> None:
        self._closed = True
        while self._flushing is not None:
            await asyncio.shield(self._flushing)
        self._committer.shutdown()
        self._readers.shutdown()
        self._handover.close()
        self._reading.close()
        self._writing.close()
