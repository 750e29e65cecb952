"""The SQLite driver: look-ups on the event loop, longer reads in threads, writes in group commits.

Writes are gathered into batches: one thread hop makes the named bytes durable, takes the hand-over and the write lock,
the statements run on the loop (each a few microseconds; in a thread they would fight over the interpreter lock at each
statement), a second hop commits, and only then all are answered. See docs/adr/0003.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from gateway.errors import DatabaseUnavailable, DiskFull, GatewayError
from gateway.metadata.handover import Handover
from gateway.metadata.meta import GENERATION
from gateway.metadata.port import Durable, Parameters, Reader, Row, Transaction
from gateway.metadata.versions import CURRENT, NewVersion, Written, put_new
from gateway.metadata.wal_index import WalIndex
from gateway.model.objects import WriteConditions

T = TypeVar("T")

log = logging.getLogger("pixgate.metadata")

BATCH = 64
"""Operations a commit at most: bounds how long the write lock is held."""
CHECKPOINT_BYTES = 4 * 1024**2
"""Size of the write-ahead log above which it is copied into the database, in bytes."""
RESTART_BYTES = 16 * 1024**2
"""What lies in the log when writers wait for a moment, so that it can start anew."""
FRAME_BYTES = 4096 + 24
STRICT_CHECKPOINT_BYTES = 64 * 1024**2
"""Size of the file above which it is cut, too: a reader that stayed for long had let it grow."""


_FATAL = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
)
"""What says something of the database, and not of the statement that met it."""


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def translate(error: BaseException) -> GatewayError:
    """The fact behind a driver's error."""
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, sqlite3.Error) and _code(error) == sqlite3.SQLITE_FULL:
        return DiskFull("The metadata database has no space left.")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("No space left.")
    return DatabaseUnavailable("The metadata database does not answer.")


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA cache_size = -16384")
        connection.execute("PRAGMA mmap_size = 268435456")
        connection.execute("PRAGMA temp_store = MEMORY")
        if read_only:
            connection.execute("PRAGMA query_only = 1")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise DatabaseUnavailable(f"The metadata database cannot be opened: {error}.") from error
    return connection


class SqliteReader:
    engine = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        row: Row | None = self._connection.execute(sql, parameters).fetchone()
        return row

    async def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        return self._connection.execute(sql, parameters).fetchall()


class SqliteTransaction(SqliteReader):
    arrays = False

    async def run(self, sql: str, parameters: Parameters = ()) -> int:
        return self._connection.execute(sql, parameters).rowcount

    async def insert(self, sql: str, parameters: Parameters = ()) -> int:
        identity = self._connection.execute(sql, parameters).lastrowid
        assert identity is not None
        return identity

    async def many(self, sql: str, rows: Iterable[Parameters]) -> None:
        self._connection.executemany(sql, rows)

    async def lock(self, kind: str, *identity: int | bytes | str, shared: bool = False) -> None:
        """Nothing to do: there is one writer at a time."""


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
    __slots__ = ("committed", "durable", "error", "future", "heavy", "operation", "result")

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
        self.committed = False


