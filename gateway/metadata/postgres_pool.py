"""Connections to PostgreSQL: how many, how long one may be waited for, and when one is given up.

Every use has a moment when it is due. One timer looks every quarter of a second for uses that are overdue and cuts their
connections, which ends what waits on them; so a server that hangs costs its callers that time and no more, and nothing
is paid a statement. A connection that broke is dropped, never asked whether it still works.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque

import asyncpg

from gateway.errors import DatabaseUnavailable, InvalidValue
from gateway.metadata.postgres_sql import Connection, without_password

log = logging.getLogger("pixgate.metadata")

MINIMUM_VERSION = 15
"""The oldest major version of PostgreSQL that the SQL is written for and tested with."""
CALL_SECONDS = 4.0
"""What a call may take, waiting for a connection and retries included."""
LOOK_SECONDS = 0.25
"""How exactly the time is kept: a use ends at most that long after it was due."""
ALIVE_SECONDS = 4.0
"""How often a server is asked for a sign of life while it works on something that may take long."""
SIGN_SECONDS = 4.0
"""How long that sign, a new connection, may take."""
IDLE_SECONDS = 300.0
"""How long connections above the first stay open without use."""
STATEMENTS = 512
"""Prepared statements a connection keeps: all that the package has."""


class Use:
    """A connection in somebody's hands, until `due` on the monotonic clock. `patient`: while the server is alive."""

    __slots__ = ("connection", "due", "patient")

    def __init__(self, connection: Connection, due: float, patient: bool) -> None:
        self.connection = connection
        self.due = due
        self.patient = patient


