"""The PostgreSQL driver: the same SQL over asyncpg.

READ COMMITTED with advisory locks (see docs/adr/0023): a statement behind a lock sees what the lock's earlier holders
committed. A transaction begins with its first statement, in one round trip with the locks that it needs by then.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import asyncpg

from gateway.errors import DatabaseUnavailable, DiskFull, GatewayError
from gateway.metadata.coalesced import Coalesced
from gateway.metadata.meta import GENERATION
from gateway.metadata.port import Durable, Parameters, Reader, Row, Transaction
from gateway.metadata.postgres_hot import CURRENT, CURRENTS, PUT, Batches, Put, arguments, is_plain
from gateway.metadata.postgres_pool import CALL_SECONDS, Pool, Use
from gateway.metadata.postgres_reader import PostgresReader
from gateway.metadata.postgres_replica import PostgresReplica
from gateway.metadata.postgres_sql import (
    LOST,
    RETRIED,
    Connection,
    lock_number,
    returning_identity,
    translate,
    translated,
)
from gateway.metadata.versions import NewVersion, Written, put_new
from gateway.model.objects import WriteConditions

T = TypeVar("T")

log = logging.getLogger("pixgate.metadata")

RETRY_SECONDS = 0.05
"""The longest first wait before a transaction that lost to another is tried again; it doubles each time."""
LOOK_UPS = 1
PUTS = 2
"""Batches of look-ups and of plain puts on their way at once: more would be smaller ones."""
_READ = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
UNKNOWN = "The write was interrupted; whether it took place is not known."


class PostgresTransaction(PostgresReader):
    def __init__(self, connection: Connection, begin: str, *, arrays: bool = True) -> None:
        super().__init__(connection, begin)
        self.arrays = arrays
        self._locks: set[str] = set()

    async def run(self, sql: str, parameters: Parameters = ()) -> int:
        if self._due:
            await self._catch_up()
        status = await self._connection.execute(translated(sql), *parameters)
        # Such as "UPDATE 3", "INSERT 0 1".
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def insert(self, sql: str, parameters: Parameters = ()) -> int:
        if self._due:
            await self._catch_up()
        identity: int = await self._connection.fetchval(returning_identity(sql), *parameters)
        return identity

    async def many(self, sql: str, rows: Iterable[Parameters]) -> None:
        if self._due:
            await self._catch_up()
        await self._connection.executemany(translated(sql), rows)

    async def lock(self, kind: str, *identity: int | bytes | str, shared: bool = False) -> None:
        function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        statement = f"SELECT {function}({lock_number(kind, *identity)})"
        if statement not in self._locks:
            self._locks.add(statement)
            self._due.append(statement)


async def single(pool: Pool, statement: Callable[[Connection], Awaitable[T]]) -> T:
    """Run one statement that changes nothing, a transaction by itself; on another connection where one broke."""
    due = time.monotonic() + CALL_SECONDS
    again = True
    while True:
        use = await pool.acquire(due)
        try:
            result = await statement(use.connection)
        except Exception as error:
            lost = use.connection.is_closed() or isinstance(error, LOST)
            if not lost:
                pool.release(use)
                raise translate(error) from error
            pool.drop(use)
            if not again or time.monotonic() >= due:
                raise DatabaseUnavailable("The metadata database does not answer.") from error
            again = False
        except BaseException:
            pool.drop(use)
            raise
        else:
            pool.release(use)
            return result


async def _fetch_row(connection: Connection, sql: str, parameters: Parameters) -> Row | None:
    row: Row | None = await connection.fetchrow(sql, *parameters)
    return row


async def one(pool: Pool, sql: str, parameters: Parameters) -> Row | None:
    return await single(pool, lambda connection: connection.fetchrow(translated(sql), *parameters))


async def every(pool: Pool, sql: str, parameters: Parameters) -> list[Row]:
    return await single(pool, lambda connection: connection.fetch(translated(sql), *parameters))


class PostgresDatabase:
    """A PostgreSQL database, shared by any number of processes and nodes. Made and used on one event loop.

    `url` is what libpq takes: `postgresql://user:password@host:5432/database?sslmode=verify-full&sslrootcert=...`. `size` is
    the connections of this process at most, `statement_seconds` what one statement of a request may take. `pgbouncer`:
    a pooler in transaction mode is in between, so nothing is prepared by name or set for a session. `read_url` names a
    replica for what asks for it. Nothing is connected before the first use.
    """

    engine = "postgresql"
    keys_at_once = 100

    def __init__(
        self,
        url: str,
        *,
        read_url: str | None = None,
        size: int = 10,
        statement_seconds: float = 4.0,
        pgbouncer: bool = False,
    ) -> None:
        self._statement_ms = int(statement_seconds * 1000)
        self._pgbouncer = pgbouncer
        self._pool = Pool(url, size, pgbouncer=pgbouncer, statement_seconds=statement_seconds)
        self._replica: PostgresReplica | None = None
        if read_url is not None:
            pool = Pool(
                read_url, max(2, size // 2), pgbouncer=pgbouncer, statement_seconds=statement_seconds, standby=True
            )
            self._replica = PostgresReplica(pool, self, partial(self._begin, _READ))
        self._generation = Coalesced(self._ask_generation)
        self._currents = Batches(self._ask_currents, LOOK_UPS)
        self._puts = Batches(self._ask_puts, PUTS)
        self._syncs: dict[Durable, Coalesced[None]] = {}
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="durable")
        self._writes: set[asyncio.Task[Any]] = set()
        self._closed = False

    def snapshot(self) -> None:
        """Nothing: asking costs a round trip."""
        return

    async def generation(self) -> int:
        return await self._generation()

    async def _ask_generation(self) -> int:
        row = await self.one(GENERATION)
        assert row is not None
        return int(row[0])

    async def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        return await one(self._pool, sql, parameters)

    async def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        return await every(self._pool, sql, parameters)

    def _begin(self, mode: str, heavy: bool) -> str:
        if heavy:
            return f"BEGIN {mode}; SET LOCAL statement_timeout = 0"
        if self._pgbouncer:
            return f"BEGIN {mode}; SET LOCAL statement_timeout = {self._statement_ms}"
        return f"BEGIN {mode}"

    async def read(self, operation: Callable[[Reader], Awaitable[T]], *, heavy: bool = False) -> T:
        begin = self._begin(_READ, heavy)
        due = time.monotonic() + CALL_SECONDS
        while True:
            use = await self._pool.acquire(due, patient=heavy)
            reader = PostgresReader(use.connection, begin)
            try:
                result = await operation(reader)
                if reader.begun:
                    await use.connection.execute("COMMIT")
            except BaseException as error:
                fact, again = await self._undo(use, reader, error)
                if again and time.monotonic() < due:
                    continue
                raise fact from error
            self._pool.release(use)
            return result

    async def read_replica(
        self,
        operation: Callable[[Reader], Awaitable[T]],
        *,
        confirm: Callable[[Reader, T], Awaitable[T]] | None = None,
        heavy: bool = False,
    ) -> T:
        if self._replica is None:
            return await self.read(operation, heavy=heavy)
        return await self._replica.read(operation, confirm, heavy)

    async def write(
        self,
        operation: Callable[[Transaction], Awaitable[T]],
        *,
        durable: Durable | None = None,
        heavy: bool = False,
    ) -> T:
        return await self._to_its_end(self._write(operation, durable, heavy))

    async def current(self, bucket_id: int, key: bytes) -> tuple[int, Row | None]:
        return await self._currents((bucket_id, key))

    async def _ask_currents(self, asked: Sequence[tuple[int, bytes]]) -> list[tuple[int, Row | None]]:
        if len(asked) == 1 or self._pgbouncer:
            # The driver asks a server what arrays are, once a connection; over a pooler that may take seconds.
            rows = []
            for each in asked:
                row = await single(self._pool, partial(_fetch_row, sql=CURRENT, parameters=each))
                assert row is not None
                rows.append(row)
        else:
            columns = [bucket for bucket, _ in asked], [key for _, key in asked]
            rows = await single(self._pool, lambda connection: connection.fetch(CURRENTS, *columns))
        return [(row[0], None if row[2] is None else row[2:]) for row in rows]

    async def put(self, new: NewVersion, conditions: WriteConditions, *, durable: Durable | None = None) -> Written:
        if self._pgbouncer or not is_plain(new):
            return await self.write(lambda tx: put_new(tx, new, conditions), durable=durable)
        if self._closed:
            raise DatabaseUnavailable("The database is closed.")
        if durable is not None:
            await self._sync(durable)
        return await self._puts(Put(new, conditions))

    async def _ask_puts(self, puts: Sequence[Put]) -> list[Written | GatewayError]:
        """Write several versions in one transaction, which is one statement."""
        use = await self._pool.acquire(time.monotonic() + CALL_SECONDS)
        connection = use.connection
        try:
            rows = await connection.fetch(PUT, *arguments(puts))
        except Exception as error:
            if connection.is_closed() or isinstance(error, LOST):
                self._pool.drop(use)
                raise DatabaseUnavailable(UNKNOWN) from error
            self._pool.release(use)
            fact = translate(error)
            if isinstance(fact, GatewayError) and not isinstance(error, RETRIED):
                raise fact from error
        except BaseException:
            self._pool.drop(use)
            raise
        else:
            self._pool.release(use)
            return [put.written(*row) for put, row in zip(puts, rows, strict=True)]
        # One of them was refused, or lost to others, and took all with it: each by itself.
        answers: list[Written | GatewayError] = []
        for put in puts:
            try:
                answers.append(await self._write(partial(put_new, new=put.new, conditions=put.conditions), None, False))
            except GatewayError as fact:
                answers.append(fact)
            except asyncpg.PostgresError as error:
                log.error("a version could not be written: %s", type(error).__name__)
                answers.append(DatabaseUnavailable("The metadata database refused what was written."))
        return answers

    async def _to_its_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it whether or not the caller still waits."""
        if self._closed:
            work.close()
            raise DatabaseUnavailable("The database is closed.")
        task = asyncio.get_running_loop().create_task(work)
        self._writes.add(task)
        task.add_done_callback(self._wrote)
        return await asyncio.shield(task)

    def _wrote(self, task: asyncio.Task[Any]) -> None:
        self._writes.discard(task)
        if not task.cancelled():
            # Whoever asked may be gone; the error was theirs alone.
            task.exception()

    async def _sync(self, durable: Durable) -> None:
        """Make bytes durable; those who name the same bytes at the same time share it."""
        shared = self._syncs.get(durable)
        if shared is None:

            async def ask() -> None:
                await asyncio.get_running_loop().run_in_executor(self._threads, durable.sync)
                if not again.asked:
                    self._syncs.pop(durable, None)

            again = shared = self._syncs[durable] = Coalesced(ask)
        try:
            await shared()
        except GatewayError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull("No space left.") from error
            raise DatabaseUnavailable("What was stored cannot be made durable.") from error

    async def _write(self, operation: Callable[[Transaction], Awaitable[T]], durable: Durable | None, heavy: bool) -> T:
        if durable is not None:
            await self._sync(durable)
        begin = self._begin("ISOLATION LEVEL READ COMMITTED READ WRITE", heavy)
        due = time.monotonic() + CALL_SECONDS
        wait = RETRY_SECONDS
        while True:
            use = await self._pool.acquire(due, patient=heavy)
            tx = PostgresTransaction(use.connection, begin, arrays=not self._pgbouncer)
            try:
                result = await operation(tx)
            except BaseException as error:
                fact, again = await self._undo(use, tx, error)
                if not again or time.monotonic() + wait >= due:
                    raise fact from error
                await asyncio.sleep(wait * random.random())  # noqa: S311 -- to meet again less often
                wait *= 2
                continue
            if tx.begun:
                await self._commit(use)
            self._pool.release(use)
            return result

    async def _commit(self, use: Use) -> None:
        try:
            await use.connection.execute("COMMIT")
        except RETRIED as error:
            # Nothing of ours fails at the end, but for constraints that somebody deferred.
            self._pool.drop(use)
            raise DatabaseUnavailable("The metadata database does not answer.") from error
        except BaseException as error:
            # Sent or not, done or not: only the rows can tell.
            self._pool.drop(use)
            raise DatabaseUnavailable(UNKNOWN) from error

    async def _undo(self, use: Use, tx: PostgresReader, error: BaseException) -> tuple[BaseException, bool]:
        """Roll back; gives what to raise, and whether it is safe and may help to try again."""
        connection = use.connection
        if not isinstance(error, Exception):
            # Cancelled in the middle of a statement.
            self._pool.drop(use)
            return error, False
        fact = translate(error, connection)
        lost = connection.is_closed() or isinstance(error, LOST)
        if not lost and tx.begun:
            try:
                await connection.execute("ROLLBACK")
            except Exception as failed:
                log.warning("a transaction could not be rolled back: %s", type(failed).__name__)
                lost = True
        if lost:
            # What was not told to commit is undone.
            self._pool.drop(use)
        else:
            self._pool.release(use)
        again = isinstance(error, RETRIED) or (lost and isinstance(fact, DatabaseUnavailable))
        return fact, again

    async def maintain(self) -> None:
        self._pool.trim()
        if self._replica is not None:
            self._replica.maintain()

    async def close(self) -> None:
        self._closed = True
        while tasks := self._writes | self._puts.running:
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._replica is not None:
            await self._replica.close()
        await self._pool.close()
        self._threads.shutdown()