class SqliteDatabase:
    """A SQLite file, shared by any number of processes. `handover` is the socket of their `HandoverServer`.

    Made and used on one event loop.
    """

    engine = "sqlite"
    keys_at_once = 1000

    def __init__(self, path: Path, handover: Path | None = None) -> None:
        self.path = path
        self._handover = Handover(handover)
        self._reading = connect(path, read_only=True)
        self._reader = SqliteReader(self._reading)
        self._reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
        self._index = WalIndex(path)
        self._writing = connect(path, read_only=False)
        self._transaction = SqliteTransaction(self._writing)
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="sqlite-read")
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-commit")
        self._thread = threading.local()
        self._pending: deque[_Operation] = deque()
        self._flushing: asyncio.Task[None] | None = None
        self._closed = False

    def snapshot(self) -> bytes:
        """48 bytes that differ whenever anybody has committed in between."""
        return self._index.header()

    async def generation(self) -> int:
        row = self.one_now(GENERATION)
        assert row is not None
        return int(row[0])

    async def current(self, bucket_id: int, key: bytes) -> tuple[int, Row | None]:
        return await self.generation(), self.one_now(CURRENT, (bucket_id, key))

    async def put(self, new: NewVersion, conditions: WriteConditions, *, durable: Durable | None = None) -> Written:
        return await self.write(lambda tx: put_new(tx, new, conditions), durable=durable)

    async def maintain(self) -> None:
        await self.checkpoint()

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

    async def read(self, operation: Callable[[Reader], Awaitable[T]], *, heavy: bool = False) -> T:  # noqa: ARG002
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, operation)

    async def read_replica(
        self,
        operation: Callable[[Reader], Awaitable[T]],
        *,
        confirm: Callable[[Reader, T], Awaitable[T]] | None = None,  # noqa: ARG002
        heavy: bool = False,
    ) -> T:
        return await self.read(operation, heavy=heavy)

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

    def _batch(self) -> list[_Operation]:
        """What the next commit takes: light operations together, a heavy one by itself, in the order they came."""
        batch = [self._pending.popleft()]
        if not batch[0].heavy:
            while self._pending and len(batch) < BATCH and not self._pending[0].heavy:
                batch.append(self._pending.popleft())
        return batch

    async def _flush(self) -> None:
        try:
            while self._pending:
                batch = self._batch()
                try:
                    await self._commit_batch(batch)
                finally:
                    # Cancelled with the loop: the outcome is unknown, and nobody may wait for it for ever.
                    for operation in batch:
                        self._resolve(operation)
        finally:
            self._flushing = None

    async def _commit_batch(self, batch: list[_Operation]) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._committer, self._begin, batch)
            if batch[0].heavy:
                await loop.run_in_executor(self._committer, self._execute, batch)
            else:
                self._execute(batch)
            await loop.run_in_executor(self._committer, self._commit)
        except Exception as error:
            fact = translate(error)
            for operation in batch:
                operation.error = operation.error or fact
            await loop.run_in_executor(self._committer, self._rollback)
            return
        for operation in batch:
            operation.committed = True

    @staticmethod
    def _resolve(operation: _Operation) -> None:
        if operation.future.done():
            return
        error = operation.error
        if error is None and not operation.committed:
            error = DatabaseUnavailable("The write was interrupted; whether it took place is not known.")
        if error is None:
            operation.future.set_result(operation.result)
        else:
            operation.future.set_exception(error)
            # Whoever asked may be gone; the error was theirs alone.
            operation.future.exception()

    def _begin(self, batch: list[_Operation]) -> None:
        self._handover.ask()
        try:
            # Meanwhile the turn may come; waiting for it costs nobody else more than that.
            self._sync(batch)
        finally:
            self._handover.wait()
        try:
            self._writing.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._handover.release()
            raise

    @staticmethod
    def _sync(batch: list[_Operation]) -> None:
        """Make the bytes durable that the operations name; those whose bytes cannot be made so fail."""
        failed: dict[Durable, BaseException] = {}
        for durable in {operation.durable for operation in batch if operation.durable is not None}:
            try:
                durable.sync()
            except Exception as error:
                failed[durable] = error
        for operation in batch:
            if operation.durable in failed:
                operation.error = translate(failed[operation.durable])

    def _execute(self, batch: list[_Operation]) -> None:
        execute = self._writing.execute
        for operation in batch:
            if operation.error is not None:
                continue
            execute("SAVEPOINT operation")
            try:
                operation.result = run_now(operation.operation(self._transaction))
            except Exception as error:
                if isinstance(error, sqlite3.Error):
                    if not self._writing.in_transaction or _code(error) in _FATAL:
                        raise
                    if not isinstance(error, sqlite3.IntegrityError):
                        log.error("a statement failed: %s", error)
                operation.error = error
                execute("ROLLBACK TO operation")
            execute("RELEASE operation")

    def _commit(self) -> None:
        self._writing.execute("COMMIT")
        self._handover.release()

    def _rollback(self) -> None:
        try:
            # SQLite itself has rolled back after some errors.
            if self._writing.in_transaction:
                self._writing.execute("ROLLBACK")
        except sqlite3.Error as error:
            log.error("a transaction could not be rolled back: %s", error)
        finally:
            self._handover.release()

    async def checkpoint(self) -> None:
        """Copy the write-ahead log into the database when it has grown; called every second by every process.

        Two that do so at once do no harm: SQLite lets one of them, the other finds that it is being done.
        """
        await asyncio.get_running_loop().run_in_executor(self._readers, self._checkpoint)

    def _log_size(self) -> int:
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def _checkpoint(self) -> None:
        if self._log_size() < CHECKPOINT_BYTES:
            return
        connection: sqlite3.Connection | None = getattr(self._thread, "checkpointer", None)
        try:
            if connection is None:
                connection = self._thread.checkpointer = connect(self.path, read_only=False)
                # A reader that is in the way is tried again in a second: writers do not wait for it.
                connection.execute("PRAGMA busy_timeout = 20")
            _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if frames * FRAME_BYTES < RESTART_BYTES and self._log_size() < STRICT_CHECKPOINT_BYTES:
                return
            # Under writes without a pause the log never starts anew by itself. What came while most of it was copied
            # is copied again beside the writers, and only for the rest they wait.
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            handover = Handover(self._handover.path)
            handover.ask()
            handover.wait()
            try:
                # A file that keeps its length is written faster than one that grows.
                mode = "TRUNCATE" if self._log_size() >= STRICT_CHECKPOINT_BYTES else "RESTART"
                connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
            finally:
                handover.release()
                handover.close()
        except sqlite3.Error as error:
            raise translate(error) from error

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        while self._flushing is not None:
            await asyncio.shield(self._flushing)
        self._committer.shutdown()
        self._readers.shutdown()
        self._handover.close()
        self._reading.close()
        self._writing.close()
        self._index.close()