class Pool:
    """Made and used on one event loop; connects when it is asked first.

    `url` may be any that libpq takes, several hosts and TLS parameters too. Raises DatabaseUnavailable where the server is
    away, hangs, refuses or has no connection left in time; InvalidValue where it is too old.
    """

    def __init__(
        self, url: str, size: int, *, pgbouncer: bool, statement_seconds: float, standby: bool = False
    ) -> None:
        self._url = url
        self._size = size
        self._pgbouncer = pgbouncer
        self._standby = standby
        self._settings = {"application_name": "pixgate"}
        if not pgbouncer:
            # For what this process gives up: the server gives it up too. A pooler takes no such settings.
            self._settings |= {
                "statement_timeout": str(int(statement_seconds * 1000)),
                "idle_in_transaction_session_timeout": "20000",
                "default_transaction_isolation": "read committed",
                "jit": "off",
                # Every statement of ours is led by an index, whatever its parameters: planning anew would cost more than running.
                "plan_cache_mode": "force_generic_plan",
            }
        self._idle: list[tuple[Connection, float]] = []
        self._uses: set[Use] = set()
        self._busy = 0
        """Connections in use, being opened, or on their way from one use to the next."""
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self._closed = False

    async def acquire(self, due: float, *, patient: bool = False) -> Use:
        """A connection, until `due`. It is given back with `release`, or with `drop`."""
        while True:
            if self._closed:
                raise DatabaseUnavailable("The database is closed.")
            while self._idle:
                connection, _ = self._idle.pop()
                if not connection.is_closed():
                    self._busy += 1
                    return self._use(connection, due, patient)
            if self._busy < self._size:
                self._busy += 1
                try:
                    connection = await self._connect(due)
                except BaseException:
                    self._free()
                    raise
                return self._use(connection, due, patient)
            handed = await self._turn(due)
            if handed is not None and not handed.is_closed():
                return self._use(handed, due, patient)
            if handed is not None:
                self._free()

    def _use(self, connection: Connection, due: float, patient: bool) -> Use:
        use = Use(connection, due, patient)
        self._uses.add(use)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)
        return use

    def release(self, use: Use) -> None:
        """Give a connection back, with no transaction open; one that broke is dropped."""
        self._uses.discard(use)
        self._give(use.connection)

    def _give(self, connection: Connection) -> None:
        if self._closed or connection.is_closed():
            connection.terminate()
            self._free()
            return
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(connection)
                return
        self._busy -= 1
        self._idle.append((connection, time.monotonic()))

    def drop(self, use: Use) -> None:
        """Give up a connection whose state is not known, and the idle ones: what broke one broke them."""
        self._uses.discard(use)
        use.connection.terminate()
        for connection, _ in self._idle:
            connection.terminate()
        self._idle.clear()
        self._free()

    def _free(self) -> None:
        """One may connect anew: the first of those who wait."""
        self._busy -= 1
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                return

    async def _turn(self, due: float) -> Connection | None:
        """Wait for a connection, or (None) for room to open one. First come, first served."""
        future: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            async with asyncio.timeout(max(0.0, due - time.monotonic())):
                return await future
        except (TimeoutError, asyncio.CancelledError) as error:
            if future.done() and not future.cancelled():
                # It came in the same moment.
                connection = future.result()
                if connection is None:
                    self._busy += 1
                    self._free()
                else:
                    self._give(connection)
            if isinstance(error, TimeoutError):
                raise DatabaseUnavailable("The metadata database is too busy.") from None
            raise

    async def _connect(self, due: float) -> Connection:
        seconds = due - time.monotonic()
        if seconds <= 0:
            raise DatabaseUnavailable("The metadata database does not answer.")
        try:
            async with asyncio.timeout(seconds):
                connection: Connection = await asyncpg.connect(
                    self._url,
                    timeout=seconds + 1,
                    statement_cache_size=0 if self._pgbouncer else STATEMENTS,
                    max_cached_statement_lifetime=0,
                    server_settings=self._settings,
                )
                try:
                    await self._check(connection)
                except BaseException:
                    connection.terminate()
                    raise
        except (DatabaseUnavailable, InvalidValue):
            raise
        except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            reason = without_password(str(error) or type(error).__name__, self._url)
            log.warning("no connection to the metadata database: %s", reason)
            raise DatabaseUnavailable("The metadata database does not answer.") from None
        except asyncpg.InternalClientError as error:
            log.warning("no connection to the metadata database: %s", error)
            raise DatabaseUnavailable("The metadata database does not answer.") from None
        return connection

    async def _check(self, connection: Connection) -> None:
        major = connection.get_server_version().major
        if major < MINIMUM_VERSION:
            raise InvalidValue(f"PostgreSQL {major} is too old: version {MINIMUM_VERSION} or later is needed")
        row = await connection.fetchrow("SELECT pg_is_in_recovery(), current_setting('synchronous_commit')")
        assert row is not None
        if row[0] and not self._standby:
            # After a switch-over the old primary may live on as a replica.
            log.warning("the metadata database is a replica; writes need the primary")
            raise DatabaseUnavailable("The metadata database takes no writes.")
        if row[1] == "off":
            # What is acknowledged is durable.
            if self._pgbouncer:
                raise InvalidValue("synchronous_commit is off; switch it on for this database: writes would be lost")
            await connection.execute("SET synchronous_commit = on")

    def _look(self) -> None:
        """End the uses that are overdue."""
        self._timer = None
        now = time.monotonic()
        late = False
        for use in self._uses:
            if now < use.due:
                continue
            if use.patient:
                late = True
            else:
                use.connection.terminate()
        if late and self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._ask())
        if self._uses:
            self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    async def _ask(self) -> None:
        """Whether the server lives, over a connection of its own: then what takes long may go on."""
        try:
            connection = await self._connect(time.monotonic() + SIGN_SECONDS)
            connection.terminate()
            alive = True
        except DatabaseUnavailable:
            alive = False
        finally:
            self._asking = None
        now = time.monotonic()
        for use in self._uses:
            if use.patient and use.due <= now:
                if alive:
                    use.due = now + ALIVE_SECONDS
                else:
                    use.connection.terminate()

    def trim(self) -> None:
        """Close connections that nobody has used for long, all but one."""
        before = time.monotonic() - IDLE_SECONDS
        while len(self._idle) > 1 and self._idle[0][1] < before:
            connection, _ = self._idle.pop(0)
            connection.terminate()

    async def close(self) -> None:
        """Close what is idle now and the rest when it comes back."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._asking is not None:
            self._asking.cancel()
        idle, self._idle = self._idle, []
        for connection, _ in idle:
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=1)
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
